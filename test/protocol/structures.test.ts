import * as v from 'valibot'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { CmqError, type Failure } from '../../lib/domain/errors.ts'
import { flag, list, queueName, readParams, structures, text, type Params } from '../../lib/protocol/params.ts'

type Sent = Readonly<Record<string, string>>

const read = <Schema extends Params>(schema: Schema, sent: Sent, common?: ReadonlySet<string>) =>
  readParams(schema, new Map(Object.entries(sent)), common)

const refused = (schema: Params, sent: Sent, failure: Failure, subject: string, common?: ReadonlySet<string>) =>
  expect(() => read(schema, sent, common)).toThrow(new CmqError(failure, subject))

const tagged = v.object({ tags: v.optional(structures(v.object({ tagKey: text(1, 3), tagValue: text(0, 3) }), 2)) })
const filtered = v.object({ filters: structures(v.object({ name: v.string(), values: list(v.string(), 2) }), 10) })

describe('given a list of elements that consist of several values', () => {
  it.each([0, 1])('when it is numbered from %d on, then its elements are read in order', (base) => {
    const sent = {
      [`tags.${base + 1}.tagkey`]: 'b',
      [`tags.${base}.tagvalue`]: '',
      [`tags.${base}.tagkey`]: 'a',
      [`tags.${base + 1}.tagvalue`]: 'c',
    }
    const params = read(tagged, sent)
    expect(params).toEqual({
      tags: [
        { tagKey: 'a', tagValue: '' },
        { tagKey: 'b', tagValue: 'c' },
      ],
    })
    expectTypeOf(params).toEqualTypeOf<{ tags?: { tagKey: string; tagValue: string }[] | undefined }>()
  })

  it('when an element holds a list, then that is read too', () => {
    const sent = { 'filters.0.name': 'a', 'filters.0.values.0': 'b', 'filters.0.values.1': 'c' }
    expect(read(filtered, sent)).toEqual({ filters: [{ name: 'a', values: ['b', 'c'] }] })
  })

  it('when it is absent, then it stays so where it is optional', () => {
    expect(read(tagged, {})).toEqual({})
    refused(filtered, {}, 'parameterMissing', 'filters')
  })

  it.each<[string, Sent, Failure]>([
    ['a value of its own', { tags: 'a' }, 'parameterKeyWrong'],
    ['an element that is a plain value', { 'tags.0': 'a' }, 'parameterKeyWrong'],
    ['a number with a second spelling', { 'tags.00.tagkey': 'a' }, 'parameterKeyWrong'],
    ['no number', { 'tags.x.tagkey': 'a' }, 'parameterKeyWrong'],
    ['a gap', { 'tags.0.tagkey': 'a', 'tags.2.tagkey': 'a' }, 'batchNotConsecutive'],
    ['an element that lacks a value', { 'tags.0.tagkey': 'a' }, 'parameterMissing'],
    ['a value out of range', { 'tags.0.tagkey': 'long', 'tags.0.tagvalue': '' }, 'parameterOutOfRange'],
    ['more elements than may be', { 'tags.0.x': '', 'tags.1.x': '', 'tags.2.x': '' }, 'batchSizeOutOfRange'],
  ])('when it has %s, then it is refused', (_, sent, failure) => {
    refused(tagged, sent, failure, 'tags')
  })
})

describe('given a flag', () => {
  const schema = v.object({ trace: flag })

  it.each([
    ['true', true],
    ['True', true],
    ['1', true],
    ['false', false],
    ['FALSE', false],
    ['0', false],
  ])('when it is %j, then it is %j', (trace, expected) => {
    expect(read(schema, { trace })).toEqual({ trace: expected })
  })

  it.each(['', '2', 'yes', 'on'])('when it is %j, then it is none', (trace) => {
    refused(schema, { trace }, 'parameterTypeWrong', 'trace')
  })
})

describe('given parameters of which none but known ones may be there', () => {
  const common = new Set(['nonce'])
  const schema = v.object({ queueName, words: v.optional(list(v.string())) })

  it('when all are known, then they are read', () => {
    const sent = { queuename: 'orders', 'words.0': 'a', nonce: '1' }
    expect(read(schema, sent, common)).toEqual({ queueName: 'orders', words: ['a'] })
  })

  it.each(['name', 'queuename2', 'nonce.1', 'word.0', '__proto__', ''])(
    'when there is %j too, then it is refused',
    (name) => {
      const sent = new Map([
        ['queuename', 'orders'],
        [name, 'x'],
      ])
      expect(() => readParams(schema, sent, common)).toThrow(new CmqError('parameterUnknown', name))
      expect(readParams(schema, sent)).toEqual({ queueName: 'orders' })
    },
  )
})
