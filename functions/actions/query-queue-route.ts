import * as v from 'valibot'
import { queueName } from '../../lib/protocol/params.ts'
import { cmqHandler } from '../cmq-handler.ts'

/** Where CMQ's TCP clients would find the queue. This service speaks HTTP alone, so there is no such address. */
export const handler = cmqHandler({
  params: v.object({ queueName }),

  async run({ queueName: name }, { account, queues }) {
    await queues.get(account, name)
    return { addr: [] }
  },
})
