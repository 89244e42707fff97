import type { Instant } from './time.ts'

/** What is asked for in a second: by this process, and by all together. */
export interface Pace {
  readonly own: number
  readonly all: number
}

/** What may still be done at once. Below nothing after something large. */
export interface Bucket {
  readonly tokens: number
  readonly at: Instant
}

/**
 * What one process may do in a second so that all together do no more than `limit`: what the others leave, or its part of
 * what is asked for where that is too much, so that whoever asks for more gets more, and nobody nothing.
 */
export function shareOf(limit: number, pace: Pace | undefined): number {
  if (!pace || pace.all <= 0) return limit
  const own = Math.min(pace.own, pace.all)
  return Math.max(limit - (pace.all - own), (limit * own) / pace.all)
}

/** The bucket as it is now: it fills by `perSecond`, and holds as much as one second brings. */
export function filled(bucket: Bucket | undefined, perSecond: number, now: Instant): Bucket {
  if (!bucket) return { tokens: perSecond, at: now }
  const brought = (Math.max(0, now - bucket.at) * perSecond) / 1000
  return { tokens: Math.min(perSecond, bucket.tokens + brought), at: now }
}
