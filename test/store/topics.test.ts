import { UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CmqError } from '../../lib/domain/errors.ts'
import type { Topic } from '../../lib/domain/topic.ts'
import { ONLY_ACCOUNT } from '../../lib/names.ts'
import { attributesOf } from '../../lib/store/attributes.ts'
import { START } from '../support/clock.ts'
import { patientClient, testEngine } from '../support/engine.ts'
import { processesOver } from '../functions/support/processes.ts'

let engine: Awaited<ReturnType<typeof testEngine>>
beforeAll(async () => {
  engine = await testEngine()
})
afterAll(() => engine.stop())
const processes = () => processesOver(engine.endpoint)

const news = { topicName: 'news' }
const topic: Topic = {
  account: ONLY_ACCOUNT,
  name: 'News',
  id: 'topic-1',
  changeId: 'topic-1',
  maxMsgSize: 2_000,
  filterType: 2,
  createdAt: START,
  modifiedAt: START + 1,
}

describe('given a topic', () => {
  it('when it was created, then it is found by its name in any case, as it was', async () => {
    const { first } = await processes()
    const { topics } = first.services
    expect(await topics.create(topic)).toBe(true)
    expect(await topics.get(ONLY_ACCOUNT, 'NEWS')).toEqual(topic)
    expect(await topics.read(ONLY_ACCOUNT, 'news')).toEqual(topic)
    expect(await topics.list(ONLY_ACCOUNT)).toEqual([topic])
    expect(await topics.create({ ...topic, name: 'nEWS', id: 'topic-2' })).toBe(false)
  })

  it('when another account asks for it, then it is not there', async () => {
    const { first } = await processes()
    const { topics } = first.services
    await topics.create(topic)
    await expect(topics.read('1', 'news')).rejects.toEqual(new CmqError('topicNotFound'))
    expect(await topics.list('1')).toEqual([])
    expect(await topics.create({ ...topic, account: '1', id: 'topic-2' })).toBe(true)
    expect(await topics.list(ONLY_ACCOUNT)).toEqual([topic])
  })

  it('when it is missing, then that is thrown', async () => {
    const { first } = await processes()
    const { topics } = first.services
    await expect(topics.read(ONLY_ACCOUNT, 'news')).rejects.toEqual(new CmqError('topicNotFound'))
    await expect(topics.get(ONLY_ACCOUNT, 'news')).rejects.toEqual(new CmqError('topicNotFound'))
  })

  it('when its record says what no version of ours writes, then that is an error and no answer', async () => {
    const { first, tableNames } = await processes()
    await first.services.topics.create(topic)
    await patientClient(engine.endpoint).send(
      new UpdateItemCommand({
        TableName: tableNames.registry,
        Key: attributesOf({ pk: `account#${ONLY_ACCOUNT}`, sk: 'topic#news' }),
        UpdateExpression: 'SET filterType = :type',
        ExpressionAttributeValues: attributesOf({ ':type': 3 }),
      }),
    )
    expect(await first.ask('QueryTopicRoute', news)).toMatchObject({ code: 6000 })
  })
})

describe('given a topic that several processes know', () => {
  it.each([
    ['SetTopicAttributes', { ...news, maxMsgSize: 2_000 }],
    ['DeleteTopic', news],
  ])('when %s answers, then every process knows', async (action, parameters) => {
    const { clock, first, second } = await processes()
    await first.ask('CreateTopic', news)
    await second.ask('QueryTopicRoute', news)
    let isAnswered = false
    const changing = first.ask(action, parameters).then((answer) => {
      isAnswered = true
      return answer
    })
    await clock.advance(500)
    // Half a second later another process may still go on with what it knew.
    expect(await second.ask('GetTopicAttributes', news)).toMatchObject({ code: 0, maxMsgSize: 65_536 })
    await clock.advance(549)
    expect(isAnswered).toBe(false)
    await clock.advance(1)
    expect(await changing).toMatchObject({ code: 0 })
    const seen = await second.ask('GetTopicAttributes', news)
    if (action === 'DeleteTopic') expect(seen).toMatchObject({ code: 4440 })
    else expect(seen).toMatchObject({ code: 0, maxMsgSize: 2_000 })
  })

  it('when it is published to again and again, then it and its subscriptions are read once a second', async () => {
    const { clock, first } = await processes()
    await first.ask('CreateTopic', news)
    first.calls['QueryCommand'] = 0
    for (let second = 0; second < 3; second++) {
      for (let publishes = 0; publishes < 5; publishes++) await first.ask('PublishMessage', { ...news, msgBody: 'x' })
      await clock.advance(1_000)
    }
    expect(first.calls).toMatchObject({ GetItemCommand: 3, QueryCommand: 3 })
  })

  it('when it is created where it was missed a moment ago, then it is there: absence is not remembered', async () => {
    const { first, second } = await processes()
    expect(await second.ask('QueryTopicRoute', news)).toMatchObject({ code: 4440 })
    await first.ask('CreateTopic', news)
    expect(await second.ask('QueryTopicRoute', news)).toMatchObject({ code: 0 })
  })

  it('when several change it at the same moment, then all succeed', async () => {
    const { clock, first, second, third } = await processes()
    await first.ask('CreateTopic', news)
    const changes = [first, second, third].map(({ ask }, index) =>
      ask('SetTopicAttributes', { ...news, maxMsgSize: 2_000 + index }),
    )
    await clock.advance(10_000)
    for (const { code } of await Promise.all(changes)) expect(code).toBe(0)
    expect([2_000, 2_001, 2_002]).toContain((await first.ask('GetTopicAttributes', news))['maxMsgSize'])
  })

  it('when several create it at the same moment, then one does', async () => {
    const { first, second, third } = await processes()
    const answers = await Promise.all([first, second, third].map(({ ask }) => ask('CreateTopic', news)))
    expect(answers.map(({ code }) => code).toSorted()).toEqual([0, 4460, 4460])
  })

  it('when it is deleted, then its name is taken while others may still use its record, and free at the answer', async () => {
    const { clock, first, second } = await processes()
    await first.ask('CreateTopic', news)
    const deleting = first.ask('DeleteTopic', news)
    await clock.advance(999)
    expect(await second.ask('CreateTopic', news)).toMatchObject({ code: 6040 })
    await clock.advance(51)
    expect(await deleting).toMatchObject({ code: 0 })
    expect(await second.ask('CreateTopic', news)).toMatchObject({ code: 0 })
  })

  it('when it was deleted after it was read, then a change does not bring it back as a stub', async () => {
    const { clock, first } = await processes()
    await first.ask('CreateTopic', news)
    const { topics } = first.services
    const present = await topics.read(ONLY_ACCOUNT, 'news')
    const deleting = topics.remove(present, 0)
    const changing = topics.change(present, { maxMsgSize: 2_000 }, 'change-1')
    await clock.advance(5_000)
    expect(await deleting).toBe(true)
    await changing
    expect(await topics.list(ONLY_ACCOUNT)).toEqual([])
  })
})
