import { beforeEach, describe, expect, it } from 'vitest'
import { handler } from '../../../functions/actions/delete-message.ts'
import { parseReceiptHandle, writeReceiptHandle } from '../../../lib/domain/receipt-handle.ts'
import {
  describeQueue,
  describeRequest,
  handleIsInvalid,
  noMessage,
  refusal,
  serviceForEachTest,
  success,
  type Call,
} from '../support/cmq.ts'

const cmq = serviceForEachTest()
const call = cmq.caller(handler, 'DeleteMessage', { queueName: 'orders' })
const receive = (queueName = 'orders') => cmq.ask('ReceiveMessage', { queueName })
const send = (queueName = 'orders') => cmq.ask('SendMessage', { queueName, msgBody: 'x' })

const unreadable = refusal(4000, '(10470)receiptHandle error')

let handle: string
const remove: Call = (sent = {}, options = {}) => call({ receiptHandle: handle, ...sent }, options)

beforeEach(async () => {
  await cmq.ask('CreateQueue', { queueName: 'orders', visibilityTimeout: 60 })
  await send()
  handle = (await receive()).receiptHandle as string
})

describeRequest(remove)
describeQueue(remove)

describe('given a received message', () => {
  it("when it is deleted as in CMQ's example, then it is gone", async () => {
    expect(await remove()).toEqual(success())
    await cmq.clock.advance(60_000)
    expect(await receive()).toEqual(noMessage)
  })

  it('when it is deleted twice, then the second time its handle is invalid', async () => {
    await remove()
    expect(await remove()).toEqual(handleIsInvalid)
  })

  it('when two delete it at once, then one of them does', async () => {
    const answers = await Promise.all([remove(), remove()])
    expect(answers.map(({ code }) => code).sort()).toEqual([0, 4430])
  })

  it('when its lease lasts a millisecond more, then it is deleted', async () => {
    await cmq.clock.advance(59_999)
    expect(await remove()).toEqual(success())
  })

  it('when its lease has ended, then its handle is invalid and it is received again', async () => {
    await cmq.clock.advance(60_000)
    expect(await remove()).toEqual(handleIsInvalid)
    expect(await receive()).toHaveProperty('dequeueCount', 2)
  })

  it('when it was received by another, then only the newest handle deletes it', async () => {
    await cmq.clock.advance(60_000)
    const { receiptHandle } = await receive()
    expect(await remove()).toEqual(handleIsInvalid)
    expect(await remove({ receiptHandle })).toEqual(success())
  })

  it('when the visibility timeout of its queue is shortened, then its own lease stays', async () => {
    await cmq.ask('SetQueueAttributes', { queueName: 'orders', visibilityTimeout: 1 })
    await cmq.clock.advance(59_999)
    expect(await remove()).toEqual(success())
  })

  it('when another process deletes it, then it is gone here too', async () => {
    const elsewhere = await cmq.anotherProcess()
    const { queues, messages } = elsewhere
    expect(await messages.remove(await queues.get('1250000000', 'orders'), parseReceiptHandle(handle))).toBe(true)
    expect(await remove()).toEqual(handleIsInvalid)
  })
})

describe('given a receipt handle', () => {
  it('when it is absent, then it is asked for', async () => {
    expect(await remove({ receiptHandle: '-' })).toEqual(
      refusal(4000, '(10390)lacked of required parameter receiptHandle'),
    )
  })

  it('when its key has a trailing blank and other capitals, then it is found', async () => {
    expect(await remove({ receiptHandle: '-', 'ReceiptHANDLE ': handle })).toEqual(success())
  })

  it('when it is a list, then it is refused', async () => {
    expect(await remove({ receiptHandle: '-', 'receiptHandle.1': handle })).toEqual(
      refusal(4000, '(10330)parameter receiptHandle is NOT a repeatable parameter'),
    )
  })

  it.each(['77', '1125899906842625', 'x'.repeat(256), ':::::', 'lane-a:0:0:0:0:0'])(
    'when it is %j, which another service may have given out, then it is invalid',
    async (receiptHandle) => {
      expect(await remove({ receiptHandle })).toEqual(handleIsInvalid)
    },
  )

  it.each(['', '::::: ', 'a.b', '中', '\0'])('when it is %j, then it cannot be read', async (receiptHandle) => {
    expect(await remove({ receiptHandle })).toEqual(unreadable)
  })

  it('when it is longer than 256 characters, then it is out of range', async () => {
    expect(await remove({ receiptHandle: 'x'.repeat(257) })).toEqual(
      refusal(4000, '(10350)parameter receiptHandle value or length is out of range'),
    )
  })

  it('when it is of another queue, then it is invalid and nothing is deleted', async () => {
    await cmq.ask('CreateQueue', { queueName: 'others' })
    await send('others')
    const { receiptHandle } = await receive('others')
    expect(await remove({ receiptHandle })).toEqual(handleIsInvalid)
    expect(await remove({ receiptHandle, queueName: 'others' })).toEqual(success())
  })

  it.each([
    ['shard', { shard: 1 }],
    ['shard that no queue has', { shard: 9_999 }],
    ['place', { visibleAt: 0 }],
    ['far place', { visibleAt: 999_999_999_999_999 }],
    ['message', { messageId: '0'.repeat(32) }],
    ['lease', { leaseId: 'x'.repeat(22) }],
    ['end', { validUntil: 0 }],
  ])('when somebody made up its %s, then it is invalid', async (_, part) => {
    const receiptHandle = writeReceiptHandle({ ...parseReceiptHandle(handle), ...part })
    expect(await remove({ receiptHandle })).toEqual(handleIsInvalid)
    expect(await remove()).toEqual(success())
  })

  it('when somebody made up a later end, then the lease ends all the same', async () => {
    const receiptHandle = writeReceiptHandle({ ...parseReceiptHandle(handle), validUntil: 9_999_999_999_999 })
    await cmq.clock.advance(60_000)
    expect(await remove({ receiptHandle })).toEqual(handleIsInvalid)
    expect(await receive()).toHaveProperty('dequeueCount', 2)
  })
})
