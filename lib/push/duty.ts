import type { Delivery } from '../domain/delivery.ts'
import type { Instant, Seconds } from '../domain/time.ts'
import type { WindowLimits } from '../domain/window.ts'

/** What is done with the deliveries of one lane. */
export interface Duty {
  readonly limits: WindowLimits
  /** Makes the delivery. Never throws for what the other side does. */
  attempt(delivery: Delivery, signal: AbortSignal): Promise<Attempt>
  /** The delivery after a failure; undefined when it is given up. */
  next(delivery: Delivery, failure: string, now: Instant): Delivery | undefined
  /** The wait that was chosen when the delivery failed last. */
  waitOf(delivery: Delivery): Seconds
  /** Told of each attempt. `nextDueAt` is undefined when there will be no other. */
  tried(delivery: Delivery, attempt: Attempt, nextDueAt: Instant | undefined): void
  /** Told of each delivery that will never be made, and why. */
  dropped(delivery: Delivery, why: string): void
}

/** How one attempt went. */
export interface Attempt {
  readonly isDelivered: boolean
  /** What came of it, in a word: a status, or what went wrong. */
  readonly outcome: string
  readonly milliseconds: number
  /** Whether no other attempt can do better. */
  readonly isHopeless?: boolean
}
