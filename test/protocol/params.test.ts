import fc from 'fast-check'
import * as v from 'valibot'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { CmqError, type Failure } from '../../lib/domain/errors.ts'
import {
  delaySeconds,
  integer,
  list,
  msgBody,
  queueName,
  readParams,
  receiptHandle,
  searchWord,
  seconds,
  text,
  type Params,
} from '../../lib/protocol/params.ts'
import { parseRequest } from '../../lib/protocol/request.ts'
import { formEvent } from '../support/signed-request.ts'

/** Reads the parameters of a request that was sent with these. */
const read = <Schema extends Params>(schema: Schema, sent: Readonly<Record<string, string>>) =>
  readParams(schema, parseRequest(formEvent(Object.entries(sent))).values)

const refused = (schema: Params, sent: Readonly<Record<string, string>>, failure: Failure, subject: string) =>
  expect(() => read(schema, sent)).toThrow(new CmqError(failure, subject))

const send = v.object({ queueName, msgBody, delaySeconds })
const sendBatch = v.object({ queueName, msgBody: list(msgBody) })
const limits = v.object({ limit: v.optional(integer(1, 50), '20'), pollingWaitSeconds: v.optional(seconds(0, 30)) })

describe('given single values', () => {
  it('when all are right, then they are read, converted and typed', () => {
    const params = read(send, { queueName: 'orders', msgBody: ' a ', delaySeconds: '60' })
    expect(params).toEqual({ queueName: 'orders', msgBody: ' a ', delaySeconds: 60 })
    expectTypeOf(params).toEqualTypeOf<{ queueName: string; msgBody: string; delaySeconds: number }>()
  })

  it('when optional ones are absent, then their defaults count, or they stay absent', () => {
    expect(read(send, { queueName: 'orders', msgBody: 'a' })).toHaveProperty('delaySeconds', 0)
    expect(read(limits, {})).toEqual({ limit: 20 })
    expect(read(v.object({ searchWord }), {})).toEqual({ searchWord: '' })
    expectTypeOf(read(limits, {})).toEqualTypeOf<{ limit: number; pollingWaitSeconds?: number | undefined }>()
  })

  it('when names differ in case or carry blanks, then they are found', () => {
    expect(read(send, { QueueName: 'orders', 'MSGBODY ': 'a' })).toMatchObject({ queueName: 'orders', msgBody: 'a' })
  })

  it('when there are others, then those are ignored', () => {
    const sent = {
      queueName: 'orders',
      msgBody: 'a',
      UserpollingWaitSeconds: 'x',
      'queueName.1': 'b',
      ['__proto__']: 'c',
    }
    expect(read(send, sent)).toEqual({ queueName: 'orders', msgBody: 'a', delaySeconds: 0 })
  })

  it('when a required one is missing, then it is named', () => {
    refused(send, { msgBody: 'a' }, 'parameterMissing', 'queueName')
    refused(send, { queueName: 'orders' }, 'parameterMissing', 'msgBody')
    refused(v.object({ limit: integer(1, 5) }), {}, 'parameterMissing', 'limit')
    expect(() => read(send, {})).toThrow('lacked of required parameter queueName')
  })

  it('when several are wrong, then the first of the schema is answered', () => {
    refused(send, { queueName: '', delaySeconds: 'x' }, 'queueNameWrong', '')
  })

  it.each(['0', '1'])('when a list is sent from %s for a single value, then it is refused', (index) => {
    refused(send, { [`QueueName.${index}`]: 'a', msgBody: 'a' }, 'parameterRepeated', 'queueName')
    refused(limits, { [`limit.${index}`]: '1' }, 'parameterRepeated', 'limit')
  })
})

describe('given an integer from 1 to 50', () => {
  it.each([
    ['1', 1],
    ['50', 50],
    ['007', 7],
  ])('when it is %j, then it is read', (limit, value) => {
    expect(read(limits, { limit })).toEqual({ limit: value })
  })

  it.each(['0', '51', '-1', '999999999999999'])('when it is %j, then it is out of range', (limit) => {
    refused(limits, { limit }, 'parameterOutOfRange', 'limit')
  })

  it.each([
    '',
    ' 1',
    '1 ',
    '1.5',
    '0x10',
    '1e3',
    '+1',
    '--1',
    '-',
    '１',
    '\0',
    'NaN',
    'Infinity',
    '1\n',
    '9'.repeat(16),
  ])('when it is %j, then its type is wrong', (limit) => {
    refused(limits, { limit }, 'parameterTypeWrong', 'limit')
  })

  it('when -0 is sent, then it is 0', () => {
    expect(Object.is(read(limits, { pollingWaitSeconds: '-0' }).pollingWaitSeconds, 0)).toBe(true)
  })
})

describe('given a block with limits of its own', () => {
  it.each(['a', 'A-b_9', 'a'.repeat(64)])('when the queue name is %j, then it is accepted', (name) => {
    expect(read(v.object({ queueName }), { queueName: name })).toEqual({ queueName: name })
  })

  it.each(['', '1a', '-a', '_a', 'a b', 'a.b', 'ä', 'a\n', 'a'.repeat(65)])(
    'when the queue name is %j, then its format is wrong',
    (name) => {
      refused(v.object({ queueName }), { queueName: name }, 'queueNameWrong', '')
    },
  )

  it.each(['6048001', '-1'])('when the delay is %j, then it is out of range in words of its own', (delay) => {
    refused(send, { queueName: 'a', msgBody: 'a', delaySeconds: delay }, 'delayOutOfRange', '')
  })

  it('when the delay is no number, then its type is wrong', () => {
    refused(send, { queueName: 'a', msgBody: 'a', delaySeconds: 'x' }, 'parameterTypeWrong', 'delaySeconds')
  })

  it('when the body is empty, then that is answered', () => {
    refused(send, { queueName: 'a', msgBody: '' }, 'bodyEmpty', '')
  })

  it('when a receipt handle has up to 256 characters, then it is accepted, and no longer one', () => {
    const schema = v.object({ receiptHandle })
    expect(read(schema, { receiptHandle: '' })).toEqual({ receiptHandle: '' })
    expect(read(schema, { receiptHandle: 'h'.repeat(256) }).receiptHandle).toHaveLength(256)
    refused(schema, { receiptHandle: 'h'.repeat(257) }, 'parameterOutOfRange', 'receiptHandle')
  })

  it('when text has a length, then shorter and longer text is refused', () => {
    const schema = v.object({ endpoint: text(2, 3), word: v.optional(text(0, 1, 'bodyTooLarge')) })
    expect(read(schema, { endpoint: 'ab', word: 'a' })).toEqual({ endpoint: 'ab', word: 'a' })
    refused(schema, { endpoint: 'a' }, 'parameterOutOfRange', 'endpoint')
    refused(schema, { endpoint: 'abcd' }, 'parameterOutOfRange', 'endpoint')
    refused(schema, { endpoint: 'ab', word: 'ab' }, 'bodyTooLarge', '')
  })

  it('when a block names no failure, then its parameter is out of range', () => {
    refused(v.object({ protocol: v.picklist(['http']) }), { protocol: 'ftp' }, 'parameterOutOfRange', 'protocol')
  })
})

describe('given a list', () => {
  const numbered = (values: readonly string[], base: number) =>
    Object.fromEntries(values.map((value, index) => [`msgBody.${base + index}`, value]))
  const batch = (sent: Readonly<Record<string, string>>) => ({ queueName: 'a', ...sent })
  const keys = (...suffixes: readonly string[]) =>
    batch(Object.fromEntries(suffixes.map((suffix) => [`msgBody${suffix}`, 'x'])))

  it('when it is read, then its type is that of its elements', () => {
    const params = read(v.object({ numbers: list(integer(0, 9)) }), { 'numbers.1': '4', 'Numbers.0': '3' })
    expect(params).toEqual({ numbers: [3, 4] })
    expectTypeOf(params).toEqualTypeOf<{ numbers: number[] }>()
  })

  it('when up to 16 elements come in any order, from 0 or 1, then they are in the order of their numbers', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ minLength: 1, unit: 'binary' }), { minLength: 1, maxLength: 16 }),
        fc.constantFrom(0, 1),
        fc.array(fc.nat(), { minLength: 16, maxLength: 16 }),
        (values, base, ranks) => {
          const shuffled = Object.entries(numbered(values, base))
            .map((pair, index) => ({ pair, rank: ranks[index]! }))
            .sort((a, b) => a.rank - b.rank)
            .map(({ pair }) => pair)
          expect(read(sendBatch, batch(Object.fromEntries(shuffled))).msgBody).toEqual(values)
        },
      ),
    )
  })

  it.each([
    ['no element', [], 'parameterMissing'],
    ['17 elements', Array.from({ length: 17 }, (_, index) => `.${index}`), 'batchSizeOutOfRange'],
    ['a first number above 1', ['.2', '.3'], 'batchNotConsecutive'],
    ['a gap', ['.0', '.2'], 'batchNotConsecutive'],
    ['a gap after 1', ['.1', '.3'], 'batchNotConsecutive'],
    ['a huge number', ['.1', '.4294967295'], 'batchNotConsecutive'],
    ['a number beyond all bounds', ['.0', `.${'9'.repeat(400)}`], 'batchNotConsecutive'],
    ['a name for a number', ['.1', '.x'], 'parameterKeyWrong'],
    ['no number', ['.'], 'parameterKeyWrong'],
    ['a number within a number', ['.1.2'], 'parameterKeyWrong'],
    ['a negative number', ['.-1', '.0'], 'parameterKeyWrong'],
    ['a leading zero', ['.01'], 'parameterKeyWrong'],
    ['one number in two spellings', ['.1', '.01'], 'parameterKeyWrong'],
    ['a blank number', ['.1', '. 2'], 'parameterKeyWrong'],
    ['a plain value', [''], 'parameterKeyWrong'],
    ['a plain value beside elements', ['', '.1'], 'parameterKeyWrong'],
  ] as const)('when it has %s, then it is refused', (_, suffixes, failure) => {
    refused(sendBatch, keys(...suffixes), failure, 'msgBody')
  })

  it('when an element is wrong, then the answer names the list', () => {
    refused(sendBatch, batch({ 'msgBody.1': 'a', 'msgBody.2': '' }), 'bodyEmpty', '')
    const schema = v.object({ receiptHandle: list(receiptHandle) })
    refused(schema, { 'receiptHandle.0': 'h'.repeat(257) }, 'parameterOutOfRange', 'receiptHandle')
  })

  it('when another parameter begins with its name, then that is no element', () => {
    expect(read(sendBatch, batch({ 'msgBody.1': 'a', msgBodyType: 'x', 'msgBodies.1': 'y' })).msgBody).toEqual(['a'])
  })

  it('when it is optional, then it may be absent or have its default, and its rules still hold', () => {
    const schema = v.object({
      msgTag: v.optional(list(text(0, 16), 5), []),
      filterTag: v.optional(list(text(0, 16), 5)),
    })
    expect(read(schema, {})).toEqual({ msgTag: [] })
    expect(read(schema, { 'msgTag.1': 'a', 'filterTag.0': 'b' })).toEqual({ msgTag: ['a'], filterTag: ['b'] })
    refused(schema, { msgTag: 'a' }, 'parameterKeyWrong', 'msgTag')
    const six = Object.fromEntries(Array.from({ length: 6 }, (_, index) => [`msgTag.${index}`, 'a']))
    refused(schema, six, 'batchSizeOutOfRange', 'msgTag')
  })

  it('when too many has a failure of its own, then that is answered', () => {
    const schema = v.object({ msgTag: list(text(0, 16), 1, { failure: 'tooManyQueues' }) })
    refused(schema, { 'msgTag.1': 'a', 'msgTag.2': 'b' }, 'tooManyQueues', '')
  })

  it('when it comes under its other name, then it is found, and refused under its own', () => {
    const schema = v.object({ bindingKey: list(text(0, 64), 5, { alias: 'bindindKey' }) })
    expect(read(schema, { 'bindindKey.1': 'a', 'bindindKey.2': 'b' })).toEqual({ bindingKey: ['a', 'b'] })
    expect(read(schema, { 'bindingKey.1': 'a', 'bindindKey.1': 'b' })).toEqual({ bindingKey: ['a'] })
    refused(schema, { 'bindindKey.2': 'a' }, 'batchNotConsecutive', 'bindingKey')
    refused(schema, {}, 'parameterMissing', 'bindingKey')
  })
})

describe('given any parameters', () => {
  it('when they are read, then nothing but a refusal is thrown', () => {
    const schema = v.object({ queueName, delaySeconds, searchWord, msgBody: list(msgBody), limit: integer(0, 9) })
    const name = fc.oneof(
      fc.constantFrom('queueName', 'queueName.1', 'delaySeconds', 'limit', 'limit.0', 'searchWord', 'msgBody'),
      fc
        .tuple(fc.constantFrom('msgBody.', 'MsgBody.'), fc.oneof(fc.nat(20).map(String), fc.string()))
        .map((parts) => parts.join('')),
      fc.string(),
    )
    const value = fc.oneof(fc.constantFrom('orders', '5', '', '-1'), fc.string({ unit: 'binary' }))
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value)), (pairs) => {
        try {
          readParams(schema, parseRequest(formEvent(pairs)).values)
        } catch (error) {
          expect(error).toBeInstanceOf(CmqError)
        }
      }),
      { numRuns: 500 },
    )
  })
})
