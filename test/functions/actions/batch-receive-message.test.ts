import { beforeEach, describe, expect, it } from 'vitest'
import { handler } from '../../../functions/actions/batch-receive-message.ts'
import { untilAsleep, whilePassing } from '../../support/clock.ts'
import type { Answer } from '../../support/service.ts'
import {
  aMessageId,
  aReceiptHandle,
  describeNumber,
  describeQueue,
  describeRequest,
  noMessage,
  numbered,
  serviceForEachTest,
  success,
} from '../support/cmq.ts'

const cmq = serviceForEachTest()
const receive = cmq.caller(handler, 'BatchReceiveMessage', { queueName: 'orders', numOfMsg: 16 })
const send = (...bodies: string[]) =>
  cmq.ask('BatchSendMessage', { queueName: 'orders', ...numbered('msgBody', bodies) })
const bodiesOf = ({ msgInfoList }: Answer): string[] => msgInfoList.map(({ msgBody }: { msgBody: string }) => msgBody)
const letters = [...'abcdefghijklmnopqrst']

beforeEach(() => cmq.ask('CreateQueue', { queueName: 'orders', visibilityTimeout: 60, maxMsgSize: 1_048_576 }))

describe('given a message', () => {
  beforeEach(() => send('a'))
  describeRequest(receive)
  describeQueue(receive)
  describeNumber(receive, 'numOfMsg', { min: 1, max: 16, isRequired: true })

  it("when it is received as in CMQ's example, then it comes at once, with every field", async () => {
    const now = Math.floor(cmq.clock.now() / 1_000)
    expect(await receive({ numOfMsg: 10, pollingWaitSeconds: 10 })).toEqual(
      success({
        msgInfoList: [
          {
            msgBody: 'a',
            msgId: aMessageId,
            receiptHandle: aReceiptHandle,
            enqueueTime: now,
            firstDequeueTime: now,
            nextVisibleTime: now + 60,
            dequeueCount: 1,
          },
        ],
      }),
    )
  })

  it('when it is received twice, then its own counts are told', async () => {
    await receive()
    await cmq.clock.advance(60_000)
    await send('b')
    const { msgInfoList } = await receive()
    expect(msgInfoList).toMatchObject([
      { msgBody: 'a', dequeueCount: 2 },
      { msgBody: 'b', dequeueCount: 1 },
    ])
  })
})

describe('given 20 messages', () => {
  beforeEach(async () => {
    await send(...letters.slice(0, 10))
    await cmq.clock.advance(1)
    await send(...letters.slice(10))
  })

  it('when 16 are wanted and then again, then 16 come and then 4, in the order of sending', async () => {
    expect(bodiesOf(await receive())).toEqual(letters.slice(0, 16))
    expect(bodiesOf(await receive())).toEqual(letters.slice(16))
    expect(await receive()).toEqual(noMessage)
  })

  it('when one is wanted, then one comes', async () => {
    expect(bodiesOf(await receive({ numOfMsg: 1 }))).toEqual(['a'])
  })

  it('when several ask at once, then each message comes to one of them', async () => {
    const answers = await Promise.all(Array.from({ length: 6 }, () => receive({ numOfMsg: 5 })))
    const received = answers.filter(({ code }) => code === 0).flatMap(bodiesOf)
    while (received.length < 20) received.push(...bodiesOf(await receive()))
    expect(received.sort()).toEqual(letters)
  })

  it('when they are received, then each has a handle of its own', async () => {
    const { msgInfoList } = await receive()
    const handles = msgInfoList.map(({ receiptHandle }: { receiptHandle: string }) => receiptHandle)
    expect(new Set(handles).size).toBe(16)
  })
})

describe('given large messages', () => {
  it('when they do not fit into one answer, then the rest comes with the next ones', async () => {
    const bodies = ['1', '2', '3', '4'].map((digit) => digit.repeat(1_000_000))
    for (const body of bodies) await send(body)
    expect(bodiesOf(await receive())).toEqual(bodies.slice(0, 2))
    expect(bodiesOf(await receive())).toEqual(bodies.slice(2))
  })

  it('when one alone is larger than what answers hold otherwise, then it comes alone', async () => {
    const large = '\0'.repeat(740_000)
    await send(large)
    await send('small')
    expect(bodiesOf(await receive())).toEqual([large])
    expect(bodiesOf(await receive())).toEqual(['small'])
  })
})

describe('given no message', () => {
  it('when none is waited for, then that is answered, and no empty list', async () => {
    expect(await receive({ pollingWaitSeconds: 0 })).toEqual(noMessage)
  })

  it('when they are waited for, then the first that comes is answered without waiting for more', async () => {
    const waiting = receive({ pollingWaitSeconds: 20 })
    await untilAsleep(cmq.clock)
    await send('a', 'b')
    expect(bodiesOf(await waiting)).toEqual(['a', 'b'])
  })

  it("when the queue's own time is to be waited, then the answer comes at its end", async () => {
    await cmq.ask('SetQueueAttributes', { queueName: 'orders', pollingWaitSeconds: 4 })
    const startedAt = cmq.clock.now()
    expect(await whilePassing(cmq.clock, receive())).toEqual(noMessage)
    expect(cmq.clock.now() - startedAt).toBeGreaterThanOrEqual(4_000)
    expect(cmq.clock.now() - startedAt).toBeLessThanOrEqual(4_020)
  })
})
