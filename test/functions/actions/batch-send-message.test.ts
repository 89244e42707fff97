import { beforeEach, describe, expect, it } from 'vitest'
import { handler } from '../../../functions/actions/batch-send-message.ts'
import type { Answer } from '../../support/service.ts'
import {
  aMessageId,
  describeListOf16,
  describeNumber,
  describeQueue,
  describeRequest,
  noMessage,
  numbered,
  refusal,
  serviceForEachTest,
  success,
} from '../support/cmq.ts'

const cmq = serviceForEachTest()
const send = cmq.caller(handler, 'BatchSendMessage', { queueName: 'orders' })
const sendOne = cmq.caller(handler, 'BatchSendMessage', { queueName: 'orders', 'msgBody.1': 'x' })
const receive = () => cmq.ask('BatchReceiveMessage', { queueName: 'orders', numOfMsg: 16 })
const bodiesOf = ({ msgInfoList }: Answer): string[] => msgInfoList.map(({ msgBody }: { msgBody: string }) => msgBody)

const MB = 1_048_576
const tooLarge = refusal(4400, '(10230)exceed maximum message size')
const tooLargeTogether = refusal(4470, '(10300)total message size exceed 1MB')

beforeEach(() => cmq.ask('CreateQueue', { queueName: 'orders', maxMsgSize: MB, shards: 8 }))

describeRequest(sendOne)
describeQueue(sendOne)
describeNumber(sendOne, 'delaySeconds', {
  min: 0,
  max: 3_600,
  outOfRange: refusal(4000, '(10692)delay seconds is out of range'),
})
describeListOf16(send, 'msgBody')

describe('given a batch', () => {
  it("when it is sent as in CMQ's example, then the ids are answered", async () => {
    expect(await send({ 'msgBody.1': 'a', 'msgBody.2': 'b' })).toEqual(
      success({ msgList: [{ msgId: aMessageId }, { msgId: aMessageId }] }),
    )
  })

  it.each([0, 1])(
    'when it has 16 bodies from number %d on, then they keep the order of their numbers',
    async (base) => {
      const bodies = Array.from({ length: 16 }, (_, index) => `body ${index}`)
      const { msgList } = await send(numbered('msgBody', bodies, base))
      const received = await receive()
      expect(bodiesOf(received)).toEqual(bodies)
      expect(received.msgInfoList.map(({ msgId }: { msgId: string }) => ({ msgId }))).toEqual(msgList)
    },
  )

  it('when its parameters come in another order, then the order of their numbers counts', async () => {
    const bodies = Array.from({ length: 12 }, (_, index) => String(index))
    await send(Object.fromEntries(Object.entries(numbered('msgBody', bodies)).reverse()))
    expect(bodiesOf(await receive())).toEqual(bodies)
  })

  it('when its keys have other capitals and trailing blanks, then they are found', async () => {
    await send({ 'MsgBody.1 ': 'a', 'MSGBODY.2': 'b' })
    expect(bodiesOf(await receive())).toEqual(['a', 'b'])
  })

  it('when bodies are alike, then each is a message', async () => {
    const { msgList } = await send(numbered('msgBody', ['x', 'x', 'x']))
    expect(new Set(msgList.map(({ msgId }: { msgId: string }) => msgId)).size).toBe(3)
    expect(bodiesOf(await receive())).toEqual(['x', 'x', 'x'])
  })

  it('when it holds any UTF-8, large and small, then each body is received byte for byte', async () => {
    const bodies = ['\0', '@a', 'ß中👩‍👩‍👧', '"'.repeat(2_000), '中'.repeat(200_000)]
    await send(numbered('msgBody', bodies))
    expect(bodiesOf(await receive())).toEqual(bodies)
  })

  it('when it has a delay, then each message has it', async () => {
    await send({ ...numbered('msgBody', ['a', 'b']), delaySeconds: 5 })
    await cmq.clock.advance(4_999)
    expect(await receive()).toEqual(noMessage)
    await cmq.clock.advance(1)
    expect(bodiesOf(await receive())).toEqual(['a', 'b'])
  })
})

describe('given the sizes of a batch', () => {
  it('when they are 1 MB together, then it is sent, and not with a byte more', async () => {
    const full = Array.from({ length: 16 }, () => 'x'.repeat(65_536))
    expect(await send(numbered('msgBody', full))).toHaveProperty('code', 0)
    expect(await send(numbered('msgBody', [...full.slice(1), 'x'.repeat(65_537)]))).toEqual(tooLargeTogether)
  })

  it('when characters take several bytes, then their bytes count', async () => {
    expect(await send(numbered('msgBody', ['中'.repeat(174_763), '中'.repeat(174_763)]))).toEqual(tooLargeTogether)
  })

  it('when a body is above the maxMsgSize, then that is refused', async () => {
    await cmq.ask('SetQueueAttributes', { queueName: 'orders', maxMsgSize: 1_024 })
    expect(await send(numbered('msgBody', ['x'.repeat(1_024), 'x'.repeat(1_024)]))).toHaveProperty('code', 0)
    expect(await send(numbered('msgBody', ['a', 'x'.repeat(1_025)]))).toEqual(tooLarge)
  })

  it('when a body fills more than 4.5 MB as escaped JSON, then it is refused', async () => {
    expect(await send(numbered('msgBody', ['\0'.repeat(750_000)]))).toEqual(tooLarge)
  })
})

describe('given a batch of which one body is refused', () => {
  it.each([
    ['empty', '', refusal(4000, "(10120)message body can't be empty")],
    ['too large', 'x'.repeat(MB + 1), tooLarge],
  ])('when it is %s, then none is sent', async (_, wrong, refused) => {
    expect(await send(numbered('msgBody', ['a', wrong, 'b']))).toEqual(refused)
    expect(await receive()).toEqual(noMessage)
  })
})
