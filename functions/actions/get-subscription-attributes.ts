import * as v from 'valibot'
import { inSeconds } from '../../lib/domain/time.ts'
import { subscriptionName, topicName } from '../../lib/protocol/topic-params.ts'
import { cmqHandler } from '../cmq-handler.ts'

/** Tells a subscription's settings, and how many messages still wait to be delivered to it (406/7418). */
export const handler = cmqHandler({
  params: v.object({ topicName, subscriptionName }),

  async run({ topicName: topic, subscriptionName: name }, { account, topics, subscriptions, deliveries }) {
    const { id: topicId } = await topics.get(account, topic)
    const subscription = await subscriptions.read(topicId, name)
    const { id, protocol, endpoint, notifyStrategy, notifyContentFormat, bindingKeys, filterTags } = subscription
    return {
      topicOwner: account,
      msgCount: await deliveries.count(id),
      // The document's spellings, and those that SDKs read instead.
      protocol,
      protocal: protocol,
      endpoint,
      notifyStrategy,
      notifyContentFormat,
      createTime: inSeconds(subscription.createdAt),
      lastModifyTime: inSeconds(subscription.modifiedAt),
      bindingKey: bindingKeys,
      bindindKey: bindingKeys,
      filterTag: filterTags,
      filterTags,
      subscriptionId: id,
      subscriptionName: subscription.name,
    }
  },
})
