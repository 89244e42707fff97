import { isWithin, type Instant } from '../domain/time.ts'
import { instantOfKey, keyAt } from './message-item.ts'
import { popEnd, pushEnd, type LeaseEnd } from './lease-ends.ts'
import { insertSorted, rank, removeSorted } from './sorted-keys.ts'

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
  begin(now: Instant): Look
  /** Everything from where the look began to before `to` is held or gone. */
  passed(look: Look, to: string, consistent: boolean): void
  /** From `key` on there may be something ready: it was left to others, or not read. */
  stopAt(key: string): void
  /** The look went up to `now`, or to where the front was stopped. */
  finished(look: Look): void
  /** Hides a message until its lease ends; then it is looked at again. */
  hold(key: string, until: Instant): void
  isHeld(key: string, now: Instant): boolean
  /** Holds a message while this process claims it, until `endClaim`: no other call of it tries, whatever a look believes. */
  beginClaim(key: string, until: Instant): void
  endClaim(key: string): void
  isBeingClaimed(key: string): boolean
  /** These messages are gone, or over. */
  forget(keys: readonly string[]): void
  /** Forgets what is held between two keys, both included, and not among those that a look has found there. */
  keepOnly(found: ReadonlySet<string>, from: string, to: string): void
  /** Up to `count` messages before the front whose leases have ended, in order. */
  due(now: Instant, count: number): readonly string[]
  /** How many held messages lie between two keys, both included. */
  heldBetween(from: string, to: string): number
  /** How many messages are held. */
  held(): number
  /** Whether as many messages seem to be in flight as one process is ready to remember. */
  isCrowded(now: Instant): boolean
  /** Forgets everything, where much of it may be gone by now; false when it did so a moment ago. */
  startAnew(now: Instant): boolean
  /** Whether it is time to ask for the look at the whole shard that one process makes every minute. */
  mayLookFully(now: Instant): boolean
  /** Another process had its turn at this instant. */
  lookedFully(at: Instant): void
  /** Makes the next look a full one. */
  lookFully(): void
  /** A message was put by this very process: it is found at once, wherever the front is. */
  landed(key: string): void
}

/** One look at a shard. */
export interface Look {
  readonly at: Instant
  /** Empty: at the lower bound of the lane. */
  readonly from: string
  /** The front as it was: what is read before it is read for what landed late. */
  readonly front: string
  readonly isFull: boolean
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
export const STALE = 1_000

/** How often a process looks at the whole shard by itself, and how often one of all processes does, in milliseconds. */
const OWN_FULL_LOOK_EVERY = 15 * 60_000
export const FULL_LOOK_EVERY = 60_000

/** How many leases of one shard a process remembers. A shard with more in flight refuses to be received from. */
export const CROWDED = 50_000

/** How often a process that is crowded looks whether that is still so, in milliseconds. */
const ANEW_EVERY = 60_000

/** From how many keys on it is faster to sift the whole list than to take them out one by one. */
const MANY = 50

/** A front that knows nothing, and will remember up to `crowded` leases. */
export function newFront(crowded = CROWDED): Front {
  let key = ''
  const marks: Mark[] = [
    { every: 2_000, behind: 4_000 + STALE, key: '', lookedAt: -Infinity },
    { every: 10_000, behind: 10_000 + STALE, key: '', lookedAt: -Infinity },
    { every: OWN_FULL_LOOK_EVERY, behind: Infinity, key: '', lookedAt: -Infinity },
  ]
  const until = new Map<string, Instant>()
  const claims = new Set<string>()
  /** All that is held, in order of the keys; those whose leases have ended; and the ends, the earliest on top. */
  let order: string[] = []
  let ended: string[] = []
  let ends: LeaseEnd[] = []
  let askedAt: Instant | undefined
  let anewAt = -Infinity

  function expire(now: Instant): void {
    for (let top = ends[0]; top && top[0] <= now; top = ends[0]) {
      popEnd(ends)
      const [end, held] = top
      if (until.get(held) === end) insertSorted(ended, held)
    }
  }

  function forget(keys: readonly string[]): void {
    const known = keys.filter((held) => until.delete(held))
    if (known.length > MANY) {
      order = order.filter((held) => until.has(held))
      ended = ended.filter((held) => until.has(held))
    } else
      for (const held of known) {
        removeSorted(order, held)
        removeSorted(ended, held)
      }
  }

  function hold(held: string, end: Instant): void {
    if (until.has(held)) removeSorted(ended, held)
    else insertSorted(order, held)
    until.set(held, end)
    pushEnd(ends, [end, held])
    // Leases that were ended early leave their ends in the heap; once these are the most, it is made anew.
    if (ends.length > 2 * until.size + 1_000) {
      ends = []
      for (const [other, itsEnd] of until) pushEnd(ends, [itsEnd, other])
    }
  }

  return {
    begin(now) {
      const turn = marks.filter((mark) => !isWithin(mark.lookedAt, now, mark.every))
      const from = turn.reduce((first, mark) => (mark.key < first ? mark.key : first), key)
      return { at: now, from, front: key, isFull: turn.some((mark) => mark.behind === Infinity), marks: turn }
    },

    passed(look, to, consistent) {
      const settled = keyAt(look.at - SETTLING - (consistent ? 0 : STALE))
      const reached = to < settled ? to : settled
      // A look that began behind the present front says nothing of what lies between the two.
      if (look.from <= key && reached > key) key = reached
    },

    stopAt(stop) {
      if (stop < key) key = stop
    },

    finished(look) {
      for (const mark of look.marks) {
        mark.key = mark.behind === Infinity ? '' : keyAt(look.at - mark.behind)
        mark.lookedAt = look.at
      }
    },

    hold,
    forget,
    beginClaim(claimed, end) {
      claims.add(claimed)
      hold(claimed, end)
    },
    endClaim: (claimed) => void claims.delete(claimed),
    isBeingClaimed: (key) => claims.has(key),
    isHeld: (held, now) => (until.get(held) ?? 0) > now,

    keepOnly(found, from, to) {
      forget(order.slice(rank(order, from), rank(order, `${to}\0`)).filter((held) => !found.has(held)))
    },

    due(now, count) {
      expire(now)
      return ended.slice(0, Math.min(count, rank(ended, key)))
    },

    heldBetween: (from, to) => Math.max(0, rank(order, `${to}\0`) - rank(order, from)),

    held: () => order.length,

    isCrowded(now) {
      expire(now)
      return order.length - ended.length >= crowded
    },

    startAnew(now) {
      if (isWithin(anewAt, now, ANEW_EVERY)) return false
      anewAt = now
      key = ''
      until.clear()
      order = []
      ended = []
      ends = []
      return true
    },

    mayLookFully(now) {
      // The first look of a process is a full one by itself.
      askedAt ??= now
      if (isWithin(askedAt, now, FULL_LOOK_EVERY)) return false
      askedAt = now
      return true
    },

    lookedFully(at) {
      // Its clock may be ahead.
      askedAt = Math.min(at, askedAt ?? at)
    },

    lookFully() {
      for (const mark of marks) if (mark.behind === Infinity) mark.lookedAt = -Infinity
    },

    landed(landed) {
      if (landed < key) hold(landed, instantOfKey(landed))
    },
  }
}
