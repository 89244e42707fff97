import * as v from 'valibot'
import { delaySeconds, msgBody } from '../../lib/protocol/params.ts'
import { labels, topicName } from '../../lib/protocol/topic-params.ts'
import { cmqHandler } from '../cmq-handler.ts'
import { publish } from '../publish.ts'

/** Copies a message to every subscription whose filter lets it through (406/7411). `delaySeconds` is an extension. */
export const handler = cmqHandler({
  params: v.object({ topicName, msgBody, ...labels, delaySeconds }),

  async run({ topicName: name, msgBody: text, msgTag: tags, routingKey, delaySeconds: delay }, call) {
    const [msgId] = await publish([text], { topicName: name, labels: { tags, routingKey }, delaySeconds: delay }, call)
    return { msgId }
  },
})
