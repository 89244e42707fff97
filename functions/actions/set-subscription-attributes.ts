import * as v from 'valibot'
import { CmqError } from '../../lib/domain/errors.ts'
import { formatFor, type SubscriptionChange } from '../../lib/domain/subscription.ts'
import {
  bindingKey,
  filterTag,
  notifyContentFormat,
  notifyStrategy,
  subscriptionName,
  topicName,
} from '../../lib/protocol/topic-params.ts'
import { changed } from '../changed.ts'
import { cmqHandler } from '../cmq-handler.ts'

/** Changes what is given of a subscription; a list replaces the former one. Protocol and endpoint stay (406/7416). */
export const handler = cmqHandler({
  params: v.object({
    topicName,
    subscriptionName,
    notifyStrategy: v.optional(notifyStrategy),
    notifyContentFormat: v.optional(notifyContentFormat),
    filterTag: v.optional(filterTag),
    bindingKey: v.optional(bindingKey),
  }),

  async run(wanted, { account, topics, subscriptions, settings, ids, now }) {
    const { filterTag: filterTags, bindingKey: bindingKeys } = wanted
    const topic = await topics.get(account, wanted.topicName)
    if (topic.filterType === 2 && bindingKeys?.length === 0) throw new CmqError('bindingKeyMissing')
    await changed(
      () => subscriptions.read(topic.id, wanted.subscriptionName),
      ({ protocol, ...present }): SubscriptionChange => ({
        notifyStrategy: wanted.notifyStrategy ?? present.notifyStrategy,
        notifyContentFormat: formatFor(protocol, wanted.notifyContentFormat ?? present.notifyContentFormat, {
          isStrict: settings.strictContentFormat,
        }),
        filterTags: filterTags ?? present.filterTags,
        bindingKeys: bindingKeys ?? present.bindingKeys,
        modifiedAt: now(),
      }),
      (subscription, change) => subscriptions.change(subscription, change, ids.leaseId()),
    )
    return {}
  },
})
