import * as v from 'valibot'
import { delaySeconds, list, msgBody, queueName } from '../../lib/protocol/params.ts'
import { cmqHandler } from '../cmq-handler.ts'
import { send } from '../send.ts'

/** Puts up to 16 messages into a queue, 1 MB together, in the order of their numbers: all of them, or an error (406/5838). */
export const handler = cmqHandler({
  params: v.object({ queueName, msgBody: list(msgBody), delaySeconds }),

  async run({ queueName: name, msgBody: texts, delaySeconds: delay }, call) {
    const ids = await send(name, texts, delay, call)
    return { msgList: ids.map((msgId) => ({ msgId })) }
  },
})
