import * as v from 'valibot'
import { deadLetterLimits } from '../domain/dead-letter-policy.ts'
import { queueLimits } from '../domain/queue.ts'
import { notes } from './notes-params.ts'
import { flag, integer, queueName } from './params.ts'

const within = ({ min, max }: { readonly min: number; readonly max: number }) => v.optional(integer(min, max))

/** What CreateQueue and SetQueueAttributes may set (406/5832, 406/5835), and our extension `shards`. */
export const queueAttributes = {
  maxMsgHeapNum: within(queueLimits.maxMsgHeapNum),
  pollingWaitSeconds: within(queueLimits.pollingWaitSeconds),
  visibilityTimeout: within(queueLimits.visibilityTimeout),
  maxMsgSize: within(queueLimits.maxMsgSize),
  msgRetentionSeconds: within(queueLimits.msgRetentionSeconds),
  rewindSeconds: within(queueLimits.rewindSeconds),
  shards: within(queueLimits.shards),
}

/** What may be noted on a queue: parameters of API 3.0, and the same here as extensions. */
export const queueNotes = {
  ...notes,
  retentionSizeInMB: v.optional(integer(0, 512_000)),
  transaction: v.optional(flag),
  firstQueryInterval: v.optional(integer(0, Number.MAX_SAFE_INTEGER)),
  maxQueryCount: v.optional(integer(0, Number.MAX_SAFE_INTEGER)),
}

/** What binds a queue to a dead-letter queue: parameters of API 3.0, by an extension set with the attributes. */
export const deadLetterSettings = {
  deadLetterQueueName: v.optional(queueName),
  policy: within(deadLetterLimits.policy),
  maxReceiveCount: within(deadLetterLimits.maxReceiveCount),
  maxTimeToLive: within(deadLetterLimits.maxTimeToLive),
}

/** How long a receive waits: the queue's own time when absent. Clients send more than the 30 s that count (406/5839). */
export const pollingWaitSeconds = v.optional(
  v.pipe(
    integer(0, Number.MAX_SAFE_INTEGER),
    v.transform((wait) => Math.min(wait, queueLimits.pollingWaitSeconds.max)),
  ),
)
