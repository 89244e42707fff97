import { beforeEach, describe, expect, it } from 'vitest'
import { handler } from '../../../functions/actions/get-queue-attributes.ts'
import { START } from '../../support/clock.ts'
import { aQueueId, describeQueue, describeRequest, serviceForEachTest, success } from '../support/cmq.ts'

const cmq = serviceForEachTest()
const attributes = cmq.caller(handler, 'GetQueueAttributes', { queueName: 'orders' })
const set = (sent: Record<string, number>) => cmq.ask('SetQueueAttributes', { queueName: 'orders', ...sent })
const send = (delaySeconds = 0) => cmq.ask('SendMessage', { queueName: 'orders', msgBody: 'x', delaySeconds })
const receive = () => cmq.ask('ReceiveMessage', { queueName: 'orders' })

const counts = async () => {
  const { activeMsgNum, inactiveMsgNum, delayMsgNum } = await attributes()
  return [activeMsgNum, inactiveMsgNum, delayMsgNum]
}
const started = Math.floor(START / 1000)

beforeEach(() =>
  cmq.ask('CreateQueue', { queueName: 'orders', pollingWaitSeconds: 10, visibilityTimeout: 60, shards: 3 }),
)

describeRequest(attributes)
describeQueue(attributes)

describe('given a queue with three messages and one in flight', () => {
  it("when its attributes are asked for as in CMQ's example, then every field is there, as a number", async () => {
    await cmq.clock.advance(100_000)
    for (let sent = 0; sent < 4; sent++) await send()
    await receive()
    expect(await attributes()).toEqual(
      success({
        maxMsgHeapNum: 100_000_000,
        pollingWaitSeconds: 10,
        visibilityTimeout: 60,
        maxMsgSize: 65_536,
        msgRetentionSeconds: 345_600,
        createTime: started,
        lastModifyTime: started,
        activeMsgNum: 3,
        inactiveMsgNum: 1,
        delayMsgNum: 0,
        rewindSeconds: 0,
        rewindMsgNum: 0,
        rewindmsgNum: 0,
        minMsgTime: started + 100,
        queueId: aQueueId,
        queueName: 'orders',
        shards: 3,
      }),
    )
  })
})

describe('given messages in every state', () => {
  it('when time passes, then each is counted where it is, from its very millisecond on', async () => {
    await Promise.all([send(), send(), send(5), send(5), send(5)])
    expect(await counts()).toEqual([2, 0, 3])
    const { receiptHandle } = await receive()
    expect(await counts()).toEqual([1, 1, 3])
    await cmq.clock.advance(4_999)
    expect(await counts()).toEqual([1, 1, 3])
    await cmq.clock.advance(1)
    expect(await counts()).toEqual([4, 1, 0])
    await cmq.clock.advance(54_999)
    expect(await counts()).toEqual([4, 1, 0])
    await cmq.clock.advance(1)
    expect(await counts()).toEqual([5, 0, 0])
    await receive()
    expect(await counts()).toEqual([4, 1, 0])
    await cmq.ask('DeleteMessage', { queueName: 'orders', receiptHandle })
    expect(await counts()).toEqual([4, 1, 0])
  })

  it('when one is deleted, then it is not counted', async () => {
    await Promise.all([send(), send()])
    const { receiptHandle } = await receive()
    await cmq.ask('DeleteMessage', { queueName: 'orders', receiptHandle })
    expect(await counts()).toEqual([1, 0, 0])
  })

  it('when their retention ends, then none is counted, although nothing swept them', async () => {
    await set({ msgRetentionSeconds: 60, visibilityTimeout: 3_600 })
    await Promise.all([send(), send(), send(59)])
    await receive()
    await cmq.clock.advance(58_999)
    expect(await counts()).toEqual([1, 1, 1])
    await cmq.clock.advance(1_000)
    expect(await counts()).toEqual([2, 1, 0])
    await cmq.clock.advance(1)
    expect(await counts()).toEqual([0, 0, 0])
  })
})

describe('given minMsgTime', () => {
  it('when the queue is empty, then it is the time of the request', async () => {
    await cmq.clock.advance(5_000)
    expect(await attributes()).toHaveProperty('minMsgTime', started + 5)
  })

  it('when there are messages, then it is when the oldest of them was sent, also of those delayed or in flight', async () => {
    await send(3_600)
    await cmq.clock.advance(5_000)
    await send()
    expect(await attributes()).toHaveProperty('minMsgTime', started)
    await receive()
    await cmq.clock.advance(345_595_000)
    expect(await attributes()).toHaveProperty('minMsgTime', started + 5)
    await cmq.clock.advance(5_000)
    expect(await attributes()).toHaveProperty('minMsgTime', started + 345_605)
  })
})

describe('given an attribute that was changed', () => {
  it('when some seconds have passed in between, then lastModifyTime tells when, and createTime stays', async () => {
    await cmq.clock.advance(42_000)
    await set({ visibilityTimeout: 61 })
    await cmq.clock.advance(1_000)
    expect(await attributes()).toMatchObject({
      visibilityTimeout: 61,
      createTime: started,
      lastModifyTime: started + 42,
    })
  })
})
