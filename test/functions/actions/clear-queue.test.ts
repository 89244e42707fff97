import { beforeEach, describe, expect, it } from 'vitest'
import { handler } from '../../../functions/actions/clear-queue.ts'
import {
  aQueueId,
  describeQueue,
  describeRequest,
  handleIsInvalid,
  noMessage,
  serviceForEachTest,
  success,
} from '../support/cmq.ts'

const cmq = serviceForEachTest()
const queueName = 'orders'
const clear = cmq.caller(handler, 'ClearQueue', { queueName })
const second = () => Math.floor(cmq.clock.now() / 1000)
const send = (msgBody: string, delaySeconds = 0) => cmq.ask('SendMessage', { queueName, msgBody, delaySeconds })
const receive = () => cmq.ask('ReceiveMessage', { queueName })
const remove = (receiptHandle: string) => cmq.ask('DeleteMessage', { queueName, receiptHandle })
const attributes = () => cmq.ask('GetQueueAttributes', { queueName })

beforeEach(() => cmq.ask('CreateQueue', { queueName, rewindSeconds: 600, visibilityTimeout: 60 }))

describeRequest(clear)
describeQueue(clear)

describe('given messages in every state', () => {
  it('when the queue is cleared, then none is left, none comes later, and what is sent from then on is there', async () => {
    await send('deleted')
    await remove((await receive())['receiptHandle'] as string)
    await send('in flight')
    const { receiptHandle } = await receive()
    await send('waiting')
    await send('delayed', 10)
    expect(await clear()).toEqual(success({ queueId: aQueueId }))

    const none = { activeMsgNum: 0, inactiveMsgNum: 0, delayMsgNum: 0, rewindMsgNum: 0, rewindmsgNum: 0 }
    expect(await attributes()).toMatchObject(none)
    expect(await receive()).toEqual(noMessage)
    expect(await remove(receiptHandle as string)).toEqual(handleIsInvalid)
    await cmq.clock.advance(60_000)
    expect(await receive()).toEqual(noMessage)
    await send('new')
    expect(await receive()).toMatchObject({ code: 0, msgBody: 'new', dequeueCount: 1 })
  })

  it('when the queue is cleared and then rewound, then nothing comes again', async () => {
    await send('deleted')
    await remove((await receive())['receiptHandle'] as string)
    await clear()
    expect(await cmq.ask('RewindQueue', { queueName, startConsumeTime: second() - 600 })).toEqual(success())
    expect(await receive()).toEqual(noMessage)
  })

  it('when the queue was rewound before it is cleared, then what is left of that does not come either', async () => {
    for (const text of ['a', 'b']) {
      await send(text)
      await remove((await receive())['receiptHandle'] as string)
    }
    await cmq.ask('RewindQueue', { queueName, startConsumeTime: second() })
    expect(await receive()).toHaveProperty('msgBody', 'a')
    await clear()
    expect(await receive()).toEqual(noMessage)
    await cmq.clock.advance(60_000)
    expect(await receive()).toEqual(noMessage)
  })

  it('when a consumer waits meanwhile, then it gets what is sent afterwards', async () => {
    await send('a')
    await receive()
    const waiting = cmq.ask('ReceiveMessage', { queueName, pollingWaitSeconds: 20 })
    await cmq.clock.advance(1_000)
    await clear()
    await cmq.clock.advance(2_000)
    await send('b')
    await cmq.clock.advance(100)
    expect(await waiting).toHaveProperty('msgBody', 'b')
  })
})

describe('given a queue with attributes of its own', () => {
  it('when it is cleared, then it keeps all of them, its id and its times', async () => {
    await cmq.clock.advance(5_000)
    const { requestId: _, minMsgTime: _now, ...before } = await attributes()
    await clear()
    expect(await attributes()).toMatchObject(before)
  })

  it('when it was shrunk and not yet emptied, then it has no more shards than it was shrunk to', async () => {
    await cmq.ask('SetQueueAttributes', { queueName, shards: 8 })
    await cmq.ask('SetQueueAttributes', { queueName, shards: 2 })
    await clear()
    const queue = await cmq.services.queues.read(cmq.account, queueName)
    expect(queue).toMatchObject({ writeShards: 2, readShards: 2 })
  })
})
