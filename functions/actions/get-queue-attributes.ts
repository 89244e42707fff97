import * as v from 'valibot'
import { queueName } from '../../lib/protocol/params.ts'
import { cmqHandler } from '../cmq-handler.ts'
import { queueFields } from '../queue-fields.ts'

/** Tells a queue's settings and how many messages are in which state (406/5834). */
export const handler = cmqHandler({
  params: v.object({ queueName }),

  async run({ queueName: name }, call) {
    const queue = await call.queues.get(call.account, name)
    return queueFields(queue, await call.queues.sources(queue), call)
  },
})
