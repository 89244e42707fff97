import { beforeEach, describe, expect, it } from 'vitest'
import { handler } from '../../../functions/actions/set-subscription-attributes.ts'
import {
  accountForEachTest,
  describeRequest,
  describeSubscription,
  describeTopic,
  notRepeatable,
  numbered,
  outOfRange,
  refusal,
  success,
  type Sent,
} from '../support/cmq.ts'
import { newsOf } from '../support/news.ts'

const cmq = accountForEachTest()
const news = newsOf(cmq)
const set = cmq.caller(handler, 'SetSubscriptionAttributes', { topicName: 'news', subscriptionName: 'mail' })
/** In a topic that filters by binding keys. */
const setBound = cmq.caller(handler, 'SetSubscriptionAttributes', { topicName: 'routed', subscriptionName: 'mail' })

async function attributes(sent: Sent = {}) {
  const about = { topicName: 'news', subscriptionName: 'mail', ...sent }
  const { requestId: _, ...fields } = await cmq.ask('GetSubscriptionAttributes', about)
  return fields
}

beforeEach(async () => {
  await news.create()
  await news.subscribeWeb('mail', {
    notifyStrategy: 'BACKOFF_RETRY',
    ...numbered('filterTag', ['red', 'green']),
    ...numbered('bindingKey', ['a', 'b']),
  })
})

describeRequest(set)
describeTopic(set)
describeSubscription(set)

describe('given a subscription', () => {
  it("when it is changed as in CMQ's example, then what is given has its new value and the rest stays", async () => {
    const before = await attributes()
    await cmq.clock.advance(5_000)
    expect(await set({ notifyStrategy: 'EXPONENTIAL_DECAY_RETRY', 'filterTag.1': 'blue' })).toEqual(success())
    expect(await attributes()).toEqual({
      ...before,
      notifyStrategy: 'EXPONENTIAL_DECAY_RETRY',
      filterTag: ['blue'],
      filterTags: ['blue'],
      lastModifyTime: before['lastModifyTime'] + 5,
    })
  })

  it.each<[string, Sent, object]>([
    ['the strategy', { notifyStrategy: 'EXPONENTIAL_DECAY_RETRY' }, { notifyStrategy: 'EXPONENTIAL_DECAY_RETRY' }],
    ['the format', { notifyContentFormat: 'SIMPLIFIED' }, { notifyContentFormat: 'SIMPLIFIED' }],
    ['the tags', { 'filterTag.0': 'x' }, { filterTag: ['x'], filterTags: ['x'] }],
    ['the binding keys', { 'bindingKey.0': 'x' }, { bindingKey: ['x'], bindindKey: ['x'] }],
  ])('when only %s are given, then the others keep their values', async (_, sent, changed) => {
    const before = await attributes()
    expect(await set(sent)).toEqual(success())
    expect(await attributes()).toEqual({ ...before, ...changed })
  })

  it('when nothing is given, then nothing changes but lastModifyTime', async () => {
    const before = await attributes()
    await cmq.clock.advance(5_000)
    expect(await set()).toEqual(success())
    expect(await attributes()).toEqual({ ...before, lastModifyTime: before['lastModifyTime'] + 5 })
  })

  it('when another protocol or endpoint is given, then both stay', async () => {
    const before = await attributes()
    expect(await set({ protocol: 'queue', endpoint: 'orders' })).toEqual(success())
    expect(await attributes()).toEqual(before)
  })

  it('when its tags change, then the next message is chosen by the new ones', async () => {
    await set({ 'filterTag.1': 'blue' })
    const publish = (tag: string) => cmq.ask('PublishMessage', { topicName: 'news', msgBody: 'x', 'msgTag.1': tag })
    expect(await publish('red')).toHaveProperty('code', 6030)
    expect(await publish('blue')).toHaveProperty('code', 0)
  })

  it('when several change it at once, then no change is lost', async () => {
    const changes: Sent[] = [
      { notifyStrategy: 'EXPONENTIAL_DECAY_RETRY' },
      { notifyContentFormat: 'SIMPLIFIED' },
      { 'filterTag.1': 'blue' },
    ]
    const answers = await Promise.all(changes.map((change) => set(change)))
    expect(answers).toEqual([success(), success(), success()])
    expect(await attributes()).toMatchObject({
      notifyStrategy: 'EXPONENTIAL_DECAY_RETRY',
      notifyContentFormat: 'SIMPLIFIED',
      filterTag: ['blue'],
    })
  })

  it('when it is changed, then what waits for it waits on', async () => {
    await news.publish({ 'msgTag.1': 'red' })
    await set({ 'filterTag.1': 'blue' })
    expect(await attributes()).toHaveProperty('msgCount', 1)
  })
})

describe('given a strategy and a format', () => {
  it('when they are none that there are, then they are refused and nothing has changed', async () => {
    const before = await attributes()
    expect(await set({ notifyStrategy: 'NEVER', 'filterTag.1': 'blue' })).toEqual(
      refusal(4000, '(10520)undefined notify retry stragety'),
    )
    expect(await set({ notifyContentFormat: 'XML' })).toEqual(refusal(4000, '(10530)undefined notify content format'))
    expect(await attributes()).toEqual(before)
  })

  it('when they are lists, then they are refused', async () => {
    expect(await set({ 'notifyStrategy.1': 'BACKOFF_RETRY' })).toEqual(notRepeatable('notifyStrategy'))
    expect(await set({ 'notifyContentFormat.1': 'JSON' })).toEqual(notRepeatable('notifyContentFormat'))
  })

  it('when JSON is asked for a queue, then it is taken as SIMPLIFIED, or refused where formats are strict', async () => {
    await news.subscribeQueue('orders')
    const json = { subscriptionName: 'orders', notifyContentFormat: 'JSON' }
    expect(await set(json)).toEqual(success())
    expect(await attributes({ subscriptionName: 'orders' })).toHaveProperty('notifyContentFormat', 'SIMPLIFIED')
    const settings = { strictContentFormat: true }
    expect(await set(json, { settings })).toEqual(
      refusal(4000, '(10640)notifyContentFormat of protocol queue must be SIMPLIFIED'),
    )
    expect(await set({ ...json, notifyContentFormat: 'SIMPLIFIED' }, { settings })).toEqual(success())
    expect(await set({ subscriptionName: 'orders' }, { settings })).toEqual(success())
    expect(await set({ notifyContentFormat: 'JSON' }, { settings })).toEqual(success())
  })
})

describe('given filter tags', () => {
  it.each([0, 1])('when five of 16 characters come from number %d on, then they replace the others', async (base) => {
    const tags = ['abcdefghijklmnop', 'd', 'c', 'b', 'a']
    expect(await set(numbered('filterTag', tags, base))).toEqual(success())
    expect(await attributes()).toMatchObject({ filterTag: tags, filterTags: tags })
  })

  it('when there are six, or one of 17 characters, then they are refused', async () => {
    expect(await set(numbered('filterTag', ['a', 'b', 'c', 'd', 'e', 'f']))).toEqual(
      refusal(4000, '(10670)too many filterTag'),
    )
    expect(await set({ 'filterTag.1': 'abcdefghijklmnopq' })).toEqual(outOfRange('filterTag'))
  })

  it('when their keys are wrong, then that is said', async () => {
    expect(await set({ filterTag: 'a' })).toEqual(refusal(4000, '(10310)error: parameter filterTag key format error'))
    expect(await set({ 'filterTag.2': 'a' })).toEqual(refusal(4000, '(10380)filterTag parameter is not consequent'))
  })

  it('when all are empty, then none is left', async () => {
    expect(await set({ 'filterTag.1': '' })).toEqual(success())
    expect(await attributes()).toHaveProperty('filterTag', [])
  })
})

describe('given binding keys', () => {
  beforeEach(async () => {
    await cmq.ask('CreateTopic', { topicName: 'routed', filterType: 2 })
    await news.subscribeWeb('mail', { topicName: 'routed', 'bindingKey.1': 'old' })
  })
  const boundAttributes = () => attributes({ topicName: 'routed' })

  it.each([
    ['bindingKey', 0],
    ['bindingKey', 1],
    ['bindindKey', 0],
    ['bindindKey', 1],
  ])('when they come as %s from number %d on, then they replace the others', async (name, base) => {
    const keys = ['*.#', 'a.b', 'c', 'b', 'a']
    expect(await setBound(numbered(name, keys, base))).toEqual(success())
    expect(await boundAttributes()).toMatchObject({ bindingKey: keys, bindindKey: keys })
  })

  it('when they are too many, too long, or of too many words, then they are refused', async () => {
    expect(await setBound(numbered('bindingKey', ['a', 'b', 'c', 'd', 'e', 'f']))).toEqual(
      refusal(4000, '(10680)too many bindingKey'),
    )
    expect(await setBound({ 'bindingKey.1': 'x'.repeat(65) })).toEqual(outOfRange('bindingKey'))
    expect(await setBound({ 'bindingKey.1': '.'.repeat(16) })).toEqual(refusal(4000, '(10691)too many delimeters'))
  })

  it('when only other attributes are given, then they stay', async () => {
    expect(await setBound({ notifyStrategy: 'BACKOFF_RETRY' })).toEqual(success())
    expect(await boundAttributes()).toMatchObject({ bindingKey: ['old'], notifyStrategy: 'BACKOFF_RETRY' })
  })

  it('when all are empty, then the topic lacks them, but one that filters by tags does not', async () => {
    expect(await setBound({ 'bindingKey.1': '' })).toEqual(refusal(4000, '(10710)parameters lack of bindingKey'))
    expect(await boundAttributes()).toHaveProperty('bindingKey', ['old'])
    expect(await set({ 'bindingKey.1': '' })).toEqual(success())
    expect(await attributes()).toHaveProperty('bindingKey', [])
  })

  it('when they change, then the next message is chosen by the new ones', async () => {
    await setBound({ 'bindingKey.1': 'a.*' })
    const publish = (routingKey: string) => cmq.ask('PublishMessage', { topicName: 'routed', msgBody: 'x', routingKey })
    expect(await publish('old')).toHaveProperty('code', 6030)
    expect(await publish('a.b')).toHaveProperty('code', 0)
  })
})
