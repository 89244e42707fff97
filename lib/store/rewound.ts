import { fitting, revived, type LeasedMessage, type Room } from '../domain/message.ts'
import type { Queue } from '../domain/queue.ts'
import { settledRewinds } from '../domain/rewind.ts'
import { isWithin, type Instant } from '../domain/time.ts'
import { archiveKeyAt, type Archived } from './archives.ts'
import { boundedMap } from './bounded-map.ts'
import { firstCovered } from './covered.ts'
import { keyOf, LAST_KEY, partitionOf } from './message-item.ts'
import type { Shared } from './messages.ts'

/** What one call wants of the archive of one shard. */
export interface ArchiveLook {
  readonly room: Room
  /** Nothing produced earlier is still alive. */
  readonly oldest: Instant
  /** No message is brought back later: it could not be answered any more. */
  readonly claimUntil: Instant
  readonly consistent: boolean
}

/** What rewinds make receivable again, while a queue's record names any. */
export interface Rewound {
  /** Brings messages of one shard back for one consumer, in the order of production, as many as there is room for. */
  take(queue: Queue, shard: number, look: ArchiveLook): Promise<readonly LeasedMessage[]>
  /** Whether nothing that was deleted from this shard is kept, or is to come back. */
  isEmpty(queue: Queue, shard: number): Promise<boolean>
}

/** Pages begin at a few times what is wanted, and at more where others take the same messages; they end at this. */
const FIRST_PAGE = 4
const CONTENDED_PAGE = 64
const LARGEST_PAGE = 1_000

/** How often one look tries anew when others were faster. */
const TRIES = 4

/** How long an archive in which nothing was found is left alone, in milliseconds, while something may still arrive. */
const LEFT_ALONE = 1_000

/** How often a process looks whether rewinds have nothing to deliver any more, in milliseconds. */
const END_EVERY = 30_000

/** How many archived messages are read at once to see whether there are any. */
const SOME = 25

/** Of how many shards and queues a process keeps notes. */
const NOTED = 10_000

/** The archives of queues, as their consumers see them. */
export function rewoundMessages({ archives, queues, shards, clock, ids, random, report }: Shared): Rewound {
  /** In whose archive nothing was found, under which count, and how long that is good. */
  const done = boundedMap<{ count: number; until: Instant }>(NOTED)
  const endTries = boundedMap<Instant>(NOTED)

  const isDone = ({ laneId, archive }: Queue, shard: number): boolean => {
    const last = done.get(partitionOf(laneId, shard))
    return last !== undefined && last.count === archive.count && clock.now() < last.until
  }

  /** What a consistent look finds empty once nobody archives anything any more that is covered, stays so. */
  function noteDone({ laneId, archive }: Queue, shard: number, at: Instant, consistent: boolean): void {
    const isSettled = settledRewinds(archive, at).length === archive.rewinds.length
    const until = consistent && isSettled ? Infinity : at + LEFT_ALONE
    done.set(partitionOf(laneId, shard), { count: archive.count, until })
  }

  async function revive(queue: Queue, shard: number, archived: Archived): Promise<LeasedMessage | undefined> {
    const leased = revived(archived.message, queue.attributes.visibilityTimeout, ids.leaseId(), clock.now())
    if (!(await archives.revive(queue.laneId, shard, archived, leased))) return undefined
    shards.of(partitionOf(queue.laneId, shard)).front.hold(keyOf(leased), leased.leaseUntil)
    return leased
  }

  async function reviveAll(
    queue: Queue,
    shard: number,
    chosen: readonly Archived[],
  ): Promise<readonly LeasedMessage[]> {
    const outcomes = await Promise.allSettled(chosen.map((archived) => revive(queue, shard, archived)))
    const won = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' && outcome.value ? [outcome.value] : []))
    const failure = outcomes.find((outcome) => outcome.status === 'rejected')
    if (failure && won.length === 0) throw failure.reason
    // What was taken is answered: nobody else will have it until its lease ends.
    if (failure) report('some rewound messages could not be taken', { queue: queue.name, error: failure.reason })
    return won
  }

  /** The first that are there; where others take them too, a run at a random place, which they may leave to us. */
  async function choose(queue: Queue, shard: number, look: ArchiveLook): Promise<readonly Archived[]> {
    const now = clock.now()
    const { room, oldest, consistent } = look
    const isContended = shards.of(partitionOf(queue.laneId, shard)).pace.isContended(now)
    const limit = Math.min(LARGEST_PAGE, Math.max(FIRST_PAGE * room.messages, isContended ? CONTENDED_PAGE : 0))
    const wanted = isContended ? limit : room.messages
    const { rewinds } = queue.archive
    const search = { laneId: queue.laneId, shard, rewinds, oldest, wanted, limit, consistent }
    const found = (await firstCovered(archives, search, now)).toSorted(byProduction)
    if (found.length === 0) noteDone(queue, shard, now, consistent)
    const places = isContended ? Math.max(0, found.length - room.messages) + 1 : 1
    const run = found.slice(Math.floor(random() * places))
    return run.slice(
      0,
      fitting(
        run.map(({ message }) => message),
        room,
      ).length,
    )
  }

  /** Takes rewinds from the record that have nothing to deliver in any shard. One process does it; all may try. */
  async function endRewinds(queue: Queue, oldest: Instant): Promise<void> {
    const now = clock.now()
    const { id, name, laneId, readShards } = queue
    const rewinds = settledRewinds(queue.archive, now)
    if (rewinds.length === 0 || isWithin(endTries.get(id) ?? -Infinity, now, END_EVERY)) return
    endTries.set(id, now)
    try {
      for (let shard = 0; shard < readShards; shard++) {
        const search = { laneId, shard, rewinds, oldest, wanted: 1, limit: SOME, consistent: true }
        if ((await firstCovered(archives, search, now)).length > 0) return
      }
      await queues.endRewinds(queue, rewinds, ids.leaseId())
    } catch (error) {
      report('rewinds that are over could not be given up', { queue: name, error })
    }
  }

  return {
    async take(queue, shard, look) {
      if (queue.archive.rewinds.length === 0) return []
      for (let tries = 0; tries < TRIES && clock.now() <= look.claimUntil && !isDone(queue, shard); tries++) {
        const chosen = await choose(queue, shard, look)
        const won = await reviveAll(queue, shard, chosen)
        if (won.length > 0) return won
        if (chosen.length > 0) shards.of(partitionOf(queue.laneId, shard)).pace.lost(clock.now(), true)
      }
      if (isDone(queue, shard)) await endRewinds(queue, look.oldest)
      return []
    },

    async isEmpty({ laneId, archive }, shard) {
      if (archive.rewinds.length > 0) return false
      const now = clock.now()
      let from: string | undefined = archiveKeyAt(archive.since)
      while (from !== undefined) {
        const page = await archives.survey(laneId, shard, { from, to: LAST_KEY, limit: SOME, consistent: true })
        if (page.states.some(({ endsAt }) => endsAt > now)) return false
        from = page.next
      }
      return true
    },
  }
}

const byProduction = (a: Archived, b: Archived): number => (keyOf(a.message) < keyOf(b.message) ? -1 : 1)
