import * as v from 'valibot'
import { settingsOf } from '../../lib/domain/dead-letter-policy.ts'
import { inSeconds } from '../../lib/domain/time.ts'
import { queueName } from '../../lib/protocol/params.ts'
import { cmqHandler } from '../cmq-handler.ts'

/** Tells a queue's settings and how many messages are in which state (406/5834). */
export const handler = cmqHandler({
  params: v.object({ queueName }),

  async run({ queueName: name }, { account, queues, messages, now }) {
    const queue = await queues.get(account, name)
    const sources = await queues.sources(queue)
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
  },
})
