import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { faultIn, isAccount, isSecretId, lasting, matches, may, rotated, type Secret } from '../../lib/domain/key.ts'

/** The meaning of a pattern, word for word, and as slow as that is. */
function matchesNaively(pattern: string, text: string): boolean {
  if (pattern === '') return text === ''
  if (pattern[0] === '*')
    return matchesNaively(pattern.slice(1), text) || (text !== '' && matchesNaively(pattern, text.slice(1)))
  return pattern[0] === text[0] && matchesNaively(pattern.slice(1), text.slice(1))
}

const textOf = (letters: readonly string[], maxLength: number) =>
  fc.array(fc.constantFrom(...letters), { maxLength }).map((all) => all.join(''))

describe('given a pattern', () => {
  it('when it is compared with any text, then it matches where its stars can stand for something', () => {
    fc.assert(
      fc.property(textOf(['a', 'b', '*'], 7), textOf(['a', 'b'], 9), (pattern, text) => {
        expect(matches(pattern, text)).toBe(matchesNaively(pattern, text))
      }),
      { numRuns: 5_000 },
    )
  })

  it.each([
    ['queue/orders-*', 'queue/orders-eu', true],
    ['queue/orders-*', 'queue/orders-', true],
    ['queue/orders-*', 'queue/orders', false],
    ['queue/orders-*', 'topic/orders-eu', false],
    ['Queue/ORDERS', 'queue/orders', true],
    ['queue/or.ers', 'queue/orders', false],
    ['*', '', true],
    ['', 'a', false],
    ['a*a', 'a', false],
    ['*ab*', 'aab', true],
  ])('when it is %j, then that it matches %j is %s', (pattern, text, isMatched) => {
    expect(matches(pattern, text)).toBe(isMatched)
  })

  it('when nothing but all queues matches, then no other pattern passes for one of all queues', () => {
    fc.assert(
      fc.property(textOf(['queue/', 'a', '*'], 5), textOf(['a', 'b'], 5), (pattern, name) => {
        // "queue/*" as a text stands for every queue: what matches it has to match each of them.
        expect(!matches(pattern, 'queue/*') || matches(pattern, `queue/${name}`)).toBe(true)
      }),
      { numRuns: 5_000 },
    )
  })

  it('when it is made to be slow, then a long text is still compared at once', () => {
    // A matcher that goes back would need longer than the universe has.
    expect(matches('*a'.repeat(60) + 'b', 'a'.repeat(100_000))).toBe(false)
  })
})

describe('given a key', () => {
  const allow = [
    { actions: ['SendMessage', 'Batch*'], resources: ['queue/orders-*'] },
    { actions: ['PublishMessage'], resources: ['topic/*', 'queue/x'] },
  ]

  it('when it is not limited, then it may do everything', () => {
    expect(may({}, 'DeleteQueue', 'queue/orders')).toBe(true)
    expect(may({ allow: undefined }, '', '*')).toBe(true)
  })

  it('when it is limited to nothing, then it may do nothing', () => {
    expect(may({ allow: [] }, 'ListQueue', 'queue/*')).toBe(false)
  })

  it.each([
    ['SendMessage', 'queue/orders-1', true],
    ['sendmessage', 'queue/orders-1', true],
    ['BatchSendMessage', 'queue/orders-1', true],
    ['ReceiveMessage', 'queue/orders-1', false],
    ['SendMessage', 'queue/other', false],
    ['SendMessage', 'topic/news', false],
    ['PublishMessage', 'topic/news', true],
    ['PublishMessage', 'queue/orders-1', false],
    ['ListQueue', 'queue/*', false],
  ])('when it is limited, then that it may %s on %s is %s', (action, resource, isAllowed) => {
    expect(may({ allow }, action, resource)).toBe(isAllowed)
  })
})

describe('given a rotation', () => {
  const former: Secret = { secretKey: 'former' }
  const fresh: Secret = { secretKey: 'fresh' }

  it('when it has begun, then both are good until the former ends', () => {
    const secrets = rotated([former], fresh, 1_000)
    expect(lasting(secrets, 999)).toEqual([fresh, { ...former, until: 1_000 }])
    expect(lasting(secrets, 1_000)).toEqual([fresh])
  })

  it('when the former is to end at once, then it is gone, also for a clock that is behind', () => {
    expect(lasting(rotated([former], fresh), -Infinity)).toEqual([fresh])
  })

  it('when there were two already, then the oldest is gone', () => {
    const third: Secret = { secretKey: 'third' }
    expect(rotated(rotated([former], fresh, 1_000), third, 2_000)).toEqual([third, { ...fresh, until: 2_000 }])
  })
})

describe('given what people type', () => {
  it.each([
    ['1250000000', true],
    ['1', true],
    ['0125', false],
    ['', false],
    ['12x', false],
    ['1'.repeat(16), false],
    ['1\n', false],
  ])('when it is %j, then that it is an account is %s', (text, isOne) => {
    expect(isAccount(text)).toBe(isOne)
  })

  it('when a SecretId is longer than any that there is, then it is none', () => {
    expect(['AKIDlocal', 'x'.repeat(128)].map(isSecretId)).toEqual([true, true])
    expect(['', 'x'.repeat(129)].map(isSecretId)).toEqual([false, false])
  })

  const one = (actions: readonly string[], resources: readonly string[]) => [{ actions, resources }]
  it.each([
    [one(['SendMessage', '*'], ['*', 'queue/a-*', 'topic/*_b']), undefined],
    [[], '1 to 20 permissions are needed'],
    [Array.from({ length: 21 }, () => one(['*'], ['*'])).flat(), '1 to 20 permissions are needed'],
    [one([], ['*']), '1 to 50 actions are needed in each permission'],
    [one(['*'], []), '1 to 50 resources are needed in each permission'],
    [one(['*'], Array<string>(51).fill('*')), '1 to 50 resources are needed in each permission'],
    [one(['Send Message'], ['*']), 'Send Message is no action: letters and *'],
    [one(['*'], ['queues/*']), 'queues/* is no resource: *, queue/NAME or topic/NAME, with * in the name'],
    [one(['*'], ['queue/']), 'queue/ is no resource: *, queue/NAME or topic/NAME, with * in the name'],
    [one(['*'], ['queue/a\n']), 'queue/a\n is no resource: *, queue/NAME or topic/NAME, with * in the name'],
  ])('when permissions are %j, then what is wrong is %j', (allow, fault) => {
    expect(faultIn(allow)).toBe(fault)
  })
})
