import { beforeEach, describe, expect, it } from 'vitest'
import { handler } from '../../../functions/actions/batch-publish-message.ts'
import { asker } from '../../support/service.ts'
import {
  accountForEachTest,
  aMessageId,
  describeListOf16,
  describeNumber,
  describeRequest,
  describeTopic,
  notRepeatable,
  numbered,
  outOfRange,
  refusal,
  success,
} from '../support/cmq.ts'
import { newsOf } from '../support/news.ts'
import { countPuts } from '../support/puts.ts'

const cmq = accountForEachTest()
const news = newsOf(cmq)
const publish = cmq.caller(handler, 'BatchPublishMessage', { topicName: 'news' })
const publishOne = cmq.caller(handler, 'BatchPublishMessage', { topicName: 'news', 'msgBody.1': 'x' })
const idsOf = ({ msgList }: Awaited<ReturnType<typeof publish>>): string[] =>
  msgList.map(({ msgId }: { msgId: string }) => msgId)

const MB = 1_048_576
const tooLarge = refusal(4400, '(10230)exceed maximum message size')
const tooLargeTogether = refusal(4470, '(10300)total message size exceed 1MB')

beforeEach(async () => {
  await news.create({ maxMsgSize: MB })
  await news.subscribeWeb('mail')
})

describeRequest(publishOne)
describeTopic(publishOne)
describeNumber(publishOne, 'delaySeconds', {
  min: 0,
  max: 3_600,
  outOfRange: refusal(4000, '(10692)delay seconds is out of range'),
})
describeListOf16(publish, 'msgBody')

describe('given a batch', () => {
  it("when it is published as in CMQ's example, then the ids are answered", async () => {
    const answer = await publish({ 'msgBody.1': 'a', 'msgBody.2': 'b', 'msgTag.1': 'red' })
    expect(answer).toEqual(success({ msgList: [{ msgId: aMessageId }, { msgId: aMessageId }] }))
    expect(new Set(idsOf(answer)).size).toBe(2)
  })

  it.each([0, 1])(
    'when it has 16 bodies from number %d on, then each queue and web server has them in the order of their numbers',
    async (base) => {
      await news.subscribeQueue('a')
      await news.subscribeQueue('b', {}, { shards: 8 })
      const bodies = Array.from({ length: 16 }, (_, index) => `body ${index}`)
      const answer = await publish(numbered('msgBody', bodies, base))
      expect(await news.received('a')).toEqual(bodies)
      expect(await news.received('b')).toEqual(bodies)
      const waiting = await news.deliveries('mail')
      expect(waiting.map(({ id }) => id)).toEqual(idsOf(answer))
      expect(waiting.map(({ body }) => body)).toEqual(bodies.map((text) => ({ text })))
    },
  )

  it('when it has tags, then each message has them', async () => {
    await news.subscribeQueue('red', { 'filterTag.1': 'red' })
    await news.subscribeQueue('blue', { 'filterTag.1': 'blue' })
    await publish({ ...numbered('msgBody', ['a', 'b']), ...numbered('msgTag', ['green', 'red'], 0) })
    expect(await news.received('red')).toEqual(['a', 'b'])
    expect(await news.received('blue')).toEqual([])
    expect(await news.deliveries('mail')).toMatchObject(Array(2).fill({ labels: { tags: ['green', 'red'] } }))
  })

  it('when it has a routing key, then each message has it', async () => {
    await cmq.ask('CreateTopic', { topicName: 'routed', filterType: 2 })
    await news.subscribeQueue('orders', { topicName: 'routed', 'bindingKey.1': 'a.*' })
    const routed = { topicName: 'routed', ...numbered('msgBody', ['a', 'b']) }
    expect(await publish({ ...routed, routingKey: 'a.b' })).toHaveProperty('code', 0)
    expect(await news.received('orders')).toEqual(['a', 'b'])
    expect(await publish({ ...routed, routingKey: 'b' })).toEqual(
      refusal(6030, '(10730)no bindingKey or filterTag matches the routingKey or msgTag'),
    )
    const lack = refusal(4000, '(10700)parameters lack of routingKey')
    expect(await publish(routed)).toEqual(lack)
    expect(await publish({ ...routed, routingKey: '' })).toEqual(lack)
  })

  it('when it has a delay, then each message waits for it in the topic', async () => {
    const answer = await publish({ ...numbered('msgBody', ['a', 'b']), delaySeconds: 5 })
    expect(await news.msgCount('mail')).toBe(0)
    const { topicId } = await news.subscription('mail')
    const { deliveries } = await cmq.services.deliveries.first(topicId, 10)
    const dueAt = cmq.clock.now() + 5_000
    const [first, second] = idsOf(answer)
    expect(deliveries).toMatchObject([
      { id: first, dueAt, body: { text: 'a' } },
      { id: second, dueAt, body: { text: 'b' } },
    ])
  })

  it('when bodies are alike, then each is a message', async () => {
    await news.subscribeQueue('orders')
    const answer = await publish(numbered('msgBody', ['x', 'x', 'x']))
    expect(new Set(idsOf(answer)).size).toBe(3)
    expect(await news.received('orders')).toEqual(['x', 'x', 'x'])
  })

  it('when its keys have other capitals and trailing blanks, then they are found', async () => {
    await publish({ 'MsgBody.1 ': 'a', 'MSGBODY.2': 'b', 'MsgTag.1 ': 'red' })
    expect(await news.deliveries('mail')).toMatchObject([
      { body: { text: 'a' }, labels: { tags: ['red'] } },
      { body: { text: 'b' }, labels: { tags: ['red'] } },
    ])
  })

  it('when nobody gets it, then that is said, or by a setting it is accepted and dropped', async () => {
    await cmq.ask('CreateTopic', { topicName: 'quiet' })
    const quiet = { topicName: 'quiet', 'msgBody.1': 'a' }
    expect(await publish(quiet)).toEqual(
      refusal(6030, '(10650)topic has no subscription, please create a subscription before publishing message'),
    )
    expect(await publish(quiet, { settings: { publishToNobody: true } })).toEqual(
      success({ msgList: [{ msgId: aMessageId }] }),
    )
  })
})

describe('given the labels of a batch', () => {
  it('when tags are too many or too long, then they are refused', async () => {
    expect(await publishOne(numbered('msgTag', ['a', 'b', 'c', 'd', 'e', 'f']))).toEqual(
      refusal(4000, '(10720)too many msgTag'),
    )
    expect(await publishOne({ 'msgTag.1': 'abcdefghijklmnopq' })).toEqual(outOfRange('msgTag'))
  })

  it('when the routing key is too long, has too many dots, or is a list, then it is refused', async () => {
    expect(await publishOne({ routingKey: 'x'.repeat(65) })).toEqual(outOfRange('routingKey'))
    expect(await publishOne({ routingKey: '.'.repeat(16) })).toEqual(refusal(4000, '(10691)too many delimeters'))
    expect(await publishOne({ 'routingKey.0': 'a' })).toEqual(notRepeatable('routingKey'))
  })
})

describe('given the sizes of a batch', () => {
  it('when they are 1 MB together, then it is published, and not with a byte more', async () => {
    const full = Array.from({ length: 16 }, () => 'x'.repeat(65_536))
    expect(await publish(numbered('msgBody', full))).toHaveProperty('code', 0)
    expect(await publish(numbered('msgBody', [...full.slice(1), 'x'.repeat(65_537)]))).toEqual(tooLargeTogether)
    expect(await publish(numbered('msgBody', ['中'.repeat(174_763), '中'.repeat(174_763)]))).toEqual(tooLargeTogether)
    expect(await news.msgCount('mail')).toBe(16)
  })

  it('when one is above the maxMsgSize, empty, or above 4.5 MB as escaped JSON, then none is published', async () => {
    await cmq.ask('SetTopicAttributes', { topicName: 'news', maxMsgSize: 1_024 })
    expect(await publish(numbered('msgBody', ['a', 'x'.repeat(1_025)]))).toEqual(tooLarge)
    expect(await publish(numbered('msgBody', ['a', '', 'b']))).toEqual(
      refusal(4000, "(10120)message body can't be empty"),
    )
    await cmq.ask('SetTopicAttributes', { topicName: 'news', maxMsgSize: MB })
    expect(await publish(numbered('msgBody', ['a', '\0'.repeat(750_000)]))).toEqual(tooLarge)
    expect(await news.msgCount('mail')).toBe(0)
  })

  it('when some are too large for a queue, then these wait for it, and it has the others', async () => {
    await news.subscribeQueue('tiny', {}, { maxMsgSize: 1_024 })
    const large = 'x'.repeat(1_025)
    const answer = await publish(numbered('msgBody', ['a', large, 'b']))
    expect(await news.received('tiny')).toEqual(['a', 'b'])
    expect(await news.deliveries('tiny')).toMatchObject([{ id: idsOf(answer)[1] }])
    expect(await news.msgCount('mail')).toBe(3)
  })

  it('when they are large, then each is stored once for all who get it', async () => {
    await news.subscribeQueue('a')
    await news.subscribeQueue('b')
    let puts: Record<string, number> = {}
    const ask = asker(await cmq.anotherProcess({ prepare: (client) => void (puts = countPuts(client)) }))
    const bodies = ['small', ...Array.from({ length: 15 }, (_, index) => String(index).padEnd(5_000, 'x'))]
    await ask('BatchPublishMessage', { topicName: 'news', ...numbered('msgBody', bodies) })
    expect(puts).toEqual({ bodies: 15, messages: 32, deliveries: 16 })
    expect(await news.received('a')).toEqual(bodies)
    expect(await news.received('b')).toEqual(bodies)
  })
})
