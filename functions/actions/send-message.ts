import * as v from 'valibot'
import { delaySeconds, msgBody, queueName } from '../../lib/protocol/params.ts'
import { cmqHandler } from '../cmq-handler.ts'
import { send } from '../send.ts'

/** Puts one message into a queue, receivable `delaySeconds` from now (406/5837). */
export const handler = cmqHandler({
  params: v.object({ queueName, msgBody, delaySeconds }),

  async run({ queueName: name, msgBody: text, delaySeconds: delay }, call) {
    const [msgId] = await send(name, [text], delay, call)
    return { msgId }
  },
})
