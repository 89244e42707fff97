import { beforeEach, describe, expect, it } from 'vitest'
import { handler } from '../../../functions/actions/unsubscribe.ts'
import {
  accountForEachTest,
  aSubscriptionId,
  describeRequest,
  describeSubscription,
  describeTopic,
  refusal,
  subscriptionIsMissing,
  success,
} from '../support/cmq.ts'
import { newsOf } from '../support/news.ts'

const cmq = accountForEachTest()
const news = newsOf(cmq)
const unsubscribe = cmq.caller(handler, 'Unsubscribe', { topicName: 'news', subscriptionName: 'mail' })
const publish = () => cmq.ask('PublishMessage', { topicName: 'news', msgBody: 'x' })

beforeEach(async () => {
  await news.create()
  await news.subscribeWeb('mail')
})

describeRequest(unsubscribe)
describeTopic(unsubscribe)
describeSubscription(unsubscribe)

describe('given a subscription', () => {
  it("when it is ended as in CMQ's example, then it is gone for every action", async () => {
    expect(await unsubscribe()).toEqual(success())
    const mail = { topicName: 'news', subscriptionName: 'mail' }
    expect(await cmq.ask('GetSubscriptionAttributes', mail)).toEqual(subscriptionIsMissing)
    expect(await cmq.ask('SetSubscriptionAttributes', mail)).toEqual(subscriptionIsMissing)
    expect(await cmq.ask('ClearSubscriptionFilterTags', mail)).toEqual(subscriptionIsMissing)
    expect(await cmq.ask('ListSubscriptionByTopic', mail)).toMatchObject({ totalCount: 0, subscriptionList: [] })
    expect(await publish()).toEqual(
      refusal(6030, '(10650)topic has no subscription, please create a subscription before publishing message'),
    )
  })

  it('when it is ended twice, then the second time it is missing', async () => {
    await unsubscribe()
    expect(await unsubscribe()).toEqual(subscriptionIsMissing)
  })

  it('when two end it at once, then both know that it is gone', async () => {
    const answers = await Promise.all([unsubscribe(), unsubscribe()])
    expect(answers).toContainEqual(success())
    expect([0, 4440]).toEqual(expect.arrayContaining(answers.map(({ code }) => code)))
  })

  it('when it is ended, then the others of its topic, and what waits for them, stay', async () => {
    await news.subscribeWeb('pager')
    await publish()
    await unsubscribe()
    expect(await news.msgCount('pager')).toBe(1)
    await publish()
    expect(await news.msgCount('pager')).toBe(2)
  })

  it('when one of its name is in another topic, then that stays', async () => {
    await cmq.ask('CreateTopic', { topicName: 'other' })
    await news.subscribeWeb('mail', { topicName: 'other' })
    await unsubscribe()
    expect(await cmq.ask('GetSubscriptionAttributes', { topicName: 'other', subscriptionName: 'mail' })).toHaveProperty(
      'code',
      0,
    )
  })

  it('when it filled a queue, then what is there stays', async () => {
    await news.subscribeQueue('orders')
    await publish()
    await unsubscribe({ subscriptionName: 'orders' })
    expect(await news.received('orders')).toEqual(['x'])
  })
})

describe('given a subscription that messages wait for', () => {
  it('when it is ended and made again under its name, then none of them waits for that one', async () => {
    await publish()
    const { subscriptionId } = await news.attributes('mail')
    expect(await unsubscribe()).toEqual(success())
    const again = await news.subscribeWeb('mail')
    expect(again).toEqual(success({ subscriptionId: aSubscriptionId }))
    expect(again['subscriptionId']).not.toBe(subscriptionId)
    expect(await news.msgCount('mail')).toBe(0)
    expect(await news.deliveries('mail')).toEqual([])
  })
})
