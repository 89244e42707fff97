import type { Instant } from './time.ts'

/** How full something is: what was counted a while ago, and what was added since, as far as one process knows. */
export interface Level {
  /** Undefined where nobody has counted yet. */
  readonly counted: number | undefined
  /** What left meanwhile is not known, so this makes it at most too full, until the next count. */
  readonly added: number
  readonly limit: number
}

/** A count says what is there for so long, in milliseconds. One that an hour has passed over says little. */
const SOONEST = 2_000
const WHEN_FULL = 10_000
const STALE = 3_600_000

/** Where nothing is known any more, so many messages are worth a count. */
const WORTH_A_COUNT = 100

/** Whether so many more are too many. Where nobody has counted nothing is. */
export const isBeyond = ({ counted, added, limit }: Level, more: number): boolean =>
  counted !== undefined && counted + added + more > limit

/**
 * Whether it is time to count again, so many milliseconds after the last count: when a quarter of the room that it found
 * may be used up, so the more often the nearer the limit, down to steps of half a hundredth of the limit.
 */
export function isCountDue(level: Level, age: number): boolean {
  const { counted, added, limit } = level
  if (age < SOONEST) return false
  if (isBeyond(level, 1)) return age >= WHEN_FULL
  if (counted === undefined || age >= STALE) return added >= WORTH_A_COUNT
  return added >= Math.max((limit - counted) / 4, limit / 200)
}

/** What of a queue was counted, and how many had been sent, delayed and received before, in all its life. */
export interface Counted {
  readonly at: Instant
  /** Of which lane: that of a queue that was cleared since is another. */
  readonly laneId: string
  readonly messages: number
  readonly delayed: number
  readonly inFlight: number
  readonly marks: Marks
}

/** Totals that only rise. */
export interface Marks {
  readonly send: number
  readonly delay: number
  readonly receive: number
}
