import * as v from 'valibot'
import { CmqError } from '../../lib/domain/errors.ts'
import { canonicalName } from '../../lib/domain/name.ts'
import { queueNotesIn } from '../../lib/domain/notes.ts'
import { newQueue, queueLimits, withDefaults } from '../../lib/domain/queue.ts'
import { queueName } from '../../lib/protocol/params.ts'
import { queueAttributes, queueNotes } from '../../lib/protocol/queue-params.ts'
import { cmqHandler } from '../cmq-handler.ts'

/** Creates a queue. One that exists is refused, whatever its attributes (406/5832). `shards` and the notes are extensions. */
export const handler = cmqHandler({
  params: v.object({ queueName, ...queueAttributes, ...queueNotes }),

  async run(
    { queueName: name, shards = queueLimits.shards.default, ...changes },
    { account, queues, settings, ids, now },
  ) {
    const attributes = withDefaults(changes)
    const others = await queues.list(account)
    if (others.some((other) => canonicalName(other.name) === canonicalName(name))) throw new CmqError('queueExists')
    if (others.length >= settings.maxQueues) throw new CmqError('tooManyQueues')
    const id = ids.resourceId('queue')
    const named = { account, name, id, laneId: ids.resourceId('lane', 16), changeId: id }
    const isNew = await queues.create({ ...newQueue(named, attributes, shards, now()), ...queueNotesIn(changes) })
    if (!isNew) throw new CmqError('queueExists')
    return { queueId: id }
  },
})
