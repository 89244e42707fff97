import * as v from 'valibot'
import { inSeconds } from '../../lib/domain/time.ts'
import { TOPIC_RETENTION } from '../../lib/domain/topic.ts'
import { topicName } from '../../lib/protocol/topic-params.ts'
import { cmqHandler } from '../cmq-handler.ts'

/** Tells a topic's settings, and how many messages still wait for a subscription or for their delay (406/7408). */
export const handler = cmqHandler({
  params: v.object({ topicName }),

  async run({ topicName: name }, { account, topics, subscriptions, deliveries }) {
    const topic = await topics.get(account, name)
    const lanes = [topic.id, ...(await subscriptions.of(topic.id)).map(({ id }) => id)]
    const waiting = await Promise.all(lanes.map((laneId) => deliveries.count(laneId)))
    return {
      msgCount: waiting.reduce((sum, count) => sum + count, 0),
      maxMsgSize: topic.maxMsgSize,
      msgRetentionSeconds: TOPIC_RETENTION,
      createTime: inSeconds(topic.createdAt),
      lastModifyTime: inSeconds(topic.modifiedAt),
      filterType: topic.filterType,
      topicId: topic.id,
      topicName: topic.name,
      // Older SDKs read it; CMQ's documents do not say what it would tell.
      loggingEnabled: 0,
    }
  },
})
