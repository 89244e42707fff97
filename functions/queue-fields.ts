import { settingsOf } from '../lib/domain/dead-letter-policy.ts'
import type { Queue } from '../lib/domain/queue.ts'
import { inSeconds } from '../lib/domain/time.ts'
import type { Call } from './cmq-handler.ts'

/** What is told of a queue: its settings, whose dead letters it takes, and how many messages are in which state (406/5834). */
export async function queueFields(
  queue: Queue,
  sources: readonly Queue[],
  { messages, now }: Pick<Call, 'messages' | 'now'>,
) {
  const { active, inactive, delayed, rewindable, oldestSentAt } = await messages.count(queue)
  return {
    ...queue.attributes,
    createTime: inSeconds(queue.createdAt),
    lastModifyTime: inSeconds(queue.modifiedAt),
    activeMsgNum: active,
    inactiveMsgNum: inactive,
    delayMsgNum: delayed,
    // The document's spelling and the other one: SDKs read either.
    rewindMsgNum: rewindable,
    rewindmsgNum: rewindable,
    minMsgTime: inSeconds(oldestSentAt ?? now()),
    queueId: queue.id,
    queueName: queue.name,
    shards: queue.writeShards,
    ...(queue.deadLetterPolicy && settingsOf(queue.deadLetterPolicy)),
    ...(sources.length > 0 && {
      deadLetterSource: sources.map(({ id, name }) => ({ queueId: id, queueName: name })),
    }),
  }
}
