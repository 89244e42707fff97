import type { Queue } from '../domain/queue.ts'
import type { Instant } from '../domain/time.ts'
import { instantOfKey, keyAfter, keyAt, LAST_KEY, partitionOf, type Lane, type MessageState } from './lane.ts'
import type { Messages, Shared } from './messages.ts'
import { oldestAlive } from './receive.ts'

/** How many messages of a queue are in which state (406/5834). */
export interface MessageCounts {
  readonly active: number
  readonly inactive: number
  readonly delayed: number
  /** When the oldest message that is not yet deleted was sent. */
  readonly oldestSentAt?: Instant
}

/** Up to here, in messages a shard and in milliseconds, everything is counted; what lies beyond is estimated. */
const COUNTED = 50_000
const COUNTING_TIME = 500

/** An estimate samples this many places, and this many messages at each. */
const SAMPLES = 32
const SAMPLE = 100

/** A count that read more messages than this is kept for a while, in milliseconds. */
const CHEAP = 1_000
const KEPT = 3_000

const NONE: MessageCounts = { active: 0, inactive: 0, delayed: 0 }

export function counter({ lane, clock }: Pick<Shared, 'lane' | 'clock'>): Messages['count'] {
  const kept = new Map<string, { until: Instant; counts: MessageCounts }>()

  return async (queue) => {
    const now = clock.now()
    for (const [laneId, { until }] of kept) if (until <= now) kept.delete(laneId)
    const last = kept.get(queue.laneId)
    if (last) return last.counts
    const shards = Array.from({ length: queue.readShards }, (_, shard) => partitionOf(queue.laneId, shard))
    const counts = (await Promise.all(shards.map((partition) => countShard(partition, queue, now)))).reduce(sum, NONE)
    if (total(counts) > CHEAP) kept.set(queue.laneId, { until: now + KEPT, counts })
    return counts
  }

  async function countShard(partition: string, queue: Queue, now: Instant): Promise<MessageCounts> {
    const startedAt = clock.now()
    let counts = NONE
    let from = keyAt(oldestAlive(queue, now))
    for (let counted = 0; counted < COUNTED && clock.now() - startedAt < COUNTING_TIME;) {
      const page = await lane.survey(partition, { from, to: LAST_KEY, limit: COUNTED - counted, consistent: true })
      counts = sum(counts, tally(page.states, now))
      if (page.next === undefined) return counts
      counted += page.states.length
      from = page.next
    }
    return sum(counts, await estimate(lane, partition, from, now))
  }
}

/** Counts what lies from a key on by the density at places spread evenly over its time. */
async function estimate(lane: Lane, partition: string, from: string, now: Instant): Promise<MessageCounts> {
  const begin = instantOfKey(from)
  const end = await lane.survey(partition, { from, to: LAST_KEY, limit: 1, consistent: false, isBackwards: true })
  const [newest] = end.states
  if (!newest) return NONE
  const width = (newest.visibleAt + 1 - begin) / SAMPLES
  const windows = Array.from({ length: SAMPLES }, async (_, index) => {
    const opens = Math.floor(begin + index * width)
    const closes = Math.floor(begin + (index + 1) * width) - 1
    const range = { from: index === 0 ? from : keyAt(opens), to: keyAfter(closes), limit: SAMPLE, consistent: false }
    const { states, next } = await lane.survey(partition, range)
    const seen = tally(states, now)
    const last = states.at(-1)
    if (next === undefined || !last) return seen
    return scaled(seen, Math.max(1, (closes + 1 - opens) / (last.visibleAt + 1 - opens)))
  })
  return (await Promise.all(windows)).reduce(sum, NONE)
}

function tally(states: readonly MessageState[], now: Instant): MessageCounts {
  const alive = states.filter(({ endsAt }) => endsAt > now)
  const delayed = alive.filter(({ visibleAt }) => visibleAt > now).length
  const inactive = alive.filter(({ leaseUntil }) => leaseUntil > now).length
  const oldestSentAt = alive.reduce((oldest, { sentAt }) => Math.min(oldest, sentAt), Infinity)
  return { active: alive.length - delayed - inactive, inactive, delayed, ...oldest(oldestSentAt) }
}

const sum = (a: MessageCounts, b: MessageCounts): MessageCounts => ({
  active: a.active + b.active,
  inactive: a.inactive + b.inactive,
  delayed: a.delayed + b.delayed,
  ...oldest(Math.min(a.oldestSentAt ?? Infinity, b.oldestSentAt ?? Infinity)),
})

const scaled = (counts: MessageCounts, factor: number): MessageCounts => ({
  active: Math.round(counts.active * factor),
  inactive: Math.round(counts.inactive * factor),
  delayed: Math.round(counts.delayed * factor),
  ...oldest(counts.oldestSentAt ?? Infinity),
})

const oldest = (instant: Instant) => (instant === Infinity ? {} : { oldestSentAt: instant })

const total = ({ active, inactive, delayed }: MessageCounts): number => active + inactive + delayed
