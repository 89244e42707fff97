import * as v from 'valibot'
import { msgBody } from '../../lib/protocol/params.ts'
import { msgTagOrKey, topicName } from '../../lib/protocol/topic-params.ts'
import { cmqHandler } from '../cmq-handler.ts'
import { publish } from '../publish.ts'

/** Publishes a message as API 3.0 does: its one list holds tags, or the routing key where the topic chooses by keys. */
export const handler = cmqHandler({
  params: v.object({ topicName, msgBody, msgTag: v.optional(msgTagOrKey, []) }),

  async run({ topicName: name, msgBody: text, msgTag: words }, call) {
    const { filterType } = await call.topics.get(call.account, name)
    const [routingKey = ''] = words
    const labels = filterType === 2 ? { tags: [], routingKey } : { tags: words, routingKey: '' }
    const [msgId] = await publish([text], { topicName: name, labels, delaySeconds: 0 }, call)
    return { msgId }
  },
})
