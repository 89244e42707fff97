import { beforeEach, describe, expect, it } from 'vitest'
import { handler } from '../../../functions/actions/send-message.ts'
import {
  aMessageId,
  describeNumber,
  describeQueue,
  describeRequest,
  noMessage,
  refusal,
  serviceForEachTest,
  success,
} from '../support/cmq.ts'

const cmq = serviceForEachTest()
const send = cmq.caller(handler, 'SendMessage', { queueName: 'orders', msgBody: 'hello world' })
const receive = () => cmq.ask('ReceiveMessage', { queueName: 'orders' })

const MB = 1_048_576
const tooLarge = refusal(4400, '(10230)exceed maximum message size')
const delayIsWrong = refusal(4000, '(10692)delay seconds is out of range')
const everyAsciiCharacter = String.fromCharCode(...Array(128).keys())

beforeEach(() => cmq.ask('CreateQueue', { queueName: 'orders', maxMsgSize: MB }))

describeRequest(send)
describeQueue(send)
describeNumber(send, 'delaySeconds', { min: 0, max: 3_600, outOfRange: delayIsWrong })

describe('given a queue', () => {
  it("when a message is sent as in CMQ's example, then its id is answered", async () => {
    expect(await send({ delaySeconds: 0 })).toEqual(success({ msgId: aMessageId }))
  })

  it.each([
    ['one byte', 'x'],
    ['a blank', ' '],
    ['a line end', '\n'],
    ['a zero byte', '\0'],
    ['every character of ASCII', everyAsciiCharacter],
    ['what looks like a form', 'a=b&c=%26+d'],
    ['@ at its beginning', '@hello'],
    ['JSON', '{"a":["\\u0000",null]}'],
    ['a byte order mark', '\uFEFFx'],
    ['letters of every length in UTF-8', 'aß中👩‍👩‍👧‍👦\u{10FFFF}'],
    ['characters that are not normalised', 'e\u0301 \u2028\u2029\uFFFD\uFFFF'],
    ['just what fits into an item', 'x'.repeat(700)],
    ['64 KB', 'x'.repeat(65_536)],
    ['1 MB', 'x'.repeat(MB)],
    ['1 MB with a character across each end of a chunk', `x${'中'.repeat(349_525)}`],
    ['1 MB of quotation marks', '"'.repeat(MB)],
  ])('when the body is %s, then it is received byte for byte', async (_, msgBody) => {
    const { msgId } = await send({ msgBody })
    const received = await receive()
    expect(received.msgId).toBe(msgId)
    expect(Buffer.from(received.msgBody as string).equals(Buffer.from(msgBody))).toBe(true)
  })

  it('when a body is sent twice, then it is two messages', async () => {
    const [first, second] = [await send(), await send()]
    expect(first.msgId).not.toBe(second.msgId)
    expect([(await receive()).msgId, (await receive()).msgId]).toEqual([first.msgId, second.msgId])
  })
})

describe('given a body', () => {
  it('when it is absent, then it is asked for', async () => {
    expect(await send({ msgBody: '-' })).toEqual(refusal(4000, '(10390)lacked of required parameter msgBody'))
  })

  it('when it is empty, then it is refused', async () => {
    expect(await send({ msgBody: '' })).toEqual(refusal(4000, "(10120)message body can't be empty"))
  })

  it('when it is sent as a list, then it is refused', async () => {
    expect(await send({ msgBody: '-', 'msgBody.1': 'x' })).toEqual(
      refusal(4000, '(10330)parameter msgBody is NOT a repeatable parameter'),
    )
  })

  it.each([
    ['1,024 characters', 'x'.repeat(1_024), 'x'.repeat(1_025)],
    ['1,024 bytes', `x${'中'.repeat(341)}`, '中'.repeat(342)],
  ])('when it has %s, then a queue of this maxMsgSize takes it, and not a byte more', async (_, msgBody, more) => {
    await cmq.ask('SetQueueAttributes', { queueName: 'orders', maxMsgSize: 1_024 })
    expect(await send({ msgBody })).toEqual(success({ msgId: aMessageId }))
    expect(await send({ msgBody: more })).toEqual(tooLarge)
  })

  it('when it is larger than 1 MB, then no queue takes it', async () => {
    expect(await send({ msgBody: 'x'.repeat(MB + 1) })).toEqual(tooLarge)
  })

  it('when it fills more than 4.5 MB as escaped JSON, then no answer could carry it, and it is refused', async () => {
    const zeros = Math.floor((4_500_000 - 2) / 6)
    expect(await send({ msgBody: '\0'.repeat(zeros) })).toEqual(success({ msgId: aMessageId }))
    expect(await send({ msgBody: '\0'.repeat(zeros + 1) })).toEqual(tooLarge)
    expect(await receive()).toHaveProperty('msgBody.length', zeros)
  })
})

describe('given a delay', () => {
  it.each([0, 1, 3_600])(
    'when it is %d s, then the message comes at its millisecond and not one before',
    async (delaySeconds) => {
      await send({ delaySeconds })
      if (delaySeconds > 0) {
        await cmq.clock.advance(delaySeconds * 1_000 - 1)
        expect(await receive()).toEqual(noMessage)
        await cmq.clock.advance(1)
      }
      expect(await receive()).toHaveProperty('msgBody', 'hello world')
    },
  )

  it('when there are a delayed message and a later one without delay, then the later one comes first', async () => {
    await send({ msgBody: 'late', delaySeconds: 1 })
    await send({ msgBody: 'soon' })
    await cmq.clock.advance(1_000)
    expect(await receive()).toHaveProperty('msgBody', 'soon')
    expect(await receive()).toHaveProperty('msgBody', 'late')
  })

  it('when it was sent to a delay, then enqueueTime is when it was sent', async () => {
    const sentAt = Math.floor(cmq.clock.now() / 1_000)
    await send({ delaySeconds: 60 })
    await cmq.clock.advance(60_000)
    expect(await receive()).toMatchObject({ enqueueTime: sentAt, firstDequeueTime: sentAt + 60 })
  })

  it('when the deployment allows a longer one, then it is accepted up to that', async () => {
    const settings = { longestDelay: 86_400 }
    expect(await send({ delaySeconds: 86_400 }, { settings })).toHaveProperty('code', 0)
    expect(await send({ delaySeconds: 86_401 }, { settings })).toEqual(delayIsWrong)
  })

  it('when it would last as long as the message lives, then it is refused: the message could never be received', async () => {
    const settings = { longestDelay: 6_048_000 }
    expect(await send({ delaySeconds: 345_599 }, { settings })).toHaveProperty('code', 0)
    expect(await send({ delaySeconds: 345_600 }, { settings })).toEqual(delayIsWrong)
  })

  it('when the deployment allows none, then only 0 is accepted', async () => {
    const settings = { longestDelay: 0 }
    expect(await send({ delaySeconds: 0 }, { settings })).toHaveProperty('code', 0)
    expect(await send({ delaySeconds: 1 }, { settings })).toEqual(delayIsWrong)
  })
})
