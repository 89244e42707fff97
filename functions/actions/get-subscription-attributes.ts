import * as v from 'valibot'
import { subscriptionName, topicName } from '../../lib/protocol/topic-params.ts'
import { cmqHandler } from '../cmq-handler.ts'
import { subscriptionFields } from '../subscription-fields.ts'

/** Tells a subscription's settings, and how many messages still wait to be delivered to it (406/7418). */
export const handler = cmqHandler({
  params: v.object({ topicName, subscriptionName }),

  async run({ topicName: topic, subscriptionName: name }, call) {
    const { id: topicId } = await call.topics.get(call.account, topic)
    return subscriptionFields(await call.subscriptions.read(topicId, name), call)
  },
})
