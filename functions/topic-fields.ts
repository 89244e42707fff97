import { inSeconds } from '../lib/domain/time.ts'
import { TOPIC_RETENTION, type Topic } from '../lib/domain/topic.ts'
import type { Call } from './cmq-handler.ts'

/** What is told of a topic: its settings, and how many messages wait for a subscription or for their delay (406/7408). */
export async function topicFields(
  topic: Topic,
  { subscriptions, deliveries }: Pick<Call, 'subscriptions' | 'deliveries'>,
) {
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
}
