import { beforeEach, describe, expect, it } from 'vitest'
import { handler } from '../../../functions/actions/clear-subscription-filter-tags.ts'
import {
  accountForEachTest,
  describeRequest,
  describeSubscription,
  describeTopic,
  numbered,
  refusal,
  success,
} from '../support/cmq.ts'
import { newsOf } from '../support/news.ts'

const cmq = accountForEachTest()
const news = newsOf(cmq)
const mail = { topicName: 'news', subscriptionName: 'mail' }
const clear = cmq.caller(handler, 'ClearSubscriptionFilterTags', mail)
const publish = (sent = {}) => cmq.ask('PublishMessage', { topicName: 'news', msgBody: 'x', ...sent })

beforeEach(async () => {
  await news.create()
  await news.subscribeWeb('mail', numbered('filterTag', ['red', 'blue']))
})

describeRequest(clear)
describeTopic(clear)
describeSubscription(clear)

describe('given a subscription with filter tags', () => {
  it("when they are cleared as in CMQ's example, then from now on it gets every message", async () => {
    expect(await publish({ 'msgTag.1': 'green' })).toEqual(
      refusal(6030, '(10730)no bindingKey or filterTag matches the routingKey or msgTag'),
    )
    expect(await clear()).toEqual(success())
    expect(await news.attributes('mail')).toMatchObject({ filterTag: [], filterTags: [] })
    await publish({ 'msgTag.1': 'green' })
    await publish()
    expect(await news.msgCount('mail')).toBe(2)
  })

  it('when they are cleared, then nothing else changes but lastModifyTime', async () => {
    const { requestId: _, ...before } = await news.attributes('mail')
    await cmq.clock.advance(5_000)
    await clear()
    const { requestId: __, ...now } = await news.attributes('mail')
    expect(now).toEqual({ ...before, filterTag: [], filterTags: [], lastModifyTime: before['lastModifyTime'] + 5 })
  })

  it.each(['ClearSUbscriptionFIlterTags', 'clearsubscriptionfiltertags'])(
    'when they are cleared by %s, as an SDK spells it, then they are',
    async (action) => {
      expect(await cmq.ask(action, mail)).toEqual(success())
      expect(await news.attributes('mail')).toHaveProperty('filterTag', [])
    },
  )

  it('when there are none any more, then it succeeds all the same', async () => {
    await clear()
    expect(await clear()).toEqual(success())
  })

  it('when another process publishes, then it knows within a second', async () => {
    const other = await cmq.anotherProcess()
    const { topicId } = await news.subscription('mail')
    const tags = async () => (await other.subscriptions.of(topicId)).map(({ filterTags }) => filterTags)
    expect(await tags()).toEqual([['red', 'blue']])
    await clear()
    await cmq.clock.advance(1_000)
    expect(await tags()).toEqual([[]])
  })
})

describe('given a subscription with binding keys', () => {
  it('when its filter tags are cleared, then its binding keys stay', async () => {
    await cmq.ask('CreateTopic', { topicName: 'routed', filterType: 2 })
    await news.subscribeWeb('mail', { topicName: 'routed', 'filterTag.1': 'red', 'bindingKey.1': 'a' })
    expect(await clear({ topicName: 'routed' })).toEqual(success())
    expect(await cmq.ask('GetSubscriptionAttributes', { ...mail, topicName: 'routed' })).toMatchObject({
      filterTag: [],
      bindingKey: ['a'],
    })
  })
})
