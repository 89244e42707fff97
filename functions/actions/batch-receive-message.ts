import * as v from 'valibot'
import { batchLimits } from '../../lib/domain/queue.ts'
import { integer, queueName } from '../../lib/protocol/params.ts'
import { pollingWaitSeconds } from '../../lib/protocol/queue-params.ts'
import { cmqHandler } from '../cmq-handler.ts'
import { receive } from '../receive.ts'

/** Takes up to `numOfMsg` messages as soon as there is one; it does not wait for the full number (406/5924). */
export const handler = cmqHandler({
  params: v.object({ queueName, numOfMsg: integer(1, batchLimits.messages), pollingWaitSeconds }),

  async run({ queueName: name, numOfMsg, pollingWaitSeconds: wait }, call) {
    return { msgInfoList: await receive(name, numOfMsg, wait, call) }
  },
})
