import * as v from 'valibot'
import { topicName } from '../../lib/protocol/topic-params.ts'
import { cmqHandler } from '../cmq-handler.ts'
import { topicFields } from '../topic-fields.ts'

/** Tells a topic's settings, and how many messages still wait for a subscription or for their delay (406/7408). */
export const handler = cmqHandler({
  params: v.object({ topicName }),

  async run({ topicName: name }, call) {
    return topicFields(await call.topics.get(call.account, name), call)
  },
})
