import * as v from 'valibot'
import { subscriptionName, topicName } from '../../lib/protocol/topic-params.ts'
import { changed } from '../changed.ts'
import { cmqHandler } from '../cmq-handler.ts'

/** Removes a subscription's filter tags: from now on it gets every message (406/8406). */
export const handler = cmqHandler({
  params: v.object({ topicName, subscriptionName }),

  async run({ topicName: topic, subscriptionName: name }, { account, topics, subscriptions, ids, now }) {
    const { id: topicId } = await topics.get(account, topic)
    await changed(
      () => subscriptions.read(topicId, name),
      () => ({ filterTags: [], modifiedAt: now() }),
      (subscription, change) => subscriptions.change(subscription, change, ids.leaseId()),
    )
    return {}
  },
})
