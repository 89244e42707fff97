import * as v from 'valibot'
import { deadLetterQueueOf, policyAfter } from '../../lib/domain/dead-letter-policy.ts'
import { CmqError } from '../../lib/domain/errors.ts'
import { isNamed } from '../../lib/domain/name.ts'
import { queueNotesIn } from '../../lib/domain/notes.ts'
import { newQueue, queueLimits, withDefaults } from '../../lib/domain/queue.ts'
import { queueName } from '../../lib/protocol/params.ts'
import { deadLetterSettings, queueAttributes, queueNotes } from '../../lib/protocol/queue-params.ts'
import { changed } from '../changed.ts'
import { cmqHandler } from '../cmq-handler.ts'

/**
 * Creates a queue. One that exists is refused, whatever its attributes (406/5832). `shards`, a dead-letter queue and the
 * notes are extensions.
 */
export const handler = cmqHandler({
  params: v.object({ queueName, ...queueAttributes, ...deadLetterSettings, ...queueNotes }),

  async run(
    {
      queueName: name,
      shards = queueLimits.shards.default,
      deadLetterQueueName,
      policy,
      maxReceiveCount,
      maxTimeToLive,
      ...changes
    },
    { account, queues, settings, ids, now },
  ) {
    const attributes = withDefaults(changes)
    const bound = { deadLetterQueueName, policy, maxReceiveCount, maxTimeToLive }
    const deadLetterPolicy = policyAfter(undefined, bound, attributes.msgRetentionSeconds, now())
    const id = ids.resourceId('queue')
    const named = { account, name, id, laneId: ids.resourceId('lane', 16) }
    await changed(
      () => queues.list(account),
      (others) => {
        if (others.some((other) => isNamed(other, name))) throw new CmqError('queueExists')
        if (others.length >= settings.maxQueues) throw new CmqError('tooManyQueues')
        return deadLetterPolicy && deadLetterQueueOf(name, deadLetterPolicy, others)
      },
      (_others, deadLetterQueue) => {
        const queue = newQueue({ ...named, changeId: ids.leaseId() }, attributes, shards, now())
        const noted = { ...queue, ...queueNotesIn(changes) }
        return queues.create({ ...noted, ...(deadLetterPolicy && { deadLetterPolicy }) }, deadLetterQueue)
      },
    )
    return { queueId: id }
  },
})
