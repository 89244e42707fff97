import { isOver, type Delivery } from '../domain/delivery.ts'
import type { Clock } from '../domain/time.ts'
import type { Deliveries } from '../store/deliveries.ts'
import type { Duty } from './duty.ts'

/** What became of a delivery that was tried. */
export type Tried =
  | { readonly outcome: 'delivered' | 'dropped' | 'stopped' }
  | { readonly outcome: 'failed'; readonly next: Delivery | undefined }

/** How long a change is tried again before the run is given up, and how soon, in milliseconds. */
const PERSISTENCE = 60_000
const AGAIN = 500

/**
 * Tries a delivery once and stores what came of it. One that succeeded is removed; if that is not stored any more, it is
 * made twice and never lost. One whose day is over is dropped untried. What `signal` stops counts as not tried.
 */
export async function tryDelivery(
  { deliveries, clock }: { readonly deliveries: Deliveries; readonly clock: Clock },
  laneId: string,
  duty: Duty,
  delivery: Delivery,
  signal: AbortSignal,
): Promise<Tried> {
  /** Under load a change may be refused for long. Nobody else is to try the delivery meanwhile, so it stays in hand. */
  async function persist<Result>(change: () => Promise<Result>): Promise<Result> {
    for (const giveUpAt = clock.now() + PERSISTENCE; ;)
      try {
        return await change()
      } catch (error) {
        if (signal.aborted || clock.now() >= giveUpAt) throw error
        await clock.sleep(AGAIN, signal)
      }
  }

  const remove = () => persist(() => deliveries.remove(laneId, delivery))

  async function drop(why: string, lastAttempt = 0): Promise<Tried> {
    await remove()
    duty.dropped({ ...delivery, attempt: delivery.attempt + lastAttempt }, why)
    return { outcome: 'dropped' }
  }

  if (isOver(delivery, clock.now())) return drop(delivery.failure ?? 'never tried')
  const attempt = await duty.attempt(delivery, signal)
  if (signal.aborted && !attempt.isDelivered) return { outcome: 'stopped' }
  if (attempt.isDelivered) {
    await remove()
    duty.tried(delivery, attempt, undefined)
    return { outcome: 'delivered' }
  }
  const next = attempt.isHopeless ? undefined : duty.next(delivery, attempt.outcome, clock.now())
  duty.tried(delivery, attempt, next?.dueAt)
  if (!next) return drop(attempt.outcome, 1)
  return { outcome: 'failed', next: await persist(() => deliveries.postpone(laneId, delivery, next)) }
}
