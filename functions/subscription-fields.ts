import type { Subscription } from '../lib/domain/subscription.ts'
import { inSeconds } from '../lib/domain/time.ts'
import type { Call } from './cmq-handler.ts'

/** What is told of a subscription: its settings, and how many messages still wait to be delivered to it (406/7418). */
export async function subscriptionFields(subscription: Subscription, { deliveries }: Pick<Call, 'deliveries'>) {
  const { id, protocol, endpoint, notifyStrategy, notifyContentFormat, bindingKeys, filterTags } = subscription
  return {
    topicOwner: subscription.account,
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
}
