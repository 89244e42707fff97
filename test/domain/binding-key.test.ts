import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { binds, dotsIn, keyLimits, matcher } from '../../lib/domain/binding-key.ts'

const wordsOf = (key: string): readonly string[] => (key === '' ? [] : key.split('.'))

/** The rules as they are written, one word at a time: slow, and obviously right. */
function isMatch([first, ...others]: readonly string[], words: readonly string[]): boolean {
  if (first === undefined) return words.length === 0
  const [word, ...further] = words
  if (first === '#') return isMatch(others, words) || (word !== undefined && isMatch([first, ...others], further))
  if (word === undefined) return false
  return (first === '*' ? word !== '' : first === word) && isMatch(others, further)
}
const bindsByTheRules = (bindingKey: string, routingKey: string) => isMatch(wordsOf(bindingKey), wordsOf(routingKey))

/** Every key of up to so many words out of these. */
const keysOf = (words: readonly string[], most: number): readonly string[] => {
  let longest = words
  const keys = new Set(['', ...words])
  for (let count = 2; count <= most; count++) {
    longest = longest.flatMap((key) => words.map((word) => `${key}.${word}`))
    for (const key of longest) keys.add(key)
  }
  return [...keys]
}

const key = (words: readonly string[]) =>
  fc.array(fc.constantFrom(...words), { maxLength: keyLimits.dots + 1 }).map((chosen) => chosen.join('.'))

/** Few words, so that they often match; in a routing key wildcards are words like others. */
const routingKey = key(['a', 'b', 'b', 'B', '中', '', '*', '#', 'a#'])
// The rules take too long for more than a few `#`.
const bindingKey = key(['a', 'b', 'b', 'B', '中', '', '*', '*', '*', '#', '#', 'a#']).filter(
  (key) => wordsOf(key).filter((word) => word === '#').length <= 5,
)
const anyKey = fc.oneof(routingKey, fc.string({ unit: 'grapheme' }))
const isWildcard = (word: string) => word === '*' || word === '#'

describe('given the binding keys of the documents', () => {
  it.each([
    ['1.*.0', ['1.x.0'], ['1.0', '1.x.y.0', '1..0']],
    ['1.#.0', ['1.0', '1.x.0', '1.x.y.0', '1.2.3.4.4.2.2.0'], ['1', '1.0.2']],
    ['#', ['', 'a', 'a.b', '1.2.3.4.4.2.2.0', '.', '*', '#'], []],
    ['*.b', ['a.b'], ['b', 'a.c.b']],
    ['a.#', ['a', 'a.b', 'a.b.c'], ['b.a']],
    ['#.a', ['a', 'x.a', 'x.y.a'], ['a.x']],
    ['a*b', ['a*b'], ['axb', 'ab', 'a.b', 'a.x.b']],
  ])('when it is %j, then it binds %j and not %j', (bindingKey, bound, unbound) => {
    expect([...bound, ...unbound].filter((routingKey) => binds(bindingKey, routingKey))).toEqual(bound)
  })
})

describe('given what the documents leave open', () => {
  it.each([
    ['', [''], ['a', '.', '*', '#']],
    ['*', ['a', '*', '#'], ['', '.', 'a.b']],
    ['#.#', ['', 'a', '.', 'a.b'], []],
    ['*.#', ['a', 'a.', 'a.b'], ['', '.', '.a']],
    ['.', ['.'], ['', 'a', 'a.', '..']],
    ['a..b', ['a..b'], ['a.b', 'a.x.b', 'a...b']],
    ['a.*.b', ['a.x.b'], ['a..b']],
    ['a.#.b', ['a.b', 'a..b', 'a...b'], ['a.b.']],
    ['a.', ['a.'], ['a', 'a.b', 'a..']],
    ['a#', ['a#'], ['a', 'ab', 'a.b']],
    ['**', ['**'], ['a', 'ab', 'a.b']],
    ['##', ['##'], ['', 'a', 'a.b']],
    ['Order.中', ['Order.中'], ['order.中', 'Order', 'Order.中文']],
  ])('when it is %j, then it binds %j and not %j', (bindingKey, bound, unbound) => {
    expect([...bound, ...unbound].filter((routingKey) => binds(bindingKey, routingKey))).toEqual(bound)
  })
})

describe('given any binding key', () => {
  it('when it and the routing key are of a few words out of a few, then it binds exactly by the rules', () => {
    const bindingKeys = keysOf(['a', 'b', '*', '#', ''], 4)
    const wrong: string[] = []
    for (const routingKey of keysOf(['a', 'b', ''], 5)) {
      const isBound = matcher(routingKey)
      for (const bindingKey of bindingKeys)
        if (isBound(bindingKey) !== bindsByTheRules(bindingKey, routingKey)) wrong.push(`${bindingKey} ${routingKey}`)
    }
    expect(wrong.slice(0, 10)).toEqual([])
  })

  it('when it and the routing key are as long as may be, then it binds exactly by the rules', () => {
    fc.assert(
      fc.property(bindingKey, routingKey, (bindingKey, routingKey) => {
        expect(binds(bindingKey, routingKey)).toBe(bindsByTheRules(bindingKey, routingKey))
      }),
      { numRuns: 10_000 },
    )
  })

  it('when it is made of the routing key, * for a word and # for some, then it binds it', () => {
    const piece = fc.oneof(
      fc.constantFrom('a', 'b', '').map((word) => ({ key: word, words: [word] })),
      fc.constantFrom('a', 'b', '*', '#').map((word) => ({ key: '*', words: [word] })),
      fc.array(fc.constantFrom('a', 'b', '', '#'), { maxLength: 4 }).map((words) => ({ key: '#', words })),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 16 }), (pieces) => {
        const words = pieces.flatMap(({ words }) => words)
        // A single word that is empty and no word at all are written alike.
        fc.pre(words.join() !== '' || words.length === 0)
        expect(binds(pieces.map(({ key }) => key).join('.'), words.join('.'))).toBe(true)
      }),
    )
  })

  it('when it is #, then it binds every routing key', () => {
    fc.assert(fc.property(anyKey, (routingKey) => binds('#', routingKey)))
  })

  it('when it has no wildcards, then it binds itself and nothing else', () => {
    fc.assert(
      fc.property(anyKey, anyKey, (bindingKey, routingKey) => {
        fc.pre(!wordsOf(bindingKey).some(isWildcard))
        expect(binds(bindingKey, bindingKey)).toBe(true)
        expect(binds(bindingKey, routingKey)).toBe(bindingKey === routingKey)
      }),
    )
  })

  it('when it and the routing key are read backwards, then it binds as before', () => {
    const backwards = (key: string) => wordsOf(key).toReversed().join('.')
    fc.assert(
      fc.property(bindingKey, routingKey, (bindingKey, routingKey) => {
        expect(binds(backwards(bindingKey), backwards(routingKey))).toBe(binds(bindingKey, routingKey))
      }),
    )
  })

  it('when there are more ways to try it than time, then it is answered all the same', () => {
    const times = (words: string, count: number) => Array<string>(count).fill(words).join('.')
    for (const count of [8, 500]) {
      expect(binds(`${times('#', count)}.a`, times('b', 2 * count))).toBe(false)
      expect(binds(`${times('#.b', count)}.a`, times('b', 2 * count))).toBe(false)
      expect(binds(`#.${times('b', count)}.#.a`, times('b', 2 * count))).toBe(false)
      expect(binds(`${times('#.*', count)}.#.b`, times('b', 2 * count))).toBe(true)
    }
  })
})

describe('given one routing key and many binding keys', () => {
  it('when they are matched one after the other, then each is answered as if it were alone', () => {
    fc.assert(
      fc.property(routingKey, fc.array(bindingKey), (routingKey, bindingKeys) => {
        const alone = bindingKeys.filter((bindingKey) => binds(bindingKey, routingKey))
        expect(bindingKeys.filter(matcher(routingKey))).toEqual(alone)
      }),
    )
  })
})

describe('given the limits of keys', () => {
  it.each([
    ['', 0],
    ['a', 0],
    ['.', 1],
    ['a.b', 1],
    ['a..b.', 3],
    [Array(16).fill('*').join('.'), keyLimits.dots],
  ])('when dots are counted in %j, then they are %d', (key, dots) => {
    expect(dotsIn(key)).toBe(dots)
  })

  it('when they are asked for, then they are 64 bytes, 15 dots and 5 keys', () => {
    expect(keyLimits).toEqual({ bytes: 64, dots: 15, keys: 5 })
  })
})
