import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { INLINE_BYTES } from '../../lib/store/message-item.ts'
import { noUsage, metered, type Usage } from '../../lib/store/meter.ts'
import { testEngine } from '../support/engine.ts'
import { serviceAt, type Answer, type Ask } from '../support/service.ts'

/**
 * What each action costs: capacity units and round trips. These are promises of ARCHITECTURE.md. The queue's record, which
 * is read once a second at most, is in the cache unless a test says otherwise.
 */

let engine: Awaited<ReturnType<typeof testEngine>>
beforeAll(async () => {
  engine = await testEngine()
})
afterAll(() => engine.stop())

interface Measured {
  readonly answer: Answer
  readonly usage: Usage
}

async function given(attributes: Record<string, string | number> = {}) {
  const { clock, ask } = await serviceAt(engine.endpoint)
  await ask('CreateQueue', { queueName: 'orders', ...attributes })
  await ask('QueryQueueRoute', { queueName: 'orders' })
  const measure = async (...call: Parameters<Ask>): Promise<Measured> => {
    const usage = noUsage()
    const answer = await metered(usage, () => ask(...call))
    return { answer, usage }
  }
  return { clock, ask, measure }
}

const queueName = 'orders'
const small = 'x'.repeat(256)
const batchOf = (body: string) =>
  Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`msgBody.${index}`, body]))
const handlesOf = ({ msgInfoList }: Answer) =>
  Object.fromEntries(
    (msgInfoList as { receiptHandle: string }[]).map(({ receiptHandle }, index) => [
      `receiptHandle.${index}`,
      receiptHandle,
    ]),
  )

describe('given a message of 256 bytes', () => {
  it('when it is sent, received and deleted, then that is 3 write units and 1 read unit, in 4 round trips', async () => {
    const { measure } = await given()
    const sent = await measure('SendMessage', { queueName, msgBody: small })
    const received = await measure('ReceiveMessage', { queueName })
    const receiptHandle = received.answer['receiptHandle'] as string
    const deleted = await measure('DeleteMessage', { queueName, receiptHandle })
    expect(sent.usage).toEqual({ readUnits: 0, writeUnits: 1, calls: 1 })
    expect(received.usage).toEqual({ readUnits: 1, writeUnits: 1, calls: 2 })
    expect(deleted.usage).toEqual({ readUnits: 0, writeUnits: 1, calls: 1 })
  })

  it('when sixteen go in batches, then each still is 3 write units', async () => {
    const { measure } = await given()
    const sent = await measure('BatchSendMessage', { queueName, ...batchOf(small) })
    const received = await measure('BatchReceiveMessage', { queueName, numOfMsg: 16 })
    const deleted = await measure('BatchDeleteMessage', { queueName, ...handlesOf(received.answer) })
    expect(sent.usage).toEqual({ readUnits: 0, writeUnits: 16, calls: 1 })
    // A page of sixteen messages of about 500 bytes each is two blocks of 4 KB.
    expect(received.usage).toEqual({ readUnits: 2, writeUnits: 16, calls: 17 })
    expect(deleted.usage).toEqual({ readUnits: 0, writeUnits: 16, calls: 16 })
  })

  it('when it is delayed, then that costs nothing more', async () => {
    const { clock, measure } = await given()
    const sent = await measure('SendMessage', { queueName, msgBody: small, delaySeconds: 60 })
    await clock.advance(60_000)
    await measure('QueryQueueRoute', { queueName })
    const received = await measure('ReceiveMessage', { queueName })
    expect(sent.usage.writeUnits).toBe(1)
    expect(received.usage).toEqual({ readUnits: 1, writeUnits: 1, calls: 2 })
  })

  it('when its lease runs out, then that costs no write', async () => {
    const { clock, ask, measure } = await given({ visibilityTimeout: 1 })
    await ask('SendMessage', { queueName, msgBody: small })
    await ask('ReceiveMessage', { queueName })
    await clock.advance(1_000)
    await measure('QueryQueueRoute', { queueName })
    const again = await measure('ReceiveMessage', { queueName })
    expect(again.answer['dequeueCount']).toBe(2)
    expect(again.usage).toEqual({ readUnits: 1, writeUnits: 1, calls: 2 })
  })
})

describe('given a queue that can be rewound', () => {
  const rewindable = { rewindSeconds: 600 }
  const now = (clock: { now(): number }) => Math.floor(clock.now() / 1000)

  it('when a message is sent, received and deleted, then that is 6 write units, and 1 read unit for its deletion', async () => {
    const { measure } = await given(rewindable)
    const sent = await measure('SendMessage', { queueName, msgBody: small })
    const received = await measure('ReceiveMessage', { queueName })
    const receiptHandle = received.answer['receiptHandle'] as string
    const deleted = await measure('DeleteMessage', { queueName, receiptHandle })
    expect(sent.usage).toEqual({ readUnits: 0, writeUnits: 1, calls: 1 })
    expect(received.usage).toEqual({ readUnits: 1, writeUnits: 1, calls: 2 })
    expect(deleted.usage).toEqual({ readUnits: 1, writeUnits: 4, calls: 2 })
  })

  it('when the longest body that lies in its item is deleted and rewound, then each move is still 4 write units', async () => {
    const { clock, measure } = await given(rewindable)
    await measure('SendMessage', { queueName, msgBody: 'x'.repeat(INLINE_BYTES) })
    const { answer } = await measure('ReceiveMessage', { queueName })
    const deleted = await measure('DeleteMessage', { queueName, receiptHandle: answer['receiptHandle'] as string })
    expect(deleted.usage.writeUnits).toBe(4)
    await measure('RewindQueue', { queueName, startConsumeTime: now(clock) })
    await measure('QueryQueueRoute', { queueName })
    const again = await measure('ReceiveMessage', { queueName })
    expect(again.usage).toEqual({ readUnits: 1, writeUnits: 4, calls: 2 })
  })

  it('when a body of 64 KB is deleted, then it stays where it is, and its item costs what a small one does', async () => {
    const { measure } = await given(rewindable)
    await measure('SendMessage', { queueName, msgBody: 'x'.repeat(65_536) })
    const { answer } = await measure('ReceiveMessage', { queueName })
    const deleted = await measure('DeleteMessage', { queueName, receiptHandle: answer['receiptHandle'] as string })
    expect(deleted.usage).toEqual({ readUnits: 1, writeUnits: 4, calls: 2 })
  })

  it('when it is rewound or cleared, then that is a read of its record and one write', async () => {
    const { clock, measure } = await given(rewindable)
    const rewound = await measure('RewindQueue', { queueName, startConsumeTime: now(clock) })
    expect(rewound.usage).toEqual({ readUnits: 1, writeUnits: 1, calls: 2 })
    const cleared = await measure('ClearQueue', { queueName })
    expect(cleared.usage).toEqual({ readUnits: 1, writeUnits: 1, calls: 2 })
  })

  it('when sixteen are deleted, rewound and received again, then each is moved twice by 4 write units', async () => {
    const { clock, measure } = await given(rewindable)
    await measure('BatchSendMessage', { queueName, ...batchOf(small) })
    const received = await measure('BatchReceiveMessage', { queueName, numOfMsg: 16 })
    const deleted = await measure('BatchDeleteMessage', { queueName, ...handlesOf(received.answer) })
    expect(deleted.usage).toEqual({ readUnits: 16, writeUnits: 64, calls: 32 })
    await measure('RewindQueue', { queueName, startConsumeTime: now(clock) })
    await measure('QueryQueueRoute', { queueName })
    const again = await measure('BatchReceiveMessage', { queueName, numOfMsg: 16 })
    // A page of sixteen archived messages of about 450 bytes each is two blocks of 4 KB.
    expect(again.usage).toEqual({ readUnits: 2, writeUnits: 64, calls: 17 })
  })

  it('when it was never rewound, or what a rewind covered is received, then a receive costs what it does elsewhere', async () => {
    const { clock, ask, measure } = await given(rewindable)
    await measure('SendMessage', { queueName, msgBody: small })
    const { answer } = await measure('ReceiveMessage', { queueName })
    await measure('DeleteMessage', { queueName, receiptHandle: answer['receiptHandle'] as string })
    expect((await measure('ReceiveMessage', { queueName })).usage).toEqual({ readUnits: 1, writeUnits: 0, calls: 1 })
    await ask('RewindQueue', { queueName, startConsumeTime: now(clock) })
    await ask('ReceiveMessage', { queueName })
    // The rewind leaves the record with the first look that finds nothing 30 s after it.
    for (let round = 0; round < 2; round++) {
      await clock.advance(31_000)
      const { receiptHandle = '' } = await ask('ReceiveMessage', { queueName })
      if (receiptHandle) await ask('DeleteMessage', { queueName, receiptHandle: receiptHandle as string })
      await ask('ReceiveMessage', { queueName })
    }
    await ask('QueryQueueRoute', { queueName })
    expect((await measure('ReceiveMessage', { queueName })).usage).toEqual({ readUnits: 1, writeUnits: 0, calls: 1 })
  })

  it('when a used handle comes again, or an expired one, then nothing is written', async () => {
    const { clock, ask, measure } = await given(rewindable)
    await ask('SendMessage', { queueName, msgBody: small })
    const receiptHandle = (await ask('ReceiveMessage', { queueName }))['receiptHandle'] as string
    await ask('DeleteMessage', { queueName, receiptHandle })
    const again = await measure('DeleteMessage', { queueName, receiptHandle })
    expect(again.answer.code).toBe(4430)
    expect(again.usage).toEqual({ readUnits: 1, writeUnits: 0, calls: 1 })
    await clock.advance(30_000)
    await ask('QueryQueueRoute', { queueName })
    const expired = await measure('DeleteMessage', { queueName, receiptHandle })
    expect(expired.usage).toEqual({ readUnits: 0, writeUnits: 0, calls: 0 })
  })

  it('when its attributes are asked for, then that reads one archive a shard more', async () => {
    const { measure } = await given({ ...rewindable, shards: 3 })
    const { usage } = await measure('GetQueueAttributes', { queueName })
    expect(usage).toEqual({ readUnits: 6, writeUnits: 0, calls: 6 })
  })
})

describe('given a body of 64 KB', () => {
  it('when it is sent, received and deleted, then that is 68 write units, of which 65 store the body once', async () => {
    const { measure } = await given()
    const sent = await measure('SendMessage', { queueName, msgBody: 'x'.repeat(65_536) })
    const received = await measure('ReceiveMessage', { queueName })
    const receiptHandle = received.answer['receiptHandle'] as string
    const deleted = await measure('DeleteMessage', { queueName, receiptHandle })
    expect(sent.usage).toEqual({ readUnits: 0, writeUnits: 66, calls: 2 })
    // One for the look, and 8.5 for the body by an eventually consistent read.
    expect(received.usage).toEqual({ readUnits: 9.5, writeUnits: 1, calls: 3 })
    expect(deleted.usage).toEqual({ readUnits: 0, writeUnits: 1, calls: 1 })
  })
})

describe('given a queue with a dead-letter queue', () => {
  it('when a message lives and is deleted, then it costs what it costs elsewhere; when it dies, four write units more', async () => {
    const { clock, ask, measure } = await given()
    await ask('CreateQueue', { queueName: 'dead' })
    const bound = { queueName: 'bound', deadLetterQueueName: 'dead', policy: 0, maxReceiveCount: 1 }
    await ask('CreateQueue', { ...bound, visibilityTimeout: 1 })
    const look = async () => {
      for (const name of ['bound', 'dead']) await ask('QueryQueueRoute', { queueName: name })
      return measure('ReceiveMessage', { queueName: 'bound' })
    }
    await ask('SendMessage', { queueName: 'bound', msgBody: small })
    const received = await look()
    expect(received.usage).toEqual({ readUnits: 1, writeUnits: 1, calls: 2 })
    await clock.advance(1_000)
    const moved = await look()
    expect(moved.answer.code).toBe(7000)
    expect(moved.usage).toEqual({ readUnits: 1, writeUnits: 4, calls: 2 })
  })
})

describe('given an empty queue', () => {
  it('when it is looked at, then that is one read unit', async () => {
    const { measure } = await given()
    const { answer, usage } = await measure('ReceiveMessage', { queueName })
    expect(answer.code).toBe(7000)
    expect(usage).toEqual({ readUnits: 1, writeUnits: 0, calls: 1 })
  })

  it('when a consumer waits ten seconds, then each look but the first is half a read unit, ten a second at most', async () => {
    const { clock, measure } = await given()
    const waiting = measure('ReceiveMessage', { queueName, pollingWaitSeconds: 10 })
    await clock.advance(11_000)
    const { answer, usage } = await waiting
    expect(answer.code).toBe(7000)
    // The queue's record is read once a second, one unit each.
    expect(usage.readUnits).toBeLessThanOrEqual(1 + 100 / 2 + 10)
    expect(usage.writeUnits).toBe(0)
  })

  it('when it has 16 shards, then a look at all of them is one read unit each', async () => {
    const { measure } = await given({ shards: 16 })
    const { usage } = await measure('ReceiveMessage', { queueName })
    expect(usage).toEqual({ readUnits: 16, writeUnits: 0, calls: 16 })
  })
})

describe('given receipt handles', () => {
  it('when a handle has expired or belongs to another queue, then it is refused without a write', async () => {
    const { clock, ask, measure } = await given()
    await ask('CreateQueue', { queueName: 'other' })
    await ask('SendMessage', { queueName, msgBody: small })
    const receiptHandle = (await ask('ReceiveMessage', { queueName }))['receiptHandle'] as string
    await ask('QueryQueueRoute', { queueName: 'other' })
    const foreign = await measure('DeleteMessage', { queueName: 'other', receiptHandle })
    expect(foreign.answer.code).toBe(4430)
    expect(foreign.usage).toEqual({ readUnits: 0, writeUnits: 0, calls: 0 })
    await clock.advance(30_000)
    const expired = await measure('DeleteMessage', { queueName, receiptHandle })
    expect(expired.answer.code).toBe(4430)
    // One read unit for the queue's record, which is no longer in the cache.
    expect(expired.usage).toEqual({ readUnits: 1, writeUnits: 0, calls: 1 })
  })

  it('when a handle is used again, then that is one write unit', async () => {
    const { ask, measure } = await given()
    await ask('SendMessage', { queueName, msgBody: small })
    const receiptHandle = (await ask('ReceiveMessage', { queueName }))['receiptHandle'] as string
    await ask('DeleteMessage', { queueName, receiptHandle })
    const again = await measure('DeleteMessage', { queueName, receiptHandle })
    expect(again.usage).toEqual({ readUnits: 0, writeUnits: 1, calls: 1 })
  })
})

describe('given the management of queues', () => {
  it.each<[string, Record<string, string | number>, Usage]>([
    ['CreateQueue', { queueName: 'new' }, { readUnits: 1, writeUnits: 1, calls: 2 }],
    ['ListQueue', {}, { readUnits: 1, writeUnits: 0, calls: 1 }],
    ['GetQueueAttributes', { queueName }, { readUnits: 1, writeUnits: 0, calls: 1 }],
    ['SetQueueAttributes', { queueName, visibilityTimeout: 9 }, { readUnits: 1, writeUnits: 1, calls: 2 }],
    ['DeleteQueue', { queueName }, { readUnits: 1, writeUnits: 1, calls: 2 }],
    ['UnbindDeadLetter', { queueName }, { readUnits: 1, writeUnits: 1, calls: 2 }],
    ['QueryQueueRoute', { queueName }, { readUnits: 0, writeUnits: 0, calls: 0 }],
  ])('when %s is called, then it costs what it must', async (action, parameters, expected) => {
    const { measure } = await given()
    const { answer, usage } = await measure(action, parameters)
    expect(answer.code).toBe(0)
    expect(usage).toEqual(expected)
  })

  it('when a queue is bound, then that is two units for each record, and for the mark of one that ages', async () => {
    const { ask, measure } = await given()
    await ask('CreateQueue', { queueName: 'dead' })
    const bound = { queueName, deadLetterQueueName: 'dead' }
    const byReceives = await measure('SetQueueAttributes', { ...bound, policy: 0, maxReceiveCount: 3 })
    expect(byReceives.usage).toEqual({ readUnits: 2, writeUnits: 4, calls: 3 })
    const byAge = await measure('SetQueueAttributes', { ...bound, policy: 1, maxTimeToLive: 300 })
    expect(byAge.usage).toEqual({ readUnits: 2, writeUnits: 6, calls: 3 })
    // Only a queue that was bound to has to ask who is bound to it.
    const refused = await measure('DeleteQueue', { queueName: 'dead' })
    expect(refused.usage).toEqual({ readUnits: 2, writeUnits: 0, calls: 2 })
  })

  it('when a request is not signed, then nothing is read for it', async () => {
    const { measure } = await given()
    const { answer, usage } = await measure('SendMessage', { queueName, msgBody: small }, { secretKey: 'wrong' })
    expect(answer.code).toBe(4100)
    expect(usage).toEqual(noUsage())
  })
})
