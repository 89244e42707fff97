import { describe, expect, it } from 'vitest'
import { CmqError } from '../../lib/domain/errors.ts'
import { answer, refusal } from '../../lib/protocol/envelope.ts'

const plain = { layered: false }
const layered = { layered: true }

describe('given an answer', () => {
  it('when it succeeds, then code, message and requestId come first, in this order', () => {
    expect(answer('9000000000000000001', { msgId: '281474976710657' })).toEqual({
      statusCode: 200,
      headers: { 'content-type': 'application/json; charset=utf-8' },
      body: '{"code":0,"message":"","requestId":"9000000000000000001","msgId":"281474976710657"}',
    })
  })

  it('when it has no fields, then it has these three', () => {
    expect(answer('1', {}).body).toBe('{"code":0,"message":"","requestId":"1"}')
  })

  it('when a field holds half a character, then it is JSON all the same', () => {
    expect(JSON.parse(answer('1', { msgBody: '中\ud800' }).body!)).toHaveProperty('msgBody', '中\ud800')
  })
})

describe('given a refusal', () => {
  it("when it is sent, then it has CMQ's code, module code and text, and HTTP status 200", () => {
    expect(refusal('1', new CmqError('noMessage'), plain)).toEqual({
      statusCode: 200,
      headers: { 'content-type': 'application/json; charset=utf-8' },
      body: '{"code":7000,"message":"(10200)no message","requestId":"1"}',
    })
  })

  it('when its text names a parameter, then the name is in it', () => {
    expect(JSON.parse(refusal('1', new CmqError('parameterMissing', 'queueName'), plain).body!)).toEqual({
      code: 4000,
      message: '(10390)lacked of required parameter queueName',
      requestId: '1',
    })
  })

  it('when the error carries fields, then they come last', () => {
    const errorList = [{ code: 4430, message: '(10260)receipt handle is invalid', receiptHandle: '77' }]
    expect(refusal('1', new CmqError('partlyDeleted', '', { errorList }), plain).body).toBe(
      '{"code":6010,"message":"(10150)delete message partially failed","requestId":"1",' +
        '"errorList":[{"code":4430,"message":"(10260)receipt handle is invalid","receiptHandle":"77"}]}',
    )
  })

  it.each([
    ['queueNotFound', 4440, '(10100)queue is not existed, or deleted'],
    ['queueExists', 4460, '(10210)queue is already existed'],
  ] as const)('when it is %s, then its form depends on the setting', (failure, code, message) => {
    const error = new CmqError(failure)
    expect(JSON.parse(refusal('1', error, plain).body!)).toEqual({ code, message, requestId: '1' })
    expect(JSON.parse(refusal('1', error, layered).body!)).toEqual({
      code: 4000,
      message: `(${code}) ${message}`,
      requestId: '1',
    })
  })

  it('when it is any other, then the setting changes nothing', () => {
    const error = new CmqError('receiptHandleInvalid')
    expect(refusal('1', error, layered)).toEqual(refusal('1', error, plain))
  })
})
