import { beforeEach, describe, expect, it } from 'vitest'
import { handler } from '../../../functions/actions/receive-message.ts'
import { untilAsleep, whilePassing } from '../../support/clock.ts'
import { asker } from '../../support/service.ts'
import {
  aReceiptHandle,
  describeQueue,
  describeRequest,
  handleIsInvalid,
  noMessage,
  refusal,
  serviceForEachTest,
  success,
  type CallOptions,
  type Sent,
} from '../support/cmq.ts'

const cmq = serviceForEachTest()
const receive = cmq.caller(handler, 'ReceiveMessage', { queueName: 'orders' })
const send = (msgBody = 'hello world', sent: Sent = {}) =>
  cmq.ask('SendMessage', { queueName: 'orders', msgBody, ...sent })
const set = (sent: Sent) => cmq.ask('SetQueueAttributes', { queueName: 'orders', ...sent })
const remove = (receiptHandle: string) => cmq.ask('DeleteMessage', { queueName: 'orders', receiptHandle })

/** What a receive comes to, and how many milliseconds it waited. */
async function timed(sent: Sent, options: CallOptions = {}) {
  const startedAt = cmq.clock.now()
  const answer = await whilePassing(cmq.clock, receive(sent, options))
  return { answer, waited: cmq.clock.now() - startedAt }
}

beforeEach(() => cmq.ask('CreateQueue', { queueName: 'orders', visibilityTimeout: 60 }))

describe('given a message', () => {
  beforeEach(() => send())
  describeRequest(receive)
  describeQueue(receive)

  it("when it is received as in CMQ's example, then every field is there, times in Unix seconds", async () => {
    const { msgId } = await send('second')
    await receive()
    await cmq.clock.advance(5_000)
    const now = Math.floor(cmq.clock.now() / 1_000)
    const answer = await receive({ pollingWaitSeconds: 10 })
    expect(answer).toEqual(
      success({
        msgBody: 'second',
        msgId,
        receiptHandle: aReceiptHandle,
        enqueueTime: now - 5,
        firstDequeueTime: now,
        nextVisibleTime: now + 60,
        dequeueCount: 1,
      }),
    )
    expect(answer.msgId).toBeTypeOf('string')
  })

  it('when it is received, then it is hidden until its visibility timeout has passed, to the millisecond', async () => {
    const first = await receive()
    expect(await receive()).toEqual(noMessage)
    await cmq.clock.advance(59_999)
    expect(await receive()).toEqual(noMessage)
    await cmq.clock.advance(1)
    expect(await receive()).toHaveProperty('msgId', first.msgId)
  })

  it('when it is received again and again, then it is counted, and firstDequeueTime stays', async () => {
    const first = await receive()
    const handles = new Set([first.receiptHandle])
    for (const dequeueCount of [2, 3, 4]) {
      await cmq.clock.advance(61_000)
      const again = await receive()
      expect(again).toEqual({
        ...first,
        requestId: again.requestId,
        receiptHandle: aReceiptHandle,
        nextVisibleTime: first.nextVisibleTime + 61 * (dequeueCount - 1),
        dequeueCount,
      })
      handles.add(again.receiptHandle)
    }
    expect(handles.size).toBe(4)
  })

  it('when it is received again, then the handle before is void and the new one is valid', async () => {
    const first = await receive()
    await cmq.clock.advance(60_000)
    const second = await receive()
    expect(await remove(first.receiptHandle as string)).toEqual(handleIsInvalid)
    expect(await remove(second.receiptHandle as string)).toEqual(success())
  })

  it('when two ask at once, then one of them has it', async () => {
    const answers = await Promise.all([receive(), receive()])
    expect(answers.map(({ code }) => code).sort()).toEqual([0, 7000])
  })

  it('when another process asks too, then one of them has it', async () => {
    const other = asker(await cmq.anotherProcess())
    const answers = await Promise.all([receive(), other('ReceiveMessage', { queueName: 'orders' })])
    expect(answers.map(({ code }) => code).sort()).toEqual([0, 7000])
  })

  it('when it was deleted, then it never comes again', async () => {
    const { receiptHandle } = await receive()
    await remove(receiptHandle as string)
    await cmq.clock.advance(60_000)
    expect(await receive()).toEqual(noMessage)
  })
})

describe('given several messages', () => {
  it('when one consumer receives them, then they come in the order of sending', async () => {
    for (const body of ['a', 'b', 'c']) {
      await send(body)
      await cmq.clock.advance(1)
    }
    for (const body of ['a', 'b', 'c']) expect(await receive()).toHaveProperty('msgBody', body)
  })

  it('when one was not deleted in time, then it comes before later ones', async () => {
    await send('a')
    await receive()
    await cmq.clock.advance(60_000)
    await send('b')
    expect(await receive()).toHaveProperty('msgBody', 'a')
    expect(await receive()).toHaveProperty('msgBody', 'b')
  })
})

describe('given the end of the retention', () => {
  it('when it has not come, then the message is received, and a millisecond later never again', async () => {
    await set({ msgRetentionSeconds: 60, visibilityTimeout: 1 })
    await Promise.all([send(), send()])
    await cmq.clock.advance(59_999)
    expect(await receive()).toHaveProperty('code', 0)
    await cmq.clock.advance(1)
    expect(await receive()).toEqual(noMessage)
    await cmq.clock.advance(60_000)
    expect(await receive()).toEqual(noMessage)
  })

  it('when it comes for a delayed message, then that is never received', async () => {
    await set({ msgRetentionSeconds: 60 })
    await send('x', { delaySeconds: 60 })
    await cmq.clock.advance(60_000)
    expect(await receive()).toEqual(noMessage)
  })

  it('when the visibility timeout is longer, then each message is received once and may be deleted until then', async () => {
    await set({ msgRetentionSeconds: 60, visibilityTimeout: 100 })
    await Promise.all([send(), send()])
    const [first, second] = [await receive(), await receive()]
    await cmq.clock.advance(59_999)
    expect(await remove(first.receiptHandle as string)).toEqual(success())
    await cmq.clock.advance(1)
    expect(await remove(second.receiptHandle as string)).toEqual(handleIsInvalid)
    await cmq.clock.advance(40_000)
    expect(await receive()).toEqual(noMessage)
  })
})

describe('given no message', () => {
  it('when nothing says how long to wait, then that is answered at once', async () => {
    expect(await receive()).toEqual(noMessage)
  })

  it.each([
    ['the queue says 10', 10, {}, {}, 10_000],
    ['the queue says 10 and the call 0', 10, { pollingWaitSeconds: 0 }, {}, 0],
    ['the queue says 10 and the call 3', 10, { pollingWaitSeconds: 3 }, {}, 3_000],
    ['the queue says 0 and the call 3', 0, { pollingWaitSeconds: 3 }, {}, 3_000],
    ['the call says 27', 0, { pollingWaitSeconds: 27 }, {}, 27_000],
    ['the call says 28', 0, { pollingWaitSeconds: 28 }, {}, 27_000],
    ['the call says 30000', 0, { pollingWaitSeconds: 30_000 }, {}, 27_000],
    ['the queue says 30', 30, {}, {}, 27_000],
    ['the call says 30000 and 30 may be waited', 0, { pollingWaitSeconds: 30_000 }, { longestWait: 30 }, 30_000],
    ['the call says 20 and 5 may be waited', 0, { pollingWaitSeconds: 20 }, { longestWait: 5 }, 5_000],
    ['the key has a trailing blank', 0, { 'POLLINGwaitSeconds ': 2 }, {}, 2_000],
    ['the private hint of an SDK says 30000', 0, { UserpollingWaitSeconds: 30_000 }, {}, 0],
  ])('when %s, then the wait is as long as that', async (_, pollingWaitSeconds, sent, settings, expected) => {
    await set({ pollingWaitSeconds })
    const { answer, waited } = await timed(sent, { settings })
    expect(answer).toEqual(noMessage)
    expect(waited).toBeGreaterThanOrEqual(expected)
    expect(waited).toBeLessThanOrEqual(expected + 20)
  })

  it.each([
    ['-1', '(10350)parameter pollingWaitSeconds value or length is out of range'],
    ['x', '(10360)parameter pollingWaitSeconds error type'],
    ['', '(10360)parameter pollingWaitSeconds error type'],
    ['1.5', '(10360)parameter pollingWaitSeconds error type'],
  ])('when pollingWaitSeconds is %j, then it is refused', async (pollingWaitSeconds, message) => {
    expect(await receive({ pollingWaitSeconds })).toEqual(refusal(4000, message))
  })

  it('when pollingWaitSeconds is a list, then it is refused', async () => {
    expect(await receive({ 'pollingWaitSeconds.0': 1 })).toEqual(
      refusal(4000, '(10330)parameter pollingWaitSeconds is NOT a repeatable parameter'),
    )
  })
})

describe('given a waiting consumer', () => {
  const wait = (options: CallOptions = {}) => receive({ pollingWaitSeconds: 20 }, options)

  it('when this process sends a message, then it has it at once', async () => {
    const waiting = wait()
    await untilAsleep(cmq.clock)
    const { msgId } = await send()
    expect(await waiting).toMatchObject({ code: 0, msgId })
  })

  it('when this process sends two for three who wait, then two have one each and the third waits on', async () => {
    const waiting = [wait(), wait(), wait()]
    await untilAsleep(cmq.clock, 3)
    await cmq.ask('BatchSendMessage', { queueName: 'orders', 'msgBody.1': 'a', 'msgBody.2': 'b' })
    const answers = await Promise.all(waiting.map((call) => whilePassing(cmq.clock, call)))
    expect(answers.map(({ msgBody, code }) => String(msgBody ?? code)).sort()).toEqual(['7000', 'a', 'b'])
  })

  it('when another process sends a message, then it has it within a few polls', async () => {
    const other = asker(await cmq.anotherProcess())
    const waiting = wait()
    await untilAsleep(cmq.clock)
    const sentAt = cmq.clock.now()
    await other('SendMessage', { queueName: 'orders', msgBody: 'x' })
    expect(await whilePassing(cmq.clock, waiting)).toHaveProperty('msgBody', 'x')
    expect(cmq.clock.now() - sentAt).toBeLessThanOrEqual(500)
  })

  it.each([
    ['the delay of a message passes', 3_000],
    ['a lease runs out', 60_000],
  ])('when %s, then it has the message within a few polls', async (what, milliseconds) => {
    const isDelayed = what.includes('delay')
    const sentAt = cmq.clock.now()
    await send('x', isDelayed ? { delaySeconds: 3 } : {})
    if (!isDelayed) await receive()
    if (!isDelayed) await cmq.clock.advance(50_000)
    expect(await whilePassing(cmq.clock, wait())).toHaveProperty('msgBody', 'x')
    const late = cmq.clock.now() - sentAt - milliseconds
    expect(late).toBeGreaterThanOrEqual(0)
    expect(late).toBeLessThanOrEqual(500)
  })

  it('when the client leaves, then the wait ends and later messages are for others', async () => {
    const client = new AbortController()
    const waiting = wait({ signal: client.signal })
    await untilAsleep(cmq.clock)
    client.abort()
    expect(await waiting).toEqual(noMessage)
    expect(cmq.clock.sleepers).toBe(0)
    await send()
    expect(await receive()).toHaveProperty('dequeueCount', 1)
  })

  it('when the client has left before, then nothing is taken from others', async () => {
    await send()
    expect(await wait({ signal: AbortSignal.abort() })).toEqual(noMessage)
    expect(await receive()).toHaveProperty('dequeueCount', 1)
  })

  it('when the queue is to wait longer meanwhile, then its own wait stays', async () => {
    const startedAt = cmq.clock.now()
    const waiting = receive({ pollingWaitSeconds: 2 })
    await untilAsleep(cmq.clock)
    await set({ pollingWaitSeconds: 20 })
    expect(await whilePassing(cmq.clock, waiting)).toEqual(noMessage)
    expect(cmq.clock.now() - startedAt).toBeLessThanOrEqual(2_020)
  })
})
