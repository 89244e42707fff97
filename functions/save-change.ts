import { deadLetterQueueOf } from '../lib/domain/dead-letter-policy.ts'
import type { Queue, QueueChange } from '../lib/domain/queue.ts'
import type { Services } from './services.ts'

/**
 * Saves a change of a queue; one that binds it to a dead-letter queue only if the rules allow it, and together with that.
 * False when either is no longer as it was read.
 */
export async function saveChange(queue: Queue, change: QueueChange, { queues, ids }: Services): Promise<boolean> {
  const { deadLetterPolicy } = change
  const deadLetterQueue =
    deadLetterPolicy && deadLetterQueueOf(queue.name, deadLetterPolicy, await queues.list(queue.account))
  return queues.change(queue, change, ids.leaseId(), deadLetterQueue)
}
