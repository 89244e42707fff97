import type { Queue } from '../domain/queue.ts'
import type { Instant } from '../domain/time.ts'
import type { Lane } from './lane.ts'
import { instantOfKey, keyAfter, keyAt, LAST_KEY, partitionOf, type MessageState } from './message-item.ts'
import type { Shared } from './messages.ts'
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
const MOST_COUNTED = 50_000
const COUNTING_TIME = 500

/**
 * An estimate reads this many messages at the beginning of each of so many stretches of time, and takes the rest of a
 * stretch to be as dense. Where most is taken so it looks more closely, a few stretches at a time, until that changes the
 * whole by less than a hundredth.
 */
const STRETCHES = 32
const SAMPLE = 100
const REFINED_AT_ONCE = 16
const REFINEMENTS = 20
const CLOSE_ENOUGH = 0.01

/** A count that read more messages than this is kept for a while, in milliseconds. */
const CHEAP = 1_000
const KEPT = 3_000

const NONE: MessageCounts = { active: 0, inactive: 0, delayed: 0 }

/** Counts the messages that lie in the lane of a queue. */
export type LaneCounter = (queue: Queue) => Promise<MessageCounts>

/** Counts up to `most` messages a shard one by one, and estimates the rest. */
export function counter({ lane, clock }: Pick<Shared, 'lane' | 'clock'>, most = MOST_COUNTED): LaneCounter {
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
    for (let counted = 0; counted < most && clock.now() - startedAt < COUNTING_TIME;) {
      const page = await lane.survey(partition, { from, to: LAST_KEY, limit: most - counted, consistent: true })
      counts = sum(counts, tally(page.states, now))
      if (page.next === undefined) return counts
      counted += page.states.length
      from = page.next
    }
    return sum(counts, await estimate(lane, partition, from, now))
  }
}

/** A stretch of a lane's time: what was counted in it, and what of it was not read. */
interface Stretch {
  readonly counted: MessageCounts
  /** What the part that was not read probably holds. */
  readonly guessed: MessageCounts
  /** The next key, and the instants that are left. */
  readonly unread?: { readonly from: string; readonly opens: Instant; readonly closes: Instant }
}

/** Estimates what lies from a key on. */
export async function estimate(
  lane: Pick<Lane, 'survey'>,
  partition: string,
  from: string,
  now: Instant,
): Promise<MessageCounts> {
  const end = await lane.survey(partition, { from, to: LAST_KEY, limit: 1, consistent: false, isBackwards: true })
  const [newest] = end.states
  if (!newest) return NONE

  async function measure(from: string, opens: Instant, closes: Instant): Promise<Stretch> {
    const range = { from, to: keyAfter(closes), limit: SAMPLE, consistent: false }
    const { states, next } = await lane.survey(partition, range)
    const counted = tally(states, now)
    const last = states.at(-1)
    if (next === undefined || !last) return { counted, guessed: NONE }
    // The last one ends the part that was read, so what lies in that part, by its density, is all but that one.
    const density = (states.length - 1) / states.length / (last.visibleAt + 1 - opens)
    const guessed = scaled(counted, (closes - last.visibleAt) * density)
    return { counted, guessed, unread: { from: next, opens: last.visibleAt, closes } }
  }

  const split = (from: string, opens: Instant, closes: Instant, parts: number): Promise<Stretch[]> => {
    const width = (closes + 1 - opens) / parts
    const bounds = Array.from({ length: parts + 1 }, (_, index) => Math.floor(opens + index * width))
    const cuts = [...new Set(bounds)]
    return Promise.all(
      cuts.slice(1).map((cut, index) => {
        const begin = cuts[index] ?? opens
        return measure(index === 0 ? from : keyAt(begin), begin, cut - 1)
      }),
    )
  }

  const refine = async ({ counted, unread }: Stretch): Promise<Stretch[]> =>
    unread ? [{ counted, guessed: NONE }, ...(await split(unread.from, unread.opens, unread.closes, 2))] : []

  let stretches = await split(from, instantOfKey(from), newest.visibleAt, STRETCHES)
  for (let round = 0, before = Infinity; round < REFINEMENTS; round++) {
    const whole = total(sumOf(stretches))
    if (Math.abs(whole - before) <= CLOSE_ENOUGH * whole) break
    before = whole
    stretches = stretches.toSorted((a, b) => total(b.guessed) - total(a.guessed))
    const vaguest = stretches.slice(0, REFINED_AT_ONCE).filter(({ unread }) => unread)
    const refined = await Promise.all(vaguest.map(refine))
    stretches = [...stretches.filter((stretch) => !vaguest.includes(stretch)), ...refined.flat()]
  }
  return sumOf(stretches)
}

const sumOf = (stretches: readonly Stretch[]): MessageCounts =>
  stretches.flatMap(({ counted, guessed }) => [counted, guessed]).reduce(sum, NONE)

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
