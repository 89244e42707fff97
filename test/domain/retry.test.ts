import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { notifyStrategies, retryDelay, type NotifyStrategy } from '../../lib/domain/retry.ts'
import { after } from '../../lib/domain/time.ts'

const START = 1_767_614_400_000

const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

/** The waits of a delivery that never succeeds. */
function waits(strategy: NotifyStrategy, random: () => number): readonly number[] {
  const waits: number[] = []
  for (let retry = 0; retry < 1_000; retry++) {
    const delay = retryDelay(strategy, retry, random)
    if (delay === undefined) break
    waits.push(delay)
  }
  return waits
}

describe('given the strategy EXPONENTIAL_DECAY_RETRY', () => {
  const all = waits('EXPONENTIAL_DECAY_RETRY', () => 0.5)

  it('when every attempt fails, then 176 retries follow: after 1, 2, 4 … 256 s, and 167 times 512 s', () => {
    expect(all).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, ...Array<number>(166).fill(512)])
  })

  it('when all waits are over, then 86,015 s have passed, which is less than a day', () => {
    expect(all.reduce((sum, wait) => sum + wait)).toBe(86_015)
  })

  it('when chance is another, then the waits are the same', () => {
    fc.assert(
      fc.property(random, (value) => {
        expect(waits('EXPONENTIAL_DECAY_RETRY', () => value)).toEqual(all)
      }),
    )
  })
})

describe('given the strategy BACKOFF_RETRY', () => {
  it.each([
    [0, 10],
    [0.25, 12.5],
    [0.5, 15],
    [0.999999, 20],
  ])('when chance is %d, then 3 retries follow, each after %d s', (value, wait) => {
    expect(waits('BACKOFF_RETRY', () => value)).toEqual([wait, wait, wait])
  })

  it('when chance is any, then each wait is 10 to 20 s, in whole milliseconds', () => {
    fc.assert(
      fc.property(fc.array(random, { minLength: 3, maxLength: 3 }), (values) => {
        const left = [...values]
        const all = waits('BACKOFF_RETRY', () => left.shift() ?? NaN)
        expect(all).toHaveLength(3)
        for (const wait of all) {
          expect(wait).toBeGreaterThanOrEqual(10)
          expect(wait).toBeLessThanOrEqual(20)
          expect(Number.isInteger(after(START, wait))).toBe(true)
        }
        expect(all).toEqual(values.map((value) => retryDelay('BACKOFF_RETRY', 0, () => value)))
      }),
    )
  })
})

describe('given any strategy', () => {
  it.each(notifyStrategies)('when %s has given up, then there is never a retry again', (strategy) => {
    const count = waits(strategy, () => 0).length
    fc.assert(
      fc.property(fc.integer({ min: count }), random, (retry, value) => {
        expect(retryDelay(strategy, retry, () => value)).toBeUndefined()
      }),
    )
  })

  it('when they are listed, then they are called what Subscribe calls them', () => {
    expect(notifyStrategies).toEqual(['BACKOFF_RETRY', 'EXPONENTIAL_DECAY_RETRY'])
  })
})
