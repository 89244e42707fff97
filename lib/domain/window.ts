import type { Delivery } from './delivery.ts'
import type { Instant, Seconds } from './time.ts'

/** How many deliveries of one lane are in hand at once. */
export interface WindowLimits {
  /** Deliveries that have failed at least once. With so many, nothing new begins until one is done or given up. */
  readonly failing: number
  /** First tries that run beside them. */
  readonly firstTries: number
}

/** A window of 1 is strict: one delivery at a time, and a failing one holds up all later ones, as CMQ has it (406/6906). */
export const windowLimits = (failing: number, firstTries: number): WindowLimits => ({
  failing,
  firstTries: failing === 1 ? 1 : firstTries,
})

/** First tries that may run at once before anything is known of a subscriber. */
const FIRST_GUESS = 16

/** How many first tries may run at once: as many as keep succeeding. */
export const firstTriesAtFirst = ({ firstTries }: WindowLimits): number => Math.min(FIRST_GUESS, firstTries)

/** One more after a success, half as many after a failure. */
export const firstTriesAfter = (isDelivered: boolean, allowed: number, { firstTries }: WindowLimits): number =>
  isDelivered ? Math.min(firstTries, allowed + 1) : Math.max(1, Math.floor(allowed / 2))

/** What is known of a lane. */
export interface Lane {
  /** Deliveries that nobody is trying at the moment, in order. */
  readonly waiting: readonly Delivery[]
  /** Deliveries that are being tried. */
  readonly underWay: readonly Delivery[]
  /** First tries that may run at once. */
  readonly allowed: number
  /** The wait that was chosen when the delivery failed last. */
  waitOf(delivery: Delivery): Seconds
}

/** What to do about a lane. */
export interface Plan {
  /** The deliveries to try now. */
  readonly begin: readonly Delivery[]
  /** How many more first tries could begin, were there any. */
  readonly room: number
  /** Whether nothing new may begin. */
  readonly isFull: boolean
  /** When the next delivery of those that are known may begin; undefined when there is none. */
  readonly nextDueAt: Instant | undefined
}

/** Where all waits of a full window are at least so long, its deliveries wait for the last of them. */
const SHARED_WAIT: Seconds = 128

/** Decides which deliveries to try now. */
export function plan({ waiting, underWay, allowed, waitOf }: Lane, limits: WindowLimits, now: Instant): Plan {
  const failing = waiting.filter(hasFailed)
  const isFull = failing.length + underWay.filter(hasFailed).length >= limits.failing
  const room = isFull ? 0 : Math.max(0, allowed - underWay.filter(isFirstTry).length)

  // Retried together they leave their runner nothing to do in between, so that it can end.
  const share = isFull && failing.every((delivery) => waitOf(delivery) >= SHARED_WAIT)
  const latest = failing.reduce((last, { dueAt }) => Math.max(last, dueAt), 0)
  const dueAtOf = ({ dueAt }: Delivery): Instant => (share ? latest : dueAt)

  const retries = failing.filter((delivery) => dueAtOf(delivery) <= now)
  const firstTries = waiting.filter((delivery) => isFirstTry(delivery) && delivery.dueAt <= now).slice(0, room)
  const begin = [...retries, ...firstTries]
  const later = [
    ...failing.map(dueAtOf),
    ...(isFull ? [] : waiting.filter(isFirstTry).map(({ dueAt }) => dueAt)),
  ].filter((dueAt) => dueAt > now)
  return {
    begin,
    room: room - firstTries.length,
    isFull,
    nextDueAt: later.length === 0 ? undefined : Math.min(...later),
  }
}

const hasFailed = ({ attempt }: Delivery): boolean => attempt > 0

/** Whether nobody has tried the delivery yet, or no try has ended. */
export const isFirstTry = ({ attempt }: Delivery): boolean => attempt === 0
