import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { binds } from '../../lib/domain/binding-key.ts'
import { CmqError } from '../../lib/domain/errors.ts'
import { choosing, formatFor, notifyContentFormats, protocols } from '../../lib/domain/subscription.ts'
import { filterTypes } from '../../lib/domain/topic.ts'

const filtering = (filterTags: readonly string[], bindingKeys: readonly string[] = []) => ({ filterTags, bindingKeys })
const bound = (bindingKeys: readonly string[], filterTags: readonly string[] = []) => ({ filterTags, bindingKeys })

const words = (...some: readonly string[]) => fc.array(fc.constantFrom(...some), { maxLength: 5 })
const someTags = words('red', 'green', 'blue', 'Red', 're')
const someKeys = words('a', '*', '#', 'a.b', '*.b', 'a.#', '#.b')
const routingKey = fc.constantFrom('', 'a', 'b', 'a.b', 'a.a.b', 'B')
const subscription = fc.record({ filterTags: someTags, bindingKeys: someKeys })
const subscriptions = fc.array(subscription, { maxLength: 8 })
const labels = fc.record({ tags: someTags, routingKey })

describe('given a topic that filters by tags', () => {
  it.each([
    [[], [], true],
    [[], ['red'], true],
    [['red'], [], false],
    [['red'], ['red'], true],
    [['red'], ['blue'], false],
    [['red', 'blue'], ['green', 'blue'], true],
    [['red'], ['Red'], false],
    [['red'], ['re'], false],
    [['re'], ['red'], false],
    [['*'], ['red'], false],
    [['中'], ['中'], true],
  ])('when a subscription filters by %j and a message has %j, then it gets it: %s', (filterTags, tags, isChosen) => {
    const one = filtering(filterTags)
    expect(choosing([one], 1, { tags, routingKey: '' })).toEqual(isChosen ? [one] : [])
  })

  it('when binding and routing keys change, then the same are chosen', () => {
    fc.assert(
      fc.property(subscriptions, labels, someKeys, routingKey, (all, given, otherKeys, otherKey) => {
        const others = all.map(({ filterTags }) => filtering(filterTags, otherKeys))
        const indexes = (chosen: readonly object[], of: readonly object[]) => chosen.map((one) => of.indexOf(one))
        expect(indexes(choosing(others, 1, { ...given, routingKey: otherKey }), others)).toEqual(
          indexes(choosing(all, 1, given), all),
        )
      }),
    )
  })
})

describe('given a topic that filters by binding keys', () => {
  it.each([
    [['a.*'], 'a.b', true],
    [['a.*'], 'a', false],
    [['x', 'a.#'], 'a.b.c', true],
    [['x', 'y'], 'z', false],
    [['#'], '', true],
    [['*'], '', false],
    [[], 'a', false],
    [['A'], 'a', false],
  ])('when a subscription has %j and a message %j, then it gets it: %s', (bindingKeys, routingKey, isChosen) => {
    const one = bound(bindingKeys)
    expect(choosing([one], 2, { tags: [], routingKey })).toEqual(isChosen ? [one] : [])
  })

  it('when there are any keys, then those are chosen of which a key binds, whatever the tags are', () => {
    fc.assert(
      fc.property(subscriptions, labels, (all, given) => {
        const expected = all.filter(({ bindingKeys }) => bindingKeys.some((key) => binds(key, given.routingKey)))
        expect(choosing(all, 2, given)).toEqual(expected)
      }),
    )
  })
})

describe('given any topic', () => {
  it('when subscriptions are chosen, then each is chosen by itself, once, and they keep their order', () => {
    fc.assert(
      fc.property(subscriptions, labels, fc.constantFrom(...filterTypes), (all, given, filterType) => {
        const alone = all.filter((one) => choosing([one], filterType, given).length === 1)
        const chosen = choosing(all, filterType, given)
        expect(chosen).toHaveLength(alone.length)
        expect(chosen.every((one, index) => one === alone[index])).toBe(true)
      }),
    )
  })
})

describe('given the format of a subscription', () => {
  it.each([
    ['http', undefined, 'JSON'],
    ['http', 'JSON', 'JSON'],
    ['http', 'SIMPLIFIED', 'SIMPLIFIED'],
    ['queue', undefined, 'SIMPLIFIED'],
    ['queue', 'JSON', 'SIMPLIFIED'],
    ['queue', 'SIMPLIFIED', 'SIMPLIFIED'],
  ] as const)('when a subscription by %s asks for %s, then it is %s', (protocol, wanted, format) => {
    expect(formatFor(protocol, wanted, { isStrict: false })).toBe(format)
  })

  it('when formats are strict, then JSON for a queue is refused, and nothing else differs', () => {
    for (const protocol of protocols)
      for (const wanted of [undefined, ...notifyContentFormats]) {
        const strictly = () => formatFor(protocol, wanted, { isStrict: true })
        if (protocol === 'queue' && wanted === 'JSON') expect(strictly).toThrow(new CmqError('formatNotSimplified'))
        else expect(strictly()).toBe(formatFor(protocol, wanted, { isStrict: false }))
      }
  })
})
