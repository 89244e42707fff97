import * as v from 'valibot'
import { changeOf } from '../../lib/domain/queue.ts'
import { queueName } from '../../lib/protocol/params.ts'
import { queueAttributes } from '../../lib/protocol/queue-params.ts'
import { cmqHandler } from '../cmq-handler.ts'

/** How often a change is made anew that another change overtook. */
const ATTEMPTS = 5

/** Changes the attributes that are given; the rest keep their values (406/5835). `shards` is an extension. */
export const handler = cmqHandler({
  params: v.object({ queueName, ...queueAttributes }),

  async run({ queueName: name, ...wanted }, { account, queues, ids, now }) {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const queue = await queues.read(account, name)
      const isChanged = await queues.change(queue, changeOf(queue, wanted, now()), ids.leaseId())
      if (isChanged) return { queueId: queue.id }
    }
    throw new Error(`the queue ${name} kept changing`)
  },
})
