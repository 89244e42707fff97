import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { randomIds } from '../../lib/domain/ids.ts'

const instant = fc.integer({ min: 1, max: 2 ** 48 - 2 })

describe('given ids of messages', () => {
  it('when they are made at any times, also as the clock steps back, then each is greater than the one before', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(instant, fc.constant(1_767_614_400_000)), { maxLength: 200 }), (instants) => {
        const ids = randomIds()
        const made = instants.map((now) => ids.messageId(now))
        expect(made).toEqual([...new Set(made)].sort())
      }),
    )
  })

  it('when one is made, then it is a UUID of version 7: 32 hexadecimal digits that begin with its time', () => {
    fc.assert(
      fc.property(instant, (now) => {
        const id = randomIds().messageId(now)
        expect(id).toMatch(/^[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}$/)
        expect(Number.parseInt(id.slice(0, 12), 16)).toBe(now)
      }),
    )
  })

  it('when 10,000 are made within a millisecond, then they rise and keep their time', () => {
    const ids = randomIds()
    const made = Array.from({ length: 10_000 }, () => ids.messageId(1_767_614_400_000))
    expect(made).toEqual([...new Set(made)].sort())
    expect(new Set(made.map((id) => id.slice(0, 12))).size).toBe(1)
  })

  it('when processes make them at the same time, then none is like another', () => {
    const made = Array.from({ length: 1_000 }, () => randomIds().messageId(1_767_614_400_000))
    expect(new Set(made).size).toBe(1_000)
  })
})

describe('given ids of leases', () => {
  it('when 10,000 are made, then each is new, of letters, digits, - and _', () => {
    const { leaseId } = randomIds()
    const made = Array.from({ length: 10_000 }, leaseId)
    expect(new Set(made).size).toBe(10_000)
    for (const id of made) expect(id).toMatch(/^[\w-]{22}$/)
  })
})

describe('given ids of resources', () => {
  it('when they are made, then they have their kind and as many characters as asked for, 8 otherwise', () => {
    const { resourceId } = randomIds()
    expect(resourceId('queue')).toMatch(/^queue-[a-z0-9]{8}$/)
    expect(resourceId('lane', 16)).toMatch(/^lane-[a-z0-9]{16}$/)
  })

  it('when 1,000 are made, then each is new and every character of the alphabet is in them', () => {
    const { resourceId } = randomIds()
    const made = Array.from({ length: 1_000 }, () => resourceId('queue'))
    expect(new Set(made).size).toBe(1_000)
    expect(new Set(made.join('').replaceAll('queue-', '')).size).toBe(36)
  })
})
