import type { Failure } from '../domain/errors.ts'
import { isBeyond, isCountDue, type Counted, type Level, type Marks } from '../domain/level.ts'
import type { Queue } from '../domain/queue.ts'
import { isWithin, type Clock, type Instant, type Seconds } from '../domain/time.ts'
import type { Beside } from './beside.ts'
import { boundedMap } from './bounded-map.ts'
import { FAR_AHEAD, type CountNotes } from './count-notes.ts'
import type { MessageCounts } from './message-counts.ts'
import type { Report } from './messages.ts'
import type { Tallies } from './tallies.ts'

/** How full queues are, and what is refused where they are full. */
export interface Depth {
  /**
   * Why so many more messages are not taken; undefined where they are. They count as sent then. Nothing is waited for unless
   * the queue seems to be full by a count that is no longer new: then for another.
   */
  refusal(queue: Queue, messages: number, delaySeconds: Seconds): Promise<Failure | undefined>
  /** Whether not one message more is taken. Nothing counts as sent by that: what is put in is told by `sent`. */
  isFull(queue: Queue): Promise<boolean>
  /** Counts what was put into the queue after `isFull` was asked. */
  sent(queue: Queue, messages: number): void
  /** Whether too much of the queue is in flight for anyone to receive more. */
  isCrowded(queue: Queue): Promise<boolean>
}

/** What may be in one queue, beside what its own attributes say. 0 is no limit. */
export interface DepthLimits {
  readonly maxInFlight: number
  readonly maxDelayed: number
}

/** What depths are known by. */
export interface DepthStores {
  readonly tallies: Tallies
  readonly notes: CountNotes
  /** How many messages there are now. */
  readonly count: (queue: Queue) => Promise<MessageCounts>
  readonly clock: Clock
  readonly beside: Beside
  readonly report: Report
}

/** In which respect a queue may be full, and by which tally that grows. */
const respects = { messages: 'send', delayed: 'delay', inFlight: 'receive' } as const
type Respect = keyof typeof respects

/** How often a process asks for a queue whether it may count it, in milliseconds. */
const ASKS_EVERY = 1_000

/** Of how many queues a process keeps that. */
const KNOWN = 10_000

/** The depths of queues, over these stores. */
export function depth(stores: DepthStores, limits: DepthLimits): Depth {
  const { tallies, notes, count, clock, beside, report } = stores
  const asked = boundedMap<Instant>(KNOWN)
  const sights = boundedMap<{ readonly at: Instant | undefined; readonly own: number }>(KNOWN)

  const limitOf = ({ attributes }: Queue, respect: Respect): number =>
    respect === 'messages' ? attributes.maxMsgHeapNum : respect === 'delayed' ? limits.maxDelayed : limits.maxInFlight

  function levelOf(queue: Queue, respect: Respect, counted: Counted | undefined): Level {
    const tally = respects[respect]
    const { all, own } = tallies.total(queue.id, tally)
    // What this process has done since it first saw this count: it may have been told less of the others than the counter.
    const mine = own - sightOf(`${queue.id}#${tally}`, counted, own).own
    return {
      counted: counted?.[respect],
      added: Math.max(mine, all - (counted?.marks[tally] ?? 0)),
      limit: limitOf(queue, respect),
    }
  }

  function sightOf(key: string, counted: Counted | undefined, own: number) {
    const last = sights.get(key)
    if (last && last.at === counted?.at) return last
    const sight = { at: counted?.at, own: counted ? own : 0 }
    sights.set(key, sight)
    return sight
  }

  /** Whether so many more are too many, of which `open` have not been added yet. */
  async function isTooFull(queue: Queue, respect: Respect, more: number, open = 0): Promise<boolean> {
    if (limitOf(queue, respect) === 0) return false
    const counted = countedOf(queue)
    const level = levelOf(queue, respect, counted)
    const isFull = isBeyond(level, open)
    if (!isCountDue(level, ageOf(counted))) return isFull
    if (!isFull) beside.begin('counting a queue', async () => void (await recount(queue)))
    const again = isFull ? await recount(queue).catch(toldOf) : undefined
    return again ? isBeyond(levelOf(queue, respect, again), more) : isFull
  }

  /** What was counted at a time that is far from having come tells nothing of when. */
  function ageOf(counted: Counted | undefined): number {
    const age = counted ? clock.now() - counted.at : Infinity
    return age < -FAR_AHEAD ? Infinity : age
  }

  /** Counts, unless somebody else does. */
  async function recount(queue: Queue): Promise<Counted | undefined> {
    const now = clock.now()
    if (isWithin(asked.get(queue.id) ?? -Infinity, now, ASKS_EVERY)) return undefined
    asked.set(queue.id, now)
    if (!(await notes.mayCount(queue, now))) return undefined
    const marks = await marksOf(queue)
    const at = clock.now()
    const { active, inactive, delayed } = await count(queue)
    const messages = active + inactive + delayed
    const counted = { at, laneId: queue.laneId, messages, delayed, inFlight: inactive, marks }
    await notes.note(queue, counted)
    return counted
  }

  function toldOf(error: unknown): undefined {
    report('a full queue could not be counted again', { error })
  }

  async function marksOf({ id }: Queue): Promise<Marks> {
    const read = (what: keyof Marks, limit = 1) => (limit === 0 ? 0 : tallies.read(id, what))
    const [send, delay, receive] = await Promise.all([
      read('send'),
      read('delay', limits.maxDelayed),
      read('receive', limits.maxInFlight),
    ])
    return { send, delay, receive }
  }

  return {
    async refusal(queue, messages, delaySeconds) {
      tallies.add(queue.id, 'send', messages)
      const isDelayed = delaySeconds > 0 && limits.maxDelayed > 0
      if (isDelayed) tallies.add(queue.id, 'delay', messages)
      if (await isTooFull(queue, 'messages', messages)) return 'heapFull'
      return isDelayed && (await isTooFull(queue, 'delayed', messages)) ? 'tooManyUnacked' : undefined
    },

    isFull: (queue) => isTooFull(queue, 'messages', 1, 1),

    sent: (queue, messages) => tallies.add(queue.id, 'send', messages),

    isCrowded: (queue) => isTooFull(queue, 'inFlight', 1, 1),
  }
}

/** What is known of the lane that the queue has now. */
const countedOf = ({ counted, laneId }: Queue): Counted | undefined =>
  counted?.laneId === laneId ? counted : undefined
