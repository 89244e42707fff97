import * as v from 'valibot'
import { chosen } from '../../lib/domain/choice.ts'
import { sourcesOf } from '../../lib/domain/dead-letter-policy.ts'
import { CmqError } from '../../lib/domain/errors.ts'
import { isNamed } from '../../lib/domain/name.ts'
import type { Queue } from '../../lib/domain/queue.ts'
import { namedChoice } from '../../lib/protocol/choice-params.ts'
import { queueName } from '../../lib/protocol/params.ts'
import { every } from '../../lib/protocol/resources.ts'
import { CROWDED } from '../../lib/store/front.ts'
import { cmqHandler, type Call } from '../cmq-handler.ts'
import { detailsOf } from '../details.ts'
import { queueFields } from '../queue-fields.ts'

/** Tells one queue, or a page of the account's queues, in every detail that API 3.0 has. */
export const handler = cmqHandler({
  params: v.object({ queueName: v.optional(queueName), ...namedChoice }),
  alsoAbout: (values) => (values.has('queuename') ? [] : [every.queue]),

  async run({ queueName: name, offset, limit, ...wanted }, call) {
    const all = await call.queues.list(call.account)
    const found = name === undefined ? chosen(all, wanted, 'QueueName') : all.filter((queue) => isNamed(queue, name))
    if (name !== undefined && found.length === 0) throw new CmqError('queueNotFound')
    const page = found.slice(offset, offset + limit)
    const told = page.map((queue) => toldOf(queue, sourcesOf(queue.name, all), call))
    return { totalCount: found.length, found: await Promise.all(told) }
  },
})

async function toldOf(queue: Queue, sources: readonly Queue[], call: Call) {
  const { attributes, transaction, firstQueryInterval, maxQueryCount } = queue
  const { settings } = call
  return {
    deadLetterSource: [],
    ...(await queueFields(queue, sources, call)),
    ...detailsOf(queue, settings),
    bps: CMQ_BYTES,
    migrate: NOT_MIGRATED,
    maxDelaySeconds: settings.longestDelay,
    maxUnackedMsgNum: Math.min(settings.maxInFlight || Infinity, CROWDED * queue.readShards),
    maxMsgBacklogSize: attributes.maxMsgHeapNum * attributes.maxMsgSize,
    retentionSizeInMB: queue.retentionSizeInMB ?? 0,
    ...(transaction && { transaction, transactionPolicy: { firstQueryInterval, maxQueryCount } }),
  }
}

/** Bytes a second, as CMQ tells of every queue. */
const CMQ_BYTES = 52_428_800

/** Queues count the states of their migration otherwise than topics. */
const NOT_MIGRATED = 4
