import type { Queue } from '../domain/queue.ts'
import { coveredFrom, rewindableFrom } from '../domain/rewind.ts'
import type { Instant } from '../domain/time.ts'
import { archiveKeyAt, type ArchivedState, type Archives } from './archives.ts'
import { boundedMap } from './bounded-map.ts'
import { COUNTING, COUNTING_TIME, SAMPLED, type LaneCounter } from './counts.ts'
import { estimate, type Looking } from './estimate.ts'
import type { Lane } from './lane.ts'
import type { MessageCounts } from './message-counts.ts'
import { keyAt, LAST_KEY } from './message-item.ts'
import type { Messages, Shared } from './messages.ts'

/** How many messages of a queue are in which state, those that were deleted from it included (406/5834). */
export interface QueueCounts extends MessageCounts {
  /** Deleted ones that a rewind could bring back. Those that one has made receivable, received or not, are not among them. */
  readonly rewindable: number
}

/** What lies in an archive. */
interface ArchiveCounts {
  readonly rewound: number
  readonly rewindable: number
  /** When the oldest of what is rewound was sent; Infinity where nothing is. */
  readonly oldest: Instant
}

/** Up to here, in messages a shard, everything is counted; what lies beyond is estimated. */
const MOST_COUNTED = 2_000

/** A count of more messages than this is kept for a while, in milliseconds. */
const CHEAP = 1_000
const KEPT = 3_000
const KEPT_COUNTS = 1_000

const NONE: ArchiveCounts = { rewound: 0, rewindable: 0, oldest: Infinity }

/** Adds what is archived to what is in the lane: what a rewind has made receivable is active. */
export function withArchive(
  countLane: LaneCounter,
  { archives, clock }: Pick<Shared, 'archives' | 'clock'>,
  most = MOST_COUNTED,
): Messages['count'] {
  const kept = boundedMap<{ until: Instant; counts: ArchiveCounts }>(KEPT_COUNTS)

  return async (queue) => {
    const [lane, archive] = await Promise.all([countLane(queue), countArchive(queue)])
    const oldest = Math.min(lane.oldestSentAt ?? Infinity, archive.oldest)
    return {
      ...lane,
      active: lane.active + archive.rewound,
      rewindable: archive.rewindable,
      ...(oldest === Infinity ? {} : { oldestSentAt: oldest }),
    }
  }

  async function countArchive(queue: Queue): Promise<ArchiveCounts> {
    const { laneId, archive, attributes, readShards } = queue
    if (attributes.rewindSeconds === 0 && archive.rewinds.length === 0) return NONE
    const now = clock.now()
    const key = `${laneId}#${archive.count}`
    const last = kept.get(key)
    if (last && now < last.until) return last.counts
    const shards = Array.from({ length: readShards }, (_, shard) => countShard(queue, shard, now))
    const counts = (await Promise.all(shards)).reduce(sum, NONE)
    if (counts.rewound + counts.rewindable > CHEAP) kept.set(key, { until: now + KEPT, counts })
    return counts
  }

  async function countShard(queue: Queue, shard: number, now: Instant): Promise<ArchiveCounts> {
    const { laneId, archive, readShards } = queue
    const isOver = (part: number) => clock.now() - now >= part * COUNTING_TIME
    let counts = NONE
    let from = archiveKeyAt(Math.min(archive.since, ...archive.rewinds.map(({ since }) => since)))
    for (let counted = 0; counted < most && !isOver(COUNTING);) {
      const range = { from, to: LAST_KEY, limit: most - counted, consistent: true }
      const { states, next } = await archives.survey(laneId, shard, range)
      counts = sum(counts, tally(states, queue, now))
      if (next === undefined) return counts
      counted += states.length
      from = next
    }
    const looking = { now, sample: SAMPLED / readShards, isOver }
    return sum(counts, await estimateRest(archives, queue, shard, from, looking))
  }
}

const sum = (a: ArchiveCounts, b: ArchiveCounts): ArchiveCounts => ({
  rewound: a.rewound + b.rewound,
  rewindable: a.rewindable + b.rewindable,
  oldest: Math.min(a.oldest, b.oldest),
})

/** Where the messages of one count begin that a rewind has made receivable, and those of which one could. */
function beginnings({ archive, attributes }: Queue, archivedIn: number, now: Instant) {
  const rewound = coveredFrom(archive.rewinds, archivedIn) ?? Infinity
  const rewindable = rewindableFrom(archive, attributes.rewindSeconds, archivedIn, now) ?? Infinity
  return { rewound, rewindable: Math.min(rewound, rewindable) }
}

function tally(states: readonly ArchivedState[], queue: Queue, now: Instant): ArchiveCounts {
  let { rewound, rewindable, oldest } = NONE
  for (const { archivedIn, sentAt, endsAt } of states) {
    const begin = beginnings(queue, archivedIn, now)
    if (endsAt <= now || sentAt < begin.rewindable) continue
    if (sentAt < begin.rewound) rewindable++
    else {
      rewound++
      oldest = Math.min(oldest, sentAt)
    }
  }
  return { rewound, rewindable, oldest }
}

/** Estimates what lies from a key on, count by count. What there is no time for, where a queue was rewound very often, is left out. */
async function estimateRest(
  archives: Archives,
  queue: Queue,
  shard: number,
  key: string,
  looking: Omit<Looking, 'lane' | 'partition'>,
) {
  let counts = NONE
  for (let from = key; !looking.isOver(1);) {
    const range = { from, to: LAST_KEY, limit: 1, consistent: false }
    const [first] = (await archives.survey(queue.laneId, shard, range)).states
    if (!first) break
    const { archivedIn, sentAt } = first
    const begin = beginnings(queue, archivedIn, looking.now)
    const guess = async (from: Instant, end: Instant) => {
      if (from >= end || sentAt >= end) return undefined
      const lane = asLane(archives, queue, shard, archivedIn, end)
      return estimate({ ...looking, lane, partition: '' }, keyAt(Math.max(from, sentAt)))
    }
    const [before, since] = await Promise.all([guess(begin.rewindable, begin.rewound), guess(begin.rewound, Infinity)])
    counts = sum(counts, {
      rewound: Math.round(since?.active ?? 0),
      rewindable: Math.round(before?.active ?? 0),
      oldest: since?.oldestSentAt ?? Infinity,
    })
    from = archiveKeyAt(archivedIn + 1)
  }
  return counts
}

/** What was archived under one count and produced before `end`, as if it were a lane of messages that are all ready. */
function asLane(
  archives: Archives,
  { laneId }: Queue,
  shard: number,
  archivedIn: number,
  end: Instant,
): Pick<Lane, 'survey'> {
  const prefix = archiveKeyAt(archivedIn).slice(0, -keyAt(0).length)
  const last = end === Infinity ? LAST_KEY : keyAt(end)
  return {
    async survey(_, { from, to, ...range }) {
      const bounds = { from: prefix + from, to: prefix + (to < last ? to : last) }
      const { states, next } = await archives.survey(laneId, shard, { ...range, ...bounds })
      return {
        states: states.map(({ sentAt, endsAt }) => ({ sentAt, visibleAt: sentAt, endsAt, leaseUntil: 0 })),
        ...(next === undefined ? {} : { next: next.slice(prefix.length) }),
      }
    },
  }
}
