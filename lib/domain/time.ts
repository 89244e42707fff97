/** A point in time: epoch milliseconds. */
export type Instant = number

/** A duration, counted as CMQ counts. */
export type Seconds = number

/** The time, and a way to let it pass. Everything that waits or compares times is given one, so that tests can move it. */
export interface Clock {
  now(): Instant
  /** Resolves after so many milliseconds, or as soon as `signal` is aborted. Never rejects. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>
}

/** The instant so many seconds later. */
export const after = (instant: Instant, seconds: Seconds): Instant => instant + seconds * 1000

/** Whether `then` was less than so many milliseconds ago. What lies ahead was not: the clock has stepped back since. */
export const isWithin = (then: Instant, now: Instant, milliseconds: number): boolean =>
  now >= then && now - then < milliseconds

/** How long after a change no process can still act on what was before it. */
export const SETTLES: Seconds = 30

/** As CMQ's answers and DynamoDB's TTL say it: whole epoch seconds. */
export const inSeconds = (instant: Instant): number => Math.floor(instant / 1000)
