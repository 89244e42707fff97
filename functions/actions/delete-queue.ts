import * as v from 'valibot'
import { CmqError } from '../../lib/domain/errors.ts'
import { queueName } from '../../lib/protocol/params.ts'
import { cmqHandler } from '../cmq-handler.ts'

/** Deletes a queue and every message in it, in whatever state (406/5836). */
export const handler = cmqHandler({
  params: v.object({ queueName }),

  async run({ queueName: name }, { account, queues, settings }) {
    const queue = await queues.read(account, name)
    const isRemoved = await queues.remove(queue, settings.recreateWait)
    if (!isRemoved) throw new CmqError('queueNotFound')
    return { queueId: queue.id }
  },
})
