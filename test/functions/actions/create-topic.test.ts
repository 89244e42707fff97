import { describe, expect, it } from 'vitest'
import { handler } from '../../../functions/actions/create-topic.ts'
import { topicLimits } from '../../../lib/domain/topic.ts'
import {
  accountForEachTest,
  aTopicId,
  describeNumber,
  describeRequest,
  missing,
  notRepeatable,
  outOfRange,
  refusal,
  success,
} from '../support/cmq.ts'

const cmq = accountForEachTest()
const create = cmq.caller(handler, 'CreateTopic', { topicName: 'news' })
const attributes = (topicName = 'news') => cmq.ask('GetTopicAttributes', { topicName })

const exists = refusal(4460, '(10550)topic is already existed')

describeRequest(create)

describe('given a name that is free', () => {
  it("when a topic is created as in CMQ's example, then its id is answered", async () => {
    expect(await create({ filterType: 1 })).toEqual(success({ topicId: aTopicId }))
  })

  it('when no attribute is sent, then each has its default', async () => {
    const { topicId } = await create()
    expect(await attributes()).toMatchObject({
      maxMsgSize: 65_536,
      filterType: 1,
      msgRetentionSeconds: 86_400,
      msgCount: 0,
      topicId,
      topicName: 'news',
    })
  })

  it('when every attribute is sent, then each has its value', async () => {
    const sent = { maxMsgSize: 1_048_576, filterType: 2 }
    expect(await create(sent)).toHaveProperty('code', 0)
    expect(await attributes()).toMatchObject(sent)
  })

  it('when two create it at once, then one of them does', async () => {
    const answers = await Promise.all([create(), create()])
    expect(answers.map(({ code }) => code).sort()).toEqual([0, 4460])
  })

  it('when a queue has it, then the topic is created all the same', async () => {
    await cmq.ask('CreateQueue', { queueName: 'news' })
    expect(await create()).toHaveProperty('code', 0)
    expect(await cmq.ask('GetQueueAttributes', { queueName: 'news' })).toHaveProperty('code', 0)
  })
})

describe('given a name', () => {
  it('when it is a letter, then letters, digits, - and _, 64 in all, then it is kept as it is', async () => {
    for (const topicName of ['a', 'Z', 'News-2_x', 'a'.repeat(64)]) {
      expect(await create({ topicName })).toEqual(success({ topicId: aTopicId }))
      expect(await attributes(topicName)).toHaveProperty('topicName', topicName)
    }
  })

  it('when it can be no name, then it is refused', async () => {
    for (const topicName of ['', '1news', '-news', '_news', 'ne ws', 'ne.ws', 'größe', 'news\n', 'a'.repeat(65)])
      expect(await create({ topicName }), topicName).toEqual(refusal(4000, '(10590)topic name format error'))
  })

  it('when it is absent, then it is asked for', async () => {
    expect(await create({ topicName: '-' })).toEqual(missing('topicName'))
  })

  it('when its key has a trailing blank and other capitals, then it is found', async () => {
    expect(await create({ topicName: '-', 'TOPICNAME ': 'News' })).toHaveProperty('code', 0)
    expect(await attributes()).toHaveProperty('topicName', 'News')
  })

  it('when it is a list, then it is refused', async () => {
    expect(await create({ topicName: '-', 'topicName.0': 'news' })).toEqual(notRepeatable('topicName'))
  })
})

describe('given a topic', () => {
  it.each(['news', 'NEWS'])('when one named %s is created, then it is refused', async (topicName) => {
    await create()
    expect(await create({ topicName })).toEqual(exists)
  })

  it('when the newer form of refusals is set, then it is refused in that', async () => {
    await create()
    expect(await create({}, { settings: { layeredErrors: true } })).toEqual(
      refusal(4000, '(4460) (10550)topic is already existed'),
    )
  })

  it('when one is refused, then the first keeps its attributes', async () => {
    const { topicId } = await create({ maxMsgSize: 2_000, filterType: 2 })
    await create({ maxMsgSize: 3_000 })
    expect(await attributes()).toMatchObject({ maxMsgSize: 2_000, filterType: 2, topicId })
  })
})

describe('given its numbers', () => {
  describeNumber(create, 'maxMsgSize', topicLimits.maxMsgSize)
  describeNumber(create, 'filterType', { min: 1, max: 2 })

  it('when they are at their documented ends, then those are accepted', async () => {
    expect(await create({ topicName: 'a', maxMsgSize: 1_024 })).toHaveProperty('code', 0)
    expect(await create({ topicName: 'b', maxMsgSize: 1_048_576 })).toHaveProperty('code', 0)
    expect(await create({ topicName: 'c', maxMsgSize: 1_023 })).toEqual(outOfRange('maxMsgSize'))
    expect(await create({ topicName: 'c', maxMsgSize: 1_048_577 })).toEqual(outOfRange('maxMsgSize'))
  })
})

describe('given at most two topics', () => {
  const settings = { maxTopics: 2 }

  it('when a third is created, then there are too many, until one is deleted; queues do not count', async () => {
    await cmq.ask('CreateQueue', { queueName: 'orders' })
    expect(await create({ topicName: 'a' }, { settings })).toHaveProperty('code', 0)
    expect(await create({ topicName: 'b' }, { settings })).toHaveProperty('code', 0)
    expect(await create({ topicName: 'c' }, { settings })).toEqual(
      refusal(4450, '(10610)number of topics has reached the limit'),
    )
    expect(await create({ topicName: 'B' }, { settings })).toEqual(exists)
    await cmq.ask('DeleteTopic', { topicName: 'a' })
    expect(await create({ topicName: 'c' }, { settings })).toHaveProperty('code', 0)
  })
})

describe('given a wait of 10 s before a name is free again', () => {
  it('when it is over, then the topic is created, and not a millisecond before', async () => {
    await create()
    const { topics } = cmq.services
    await topics.remove(await topics.get(cmq.account, 'news'), 10)
    await cmq.clock.advance(9_999)
    expect(await create()).toEqual(
      refusal(
        6040,
        '(10660)It will take some time to release resources of previous topic before you can create a new topic with ' +
          'the same name. Please try later.',
      ),
    )
    await cmq.clock.advance(1)
    expect(await create()).toEqual(success({ topicId: aTopicId }))
  })
})
