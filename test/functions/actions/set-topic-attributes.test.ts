import { beforeEach, describe, expect, it } from 'vitest'
import { handler } from '../../../functions/actions/set-topic-attributes.ts'
import { topicLimits } from '../../../lib/domain/topic.ts'
import { asker } from '../../support/service.ts'
import {
  accountForEachTest,
  aTopicId,
  describeNumber,
  describeRequest,
  describeTopic,
  refusal,
  success,
} from '../support/cmq.ts'
import { newsOf } from '../support/news.ts'

const cmq = accountForEachTest()
const news = newsOf(cmq)
const set = cmq.caller(handler, 'SetTopicAttributes', { topicName: 'news' })
const attributes = async () => {
  const { requestId: _, ...fields } = await cmq.ask('GetTopicAttributes', { topicName: 'news' })
  return fields
}

beforeEach(() => news.create({ maxMsgSize: 5_000, filterType: 2 }))

describeRequest(set)
describeTopic(set)
describeNumber(set, 'maxMsgSize', topicLimits.maxMsgSize)

describe('given a topic', () => {
  it("when its maxMsgSize is set as in CMQ's example, then its id is answered and nothing else has changed", async () => {
    const before = await attributes()
    await cmq.clock.advance(5_000)
    expect(await set({ maxMsgSize: 32_768 })).toEqual(success({ topicId: aTopicId }))
    expect(await attributes()).toEqual({ ...before, maxMsgSize: 32_768, lastModifyTime: before.lastModifyTime + 5 })
  })

  it('when nothing is set, then nothing changes but lastModifyTime', async () => {
    const before = await attributes()
    await cmq.clock.advance(5_000)
    expect(await set()).toEqual(success({ topicId: aTopicId }))
    expect(await attributes()).toEqual({ ...before, lastModifyTime: before.lastModifyTime + 5 })
  })

  it('when another filterType is sent, then it stays: it cannot be changed', async () => {
    expect(await set({ filterType: 1, maxMsgSize: 2_000 })).toHaveProperty('code', 0)
    expect(await attributes()).toMatchObject({ filterType: 2, maxMsgSize: 2_000 })
  })

  it('when a smaller maxMsgSize is set, then the next message has to keep to it', async () => {
    await news.subscribeWeb('mail', { 'bindingKey.1': '#' })
    await news.publish({ msgBody: 'x'.repeat(5_000), routingKey: 'a' })
    await set({ maxMsgSize: 1_024 })
    const publish = (bytes: number) =>
      cmq.ask('PublishMessage', { topicName: 'news', msgBody: 'x'.repeat(bytes), routingKey: 'a' })
    expect(await publish(1_024)).toHaveProperty('code', 0)
    expect(await publish(1_025)).toEqual(refusal(4400, '(10230)exceed maximum message size'))
  })

  it('when several set it at once, then all succeed and one of them has the last word', async () => {
    const sizes = [2_000, 3_000, 4_000]
    const answers = await Promise.all(sizes.map((maxMsgSize) => set({ maxMsgSize })))
    expect(answers.map(({ code }) => code)).toEqual([0, 0, 0])
    expect(sizes).toContain((await attributes())['maxMsgSize'])
  })

  it('when it changes, then another process knows it within a second', async () => {
    const other = asker(await cmq.anotherProcess())
    expect(await other('GetTopicAttributes', { topicName: 'news' })).toHaveProperty('maxMsgSize', 5_000)
    await set({ maxMsgSize: 2_000 })
    await cmq.clock.advance(1_000)
    expect(await other('GetTopicAttributes', { topicName: 'news' })).toHaveProperty('maxMsgSize', 2_000)
  })
})
