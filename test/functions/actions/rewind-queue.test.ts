import { beforeEach, describe, expect, it } from 'vitest'
import { handler } from '../../../functions/actions/rewind-queue.ts'
import {
  describeQueue,
  describeRequest,
  missing,
  noMessage,
  notRepeatable,
  refusal,
  serviceForEachTest,
  success,
} from '../support/cmq.ts'

const cmq = serviceForEachTest()
const queueName = 'orders'
const second = () => Math.floor(cmq.clock.now() / 1000)
const rewind = cmq.caller(handler, 'RewindQueue', { queueName })
/** A rewind to now, which there is always one to, as what every action refuses is asked with. */
const toNow: typeof rewind = (sent, options) => rewind({ startConsumeTime: second(), ...sent }, options)

const set = (sent: Record<string, number>) => cmq.ask('SetQueueAttributes', { queueName, ...sent })
const send = (msgBody: string) => cmq.ask('SendMessage', { queueName, msgBody })
const receive = (numOfMsg = 16) => cmq.ask('BatchReceiveMessage', { queueName, numOfMsg })
const remove = (receiptHandle: unknown) => cmq.ask('DeleteMessage', { queueName, receiptHandle: String(receiptHandle) })
type Received = { msgBody: string; msgId: string; receiptHandle: string; dequeueCount: number; enqueueTime: number }
const messagesIn = (answer: Record<string, unknown>) => (answer['msgInfoList'] ?? []) as Received[]
const bodies = (answer: Record<string, unknown>) => messagesIn(answer).map(({ msgBody }) => msgBody)
const numbers = async () => {
  const { activeMsgNum, inactiveMsgNum, rewindMsgNum, rewindmsgNum } = await cmq.ask('GetQueueAttributes', {
    queueName,
  })
  expect(rewindmsgNum).toBe(rewindMsgNum)
  return { activeMsgNum, inactiveMsgNum, rewindMsgNum } as object
}

/** Sends messages a second apart, and receives and deletes them. */
async function consumed(...texts: string[]): Promise<void> {
  for (const text of texts) {
    await send(text)
    await cmq.clock.advance(1_000)
  }
  await consume()
}

/** Receives and deletes all there is. Returns the bodies in order. */
async function consume(): Promise<string[]> {
  const taken: string[] = []
  for (;;) {
    const messages = messagesIn(await receive(3))
    if (messages.length === 0) return taken
    taken.push(...messages.map(({ msgBody }) => msgBody))
    for (const { receiptHandle } of messages) expect(await remove(receiptHandle)).toEqual(success())
  }
}

const beyond = refusal(4000, '(10680)invalid rewind time, you can get the vaild range of that via GetQueueAttributes')

beforeEach(() => cmq.ask('CreateQueue', { queueName, rewindSeconds: 600 }))

describeRequest(toNow)
describeQueue(toNow)

describe('given startConsumeTime', () => {
  it('when it is absent, a list or no number, then that is refused', async () => {
    expect(await rewind()).toEqual(missing('startConsumeTime'))
    expect(await rewind({ 'startConsumeTime.1': second() })).toEqual(notRepeatable('startConsumeTime'))
    for (const text of ['', 'x', '1.5', '\u0000', '1'.repeat(16)])
      expect(await rewind({ startConsumeTime: text })).toEqual(
        refusal(4000, '(10360)parameter startConsumeTime error type'),
      )
  })

  it('when it is a second earlier than rewindSeconds ago, or in the future, then it is out of range', async () => {
    for (const offset of [-600, -1, 0]) expect(await rewind({ startConsumeTime: second() + offset })).toEqual(success())
    for (const offset of [-601, 1, 3_600]) expect(await rewind({ startConsumeTime: second() + offset })).toEqual(beyond)
    for (const time of [0, -1, 10 ** 14]) expect(await rewind({ startConsumeTime: time })).toEqual(beyond)
  })

  it('when rewindSeconds was lowered and raised again, then what was dropped stays out of range', async () => {
    await cmq.clock.advance(300_000)
    await set({ rewindSeconds: 100 })
    await set({ rewindSeconds: 600 })
    expect(await rewind({ startConsumeTime: second() - 101 })).toEqual(beyond)
    expect(await rewind({ startConsumeTime: second() - 100 })).toEqual(success())
  })
})

describe('given a queue that cannot be rewound', () => {
  it('when it is rewound, then that is refused', async () => {
    await cmq.ask('CreateQueue', { queueName: 'plain' })
    expect(await toNow({ queueName: 'plain' })).toEqual(refusal(6050, '(10670)your queue cannot be rewinded'))
  })
})

describe('given deleted messages', () => {
  it("when the queue is rewound as in CMQ's example, then they come again, in order of production", async () => {
    const begin = second()
    await consumed('a', 'b', 'c', 'd', 'e')
    expect(await numbers()).toEqual({ activeMsgNum: 0, inactiveMsgNum: 0, rewindMsgNum: 5 })
    expect(await rewind({ startConsumeTime: begin })).toEqual(success())
    expect(await numbers()).toEqual({ activeMsgNum: 5, inactiveMsgNum: 0, rewindMsgNum: 0 })
    expect(bodies(await receive(2))).toEqual(['a', 'b'])
    expect(await numbers()).toEqual({ activeMsgNum: 3, inactiveMsgNum: 2, rewindMsgNum: 0 })
    expect(bodies(await receive(16))).toEqual(['c', 'd', 'e'])
    expect(await receive()).toEqual(noMessage)
  })

  it('when it is rewound to a second, then what was produced in it or later comes again, and nothing earlier', async () => {
    await consumed('a', 'b', 'c')
    await rewind({ startConsumeTime: second() - 2 })
    expect(await consume()).toEqual(['b', 'c'])
  })

  it('when they come again, then they are the messages that they were, but their counts begin anew', async () => {
    const sent = await send('a')
    const sentAt = second()
    await receive()
    await cmq.clock.advance(30_000)
    const [first] = messagesIn(await receive())
    expect(first?.dequeueCount).toBe(2)
    await remove(first?.receiptHandle)
    await rewind({ startConsumeTime: sentAt })
    await cmq.clock.advance(5_000)
    expect(await cmq.ask('ReceiveMessage', { queueName })).toMatchObject({
      code: 0,
      msgId: sent['msgId'] as string,
      msgBody: 'a',
      enqueueTime: sentAt,
      dequeueCount: 1,
      firstDequeueTime: second(),
      nextVisibleTime: second() + 30,
    })
  })

  it('when they come again, then a lease of them ends like any other', async () => {
    await consumed('a')
    await rewind({ startConsumeTime: second() - 1 })
    const [first] = messagesIn(await receive())
    expect(await receive()).toEqual(noMessage)
    await cmq.clock.advance(30_000)
    expect(await remove(first?.receiptHandle)).toHaveProperty('code', 4430)
    const [again] = messagesIn(await receive())
    expect(again).toMatchObject({ msgBody: 'a', dequeueCount: 2 })
    expect(await remove(again?.receiptHandle)).toEqual(success())
    expect(await receive()).toEqual(noMessage)
  })

  it('when a rewind has delivered them and they are deleted again, then only another rewind brings them', async () => {
    const begin = second()
    await consumed('a', 'b')
    for (let times = 0; times < 3; times++) {
      await rewind({ startConsumeTime: begin })
      expect(await consume()).toEqual(['a', 'b'])
      expect(await receive()).toEqual(noMessage)
    }
    expect(await numbers()).toEqual({ activeMsgNum: 0, inactiveMsgNum: 0, rewindMsgNum: 2 })
  })

  it('when rewinds overlap, then each message comes once, in order of production', async () => {
    const begin = second()
    await consumed('a', 'b', 'c', 'd')
    await rewind({ startConsumeTime: begin + 2 })
    await consumed()
    await rewind({ startConsumeTime: begin + 1 })
    await rewind({ startConsumeTime: begin + 3 })
    expect(await consume()).toEqual(['b', 'c', 'd'])
    expect(await receive()).toEqual(noMessage)
  })

  it('when they were deleted between several rewinds, then those of all counts come in order of production', async () => {
    const begin = second()
    for (const text of ['a', 'b', 'c', 'd']) {
      await send(text)
      await cmq.clock.advance(1_000)
    }
    const handles = messagesIn(await receive()).map(({ receiptHandle }) => receiptHandle)
    for (const at of [3, 1, 0, 2]) {
      await remove(handles[at])
      // It covers nothing, but what is deleted from now on is archived apart.
      await rewind({ startConsumeTime: second() })
    }
    await rewind({ startConsumeTime: begin })
    expect(await consume()).toEqual(['a', 'b', 'c', 'd'])
  })

  it('when there are also messages that nobody has received, then those come after them, and are not doubled', async () => {
    await consumed('a', 'b')
    await send('c')
    await rewind({ startConsumeTime: second() - 2 })
    expect(bodies(await receive())).toEqual(['a', 'b', 'c'])
    expect(await receive()).toEqual(noMessage)
  })

  it('when a consumer waits for a message, then a rewind gives it one', async () => {
    await consumed('a')
    const waiting = cmq.ask('ReceiveMessage', { queueName, pollingWaitSeconds: 20 })
    await cmq.clock.advance(5_000)
    await rewind({ startConsumeTime: second() - 6 })
    await cmq.clock.advance(1_000)
    expect(await waiting).toMatchObject({ code: 0, msgBody: 'a' })
  })

  it('when their retention is over, then a rewind brings none, although nothing swept them', async () => {
    await set({ msgRetentionSeconds: 600 })
    await consumed('a', 'b')
    await rewind({ startConsumeTime: second() - 2 })
    await cmq.clock.advance(597_999)
    expect(await numbers()).toEqual({ activeMsgNum: 2, inactiveMsgNum: 0, rewindMsgNum: 0 })
    await cmq.clock.advance(1)
    expect(await numbers()).toEqual({ activeMsgNum: 1, inactiveMsgNum: 0, rewindMsgNum: 0 })
    expect(await consume()).toEqual(['b'])
  })

  it('when they fall out of rewindSeconds, then they are no longer counted', async () => {
    await consumed('a', 'b')
    await cmq.clock.advance(598_000)
    expect(await numbers()).toEqual({ activeMsgNum: 0, inactiveMsgNum: 0, rewindMsgNum: 2 })
    await cmq.clock.advance(1)
    expect(await numbers()).toEqual({ activeMsgNum: 0, inactiveMsgNum: 0, rewindMsgNum: 1 })
  })

  it('when they are large, then they come again whole', async () => {
    const large = '中'.repeat(20_000)
    await consumed(large)
    await rewind({ startConsumeTime: second() - 1 })
    expect(await consume()).toEqual([large])
  })

  it('when they were deleted as a batch, then they can be rewound all the same', async () => {
    for (const text of ['a', 'b', 'c']) await send(text)
    const handles = messagesIn(await receive()).map(({ receiptHandle }, index) => [
      `receiptHandle.${index}`,
      receiptHandle,
    ])
    expect(await cmq.ask('BatchDeleteMessage', { queueName, ...Object.fromEntries(handles) })).toEqual(success())
    await rewind({ startConsumeTime: second() })
    expect(await consume()).toEqual(['a', 'b', 'c'])
  })
})

describe('given minMsgTime', () => {
  it('when a rewind has brought something back, then it is when the oldest of that was produced', async () => {
    const begin = second()
    await consumed('a', 'b', 'c')
    const { minMsgTime } = await cmq.ask('GetQueueAttributes', { queueName })
    expect(minMsgTime).toBe(second())
    await rewind({ startConsumeTime: begin + 1 })
    expect(await cmq.ask('GetQueueAttributes', { queueName })).toHaveProperty('minMsgTime', begin + 1)
    await receive()
    expect(await cmq.ask('GetQueueAttributes', { queueName })).toHaveProperty('minMsgTime', begin + 1)
  })
})

describe('given messages in flight', () => {
  it('when the queue is rewound, then they stay in flight, and the handles of their receivers work', async () => {
    await send('a')
    const [held] = messagesIn(await receive())
    await rewind({ startConsumeTime: second() })
    expect(await receive()).toEqual(noMessage)
    expect(await remove(held?.receiptHandle)).toEqual(success())
    expect(await receive()).toEqual(noMessage)
    await rewind({ startConsumeTime: second() })
    expect(await consume()).toEqual(['a'])
  })
})

describe('given rewindSeconds', () => {
  it('when it is lowered, then older messages are no longer kept, also when it is raised again', async () => {
    const begin = second()
    await consumed('a', 'b', 'c')
    await set({ rewindSeconds: 2 })
    expect(await numbers()).toHaveProperty('rewindMsgNum', 2)
    await set({ rewindSeconds: 600 })
    expect(await numbers()).toHaveProperty('rewindMsgNum', 2)
    expect(await rewind({ startConsumeTime: begin })).toEqual(beyond)
    await rewind({ startConsumeTime: begin + 1 })
    expect(await consume()).toEqual(['b', 'c'])
  })

  it('when it is zeroed, then nothing is kept any more, also when it is raised again', async () => {
    const begin = second()
    await consumed('a')
    await set({ rewindSeconds: 0 })
    expect(await numbers()).toHaveProperty('rewindMsgNum', 0)
    await consumed('b')
    await set({ rewindSeconds: 600 })
    expect(await numbers()).toHaveProperty('rewindMsgNum', 0)
    await consumed('c')
    expect(await numbers()).toHaveProperty('rewindMsgNum', 1)
    await rewind({ startConsumeTime: begin })
    expect(await consume()).toEqual(['c'])
  })

  it.each([0, 1])('when it becomes %d while a rewind delivers, then what is rewound still comes', async (seconds) => {
    await consumed('a', 'b', 'c')
    await rewind({ startConsumeTime: second() - 3 })
    expect(bodies(await receive(1))).toEqual(['a'])
    await set({ rewindSeconds: seconds })
    expect(await consume()).toEqual(['b', 'c'])
  })
})

describe('given a queue of several shards', () => {
  it('when it is rewound, then what was deleted in any of them comes again, also when it has fewer by then', async () => {
    await set({ shards: 4 })
    const texts = Array.from({ length: 24 }, (_, index) => `${index}`)
    await consumed(...texts)
    await set({ shards: 1 })
    // Long enough for shards to be given up that hold nothing: these hold what is archived.
    for (let round = 0; round < 5; round++) {
      await cmq.clock.advance(31_000)
      await receive()
    }
    await rewind({ startConsumeTime: second() - 300 })
    const again: string[] = []
    for (let round = 0; round < 10; round++) {
      again.push(...(await consume()))
      await cmq.clock.advance(3_000)
    }
    expect(again.toSorted()).toEqual(texts.toSorted())
  })
})

describe('given a handle that knows of more rewinds than there were', () => {
  it.each(['DeleteMessage', 'BatchDeleteMessage'])(
    'when %s is asked with it, then it deletes nothing',
    async (Action) => {
      await send('a')
      await rewind({ startConsumeTime: second() })
      const [message] = messagesIn(await receive())
      const [handle, count] = [/^(.*:)(\d+)$/.exec(message?.receiptHandle ?? '')?.[1], 1]
      const forged = `${handle}${count + 1}`
      const name = Action === 'DeleteMessage' ? 'receiptHandle' : 'receiptHandle.0'
      expect((await cmq.ask(Action, { queueName, [name]: forged }))['code']).not.toBe(0)
      expect(await remove(`${handle}${count}`)).toEqual(success())
      expect(await numbers()).toMatchObject({ rewindMsgNum: 1 })
    },
  )
})

describe('given many rewinds', () => {
  it('when each begins later than the one before and nobody receives, then the 101st is refused until one begins earlier', async () => {
    const begin = second()
    await cmq.clock.advance(500_000)
    for (let offset = 0; offset < 100; offset++)
      expect(await rewind({ startConsumeTime: begin + offset })).toEqual(success())
    expect(await rewind({ startConsumeTime: begin + 100 })).toEqual(beyond)
    expect(await rewind({ startConsumeTime: begin })).toEqual(success())
    expect(await rewind({ startConsumeTime: begin + 100 })).toEqual(success())
  })
})
