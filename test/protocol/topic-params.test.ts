import * as v from 'valibot'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { CmqError, type Failure } from '../../lib/domain/errors.ts'
import { readParams, type Params } from '../../lib/protocol/params.ts'
import { parseRequest } from '../../lib/protocol/request.ts'
import {
  bindingKey,
  filterTag,
  filterType,
  labels,
  maxMsgSize,
  notifyContentFormat,
  notifyStrategy,
  protocol,
  subscriptionName,
  topicName,
} from '../../lib/protocol/topic-params.ts'
import { formEvent } from '../support/signed-request.ts'

type Sent = Readonly<Record<string, string>>

/** Reads the parameters of a request that was sent with these. */
const read = <Schema extends Params>(schema: Schema, sent: Sent) =>
  readParams(schema, parseRequest(formEvent(Object.entries(sent))).values)

const refused = (schema: Params, sent: Sent, failure: Failure, subject = '') =>
  expect(() => read(schema, sent)).toThrow(new CmqError(failure, subject))

const numbered = (name: string, values: readonly string[], base = 1) =>
  Object.fromEntries(values.map((value, index) => [`${name}.${base + index}`, value]))

describe('given a name', () => {
  const names = v.object({ topicName, subscriptionName })

  it.each(['a', 'Z', 'A-b_9', 'a'.repeat(64)])('when it is %j, then it is read as it is', (name) => {
    expect(read(names, { topicName: name, subscriptionName: name })).toEqual({
      topicName: name,
      subscriptionName: name,
    })
  })

  it.each(['', '1a', '-a', '_a', 'a b', 'a.b', 'ä', 'a\n', ' a', 'a'.repeat(65)])(
    'when it is %j, then it is wrong, in the words of its kind',
    (name) => {
      refused(names, { topicName: name, subscriptionName: 'a' }, 'topicNameWrong')
      refused(names, { topicName: 'a', subscriptionName: name }, 'subscriptionNameWrong')
    },
  )

  it('when it is absent, then it is asked for', () => {
    refused(names, { subscriptionName: 'a' }, 'parameterMissing', 'topicName')
    refused(names, { topicName: 'a' }, 'parameterMissing', 'subscriptionName')
  })
})

describe('given the attributes of a topic', () => {
  const attributes = v.object({ maxMsgSize, filterType })

  it('when they are absent, then it filters by tags, and nothing is said of its size', () => {
    const params = read(attributes, {})
    expect(params).toEqual({ filterType: 1 })
    expectTypeOf(params).toEqualTypeOf<{ maxMsgSize?: number | undefined; filterType: 1 | 2 }>()
  })

  it.each(['1', '2'])('when filterType is %s, then it is that', (type) => {
    expect(read(attributes, { filterType: type })).toHaveProperty('filterType', Number(type))
  })

  it.each(['0', '3', '-1', '999999999999999'])('when filterType is %s, then it is out of range', (type) => {
    refused(attributes, { filterType: type }, 'parameterOutOfRange', 'filterType')
  })

  it.each(['', 'tags', '1.0', ' 1'])('when filterType is %j, then its type is wrong', (type) => {
    refused(attributes, { filterType: type }, 'parameterTypeWrong', 'filterType')
  })

  it.each(['1024', '65536', '1048576'])('when maxMsgSize is %s, then it is that', (size) => {
    expect(read(attributes, { maxMsgSize: size })).toHaveProperty('maxMsgSize', Number(size))
  })

  it.each(['1023', '1048577', '0', '-1024'])('when maxMsgSize is %s, then it is out of range', (size) => {
    refused(attributes, { maxMsgSize: size }, 'parameterOutOfRange', 'maxMsgSize')
  })
})

describe.each([
  ['msgTag', v.object({ msgTag: labels.msgTag }), 'tooManyMsgTags'],
  ['filterTag', v.object({ filterTag: v.optional(filterTag, []) }), 'tooManyFilterTags'],
] as const)('given tags as %s', (name, schema, tooMany) => {
  const tags = (sent: Sent) => (read(schema, sent) as Record<string, readonly string[]>)[name]

  it('when there are none, then the list is empty', () => {
    expect(tags({})).toEqual([])
  })

  it.each([0, 1])('when there are five from number %d on, then they are read in order', (base) => {
    expect(tags(numbered(name, ['e', 'd', 'c', 'b', 'a'], base))).toEqual(['e', 'd', 'c', 'b', 'a'])
  })

  it('when one has 16 characters, of whatever length in bytes, then it is read, and not with one more', () => {
    expect(tags(numbered(name, ['abcdefghijklmnop', '中'.repeat(16)]))).toEqual(['abcdefghijklmnop', '中'.repeat(16)])
    refused(schema, numbered(name, ['a', 'abcdefghijklmnopq']), 'parameterOutOfRange', name)
  })

  it('when there are six, then they are too many, also where some are empty', () => {
    refused(schema, numbered(name, ['a', 'b', 'c', 'd', 'e', 'f']), tooMany)
    refused(schema, numbered(name, ['', '', '', '', '', '']), tooMany)
  })

  it('when some are empty, then they are left out', () => {
    expect(tags(numbered(name, ['', 'a', '', ' ', '']))).toEqual(['a', ' '])
  })

  it('when its keys are wrong, then that is said', () => {
    refused(schema, { [name]: 'a' }, 'parameterKeyWrong', name)
    refused(schema, { [`${name}.x`]: 'a' }, 'parameterKeyWrong', name)
    refused(schema, { [`${name}.2`]: 'a' }, 'batchNotConsecutive', name)
    refused(schema, { [`${name}.0`]: 'a', [`${name}.2`]: 'b' }, 'batchNotConsecutive', name)
  })
})

describe('given binding keys', () => {
  const schema = v.object({ bindingKey: v.optional(bindingKey) })
  const sixteenWords = Array<string>(16).fill('abc').join('.')

  it('when there are none, then the list stays absent', () => {
    const params = read(schema, {})
    expect(params).toEqual({})
    expectTypeOf(params).toEqualTypeOf<{ bindingKey?: string[] | undefined }>()
  })

  it.each([
    ['bindingKey', 0],
    ['bindingKey', 1],
    ['bindindKey', 0],
    ['BindindKey', 1],
  ])('when five are sent as %s from number %d on, then they are read in order', (name, base) => {
    const keys = ['#', '*.a', 'a..b', 'A', '中']
    expect(read(schema, numbered(name, keys, base))).toEqual({ bindingKey: keys })
  })

  it('when they come under both names, then those of the right one count', () => {
    expect(read(schema, { 'bindindKey.1': 'b', 'bindingKey.1': 'a' })).toEqual({ bindingKey: ['a'] })
  })

  it('when one has 64 bytes and 15 dots, then it is read, and not with one more', () => {
    const keys = ['x'.repeat(64), `x${'中'.repeat(21)}`, sixteenWords, '.'.repeat(15)]
    expect(read(schema, numbered('bindingKey', keys))).toEqual({ bindingKey: keys })
    refused(schema, { 'bindingKey.1': 'x'.repeat(65) }, 'parameterOutOfRange', 'bindingKey')
    refused(schema, { 'bindindKey.1': '中'.repeat(22) }, 'parameterOutOfRange', 'bindingKey')
    refused(schema, { 'bindingKey.1': `${sixteenWords}.` }, 'tooManyDots')
  })

  it('when there are six, then they are too many, under either name', () => {
    const six = ['a', 'b', 'c', 'd', 'e', 'f']
    refused(schema, numbered('bindingKey', six), 'tooManyBindingKeys')
    refused(schema, numbered('bindindKey', six, 0), 'tooManyBindingKeys')
  })

  it('when some are empty, then they are left out', () => {
    expect(read(schema, numbered('bindingKey', ['', 'a', '']))).toEqual({ bindingKey: ['a'] })
    expect(read(schema, { 'bindingKey.1': '' })).toEqual({ bindingKey: [] })
  })

  it('when its keys are wrong, then that is said of the right name', () => {
    refused(schema, { bindindKey: 'a' }, 'parameterKeyWrong', 'bindingKey')
    refused(schema, { 'bindindKey.2': 'a' }, 'batchNotConsecutive', 'bindingKey')
  })
})

describe('given a routing key', () => {
  const schema = v.object(labels)

  it('when it is absent or empty, then there is none', () => {
    expect(read(schema, {})).toEqual({ msgTag: [], routingKey: '' })
    expect(read(schema, { routingKey: '' })).toEqual({ msgTag: [], routingKey: '' })
  })

  it('when it has 64 bytes or 15 dots, then it is read, and not with one more', () => {
    for (const key of ['x'.repeat(64), '.'.repeat(15), '*', '#', ' '])
      expect(read(schema, { routingKey: key })).toHaveProperty('routingKey', key)
    refused(schema, { routingKey: 'x'.repeat(65) }, 'parameterOutOfRange', 'routingKey')
    refused(schema, { routingKey: '.'.repeat(16) }, 'tooManyDots')
  })

  it('when it is a list, then it is refused', () => {
    refused(schema, { 'routingKey.1': 'a' }, 'parameterRepeated', 'routingKey')
  })
})

describe('given the words of a subscription', () => {
  const schema = v.object({
    protocol,
    notifyStrategy: v.optional(notifyStrategy),
    notifyContentFormat: v.optional(notifyContentFormat),
  })

  it.each([
    ['http', 'http'],
    ['HTTP', 'http'],
    ['Queue', 'queue'],
  ])('when the protocol is %s, then it is %s', (sent, read_) => {
    const params = read(schema, { protocol: sent })
    expect(params).toEqual({ protocol: read_ })
    expectTypeOf(params.protocol).toEqualTypeOf<'http' | 'queue'>()
  })

  it.each(['', 'https', ' http', 'sqs'])('when the protocol is %j, then it is undefined', (sent) => {
    refused(schema, { protocol: sent }, 'protocolUnknown')
  })

  it.each(['BACKOFF_RETRY', 'EXPONENTIAL_DECAY_RETRY'])('when the strategy is %s, then it is that', (word) => {
    expect(read(schema, { protocol: 'http', notifyStrategy: word })).toHaveProperty('notifyStrategy', word)
  })

  it.each(['JSON', 'SIMPLIFIED'])('when the format is %s, then it is that', (word) => {
    expect(read(schema, { protocol: 'http', notifyContentFormat: word })).toHaveProperty('notifyContentFormat', word)
  })

  it.each(['', 'backoff_retry', 'json', 'XML'])(
    'when the strategy or the format is %j, then it is undefined',
    (word) => {
      refused(schema, { protocol: 'http', notifyStrategy: word }, 'strategyUnknown')
      refused(schema, { protocol: 'http', notifyContentFormat: word }, 'formatUnknown')
    },
  )
})
