import * as v from 'valibot'
import { CmqError } from '../../lib/domain/errors.ts'
import { queueName } from '../../lib/protocol/params.ts'
import { changed } from '../changed.ts'
import { cmqHandler } from '../cmq-handler.ts'

/** Deletes a queue and every message in it, in whatever state (406/5836), unless dead letters of others go there. */
export const handler = cmqHandler({
  params: v.object({ queueName }),

  async run({ queueName: name }, { account, queues, settings }) {
    const { queue } = await changed(
      async () => {
        const queue = await queues.read(account, name)
        return { queue, sources: await queues.sources(queue) }
      },
      ({ sources }) => {
        if (sources.length > 0) throw new CmqError('deadLetterQueueInUse')
      },
      ({ queue }) => queues.remove(queue, settings.recreateWait),
    )
    return { queueId: queue.id }
  },
})
