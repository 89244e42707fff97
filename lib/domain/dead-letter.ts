import type { DeadLetterPolicy } from './dead-letter-policy.ts'
import { newMessage, type Message, type Origin, type Sending } from './message.ts'
import { after, type Instant } from './time.ts'

/** What of a message its death depends on. */
type Mortal = Pick<Message, 'visibleAt' | 'receiveCount' | 'leaseUntil'> & { readonly isRewound?: boolean }

/**
 * Whether a message that may be received has to go to the dead-letter queue instead. Receives count once one of them has
 * ended since the binding: what nobody has touched since then is served once more.
 */
export const isDead = (message: Mortal, bound: DeadLetterPolicy, now: Instant): boolean =>
  bound.policy === 0
    ? message.receiveCount >= bound.maxReceiveCount && message.leaseUntil > bound.boundAt
    : message.isRewound !== true && message.visibleAt <= agedSince(bound, now)

/**
 * What became receivable at this instant or earlier is too old. Age begins with the binding: what was there before has its
 * whole time to live from then on.
 */
export function agedSince(bound: Extract<DeadLetterPolicy, { policy: 1 }>, now: Instant): Instant {
  const limit = after(now, -bound.maxTimeToLive)
  return limit >= bound.boundAt ? limit : -Infinity
}

/** Where a message of this queue came from, once it is in the dead-letter queue. */
export const originOf = (
  queueName: string,
  { policy }: DeadLetterPolicy,
  { sentAt, receiveCount }: Message,
): Origin => ({
  queueName,
  policy,
  sentAt,
  receiveCount,
})

/** A message as it lies in the dead-letter queue: its id and body as they were, its life and counts begun anew. */
export const deadLetterOf = (sending: Omit<Sending, 'delaySeconds'>, origin: Origin, now: Instant): Message => ({
  ...newMessage({ ...sending, delaySeconds: 0 }, now),
  origin,
})

/** Keeps a message from others until then, and counts that as no receive. */
export const held = (message: Message, leaseId: string, leaseUntil: Instant): Message => ({
  ...message,
  leaseId,
  leaseUntil,
})
