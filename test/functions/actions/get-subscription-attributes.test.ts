import { beforeEach, describe, expect, it } from 'vitest'
import { handler } from '../../../functions/actions/get-subscription-attributes.ts'
import { START } from '../../support/clock.ts'
import {
  accountForEachTest,
  aSubscriptionId,
  describeRequest,
  describeSubscription,
  describeTopic,
  numbered,
  success,
} from '../support/cmq.ts'
import { newsOf } from '../support/news.ts'

const cmq = accountForEachTest()
const news = newsOf(cmq)
const attributes = cmq.caller(handler, 'GetSubscriptionAttributes', { topicName: 'news', subscriptionName: 'mail' })
const started = Math.floor(START / 1000)

beforeEach(async () => {
  await news.create()
  await news.subscribeWeb('mail', { notifyStrategy: 'BACKOFF_RETRY', 'filterTag.1': 'red' })
})

describeRequest(attributes)
describeTopic(attributes)
describeSubscription(attributes)

describe('given a subscription of a web server', () => {
  it("when its attributes are asked for as in CMQ's example, then every field is there, in all its spellings", async () => {
    expect(await attributes()).toEqual(
      success({
        topicOwner: cmq.account,
        msgCount: 0,
        protocol: 'http',
        protocal: 'http',
        endpoint: 'http://example.com/hook',
        notifyStrategy: 'BACKOFF_RETRY',
        notifyContentFormat: 'JSON',
        createTime: started,
        lastModifyTime: started,
        bindingKey: [],
        bindindKey: [],
        filterTag: ['red'],
        filterTags: ['red'],
        subscriptionId: aSubscriptionId,
        subscriptionName: 'mail',
      }),
    )
  })

  it('when messages are published, then msgCount tells how many of them wait for it', async () => {
    await news.publish({ 'msgTag.1': 'red' })
    await news.subscribeWeb('pager')
    await news.publish({ 'msgTag.1': 'blue' })
    expect(await attributes()).toHaveProperty('msgCount', 1)
    expect(await attributes({ subscriptionName: 'pager' })).toHaveProperty('msgCount', 1)
    await cmq.ask('BatchPublishMessage', { topicName: 'news', ...numbered('msgBody', ['a', 'b']), 'msgTag.1': 'red' })
    expect(await attributes()).toHaveProperty('msgCount', 3)
  })

  it('when a delivery was made, then it is not counted', async () => {
    await news.publish({ 'msgTag.1': 'red' })
    await news.publish({ 'msgTag.1': 'red' })
    const [first] = await news.deliveries('mail')
    if (!first) throw new Error('there is no delivery')
    const { id } = await news.subscription('mail')
    await cmq.services.deliveries.remove(id, first)
    expect(await attributes()).toHaveProperty('msgCount', 1)
  })

  it('when it was changed, then lastModifyTime tells when, and createTime stays', async () => {
    await cmq.clock.advance(42_000)
    await cmq.ask('SetSubscriptionAttributes', {
      topicName: 'news',
      subscriptionName: 'mail',
      notifyContentFormat: 'SIMPLIFIED',
    })
    await cmq.clock.advance(1_000)
    expect(await attributes()).toMatchObject({
      createTime: started,
      lastModifyTime: started + 42,
      notifyContentFormat: 'SIMPLIFIED',
    })
  })
})

describe('given a subscription of a queue', () => {
  it('when its attributes are asked for, then its endpoint is the name of the queue, as it was given', async () => {
    await news.subscribeQueue('Orders')
    expect(await attributes({ subscriptionName: 'orders' })).toMatchObject({
      protocol: 'queue',
      protocal: 'queue',
      endpoint: 'Orders',
      notifyContentFormat: 'SIMPLIFIED',
      filterTag: [],
      filterTags: [],
      bindingKey: [],
      bindindKey: [],
      subscriptionName: 'Orders',
    })
  })
})

describe('given a subscription with binding keys', () => {
  it('when its attributes are asked for, then they are there in both spellings', async () => {
    await cmq.ask('CreateTopic', { topicName: 'routed', filterType: 2 })
    await news.subscribeWeb('mail', { topicName: 'routed', ...numbered('bindingKey', ['a.*', '#.b']) })
    expect(await attributes({ topicName: 'routed' })).toMatchObject({
      bindingKey: ['a.*', '#.b'],
      bindindKey: ['a.*', '#.b'],
      filterTag: [],
      filterTags: [],
    })
  })
})

describe('given a subscription of another topic', () => {
  it('when it is asked for under this one, then it is missing', async () => {
    await cmq.ask('CreateTopic', { topicName: 'other' })
    expect(await attributes({ topicName: 'other' })).toHaveProperty(
      'message',
      '(10600)subscription is not existed, or deleted',
    )
  })
})
