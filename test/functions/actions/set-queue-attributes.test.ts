import { beforeEach, describe, expect, it } from 'vitest'
import { handler } from '../../../functions/actions/set-queue-attributes.ts'
import { queueLimits } from '../../../lib/domain/queue.ts'
import { asker } from '../../support/service.ts'
import {
  aQueueId,
  describeNumber,
  describeQueue,
  describeRequest,
  noMessage,
  refusal,
  serviceForEachTest,
  success,
} from '../support/cmq.ts'

const cmq = serviceForEachTest()
const set = cmq.caller(handler, 'SetQueueAttributes', { queueName: 'orders' })
const attributes = () => cmq.ask('GetQueueAttributes', { queueName: 'orders' })
const send = () => cmq.ask('SendMessage', { queueName: 'orders', msgBody: 'x' })
const receive = () => cmq.ask('ReceiveMessage', { queueName: 'orders' })

const beyondRetention = refusal(4000, '(10700)rewindSeconds cannot be greater than msgRetentionSeconds')

/** What the queue is created with: nothing is at its default. */
const before = {
  maxMsgHeapNum: 2_000_000,
  pollingWaitSeconds: 3,
  visibilityTimeout: 40,
  maxMsgSize: 5_000,
  msgRetentionSeconds: 600,
  rewindSeconds: 60,
  shards: 2,
}

beforeEach(() => cmq.ask('CreateQueue', { queueName: 'orders', ...before }))

describeRequest(set)
describeQueue(set)

describe('given a queue', () => {
  it("when an attribute is set as in CMQ's example, then the queue's id is answered", async () => {
    expect(await set({ visibilityTimeout: 120 })).toEqual(success({ queueId: aQueueId }))
  })

  it.each(
    Object.entries({
      maxMsgHeapNum: 1_000_000,
      pollingWaitSeconds: 0,
      visibilityTimeout: 1,
      maxMsgSize: 1_048_576,
      msgRetentionSeconds: 60,
      rewindSeconds: 0,
      shards: 64,
    }),
  )('when only %s is set, to %d, then the others keep their values', async (name, value) => {
    const { requestId: _, ...old } = await attributes()
    await set({ [name]: value })
    const { requestId: __, ...now } = await attributes()
    expect(now).toEqual({ ...old, [name]: value })
  })

  it('when all are set, zeros among them, then each has its new value', async () => {
    const all = {
      maxMsgHeapNum: 1_000_000_000,
      pollingWaitSeconds: 0,
      visibilityTimeout: 43_200,
      maxMsgSize: 1_048_576,
      msgRetentionSeconds: 1_296_000,
      rewindSeconds: 0,
      shards: 1,
    }
    expect(await set(all)).toHaveProperty('code', 0)
    expect(await attributes()).toMatchObject(all)
  })

  it('when none is set, then nothing changes but lastModifyTime', async () => {
    const { requestId: _, ...old } = await attributes()
    await cmq.clock.advance(5_000)
    await set()
    const { requestId: __, ...now } = await attributes()
    expect(now).toEqual({ ...old, lastModifyTime: old.lastModifyTime + 5, minMsgTime: old.minMsgTime + 5 })
  })

  it('when a key has a trailing blank and other capitals, then it is found', async () => {
    await set({ 'VISIBILITYtimeout ': 7 })
    expect(await attributes()).toHaveProperty('visibilityTimeout', 7)
  })

  it('when several change it at once, then no change is lost', async () => {
    const changes = [{ visibilityTimeout: 7 }, { maxMsgSize: 2_000 }, { pollingWaitSeconds: 5 }]
    const answers = await Promise.all(changes.map((change) => set(change)))
    expect(answers.map(({ code }) => code)).toEqual([0, 0, 0])
    expect(await attributes()).toMatchObject({ visibilityTimeout: 7, maxMsgSize: 2_000, pollingWaitSeconds: 5 })
  })

  it('when it changes, then another process knows it within a second', async () => {
    const other = asker(await cmq.anotherProcess())
    expect(await other('GetQueueAttributes', { queueName: 'orders' })).toHaveProperty('visibilityTimeout', 40)
    await set({ visibilityTimeout: 7 })
    await cmq.clock.advance(1_000)
    expect(await other('GetQueueAttributes', { queueName: 'orders' })).toHaveProperty('visibilityTimeout', 7)
  })
})

describe('given its numbers', () => {
  const { rewindSeconds, ...others } = queueLimits
  const withoutRewinding = { ...before, rewindSeconds: 0 }
  for (const [name, limits] of Object.entries(others))
    describeNumber((sent, options) => set({ ...withoutRewinding, ...sent }, options), name, limits)
  describeNumber(
    (sent, options) => set({ msgRetentionSeconds: 1_296_000, ...sent }, options),
    'rewindSeconds',
    rewindSeconds,
  )

  it.each([{ rewindSeconds: 601 }, { msgRetentionSeconds: 60, rewindSeconds: 61 }, { rewindSeconds: 1_296_000 }])(
    'when they are %j, then the rewinding would be longer than the retention',
    async (sent) => {
      expect(await set(sent)).toEqual(beyondRetention)
    },
  )

  it('when the retention falls below the rewinding, then that is refused and nothing has changed', async () => {
    await set({ rewindSeconds: 61 })
    expect(await set({ msgRetentionSeconds: 60, visibilityTimeout: 1 })).toEqual(beyondRetention)
    expect(await attributes()).toMatchObject({ msgRetentionSeconds: 600, rewindSeconds: 61, visibilityTimeout: 40 })
  })

  it('when the rewinding is as long as the retention, then it is accepted', async () => {
    expect(await set({ msgRetentionSeconds: 700, rewindSeconds: 700 })).toHaveProperty('code', 0)
  })
})

describe('given messages that are there already', () => {
  it('when the visibility timeout changes, then later receives have it', async () => {
    await Promise.all([send(), send()])
    const earlier = await receive()
    await set({ visibilityTimeout: 100 })
    const later = await receive()
    expect(later.nextVisibleTime - earlier.nextVisibleTime).toBe(60)
  })

  it('when the retention is shortened, then they live as long as they were sent to, and later ones shorter', async () => {
    const { msgId } = await send()
    await set({ msgRetentionSeconds: 60, rewindSeconds: 0, visibilityTimeout: 1 })
    await send()
    await cmq.clock.advance(599_999)
    expect(await attributes()).toHaveProperty('activeMsgNum', 1)
    expect(await receive()).toMatchObject({ msgId })
    await cmq.clock.advance(1)
    expect(await cmq.ask('ReceiveMessage', { queueName: 'orders', pollingWaitSeconds: 0 })).toEqual(noMessage)
  })

  it('when the retention is shortened twice, then none is lost before its end', async () => {
    await set({ msgRetentionSeconds: 500, rewindSeconds: 0 })
    await cmq.clock.advance(550_000)
    const { msgId } = await send()
    await set({ msgRetentionSeconds: 60 })
    await cmq.clock.advance(499_999)
    expect(await attributes()).toHaveProperty('activeMsgNum', 1)
    expect(await receive()).toMatchObject({ msgId })
  })

  it('when the queue has fewer shards than before, then all are still received', async () => {
    await set({ shards: 16, pollingWaitSeconds: 0 })
    await Promise.all(Array.from({ length: 32 }, send))
    await set({ shards: 1 })
    const received = new Set<string>()
    for (let tries = 0; received.size < 32 && tries < 100; tries++) {
      const { msgId, receiptHandle } = await receive()
      if (msgId === undefined) await cmq.clock.advance(3_000)
      else received.add(msgId as string)
      if (receiptHandle) await cmq.ask('DeleteMessage', { queueName: 'orders', receiptHandle })
    }
    expect(received.size).toBe(32)
  })
})
