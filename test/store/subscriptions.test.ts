import { UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CmqError } from '../../lib/domain/errors.ts'
import type { Subscription } from '../../lib/domain/subscription.ts'
import { ONLY_ACCOUNT } from '../../lib/names.ts'
import { attributesOf } from '../../lib/store/attributes.ts'
import type { Subscriptions } from '../../lib/store/subscriptions.ts'
import { processesOver } from '../functions/support/processes.ts'
import { START, untilAsleep, type ManualClock } from '../support/clock.ts'
import { patientClient, testEngine } from '../support/engine.ts'
import { testServices } from '../support/service.ts'

let engine: Awaited<ReturnType<typeof testEngine>>
beforeAll(async () => {
  engine = await testEngine()
})
afterAll(() => engine.stop())
const processes = () => processesOver(engine.endpoint)

const mail: Subscription = {
  account: ONLY_ACCOUNT,
  topicName: 'news',
  topicId: 'topic-1',
  name: 'Mail',
  id: 'subsc-1',
  changeId: 'subsc-1',
  protocol: 'http',
  endpoint: 'http://example.com/hook',
  notifyStrategy: 'BACKOFF_RETRY',
  notifyContentFormat: 'SIMPLIFIED',
  filterTags: ['red', '中', '"'],
  bindingKeys: ['a.*', '#'],
  createdAt: START,
  modifiedAt: START + 1,
}
const pager: Subscription = { ...mail, name: 'pager', id: 'subsc-2', filterTags: [], bindingKeys: [] }

/** What the call comes to while two seconds pass. */
async function answered<Result>(clock: ManualClock, call: Promise<Result>): Promise<Result> {
  await untilAsleep(clock)
  await clock.advance(2_000)
  return call
}

describe('given a subscription', () => {
  it('when it was created, then it is found by its name in any case, as it was', async () => {
    const { clock, first } = await processes()
    const { subscriptions } = first.services
    expect(await answered(clock, subscriptions.create(mail))).toBe(true)
    expect(await answered(clock, subscriptions.create(pager))).toBe(true)
    expect(await subscriptions.read('topic-1', 'MAIL')).toEqual(mail)
    expect(await subscriptions.get('topic-1', 'mail', mail.id)).toEqual(mail)
    expect(await subscriptions.list('topic-1')).toEqual([mail, pager])
    expect(await subscriptions.of('topic-1')).toEqual([mail, pager])
    expect(await answered(clock, subscriptions.create({ ...mail, name: 'mAIL', id: 'subsc-3' }))).toBe(false)
  })

  it('when another topic is asked for it, then it is not there', async () => {
    const { clock, first } = await processes()
    const { subscriptions } = first.services
    await answered(clock, subscriptions.create(mail))
    expect(await subscriptions.list('topic-2')).toEqual([])
    expect(await subscriptions.of('topic-2')).toEqual([])
    expect(await subscriptions.get('topic-2', 'mail', mail.id)).toBeUndefined()
    await expect(subscriptions.read('topic-2', 'mail')).rejects.toEqual(new CmqError('subscriptionNotFound'))
  })

  it('when another of its name has been made, then the one that is asked for is found, or is gone', async () => {
    const { clock, first, second } = await processes()
    await answered(clock, first.services.subscriptions.create(mail))
    const theirs = second.services.subscriptions
    expect(await theirs.get('topic-1', 'mail', mail.id)).toEqual(mail)
    const later = { ...mail, id: 'subsc-9', changeId: 'subsc-9' }
    // Neither is waited for: the other process still keeps the first.
    void first.services.subscriptions.remove(mail)
    await untilAsleep(clock)
    void first.services.subscriptions.create(later)
    await untilAsleep(clock, 2)
    expect(await theirs.get('topic-1', 'mail', later.id)).toEqual(later)
    expect(await theirs.get('topic-1', 'mail', 'subsc-8')).toBeUndefined()
  })

  it('when it changes, then what is named changes and the rest stays', async () => {
    const { clock, first } = await processes()
    const { subscriptions } = first.services
    await answered(clock, subscriptions.create(mail))
    expect(await answered(clock, subscriptions.change(mail, { filterTags: [], modifiedAt: 7 }, 'c-2'))).toBe(true)
    const changed = { ...mail, filterTags: [], modifiedAt: 7, changeId: 'c-2' }
    expect(await subscriptions.read('topic-1', 'mail')).toEqual(changed)
    expect(await answered(clock, subscriptions.change(mail, { bindingKeys: [] }, 'c-3'))).toBe(false)
    expect(await subscriptions.read('topic-1', 'mail')).toEqual(changed)
  })

  it('when it is removed, then one of its name is another, which the first does not reach', async () => {
    const { clock, first } = await processes()
    const { subscriptions } = first.services
    await answered(clock, subscriptions.create(mail))
    expect(await answered(clock, subscriptions.remove(mail))).toBe(true)
    expect(await subscriptions.of('topic-1')).toEqual([])
    const other = { ...mail, id: 'subsc-3', changeId: 'subsc-3' }
    expect(await answered(clock, subscriptions.create(other))).toBe(true)
    expect(await answered(clock, subscriptions.remove(mail))).toBe(false)
    expect(await answered(clock, subscriptions.change(mail, { filterTags: [] }, 'c-2'))).toBe(false)
    expect(await subscriptions.of('topic-1')).toEqual([other])
  })

  it.each(['protocol', 'notifyStrategy', 'notifyContentFormat'])(
    'when its %s is a word of a later version, then that is an error and not another word',
    async (attribute) => {
      const { clock, first, tableNames } = await processes()
      const { subscriptions } = first.services
      await answered(clock, subscriptions.create(mail))
      await patientClient(engine.endpoint).send(
        new UpdateItemCommand({
          TableName: tableNames.registry,
          Key: attributesOf({ pk: 'topic#topic-1', sk: 'subscription#mail' }),
          UpdateExpression: 'SET #attribute = :word',
          ExpressionAttributeNames: { '#attribute': attribute },
          ExpressionAttributeValues: attributesOf({ ':word': 'later' }),
        }),
      )
      await expect(subscriptions.of('topic-1')).rejects.toThrow(attribute)
    },
  )
})

describe('given the subscriptions of a topic, which every publisher needs', () => {
  it('when they are asked for again and again, then they are read once a second, for each topic', async () => {
    const { clock, first } = await processes()
    const { subscriptions } = first.services
    await Promise.all(Array.from({ length: 10 }, () => subscriptions.of('topic-1')))
    await subscriptions.of('topic-2')
    await clock.advance(999)
    await subscriptions.of('topic-1')
    await subscriptions.of('topic-2')
    expect(first.calls['QueryCommand']).toBe(2)
    await clock.advance(1)
    await subscriptions.of('topic-1')
    expect(first.calls['QueryCommand']).toBe(3)
  })

  it('when one of another topic changes here, then they are not read anew', async () => {
    const { clock, first } = await processes()
    const { subscriptions } = first.services
    await subscriptions.of('topic-2')
    const creating = subscriptions.create(mail)
    await untilAsleep(clock)
    await subscriptions.of('topic-2')
    expect(first.calls['QueryCommand']).toBe(1)
    await answered(clock, creating)
  })

  it.each<[string, (store: Subscriptions) => Promise<unknown>, readonly Subscription[]]>([
    ['is created', (store) => store.create(pager), [mail, pager]],
    [
      'changes',
      (store) => store.change(mail, { filterTags: [] }, 'c-2'),
      [{ ...mail, filterTags: [], changeId: 'c-2' }],
    ],
    ['is removed', (store) => store.remove(mail), []],
  ])(
    'when one %s, then this process knows at once, and every other as soon as that has answered',
    async (_, act, expected) => {
      const { clock, first, second } = await processes()
      const [here, there] = [first.services.subscriptions, second.services.subscriptions]
      await answered(clock, here.create(mail))
      expect(await here.of('topic-1')).toEqual([mail])
      expect(await there.of('topic-1')).toEqual([mail])
      let isAnswered = false
      const acting = act(here).then(() => (isAnswered = true))
      await untilAsleep(clock)
      expect(await here.of('topic-1')).toEqual(expected)
      await clock.advance(999)
      expect(await there.of('topic-1')).toEqual([mail])
      // What the clocks of processes may differ by is waited for too.
      await clock.advance(50)
      expect(isAnswered).toBe(false)
      await clock.advance(1)
      await acting
      expect(await there.of('topic-1')).toEqual(expected)
    },
  )

  it('when one process owns the data, then a change answers at once, and is known', async () => {
    const { clock, tableNames } = await processes()
    const { subscriptions } = await testServices({ endpoint: engine.endpoint, tableNames, clock, isAlone: true })
    expect(await subscriptions.of('topic-1')).toEqual([])
    await subscriptions.create(mail)
    expect(await subscriptions.of('topic-1')).toEqual([mail])
    await subscriptions.remove(mail)
    expect(await subscriptions.of('topic-1')).toEqual([])
  })
})

describe('given a topic to which several processes publish', () => {
  const news = { topicName: 'news' }
  const web = { ...news, subscriptionName: 'mail', protocol: 'http', endpoint: 'http://example.com/hook' }
  const publish = { ...news, msgBody: 'x', 'msgTag.1': 'red' }

  it('when Subscribe, SetSubscriptionAttributes, ClearSubscriptionFilterTags and Unsubscribe answer, then all of them know', async () => {
    const { clock, first, second } = await processes()
    await first.ask('CreateTopic', news)
    const steps: readonly [string, Record<string, string>, number][] = [
      ['Subscribe', web, 0],
      ['SetSubscriptionAttributes', { ...web, 'filterTag.1': 'blue' }, 6030],
      ['ClearSubscriptionFilterTags', web, 0],
      ['Unsubscribe', web, 6030],
    ]
    let before = 6030
    for (const [action, parameters, code] of steps) {
      expect(await second.ask('PublishMessage', publish), `before ${action}`).toHaveProperty('code', before)
      expect(await answered(clock, first.ask(action, parameters))).toMatchObject({ code: 0 })
      expect(await second.ask('PublishMessage', publish), `after ${action}`).toHaveProperty('code', code)
      before = code
    }
  })

  it('when several subscribe under one name at the same moment, then one does', async () => {
    const { clock, first, second, third } = await processes()
    await first.ask('CreateTopic', news)
    const subscribing = [first, second, third].map(({ ask }) => ask('Subscribe', web))
    await clock.advance(5_000)
    const answers = await Promise.all(subscribing)
    expect(answers.map(({ code }) => code).toSorted()).toEqual([0, 4490, 4490])
  })

  it('when several change one subscription at the same moment, then no change is lost', async () => {
    const { clock, first, second, third } = await processes()
    await first.ask('CreateTopic', news)
    await answered(clock, first.ask('Subscribe', web))
    const changes = [
      first.ask('SetSubscriptionAttributes', { ...web, notifyStrategy: 'BACKOFF_RETRY' }),
      second.ask('SetSubscriptionAttributes', { ...web, notifyContentFormat: 'SIMPLIFIED' }),
      third.ask('SetSubscriptionAttributes', { ...web, 'filterTag.1': 'red' }),
    ]
    await clock.advance(10_000)
    for (const { code } of await Promise.all(changes)) expect(code).toBe(0)
    expect(await second.ask('GetSubscriptionAttributes', web)).toMatchObject({
      notifyStrategy: 'BACKOFF_RETRY',
      notifyContentFormat: 'SIMPLIFIED',
      filterTag: ['red'],
    })
  })
})
