import { describe, expect, it } from 'vitest'
import { isBeyond, isCountDue, type Level } from '../../lib/domain/level.ts'

const MINUTE = 60_000
const level = (counted: number | undefined, added: number, limit = 1_000_000): Level => ({ counted, added, limit })

describe('given a limit of a million', () => {
  it.each([
    [999_000, 1_000, 0, false],
    [999_000, 1_001, 0, true],
    [999_000, 990, 16, true],
    [1_000_000, 0, 1, true],
    [undefined, 5_000_000, 1, false],
  ])('when %s were counted and %d added since, then %d more are too many: %s', (counted, added, more, expected) => {
    expect(isBeyond(level(counted, added), more)).toBe(expected)
  })

  it.each([
    ['nobody has counted, and little was added', level(undefined, 99), Infinity, false],
    ['nobody has counted, and something was added', level(undefined, 100), Infinity, true],
    ['the count is an hour old, and something was added', level(10, 100), 60 * MINUTE, true],
    ['the count is younger than an hour', level(10, 100), 59 * MINUTE, false],
    ['less than a quarter of the room is used up', level(600_000, 99_999), MINUTE, false],
    ['a quarter of the room is used up', level(600_000, 100_000), MINUTE, true],
    ['a quarter of little room is used up', level(996_000, 1_000), MINUTE, false],
    ['half a hundredth was added near the limit', level(990_000, 5_000), MINUTE, true],
    ['it was counted just now', level(990_000, 5_000), 1_999, false],
    ['it is full', level(1_000_000, 0), 9_999, false],
    ['it is full for ten seconds', level(1_000_000, 0), 10_000, true],
  ])('when %s, then that is worth a count or not', (_, given, age, expected) => {
    expect(isCountDue(given, age)).toBe(expected)
  })
})
