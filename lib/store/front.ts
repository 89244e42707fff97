import type { Instant } from '../domain/time.ts'
import { instantOfKey, keyAt } from './lane.ts'

/**
 * What one process knows of one shard: a key before which nothing can be ready, except the messages that it remembers
 * together with the end of their leases. So messages in flight, which stay in front of the ready ones, are read once and
 * not at every receive. It is a hint: losing it costs read units, never a message.
 *
 * A write may land behind the front (a slow put, a clock that lags), so two marks trail it, and now and then a look
 * begins at one of them instead. Whatever lands up to 4 s late is found within 2 s, up to 10 s late within 10 s.
 */
export interface Front {
  /** Where a look at `now` begins: the front, or a mark whose turn it is. */
  begin(now: Instant): Beginning
  /** Everything from `from` to before `to` is held or gone; the look had begun at `look`. */
  passed(look: Beginning, to: string): void
  /** The message at `key` is ready and was left to others. */
  leftReady(key: string): void
  /** Nothing but held messages from where the look began up to `now`, or up to one that was left ready. */
  finished(look: Beginning): void
  /** Hides a message until its lease ends; then it is looked at again. */
  hold(key: string, until: Instant): void
  isHeld(key: string, now: Instant): boolean
  forget(key: string): void
  /** Up to `count` held messages whose leases have ended, the first in order; empty when there is none. */
  due(now: Instant, count: number): readonly string[]
  /** How many held messages lie between two keys, both included. */
  heldBetween(from: string, to: string): number
  /** Whether as many messages are in flight as one process is ready to remember. */
  isCrowded(): boolean
  /** A message was put by this very process: it is found at once, wherever the front is. */
  landed(key: string): void
  /** Whether it is time to ask for the look at the whole shard that one process makes every minute. */
  mayLookFully(now: Instant): boolean
  /** Makes the next look a full one. */
  lookFully(): void
  /** When a look last found nothing, so that waiting consumers of one process share their looks. */
  emptyAt: Instant
  /** Until when looks begin at random places, since other processes take what lies in front. */
  contendedUntil: Instant
  /** How far from the front, in milliseconds, those places lie at most. */
  reach: number
  /** Milliseconds that a waiting consumer pauses between two looks. */
  pause: number
}

export interface Beginning {
  readonly at: Instant
  /** Empty: at the lower bound of the lane. */
  readonly from: string
  /** The front as it was: what is read before it is read for what landed late. */
  readonly front: string
  readonly marks: readonly Mark[]
}

interface Mark {
  readonly every: number
  readonly behind: number
  key: string
  lookedAt: Instant
}

/** A put in progress carries a time that has already passed: the front stays this far behind, in milliseconds. */
const SETTLING = 250

/** How old what an eventually consistent read shows may be, in milliseconds. */
const STALE = 1_000

/** How often a process looks at the whole shard by itself, and how often one of all processes does, in milliseconds. */
const OWN_FULL_LOOK_EVERY = 15 * 60_000
export const FULL_LOOK_EVERY = 60_000

/** How many leases of one shard a process remembers. A shard with more in flight refuses to be received from. */
export const CROWDED = 50_000

export const SHORTEST_PAUSE = 100

export function newFront(crowded = CROWDED): Front {
  let key = ''
  const marks: Mark[] = [
    { every: 2_000, behind: 4_000 + STALE, key: '', lookedAt: 0 },
    { every: 10_000, behind: 10_000 + STALE, key: '', lookedAt: 0 },
    { every: OWN_FULL_LOOK_EVERY, behind: Infinity, key: '', lookedAt: 0 },
  ]
  const until = new Map<string, Instant>()
  const order: string[] = []
  const ends: [until: Instant, key: string][] = []
  const ended: string[] = []
  let askedAt: Instant | undefined

  function drop(held: string): void {
    if (!until.delete(held)) return
    removeSorted(order, held)
    removeSorted(ended, held)
  }

  /** Moves leases that have ended to those to be looked at again. What lies past the front is read there anyway. */
  function expire(now: Instant): void {
    for (let top = ends[0]; top && top[0] <= now; top = ends[0]) {
      popHeap(ends)
      const [end, held] = top
      if (until.get(held) !== end) continue
      if (held < key) insertSorted(ended, held)
      else drop(held)
    }
  }

  /** Leases that were ended early leave their ends in the heap; once these are the most, it is made anew. */
  function forgetOldEnds(): void {
    ends.length = 0
    for (const [held, end] of until) pushHeap(ends, [end, held])
  }

  return {
    emptyAt: 0,
    contendedUntil: 0,
    reach: Infinity,
    pause: SHORTEST_PAUSE,

    begin(now) {
      const turn = marks.filter((mark) => now - mark.lookedAt >= mark.every)
      const from = turn.reduce((first, mark) => (mark.key < first ? mark.key : first), key)
      return { at: now, from, front: key, marks: turn }
    },

    passed(look, to) {
      const settled = keyAt(look.at - SETTLING)
      const reached = to < settled ? to : settled
      // A look that began behind the present front says nothing of what lies between the two.
      if (look.from <= key && reached > key) key = reached
    },

    leftReady(left) {
      if (left < key) key = left
    },

    finished(look) {
      for (const mark of look.marks) {
        mark.key = mark.behind === Infinity ? '' : keyAt(look.at - mark.behind)
        mark.lookedAt = look.at
      }
    },

    hold(held, end) {
      if (until.has(held)) removeSorted(ended, held)
      else insertSorted(order, held)
      until.set(held, end)
      pushHeap(ends, [end, held])
      if (ends.length > 2 * until.size + 1_000) forgetOldEnds()
    },

    isHeld: (held, now) => (until.get(held) ?? 0) > now,

    forget: drop,

    due(now, count) {
      expire(now)
      return ended.slice(0, count)
    },

    heldBetween: (from, to) => Math.max(0, rank(order, `${to}\0`) - rank(order, from)),

    isCrowded: () => order.length >= crowded,

    mayLookFully(now) {
      // The first look of a process is a full one by itself.
      askedAt ??= now
      if (now - askedAt < FULL_LOOK_EVERY) return false
      askedAt = now
      return true
    },

    lookFully() {
      for (const mark of marks) if (mark.behind === Infinity) mark.lookedAt = 0
    },

    landed(landed) {
      if (landed < key) this.hold(landed, instantOfKey(landed))
    },
  }
}

/** The fronts of the shards that this process reads. */
export interface Fronts {
  /** The front of a shard; a new one where nothing is known. */
  of(partition: string): Front
  /** The front of a shard that this process reads already. */
  known(partition: string): Front | undefined
}

/** Of how many shards one process remembers the front. */
const KNOWN_SHARDS = 2_000

export function newFronts(crowded = CROWDED): Fronts {
  const fronts = new Map<string, Front>()
  return {
    known: (partition) => fronts.get(partition),
    of(partition) {
      const front = fronts.get(partition) ?? newFront(crowded)
      // The one that was used longest ago stands first, and is the first to go.
      fronts.delete(partition)
      fronts.set(partition, front)
      if (fronts.size > KNOWN_SHARDS) fronts.delete(fronts.keys().next().value ?? partition)
      return front
    },
  }
}

/** How many of the sorted keys are smaller. */
function rank(keys: readonly string[], key: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((keys[middle] ?? '') < key) low = middle + 1
    else high = middle
  }
  return low
}

function insertSorted(keys: string[], key: string): void {
  const at = rank(keys, key)
  if (keys[at] !== key) keys.splice(at, 0, key)
}

function removeSorted(keys: string[], key: string): void {
  const at = rank(keys, key)
  if (keys[at] === key) keys.splice(at, 1)
}

type Timed = [until: Instant, key: string]

/** A binary heap with the earliest end on top. */
function pushHeap(heap: Timed[], entry: Timed): void {
  let at = heap.push(entry) - 1
  while (at > 0) {
    const parent = (at - 1) >>> 1
    if (endAt(heap, parent) <= endAt(heap, at)) return
    swap(heap, parent, at)
    at = parent
  }
}

function popHeap(heap: Timed[]): void {
  swap(heap, 0, heap.length - 1)
  heap.pop()
  for (let at = 0; ;) {
    const left = 2 * at + 1
    const least = endAt(heap, left + 1) < endAt(heap, left) ? left + 1 : left
    if (endAt(heap, at) <= endAt(heap, least)) return
    swap(heap, at, least)
    at = least
  }
}

const endAt = (heap: readonly Timed[], at: number): Instant => heap[at]?.[0] ?? Infinity

function swap(heap: Timed[], a: number, b: number): void {
  const first = heap[a]
  const second = heap[b]
  if (!first || !second) return
  heap[a] = second
  heap[b] = first
}
