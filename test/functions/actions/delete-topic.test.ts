import { beforeEach, describe, expect, it } from 'vitest'
import { handler } from '../../../functions/actions/delete-topic.ts'
import {
  accountForEachTest,
  aTopicId,
  describeRequest,
  describeTopic,
  refusal,
  success,
  topicIsMissing,
} from '../support/cmq.ts'
import { newsOf } from '../support/news.ts'

const cmq = accountForEachTest()
const news = newsOf(cmq)
const remove = cmq.caller(handler, 'DeleteTopic', { topicName: 'news' })
const hasSubscriptions = refusal(
  4000,
  '(10540)there exists subscriptions under this topic, please unsubscribe all of them before DeleteTopic',
)

beforeEach(() => news.create())

describeRequest(remove)
describeTopic(remove)

describe('given a topic without subscriptions', () => {
  it("when it is deleted as in CMQ's example, then its id is answered and it is gone for every action", async () => {
    expect(await remove()).toEqual(success({ topicId: aTopicId }))
    const about = { topicName: 'news', subscriptionName: 'mail', protocol: 'queue', endpoint: 'orders' }
    for (const action of [
      'GetTopicAttributes',
      'SetTopicAttributes',
      'PublishMessage',
      'BatchPublishMessage',
      'Subscribe',
      'ListSubscriptionByTopic',
      'GetSubscriptionAttributes',
      'SetSubscriptionAttributes',
      'ClearSubscriptionFilterTags',
      'Unsubscribe',
      'QueryTopicRoute',
    ]) {
      const body = action === 'BatchPublishMessage' ? { 'msgBody.1': 'x' } : { msgBody: 'x' }
      expect(await cmq.ask(action, { ...about, ...body }), action).toEqual(topicIsMissing)
    }
    expect(await cmq.ask('ListTopic')).toHaveProperty('totalCount', 0)
  })

  it('when it is deleted twice, then the second time it is missing', async () => {
    await remove()
    expect(await remove()).toEqual(topicIsMissing)
  })

  it('when two delete it at once, then both know that it is gone', async () => {
    const answers = await Promise.all([remove(), remove()])
    expect(answers).toContainEqual(success({ topicId: aTopicId }))
    expect([0, 4440]).toEqual(expect.arrayContaining(answers.map(({ code }) => code)))
  })

  it('when a queue has its name, then that stays', async () => {
    await cmq.ask('CreateQueue', { queueName: 'news' })
    await remove()
    expect(await cmq.ask('GetQueueAttributes', { queueName: 'news' })).toHaveProperty('code', 0)
  })
})

describe('given a topic with subscriptions', () => {
  it('when it is deleted, then that is refused until the last of them has ended, and what they get is not touched', async () => {
    await news.subscribeWeb('mail')
    await news.subscribeWeb('pager')
    await news.publish()
    expect(await remove()).toEqual(hasSubscriptions)
    await cmq.ask('Unsubscribe', { topicName: 'news', subscriptionName: 'mail' })
    expect(await remove()).toEqual(hasSubscriptions)
    expect(await news.msgCount('pager')).toBe(1)
    await cmq.ask('Unsubscribe', { topicName: 'news', subscriptionName: 'pager' })
    expect(await remove()).toEqual(success({ topicId: aTopicId }))
  })

  it('when another process subscribed a moment ago, then that counts: what is there now is read', async () => {
    const { topics, subscriptions } = cmq.services
    const { id } = await topics.get(cmq.account, 'news')
    expect(await subscriptions.of(id)).toEqual([])
    const other = await cmq.anotherProcess()
    await news.subscribeWeb('mail')
    const subscription = await news.subscription('mail')
    await subscriptions.remove(subscription)
    expect(await subscriptions.of(id)).toEqual([])
    await other.subscriptions.create({ ...subscription, id: 'subsc-2' })
    expect(await remove()).toEqual(hasSubscriptions)
  })
})

describe('given a topic that was deleted', () => {
  it('when one of its name is created, then nothing old shows up in it', async () => {
    await news.subscribeWeb('mail', { 'filterTag.1': 'red' })
    await news.publish({ 'msgTag.1': 'red' })
    await news.publish({ delaySeconds: 60 })
    await cmq.ask('Unsubscribe', { topicName: 'news', subscriptionName: 'mail' })
    const { topicId } = await remove()

    await news.create({ filterType: 2, maxMsgSize: 2_000 })
    const now = await cmq.ask('GetTopicAttributes', { topicName: 'news' })
    expect(now).toMatchObject({ msgCount: 0, filterType: 2, maxMsgSize: 2_000, topicId: aTopicId })
    expect(now['topicId']).not.toBe(topicId)
    expect(await cmq.ask('ListSubscriptionByTopic', { topicName: 'news' })).toHaveProperty('totalCount', 0)
    expect(await cmq.ask('PublishMessage', { topicName: 'news', msgBody: 'x', routingKey: 'a' })).toHaveProperty(
      'code',
      6030,
    )
    await news.subscribeWeb('mail', { 'bindingKey.1': '#' })
    expect(await news.attributes('mail')).toMatchObject({ msgCount: 0, filterTag: [], bindingKey: ['#'] })
  })
})

describe('given a wait before a name is free again', () => {
  it('when a topic is deleted, then it is missing at once and its name is taken for so long', async () => {
    const settings = { recreateWait: 30 }
    expect(await remove({}, { settings })).toEqual(success({ topicId: aTopicId }))
    expect(await remove({}, { settings })).toEqual(topicIsMissing)
    expect(await cmq.ask('GetTopicAttributes', { topicName: 'news' })).toEqual(topicIsMissing)
    await cmq.clock.advance(29_999)
    expect(await cmq.ask('CreateTopic', { topicName: 'news' })).toEqual(
      refusal(
        6040,
        '(10660)It will take some time to release resources of previous topic before you can create a new topic with ' +
          'the same name. Please try later.',
      ),
    )
    await cmq.clock.advance(1)
    await news.create()
  })
})
