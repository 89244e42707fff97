import * as v from 'valibot'
import { queueName } from '../../lib/protocol/params.ts'
import { pollingWaitSeconds } from '../../lib/protocol/queue-params.ts'
import { cmqHandler } from '../cmq-handler.ts'
import { receive } from '../receive.ts'

/** Takes one message and hides it for the queue's visibility timeout; waits for one if told to (406/5839). */
export const handler = cmqHandler({
  params: v.object({ queueName, pollingWaitSeconds }),

  async run({ queueName: name, pollingWaitSeconds: wait }, call) {
    const [message] = await receive(name, 1, wait, call)
    return { ...message }
  },
})
