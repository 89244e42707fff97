import { beforeEach, describe, expect, it } from 'vitest'
import { handler } from '../../../functions/actions/delete-queue.ts'
import { untilAsleep, whilePassing } from '../../support/clock.ts'
import {
  aQueueId,
  describeQueue,
  describeRequest,
  handleIsInvalid,
  noMessage,
  queueIsMissing,
  refusal,
  serviceForEachTest,
  success,
} from '../support/cmq.ts'

const cmq = serviceForEachTest()
const remove = cmq.caller(handler, 'DeleteQueue', { queueName: 'orders' })
const create = () => cmq.ask('CreateQueue', { queueName: 'orders' })
const send = (delaySeconds = 0) => cmq.ask('SendMessage', { queueName: 'orders', msgBody: 'x', delaySeconds })
const receive = (sent = {}) => cmq.ask('ReceiveMessage', { queueName: 'orders', ...sent })

beforeEach(create)

describeRequest(remove)
describeQueue(remove)

describe('given a queue', () => {
  it("when it is deleted as in CMQ's example, then its id is answered and it is gone for every action", async () => {
    expect(await remove()).toEqual(success({ queueId: aQueueId }))
    expect(await send()).toEqual(queueIsMissing)
    expect(await receive()).toEqual(queueIsMissing)
    expect(await cmq.ask('GetQueueAttributes', { queueName: 'orders' })).toEqual(queueIsMissing)
    expect(await cmq.ask('SetQueueAttributes', { queueName: 'orders' })).toEqual(queueIsMissing)
    expect(await cmq.ask('ListQueue')).toHaveProperty('totalCount', 0)
  })

  it('when it is deleted twice, then the second time it is missing', async () => {
    await remove()
    expect(await remove()).toEqual(queueIsMissing)
  })

  it('when two delete it at once, then both know that it is gone', async () => {
    const answers = await Promise.all([remove(), remove()])
    expect(answers).toContainEqual(success({ queueId: aQueueId }))
    expect([0, 4440]).toEqual(expect.arrayContaining(answers.map(({ code }) => code)))
  })

  it('when a consumer waits for it meanwhile, then that one is told', async () => {
    const waiting = receive({ pollingWaitSeconds: 20 })
    await untilAsleep(cmq.clock)
    await remove()
    expect(await whilePassing(cmq.clock, waiting)).toEqual(queueIsMissing)
  })
})

describe('given a queue that was deleted with messages in every state', () => {
  it('when one of its name is created, then nothing old shows up in it', async () => {
    await Promise.all([send(), send(), send(5)])
    const { receiptHandle } = await receive()
    const { queueId } = await remove()
    expect(await create()).toEqual(success({ queueId: aQueueId }))
    expect(await cmq.ask('GetQueueAttributes', { queueName: 'orders' })).toMatchObject({
      queueId: expect.not.stringMatching(queueId as string) as string,
      activeMsgNum: 0,
      inactiveMsgNum: 0,
      delayMsgNum: 0,
    })
    expect(await cmq.ask('DeleteMessage', { queueName: 'orders', receiptHandle })).toEqual(handleIsInvalid)
    await cmq.clock.advance(60_000)
    expect(await receive()).toEqual(noMessage)
  })
})

describe('given a wait before a name is free again', () => {
  it('when a queue is deleted, then it is missing at once and its name is taken for so long', async () => {
    expect(await remove({}, { settings: { recreateWait: 30 } })).toEqual(success({ queueId: aQueueId }))
    expect(await receive()).toEqual(queueIsMissing)
    expect(await remove({}, { settings: { recreateWait: 30 } })).toEqual(queueIsMissing)
    await cmq.clock.advance(29_999)
    expect(await create()).toEqual(
      refusal(
        6040,
        '(10660)it will take some time to release resources of previous queue before you create a new one with the ' +
          'same name, please try later',
      ),
    )
    await cmq.clock.advance(1)
    expect(await create()).toEqual(success({ queueId: aQueueId }))
  })
})
