import { isOver, type Delivery } from '../domain/delivery.ts'
import type { Clock } from '../domain/time.ts'
import type { Deliveries } from '../store/deliveries.ts'
import type { Duty } from './duty.ts'

/** What became of a delivery that was tried. */
export type Tried =
  | { readonly outcome: 'delivered' | 'dropped' | 'stopped' }
  | { readonly outcome: 'failed'; readonly next: Delivery | undefined }

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
  async function drop(why: string): Promise<Tried> {
    await deliveries.remove(laneId, delivery)
    duty.dropped(delivery, why)
    return { outcome: 'dropped' }
  }

  if (isOver(delivery, clock.now())) return drop(delivery.failure ?? 'never tried')
  const attempt = await duty.attempt(delivery, signal)
  if (signal.aborted && !attempt.isDelivered) return { outcome: 'stopped' }
  if (attempt.isDelivered) {
    await deliveries.remove(laneId, delivery)
    duty.tried(delivery, attempt, undefined)
    return { outcome: 'delivered' }
  }
  const next = attempt.isHopeless ? undefined : duty.next(delivery, attempt.outcome, clock.now())
  duty.tried(delivery, attempt, next?.dueAt)
  if (!next) return drop(attempt.outcome)
  return { outcome: 'failed', next: await deliveries.postpone(laneId, delivery, next) }
}
