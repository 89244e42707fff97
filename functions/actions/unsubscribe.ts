import * as v from 'valibot'
import { CmqError } from '../../lib/domain/errors.ts'
import { subscriptionName, topicName } from '../../lib/protocol/topic-params.ts'
import { cmqHandler } from '../cmq-handler.ts'

/** Ends a subscription, and with it whatever still waits to be delivered to it (406/7417). */
export const handler = cmqHandler({
  params: v.object({ topicName, subscriptionName }),

  async run({ topicName: topic, subscriptionName: name }, { account, topics, subscriptions }) {
    const { id: topicId } = await topics.get(account, topic)
    const isRemoved = await subscriptions.remove(await subscriptions.read(topicId, name))
    if (!isRemoved) throw new CmqError('subscriptionNotFound')
    return {}
  },
})
