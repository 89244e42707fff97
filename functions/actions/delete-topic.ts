import * as v from 'valibot'
import { CmqError } from '../../lib/domain/errors.ts'
import { topicName } from '../../lib/protocol/topic-params.ts'
import { cmqHandler } from '../cmq-handler.ts'

/** Deletes a topic that has no subscriptions any more, and what waits in it for its delay (406/7409). */
export const handler = cmqHandler({
  params: v.object({ topicName }),

  async run({ topicName: name }, { account, topics, subscriptions, settings }) {
    const topic = await topics.read(account, name)
    const left = await subscriptions.list(topic.id)
    if (left.length > 0) throw new CmqError('topicHasSubscriptions')
    const isRemoved = await topics.remove(topic, settings.recreateWait)
    if (!isRemoved) throw new CmqError('topicNotFound')
    return { topicId: topic.id }
  },
})
