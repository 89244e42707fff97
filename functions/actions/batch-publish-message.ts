import * as v from 'valibot'
import { delaySeconds, list, msgBody } from '../../lib/protocol/params.ts'
import { labels, topicName } from '../../lib/protocol/topic-params.ts'
import { cmqHandler } from '../cmq-handler.ts'
import { publish } from '../publish.ts'

/** Publishes up to 16 messages, 1 MB together, with the same tags or routing key (406/7412). `delaySeconds` is an extension. */
export const handler = cmqHandler({
  params: v.object({ topicName, msgBody: list(msgBody), ...labels, delaySeconds }),

  async run({ topicName: name, msgBody: texts, msgTag: tags, routingKey, delaySeconds: delay }, call) {
    const ids = await publish(texts, { topicName: name, labels: { tags, routingKey }, delaySeconds: delay }, call)
    return { msgList: ids.map((msgId) => ({ msgId })) }
  },
})
