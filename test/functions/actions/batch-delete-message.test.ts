import { beforeEach, describe, expect, it } from 'vitest'
import { handler } from '../../../functions/actions/batch-delete-message.ts'
import {
  describeListOf16,
  describeQueue,
  describeRequest,
  noMessage,
  numbered,
  refusal,
  serviceForEachTest,
  success,
  type Call,
} from '../support/cmq.ts'

const cmq = serviceForEachTest()
const remove = cmq.caller(handler, 'BatchDeleteMessage', { queueName: 'orders' })
const removeOne: Call = (sent = {}, options = {}) => remove({ 'receiptHandle.1': handles[0] ?? '', ...sent }, options)
const removeAll = (given: readonly string[], base = 1) => remove(numbered('receiptHandle', given, base))
const receive = () => cmq.ask('BatchReceiveMessage', { queueName: 'orders', numOfMsg: 16 })

const invalid = (receiptHandle: string) => ({ code: 4430, message: '(10260)receipt handle is invalid', receiptHandle })
const unreadable = (receiptHandle: string) => ({ code: 4000, message: '(10470)receiptHandle error', receiptHandle })
const partly = (...errorList: object[]) => refusal(6010, '(10150)delete message partially failed', { errorList })
const none = (...errorList: object[]) => refusal(6020, '(10290)batch delete message failed', { errorList })

/** Of 16 messages in flight. */
let handles: string[]

beforeEach(async () => {
  await cmq.ask('CreateQueue', { queueName: 'orders', visibilityTimeout: 60 })
  const bodies = Array.from({ length: 16 }, (_, index) => String(index))
  await cmq.ask('BatchSendMessage', { queueName: 'orders', ...numbered('msgBody', bodies) })
  const { msgInfoList } = await receive()
  handles = msgInfoList.map(({ receiptHandle }: { receiptHandle: string }) => receiptHandle)
})

describeRequest(removeOne)
describeQueue(removeOne)
describeListOf16(remove, 'receiptHandle')

describe('given messages in flight', () => {
  it.each([0, 1])('when all 16 are deleted from number %d on, then the answer has no errorList', async (base) => {
    expect(await removeAll(handles, base)).toEqual(success())
    await cmq.clock.advance(60_000)
    expect(await receive()).toEqual(noMessage)
  })

  it("when one of two is invalid, as in CMQ's example, then that one is told and the other is deleted", async () => {
    const [first = '', second = ''] = handles
    await removeAll([second])
    expect(await removeAll([first, second])).toEqual(partly(invalid(second)))
    expect(await removeAll([first])).toEqual(none(invalid(first)))
  })

  it('when some are deleted already, then these are told in the order of their numbers', async () => {
    await removeAll(handles.slice(0, 2))
    expect(await removeAll(handles)).toEqual(partly(...handles.slice(0, 2).map(invalid)))
    await removeAll(handles.slice(0, 1))
    expect(await removeAll([...handles].reverse())).toEqual(none(...[...handles].reverse().map(invalid)))
  })

  it('when one handle is given twice, then it deletes once', async () => {
    const [first = ''] = handles
    expect(await removeAll([first, first])).toEqual(partly(invalid(first)))
  })

  it('when their leases have ended, then none is deleted', async () => {
    await cmq.clock.advance(60_000)
    expect(await removeAll(handles)).toEqual(none(...handles.map(invalid)))
    expect((await receive()).msgInfoList).toHaveLength(16)
  })

  it('when they are of another queue, then none is deleted', async () => {
    await cmq.ask('CreateQueue', { queueName: 'others' })
    expect(await remove({ queueName: 'others', ...numbered('receiptHandle', handles) })).toEqual(
      none(...handles.map(invalid)),
    )
    expect(await removeAll(handles)).toEqual(success())
  })

  it('when none is of this service, then each is told as it was sent', async () => {
    const [empty, foreign, garbage] = ['', 'a'.repeat(256), '中'] as const
    expect(await removeAll([empty, foreign, garbage])).toEqual(
      none(unreadable(empty), invalid(foreign), unreadable(garbage)),
    )
    // The documented sample.
    expect(await removeAll([handles[0] ?? '', '77'])).toEqual(partly(invalid('77')))
  })

  it('when one is longer than 256 characters, then the call is refused and nothing is deleted', async () => {
    expect(await removeAll([...handles.slice(0, 3), 'a'.repeat(257)])).toEqual(
      refusal(4000, '(10350)parameter receiptHandle value or length is out of range'),
    )
    expect(await removeAll(handles)).toEqual(success())
  })

  it('when keys have other capitals and trailing blanks, then they are found', async () => {
    const [first = '', second = ''] = handles
    expect(await remove({ 'RECEIPThandle.1': first, 'receipthandle.2 ': second })).toEqual(success())
  })
})

describe('given a database that fails', () => {
  it('when one of two deletes is hit, then that one is told as failed and the other is deleted', async () => {
    const [first = '', second = ''] = handles
    const { messages } = cmq.services
    const { remove: really } = messages
    let calls = 0
    messages.remove = (...given) => (++calls === 1 ? Promise.reject(new Error('broken')) : really(...given))
    expect(await removeAll([first, second])).toEqual(
      partly({ code: 6000, message: '(10140)delete message failed', receiptHandle: first }),
    )
    expect(await removeAll([first, second])).toEqual(partly(invalid(second)))
  })
})
