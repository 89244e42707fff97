import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { afterFailure, isOver, newDelivery, type Delivery } from '../../lib/domain/delivery.ts'
import type { NotifyStrategy } from '../../lib/domain/retry.ts'

const NOW = Date.UTC(2026, 0, 5, 12) + 137
const DAY = 86_400_000

const labels = { tags: ['urgent', 'mail'], routingKey: '' }
const body = { text: 'hello' }
const fresh = newDelivery({ id: 'm1', labels, body }, NOW)
const noChance = () => {
  throw new Error('chance has no part in it')
}
const fail = (delivery: Delivery, strategy: NotifyStrategy, now: number, random: () => number = () => 0) =>
  afterFailure(delivery, '500', strategy, now, random)

describe('given a delivery that nobody has tried', () => {
  it('when it is made, then it is due at once, and lives for a day', () => {
    expect(fresh).toEqual({
      id: 'm1',
      publishedAt: NOW,
      endsAt: NOW + DAY,
      attempt: 0,
      dueAt: NOW,
      labels,
      body,
    })
  })

  it('when an attempt fails, then it counts one attempt, says why, and keeps its place, its end and its body', () => {
    const next = afterFailure(fresh, 'timeout', 'EXPONENTIAL_DECAY_RETRY', NOW + 15_000, noChance)
    expect(next).toEqual({ ...fresh, attempt: 1, dueAt: NOW + 16_000, failure: 'timeout' })
    expect(fresh).toMatchObject({ attempt: 0, dueAt: NOW })
    expect(fresh).not.toHaveProperty('failure')
  })
})

describe('given a delivery that never succeeds', () => {
  /** When each attempt begins, where each takes so many milliseconds. */
  function attempts(strategy: NotifyStrategy, taking: number, random?: () => number): number[] {
    const begun: number[] = []
    for (let delivery: Delivery | undefined = fresh; delivery;) {
      begun.push(delivery.dueAt)
      delivery = fail(delivery, strategy, delivery.dueAt + taking, random)
    }
    return begun
  }

  it('when its strategy is EXPONENTIAL_DECAY_RETRY, then 177 attempts are made, the last after 86,015 s', () => {
    const begun = attempts('EXPONENTIAL_DECAY_RETRY', 0)
    expect(begun).toHaveLength(177)
    expect(begun.at(-1)).toBe(NOW + 86_015_000)
  })

  it('when each attempt takes 15 s, then it ends with its day, before the waits are over', () => {
    const begun = attempts('EXPONENTIAL_DECAY_RETRY', 15_000)
    expect(begun.length).toBeLessThan(177)
    expect(begun.at(-1)).toBeLessThan(NOW + DAY)
    expect((begun.at(-1) ?? 0) + 15_000 + 512_000).toBeGreaterThanOrEqual(NOW + DAY)
  })

  it('when its strategy is BACKOFF_RETRY, then 4 attempts are made', () => {
    expect(attempts('BACKOFF_RETRY', 1_000, () => 0.5)).toEqual([0, 16_000, 32_000, 48_000].map((at) => NOW + at))
  })
})

describe('given the end of the day of a delivery', () => {
  const nearlyOver: Delivery = { ...fresh, attempt: 20 }

  it.each([
    ['a millisecond before', -1, true],
    ['at', 0, false],
    ['after', 1, false],
  ])('when the next retry would be %s it, then there is one: %s', (_, beyond, isDueAgain) => {
    const next = fail(nearlyOver, 'EXPONENTIAL_DECAY_RETRY', nearlyOver.endsAt - 512_000 + beyond)
    expect(next !== undefined).toBe(isDueAgain)
  })

  it('when it comes, then the delivery is over from that very millisecond on', () => {
    expect(isOver(fresh, NOW + DAY - 1)).toBe(false)
    expect(isOver(fresh, NOW + DAY)).toBe(true)
  })
})

describe('given a strategy that is changed', () => {
  it('when it becomes BACKOFF_RETRY after three retries or more, then the next failure is the last', () => {
    expect(fail({ ...fresh, attempt: 2 }, 'BACKOFF_RETRY', NOW)?.dueAt).toBe(NOW + 10_000)
    expect(fail({ ...fresh, attempt: 3 }, 'BACKOFF_RETRY', NOW)).toBeUndefined()
    expect(fail({ ...fresh, attempt: 100 }, 'BACKOFF_RETRY', NOW)).toBeUndefined()
  })

  it('when it becomes EXPONENTIAL_DECAY_RETRY, then the waits go on where that strategy is after so many', () => {
    expect(fail({ ...fresh, attempt: 2 }, 'EXPONENTIAL_DECAY_RETRY', NOW)).toMatchObject({
      attempt: 3,
      dueAt: NOW + 4_000,
    })
  })
})

describe('given any delivery', () => {
  it('when an attempt fails, then it is due later than now and before its end, or never again', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<NotifyStrategy>('BACKOFF_RETRY', 'EXPONENTIAL_DECAY_RETRY'),
        fc.nat({ max: 200 }),
        fc.nat({ max: DAY }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (strategy, attempt, later, chance) => {
          const now = NOW + later
          const next = fail({ ...fresh, attempt }, strategy, now, () => chance)
          if (!next) return
          expect(next.dueAt).toBeGreaterThanOrEqual(now + 1_000)
          expect(next.dueAt).toBeLessThan(fresh.endsAt)
          expect(Number.isInteger(next.dueAt)).toBe(true)
          expect(next).toEqual({ ...fresh, attempt: attempt + 1, dueAt: next.dueAt, failure: '500' })
        },
      ),
    )
  })
})
