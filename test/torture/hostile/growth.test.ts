import { describe, expect, it } from 'vitest'
import * as v from 'valibot'
import { binds } from '../../../lib/domain/binding-key.ts'
import { CmqError } from '../../../lib/domain/errors.ts'
import { parseReceiptHandle } from '../../../lib/domain/receipt-handle.ts'
import { readApi3 } from '../../../lib/protocol/api3-request.ts'
import { list, msgBody, readParams, structures } from '../../../lib/protocol/params.ts'
import { parseRequest } from '../../../lib/protocol/request.ts'
import { isSignedWith } from '../../../lib/protocol/signature.ts'
import { isTc3SignedWith, readAuthorization, type Tc3Request } from '../../../lib/protocol/tc3-signature.ts'
import { api3Event } from '../../support/api3-request.ts'
import { formEvent } from '../../support/signed-request.ts'

/** Input that is made to take long, by its size. */
const hostile: readonly (readonly [what: string, read: (size: number) => () => unknown])[] = [
  ['a form of many pairs', (size) => formOf(size, (index) => [`name-${index}`, '%41+b'])],
  ['a form of one name', (size) => formOf(size, () => ['name', 'x'])],
  ['a form that is one long value', (size) => formOf(1, () => ['name', '%41'.repeat(size)])],
  [
    'the signature of a form of tags',
    (size) => {
      const pairs = Array.from({ length: size }, (_, index) => [`msgTag.${index}`, '@x_y'] as const)
      const event = formEvent([...pairs, ['Signature', 'A'.repeat(28)]])
      return () => isSignedWith('secret', parseRequest(event), [])
    },
  ],
  [
    'a list of many elements',
    (size) => {
      const values = new Map(Array.from({ length: size }, (_, index) => [`msgbody.${index + 1}`, 'x']))
      return () => refused(() => readParams(v.object({ msgBody: list(msgBody, size) }), values))
    },
  ],
  [
    'a receipt handle',
    (size) => () => refused(() => parseReceiptHandle(`lane-${'0'.repeat(size)}:${'1:'.repeat(size)}`)),
  ],
  ['an object of JSON of many members', (size) => jsonOf(Object.fromEntries(numbered(size)))],
  [
    'an object of JSON in one of a long name',
    (size) => jsonOf({ ['a'.repeat(size)]: Object.fromEntries(numbered(size)) }),
  ],
  ['a list in JSON', (size) => jsonOf({ Filters: [{ Values: Array.from({ length: size }, () => 'x') }] })],
  ['JSON of many levels', (size) => readOf(`${'{"a":'.repeat(size)}1${'}'.repeat(size)}`)],
  [
    'a list of structures',
    (size) => {
      const values = new Map(numbered(size).map(([name]) => [`tags.0.${name}`, 'x']))
      return () => refused(() => readParams(v.object({ tags: structures(v.object({}), size) }), values))
    },
  ],
  [
    'the names of signed headers',
    (size) => {
      const claimed = signedBy(`content-type;host;${'x-a;'.repeat(size)}x`)
      return () => {
        const authorization = readAuthorization(claimed)
        return authorization && isTc3SignedWith('secret', claimed, authorization, [])
      }
    },
  ],
  ['an Authorization of blanks', (size) => () => readAuthorization(signedBy(`host${' , '.repeat(size)}`))],
  ['a binding key of one word', (size) => () => binds(`#.${'a'.repeat(size)}`, `${'a'.repeat(size)}b`)],
  ['a binding key of many words', (size) => () => binds(`${'*.'.repeat(size)}#`, 'a.'.repeat(size))],
]

const numbered = (size: number) => Array.from({ length: size }, (_, index) => [`name-${index}`, index] as const)

const jsonOf = (value: object): (() => unknown) => readOf(JSON.stringify(value))

function readOf(body: string): () => unknown {
  const event = api3Event('CreateQueue', {}, { body })
  // An event is read once, so each reading is given one of its own.
  return () => refused(() => readApi3({ ...event }))
}

const signedBy = (names: string): Tc3Request => ({
  method: 'POST',
  host: '127.0.0.1',
  path: '/',
  query: '',
  payload: '',
  headers: {
    'x-tc-timestamp': '1767614400',
    authorization:
      'TC3-HMAC-SHA256 Credential=AKIDlocal/2026-01-05/cmq/tc3_request, ' +
      `SignedHeaders=${names}, Signature=${'0'.repeat(64)}`,
  },
})

function formOf(size: number, pair: (index: number) => readonly [string, string]): () => unknown {
  const pairs = Array.from({ length: size }, (_, index) => pair(index))
  const event = formEvent(pairs)
  // An event is read once, so each reading is given one of its own.
  return () => parseRequest({ ...event })
}

function refused(read: () => unknown): unknown {
  try {
    return read()
  } catch (error) {
    if (error instanceof CmqError) return error
    throw error
  }
}

/**
 * Milliseconds of the fastest of some readings of the large one, and of as many of the small one together as are as much to
 * read: what takes as long is as often interrupted on a busy machine. They are taken in turns, so that it slows both alike.
 */
function fastest(small: () => unknown, large: () => unknown): readonly [number, number] {
  const manySmall = () => {
    for (let reading = 0; reading < GROWTH; reading++) small()
  }
  const times: [number, number] = [Infinity, Infinity]
  for (let round = 0; round < 12; round++)
    for (const [index, read] of [manySmall, large].entries()) {
      const startedAt = performance.now()
      read()
      times[index] = Math.min(times[index] ?? Infinity, performance.now() - startedAt)
    }
  return times
}

const SIZE = 500
const GROWTH = 32

describe('given input that is made to take long', () => {
  it.each(hostile)('when %s is 32 times as long, then it takes about 32 times as long', (_, read) => {
    const [small, large] = fastest(read(SIZE), read(GROWTH * SIZE))
    // What grows with the square would take 32 times as long; caches and collections of garbage take their part.
    expect(large / Math.max(small, 0.64)).toBeLessThan(GROWTH ** 0.5)
  })
})
