import { beforeEach, describe, expect, it } from 'vitest'
import { handler } from '../../../functions/actions/get-topic-attributes.ts'
import { START } from '../../support/clock.ts'
import { accountForEachTest, aTopicId, describeRequest, describeTopic, success } from '../support/cmq.ts'
import { newsOf } from '../support/news.ts'

const cmq = accountForEachTest()
const news = newsOf(cmq)
const attributes = cmq.caller(handler, 'GetTopicAttributes', { topicName: 'news' })
const msgCount = async () => (await attributes())['msgCount'] as number

const started = Math.floor(START / 1000)

beforeEach(() => news.create())

describeRequest(attributes)
describeTopic(attributes)

describe('given a topic', () => {
  it("when its attributes are asked for as in CMQ's example, then every field is there, as a number", async () => {
    expect(await attributes()).toEqual(
      success({
        msgCount: 0,
        maxMsgSize: 65_536,
        msgRetentionSeconds: 86_400,
        createTime: started,
        lastModifyTime: started,
        filterType: 1,
        topicId: aTopicId,
        topicName: 'news',
        loggingEnabled: 0,
      }),
    )
  })

  it('when it was changed, then lastModifyTime tells when, and createTime stays', async () => {
    await cmq.clock.advance(42_000)
    await cmq.ask('SetTopicAttributes', { topicName: 'news', maxMsgSize: 2_000 })
    await cmq.clock.advance(1_000)
    expect(await attributes()).toMatchObject({ createTime: started, lastModifyTime: started + 42, maxMsgSize: 2_000 })
  })

  it('when it filters by binding keys, then its filterType is 2', async () => {
    await cmq.ask('CreateTopic', { topicName: 'routed', filterType: 2 })
    expect(await attributes({ topicName: 'routed' })).toHaveProperty('filterType', 2)
  })
})

describe('given messages of a topic', () => {
  it('when they wait for subscriptions or for their delay, then each is counted for each, and copies in queues are not', async () => {
    await news.subscribeWeb('mail')
    await news.subscribeWeb('pager')
    await news.subscribeQueue('orders')
    await news.publish()
    await news.publish()
    expect(await msgCount()).toBe(4)
    await news.publish({ delaySeconds: 60 })
    expect(await msgCount()).toBe(5)
    await cmq.ask('Unsubscribe', { topicName: 'news', subscriptionName: 'pager' })
    expect(await msgCount()).toBe(3)
  })

  it('when they are those of another topic, then they are not counted', async () => {
    await cmq.ask('CreateTopic', { topicName: 'other' })
    await news.subscribeWeb('mail', { topicName: 'other' })
    await news.publish({ topicName: 'other' })
    expect(await msgCount()).toBe(0)
    expect(await attributes({ topicName: 'other' })).toHaveProperty('msgCount', 1)
  })
})
