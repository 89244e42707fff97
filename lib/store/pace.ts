import { isWithin, type Instant } from '../domain/time.ts'

/** How a process goes about one shard: how often it looks while it waits, and where it looks while others take much. */
export interface Pace {
  /** Milliseconds that a waiting consumer pauses between two looks. */
  readonly pause: number
  /** Whether others take what lies in front, so that looks begin at random places. */
  isContended(now: Instant): boolean
  /** How far from the front, in milliseconds, random places lie at most. */
  readonly reach: number
  /** Nothing lies farther than that. */
  reachLess(distance: number): void
  /** Whether a look found nothing so recently that another consumer who waits need not look. */
  isKnownEmpty(now: Instant): boolean
  tookSome(): void
  tookNone(now: Instant): void
  /** A race was lost. Where ready messages are plenty there are others to take; where they are few, it is better to wait. */
  lost(now: Instant, arePlenty: boolean): void
}

const SHORTEST_PAUSE = 100
const LONGEST_PAUSE = 1_000

/** How long looks begin at random places after a lost race. */
const CONTENDED_FOR = 5_000

/** The pace of a shard that nobody has raced for yet. */
export function newPace(): Pace {
  let pause = SHORTEST_PAUSE
  let reach = Infinity
  let lostAt = -Infinity
  let emptyAt = -Infinity

  return {
    get pause() {
      return pause
    },
    get reach() {
      return reach
    },
    isContended: (now) => isWithin(lostAt, now, CONTENDED_FOR),
    reachLess: (distance) => void (reach = distance),
    isKnownEmpty: (now) => isWithin(emptyAt, now, 0.9 * pause),
    tookSome: () => void (pause = SHORTEST_PAUSE),
    tookNone: (now) => void (emptyAt = now),
    lost(now, arePlenty) {
      if (!arePlenty) {
        pause = Math.min(LONGEST_PAUSE, 2 * pause)
        return
      }
      if (!isWithin(lostAt, now, CONTENDED_FOR)) reach = Infinity
      lostAt = now
    },
  }
}
