import * as v from 'valibot'
import { cleared } from '../../lib/domain/queue.ts'
import { queueName } from '../../lib/protocol/params.ts'
import { changed } from '../changed.ts'
import { cmqHandler } from '../cmq-handler.ts'

/**
 * Removes every message of a queue, in whatever state, deleted ones that could be rewound included: one write, however many
 * they are. CMQ has it in API 3.0 alone; here it is an extension.
 */
export const handler = cmqHandler({
  params: v.object({ queueName }),

  async run({ queueName: name }, { account, queues, ids }) {
    const queue = await changed(
      () => queues.read(account, name),
      (queue) => cleared(queue, ids.resourceId('lane', 16)),
      (queue, change) => queues.change(queue, change, ids.leaseId()),
    )
    return { queueId: queue.id }
  },
})
