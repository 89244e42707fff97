import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { filled, shareOf } from '../../lib/domain/rate.ts'

describe('given a limit of 5,000 a second', () => {
  it.each([
    ['nobody knows what the others do', undefined, 5_000],
    ['nobody else does anything', { own: 9_000, all: 9_000 }, 5_000],
    ['others do little', { own: 10, all: 1_010 }, 4_000],
    ['all ask for twice as much', { own: 500, all: 10_000 }, 250],
    ['it asks for nothing while others ask for too much', { own: 0, all: 10_000 }, 0],
    ['it was counted more than all', { own: 6_000, all: 5_500 }, 5_000],
  ])('when %s, then that is its share', (_, pace, share) => {
    expect(shareOf(5_000, pace)).toBe(share)
  })

  it('when all ask for too much, then the shares of all together are the limit, whoever asks for how much', () => {
    const demands = fc.array(fc.integer({ min: 0, max: 10_000 }), { minLength: 2, maxLength: 20 })
    fc.assert(
      fc.property(demands, (all) => {
        const sum = all.reduce((a, b) => a + b, 0)
        fc.pre(sum >= 5_000)
        const shares = all.map((own) => shareOf(5_000, { own, all: sum }))
        expect(shares.reduce((a, b) => a + b, 0)).toBeCloseTo(5_000)
      }),
    )
  })
})

describe('given a bucket', () => {
  it('when time passes, then it fills, and holds no more than one second brings', () => {
    expect(filled(undefined, 100, 1_000)).toEqual({ tokens: 100, at: 1_000 })
    expect(filled({ tokens: 10, at: 1_000 }, 100, 1_500)).toEqual({ tokens: 60, at: 1_500 })
    expect(filled({ tokens: 10, at: 1_000 }, 100, 9_000)).toEqual({ tokens: 100, at: 9_000 })
    expect(filled({ tokens: -50, at: 1_000 }, 100, 1_250)).toEqual({ tokens: -25, at: 1_250 })
  })

  it('when the clock steps back, then nothing is lost and nothing won', () => {
    expect(filled({ tokens: 10, at: 5_000 }, 100, 1_000)).toEqual({ tokens: 10, at: 1_000 })
  })
})
