import type { Instant } from '../domain/time.ts'
import type { MessageState } from './message-item.ts'

/** How many messages of a queue are in which state (406/5834). */
export interface MessageCounts {
  readonly active: number
  readonly inactive: number
  readonly delayed: number
  /** When the oldest message that is not yet deleted was sent. */
  readonly oldestSentAt?: Instant
}

/** Nothing at all. */
export const NONE: MessageCounts = { active: 0, inactive: 0, delayed: 0 }

/** Counts what was read. */
export function tally(states: readonly MessageState[], now: Instant): MessageCounts {
  const alive = states.filter(({ endsAt }) => endsAt > now)
  const delayed = alive.filter(({ visibleAt }) => visibleAt > now).length
  const inactive = alive.filter(({ leaseUntil }) => leaseUntil > now).length
  const oldestSentAt = alive.reduce((oldest, { sentAt }) => Math.min(oldest, sentAt), Infinity)
  return { active: alive.length - delayed - inactive, inactive, delayed, ...oldest(oldestSentAt) }
}

/** Both together. */
export const sum = (a: MessageCounts, b: MessageCounts): MessageCounts => ({
  active: a.active + b.active,
  inactive: a.inactive + b.inactive,
  delayed: a.delayed + b.delayed,
  ...oldest(Math.min(a.oldestSentAt ?? Infinity, b.oldestSentAt ?? Infinity)),
})

const oldest = (instant: Instant) => (instant === Infinity ? {} : { oldestSentAt: instant })

/** Whatever their states. */
export const total = ({ active, inactive, delayed }: MessageCounts): number => active + inactive + delayed

/** So many times as many. */
export const scaled = ({ active, inactive, delayed, ...rest }: MessageCounts, factor: number): MessageCounts => ({
  ...rest,
  active: active * factor,
  inactive: inactive * factor,
  delayed: delayed * factor,
})
