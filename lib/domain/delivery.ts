import type { Body } from './message.ts'
import { retryDelay, type NotifyStrategy } from './retry.ts'
import type { Labels } from './subscription.ts'
import { after, type Instant } from './time.ts'
import { TOPIC_RETENTION } from './topic.ts'

/**
 * One message on its way to one subscription; or, in the lane of its topic, a publication that waits for its delay.
 *
 *     due       dueAt <= now
 *     waiting   now < dueAt: its delay is not over, or an attempt has failed
 *     ended     endsAt <= now: it is dropped, whatever else holds
 *     gone      an attempt succeeded, or the strategy gave up
 */
export interface Delivery {
  /** The id that its publisher was told. */
  readonly id: string
  /** When it was published, or is to be. Its place in the lane, kept for life. */
  readonly publishedAt: Instant
  readonly endsAt: Instant
  /** Attempts that have failed. */
  readonly attempt: number
  readonly dueAt: Instant
  /** What became of the last attempt. */
  readonly failure?: string
  readonly labels: Labels
  readonly body: Body
}

/** A delivery that nobody has tried yet. It lives for a day from its publishing (406/7408). */
export const newDelivery = (
  { id, labels, body }: Pick<Delivery, 'id' | 'labels' | 'body'>,
  publishedAt: Instant,
): Delivery => ({
  id,
  publishedAt,
  endsAt: after(publishedAt, TOPIC_RETENTION),
  attempt: 0,
  dueAt: publishedAt,
  labels,
  body,
})

/**
 * The delivery after an attempt that failed: due again after the strategy's wait, or undefined when its waits or its day
 * are over (406/4552). The strategy is the subscription's at this moment, however the earlier waits were chosen.
 */
export function afterFailure(
  delivery: Delivery,
  failure: string,
  strategy: NotifyStrategy,
  now: Instant,
  random: () => number,
): Delivery | undefined {
  const delay = retryDelay(strategy, delivery.attempt, random)
  const dueAt = delay === undefined ? Infinity : after(now, delay)
  if (dueAt >= delivery.endsAt) return undefined
  return { ...delivery, attempt: delivery.attempt + 1, dueAt, failure }
}

/** Whether its day is over. */
export const isOver = (delivery: Delivery, now: Instant): boolean => delivery.endsAt <= now
