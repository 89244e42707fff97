import * as v from 'valibot'
import { unbound } from '../../lib/domain/queue.ts'
import { queueName } from '../../lib/protocol/params.ts'
import { changed } from '../changed.ts'
import { cmqHandler } from '../cmq-handler.ts'

/** Leaves a queue without a dead-letter queue; what lies in that stays there. An extension: API 3.0 has it. */
export const handler = cmqHandler({
  params: v.object({ queueName }),

  async run({ queueName: name }, { account, queues, ids, now }) {
    const queue = await changed(
      () => queues.read(account, name),
      () => unbound(now()),
      (queue, change) => queues.change(queue, change, ids.leaseId()),
    )
    return { queueId: queue.id }
  },
})
