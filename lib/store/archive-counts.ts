import type { Queue } from '../domain/queue.ts'
import { coveredFrom, rewindableFrom } from '../domain/rewind.ts'
import type { Instant } from '../domain/time.ts'
import { archiveKeyAt, type ArchivedState, type Archives } from './archives.ts'
import { estimate, NONE, oldest, sum, type CountArchive, type MessageCounts } from './counts.ts'
import type { Lane } from './lane.ts'
import { keyAt, LAST_KEY } from './message-item.ts'
import type { Shared } from './messages.ts'

/** Counts in the archives of queues. */
export const archiveCounter =
  ({ archives, clock }: Pick<Shared, 'archives' | 'clock'>): CountArchive =>
  async (queue, shard, { most, milliseconds }, now) => {
    const { laneId, archive } = queue
    const startedAt = clock.now()
    let counts = NONE
    let from = archiveKeyAt(Math.min(archive.since, ...archive.rewinds.map(({ since }) => since)))
    for (let counted = 0; counted < most && clock.now() - startedAt < milliseconds;) {
      const range = { from, to: LAST_KEY, limit: most - counted, consistent: true }
      const { states, next } = await archives.survey(laneId, shard, range)
      counts = sum(counts, tally(states, queue, now))
      if (next === undefined) return counts
      counted += states.length
      from = next
    }
    return sum(counts, await estimateRest(archives, queue, shard, from, now))
  }

/** Where the messages of one count begin that a rewind has made receivable, and those of which one could. */
function beginnings({ archive, attributes }: Queue, archivedIn: number, now: Instant) {
  const rewound = coveredFrom(archive.rewinds, archivedIn) ?? Infinity
  const rewindable = rewindableFrom(archive, attributes.rewindSeconds, archivedIn, now) ?? Infinity
  return { rewound, rewindable: Math.min(rewound, rewindable) }
}

function tally(states: readonly ArchivedState[], queue: Queue, now: Instant): MessageCounts {
  let [active, rewindable, oldestSentAt] = [0, 0, Infinity]
  for (const { archivedIn, sentAt, endsAt } of states) {
    const begin = beginnings(queue, archivedIn, now)
    if (endsAt <= now || sentAt < begin.rewindable) continue
    if (sentAt < begin.rewound) rewindable++
    else {
      active++
      oldestSentAt = Math.min(oldestSentAt, sentAt)
    }
  }
  return { ...NONE, active, rewindable, ...oldest(oldestSentAt) }
}

/** Estimates what lies from a key on, count by count. */
async function estimateRest(archives: Archives, queue: Queue, shard: number, key: string, now: Instant) {
  let counts = NONE
  for (let from: string | undefined = key; from !== undefined;) {
    const range = { from, to: LAST_KEY, limit: 1, consistent: false }
    const [first] = (await archives.survey(queue.laneId, shard, range)).states
    if (!first) break
    const { archivedIn, sentAt } = first
    const { rewound, rewindable } = beginnings(queue, archivedIn, now)
    const guess = (begin: Instant, end: Instant) =>
      begin < end && sentAt < end
        ? estimate(asLane(archives, queue, shard, archivedIn, end), '', keyAt(Math.max(begin, sentAt)), now)
        : NONE
    const [before, since] = await Promise.all([guess(rewindable, rewound), guess(rewound, Infinity)])
    counts = [{ ...NONE, rewindable: before.active }, since].reduce(sum, counts)
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
