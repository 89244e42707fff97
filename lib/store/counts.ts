import type { Queue } from '../domain/queue.ts'
import type { Clock, Instant } from '../domain/time.ts'
import { estimate } from './estimate.ts'
import type { Lane } from './lane.ts'
import { NONE, sum, tally, total, type MessageCounts } from './message-counts.ts'
import { keyAt, LAST_KEY, partitionOf } from './message-item.ts'
import { oldestAlive } from './receive.ts'

/** What a count may cost. */
export interface CountOptions {
  /** So many messages are counted one by one, of each shard its part, but at least a thousand. */
  readonly most?: number
  /** So many of those beyond are counted for an estimate. */
  readonly sampled?: number
  /** How long a count that read much is kept, in milliseconds. */
  readonly kept?: number
}

/** A sample of so many messages that came at random has a standard error of half a hundredth. */
export const SAMPLED = 40_000
const DEFAULTS = { most: 2_000, sampled: SAMPLED, kept: 3_000 }
const MOST_A_SHARD = 1_000

/** When a count is over, in milliseconds, whatever it has seen by then: within a second it has to be answered. */
export const COUNTING_TIME = 750

/** Of that, so much is for counting one by one. */
export const COUNTING = 0.25

/** A count that read more messages than this is kept for a while. */
const CHEAP = 1_000

/** Counts the messages that lie in the lane of a queue. */
export type LaneCounter = (queue: Queue) => Promise<MessageCounts>

/** Counts the first messages one by one, and estimates the rest. */
export function counter(
  { lane, clock }: { readonly lane: Pick<Lane, 'survey'>; readonly clock: Clock },
  { most = DEFAULTS.most, sampled = DEFAULTS.sampled, kept: keptFor = DEFAULTS.kept }: CountOptions = {},
): LaneCounter {
  const kept = new Map<string, { until: Instant; counts: MessageCounts }>()

  return async (queue) => {
    const now = clock.now()
    for (const [laneId, { until }] of kept) if (until <= now) kept.delete(laneId)
    const last = kept.get(queue.laneId)
    if (last) return last.counts
    const shards = Array.from({ length: queue.readShards }, (_, shard) => countShard(queue, shard, now))
    const counts = rounded((await Promise.all(shards)).reduce(sum, NONE))
    if (total(counts) > CHEAP) kept.set(queue.laneId, { until: now + keptFor, counts })
    return counts
  }

  async function countShard(queue: Queue, shard: number, now: Instant): Promise<MessageCounts> {
    const partition = partitionOf(queue.laneId, shard)
    const isOver = (part: number) => clock.now() - now >= part * COUNTING_TIME
    const atMost = Math.max(Math.min(most, MOST_A_SHARD), most / queue.readShards)
    let counts = NONE
    let from = keyAt(oldestAlive(queue, now))
    for (let left = atMost; left > 0 && !isOver(COUNTING);) {
      const range = { from, to: LAST_KEY, limit: Math.ceil(left), consistent: true }
      const { states, next } = await lane.survey(partition, range)
      counts = sum(counts, tally(states, now))
      if (next === undefined) return counts
      left -= states.length
      from = next
    }
    const sample = sampled / queue.readShards
    return sum(counts, await estimate({ lane, partition, now, sample, isOver }, from))
  }
}

const rounded = ({ active, inactive, delayed, ...rest }: MessageCounts): MessageCounts => ({
  ...rest,
  active: Math.round(active),
  inactive: Math.round(inactive),
  delayed: Math.round(delayed),
})
