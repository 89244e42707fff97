import { CmqError } from '../lib/domain/errors.ts'
import type { Queue } from '../lib/domain/queue.ts'
import type { Seconds } from '../lib/domain/time.ts'
import type { Topic } from '../lib/domain/topic.ts'
import type { Services } from './services.ts'

type Limiting = Pick<Services, 'depth' | 'rates' | 'tallies' | 'settings'>

/** Refuses messages where the queue holds too many already, or where they are too many for a second (406/5837). */
export async function admitSent(
  queue: Queue,
  messages: number,
  delaySeconds: Seconds,
  { depth, rates }: Pick<Limiting, 'depth' | 'rates'>,
): Promise<void> {
  const refusal = await depth.refusal(queue, messages, delaySeconds)
  if (refusal) throw new CmqError(refusal)
  if (!rates.allows(queue.id, 'send', messages)) throw new CmqError('rateExceeded')
}

/** Refuses to publish more messages than fit in a second (406/7411). */
export const admitPublished = (topic: Topic, messages: number, limiting: Limiting): void =>
  admit(topic.id, 'publish', messages, limiting)

/** Refuses to delete more messages than fit in a second (406/5840). */
export const admitDeleted = (queue: Queue, messages: number, limiting: Limiting): void =>
  admit(queue.id, 'delete', messages, limiting)

function admit(id: string, action: 'publish' | 'delete', messages: number, { rates, tallies, settings }: Limiting) {
  // What is refused is asked for too: whoever asks for more has a larger share.
  if (settings.maxRate > 0) tallies.add(id, action, messages)
  if (!rates.allows(id, action, messages)) throw new CmqError('rateExceeded')
}

/** Refuses to receive where too much is in flight, or was received in a second (406/5839). What finds nothing takes nothing. */
export async function admitReceiver(queue: Queue, { depth, rates }: Limiting): Promise<void> {
  if (await depth.isCrowded(queue)) throw new CmqError('tooManyUnacked')
  if (!rates.allows(queue.id, 'receive', 0)) throw new CmqError('rateExceeded')
}

/** Counts what was received. */
export function countReceived(queue: Queue, messages: number, { rates, tallies, settings }: Limiting): void {
  if (settings.maxRate > 0 || settings.maxInFlight > 0) tallies.add(queue.id, 'receive', messages)
  rates.spend(queue.id, 'receive', messages)
}
