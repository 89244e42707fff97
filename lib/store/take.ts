import { CmqError } from '../domain/errors.ts'
import {
  fitting,
  isExpired,
  isInFlight,
  lease,
  roomBeside,
  type LeasedMessage,
  type Message,
  type Room,
} from '../domain/message.ts'
import type { Clock, Instant, Seconds } from '../domain/time.ts'
import type { Ids } from '../domain/ids.ts'
import { FULL_LOOK_EVERY, SHORTEST_PAUSE, type Beginning, type Front } from './front.ts'
import { instantOfKey, keyAfter, keyAt, keyOf, type Lane } from './lane.ts'

export interface Take {
  readonly partition: string
  readonly front: Front
  readonly visibilityTimeout: Seconds
  /** Nothing that became visible before this instant is still alive. */
  readonly oldest: Instant
  readonly room: Room
  /** No claim begins later: its message could not be answered any more. */
  readonly claimUntil: Instant
  /** Consistent looks find what was sent a moment ago; eventual ones cost half. */
  readonly consistent: boolean
}

/** Takes ready messages of one shard for one consumer, the first in order, as many as there is room for. */
export type Taker = (take: Take) => Promise<readonly LeasedMessage[]>

/** Pages begin at a few times what is wanted, grow while they hold nothing ready, and end at this. */
const LARGEST_PAGE = 1_000

/** Reading a run of keys costs as much as fetching a thirteenth of them one by one: 4 KB a unit against one item. */
const ITEMS_PER_UNIT = 13

/** The page from which a random run is taken. */
const RANDOM_PAGE = 16

/** How long looks begin at random places after a lost race, and how long a message lost in one counts as taken. */
const CONTENDED_FOR = 2_000
const LOST_FOR = 1_000

const LONGEST_PAUSE = 1_000

export function taker(lane: Lane, clock: Clock, ids: Ids, random: () => number): Taker {
  return async (take) => {
    const { front } = take
    const taking = attempt(take)
    const { taken } = taking
    await takeInTurn(take, taking).catch((error: unknown) => {
      // What was taken before the failure is answered: nobody else will have it until its lease ends.
      if (taken.length === 0) throw error
    })
    if (taken.length > 0) front.pause = SHORTEST_PAUSE
    else front.emptyAt = clock.now()
    return taken.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
  }

  async function takeInTurn({ front, partition }: Take, taking: ReturnType<typeof attempt>): Promise<void> {
    if (clock.now() < front.contendedUntil) await taking.anywhere()
    if (taking.taken.length === 0) await taking.again()
    if (!taking.hasRoom()) return
    if (front.mayLookFully(clock.now()) && (await lane.winLook(partition, FULL_LOOK_EVERY))) front.lookFully()
    await taking.fromFront()
  }

  function attempt({ partition, front, visibilityTimeout, oldest, room: whole, claimUntil, consistent }: Take) {
    const taken: LeasedMessage[] = []
    const room = (): Room => roomBeside(taken, whole)
    let isFull = false

    const hasRoom = () => !isFull && taken.length < whole.messages

    /** Whether the message may be claimed; what may not is remembered, or forgotten. */
    function isFree(message: Message, now: Instant): boolean {
      const key = keyOf(message)
      if (front.isHeld(key, now)) return false
      if (isExpired(message, now)) {
        front.forget(key)
        return false
      }
      if (isInFlight(message, now)) front.hold(key, message.leaseUntil)
      return !isInFlight(message, now)
    }

    /** Claims what fits, all at once. Returns how many it tried, and how many of these others were faster to take. */
    async function claim(ready: readonly Message[]): Promise<{ tried: number; lost: number }> {
      if (clock.now() > claimUntil) isFull = true
      const chosen = isFull ? [] : fitting(ready, room())
      isFull ||= chosen.length < Math.min(ready.length, room().messages)
      const outcomes = await Promise.allSettled(chosen.map(claimOne))
      const won = outcomes.flatMap((outcome) =>
        outcome.status === 'fulfilled' && outcome.value ? [outcome.value] : [],
      )
      taken.push(...won)
      const failure = outcomes.find((outcome) => outcome.status === 'rejected')
      if (failure && taken.length === 0) throw failure.reason
      return { tried: chosen.length, lost: outcomes.filter(isLost).length }
    }

    async function claimOne(seen: Message): Promise<LeasedMessage | undefined> {
      const key = keyOf(seen)
      const leased = lease(seen, visibilityTimeout, ids.leaseId(), clock.now())
      // Held before the answer is there, so that other calls of this process do not try it too.
      front.hold(key, leased.leaseUntil)
      try {
        const outcome = await lane.claim(partition, seen, leased)
        if (outcome.won) return leased
        if (outcome.found) front.hold(key, outcome.found.leaseUntil)
        else front.forget(key)
        return undefined
      } catch (error) {
        front.hold(key, clock.now() + LOST_FOR)
        throw error
      }
    }

    /** Messages in front whose remembered leases have ended. */
    async function again(): Promise<void> {
      for (let count = Math.max(8, whole.messages); hasRoom(); count = Math.min(100, count * 4)) {
        const now = clock.now()
        const keys = front.due(now, count)
        if (keys.length === 0) return
        const found = await read(keys)
        const present = new Set(found.map(keyOf))
        for (const key of keys) if (!present.has(key)) front.forget(key)
        await claim(found.filter((message) => isFree(message, now)))
      }
    }

    /** The messages of these keys, in order: as one run where they lie close together, else one by one. */
    async function read(keys: readonly string[]): Promise<readonly Message[]> {
      const from = keys[0] ?? ''
      const to = keys.at(-1) ?? ''
      const between = front.heldBetween(from, to)
      if (between <= Math.min(LARGEST_PAGE, ITEMS_PER_UNIT * keys.length)) {
        const page = await lane.page(partition, { from, to, limit: LARGEST_PAGE, consistent })
        if (page.next === undefined) return page.messages
      }
      const found = await lane.get(partition, keys, consistent)
      return found.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
    }

    async function fromFront(): Promise<void> {
      const look = front.begin(clock.now())
      const end = keyAfter(look.at)
      let from = max(look.from, keyAt(oldest))
      for (let limit = firstPage(from, end); ;) {
        if (front.isCrowded()) {
          if (taken.length === 0) throw new CmqError('tooManyUnacked')
          return
        }
        // What landed behind the front did so a while ago: an eventual read shows it, and costs half.
        const isApart = consistent && from < look.front
        const to = isApart ? look.front : end
        const page = await lane.page(partition, { from, to, limit, consistent: consistent && !isApart })
        const stop = await takeOf(page.messages, page.messages.length === limit, look)
        if (stop) break
        front.passed(look, page.next ?? to)
        if (page.next === undefined && to === end) break
        from = page.next ?? to
        if (!hasRoom()) break
        limit = Math.min(LARGEST_PAGE, limit * 4)
      }
      front.finished(look)
    }

    const firstPage = (from: string, to: string) =>
      Math.min(LARGEST_PAGE, 4 * whole.messages + front.heldBetween(from, to))

    /** Takes what is ready in a page of the front; true when something ready was left, so that the front stays there. */
    async function takeOf(page: readonly Message[], isWhole: boolean, look: Beginning): Promise<boolean> {
      const ready = page.filter((message) => isFree(message, look.at))
      const { tried, lost } = await claim(ready)
      const left = ready.slice(tried)
      const [firstLeft] = left
      if (firstLeft) {
        front.passed(look, keyOf(firstLeft))
        front.leftReady(keyOf(firstLeft))
      }
      if (lost > 0) await afterLostRace(isWhole && ready.length === page.length, left)
      return firstLeft !== undefined
    }

    /** Others are taking the same messages. Where there are plenty, go elsewhere; where there are few, wait longer. */
    async function afterLostRace(arePlenty: boolean, left: readonly Message[]): Promise<void> {
      if (arePlenty) {
        front.contendedUntil = clock.now() + CONTENDED_FOR
        front.reach = Infinity
        if (hasRoom()) await anywhere()
      } else if (hasRoom() && left.length > 0) {
        await claim(randomRun(left))
      }
      if (taken.length === 0) front.pause = Math.min(LONGEST_PAUSE, 2 * front.pause)
    }

    /** Takes a random run from a page at a random place between the front and now. */
    async function anywhere(): Promise<void> {
      const now = clock.now()
      const begin = max(front.begin(now).front, keyAt(oldest))
      const limit = Math.max(RANDOM_PAGE, whole.messages)
      for (let attempts = 3; attempts > 0 && hasRoom(); attempts--) {
        front.reach = Math.min(front.reach, now - instantOfKey(begin))
        const place = instantOfKey(begin) + Math.floor(random() * front.reach)
        const from = max(begin, keyAt(place))
        const { messages } = await lane.page(partition, { from, to: keyAfter(now), limit, consistent })
        const ready = messages.filter((message) => !front.isHeld(keyOf(message), now) && isReadyAt(message, now))
        const { lost } = await claim(randomRun(ready))
        if (lost > 0) front.contendedUntil = now + CONTENDED_FOR
        // Beyond the last message there is nothing: the next place is nearer to the front.
        else if (ready.length === 0) front.reach /= 4
      }
    }

    const isReadyAt = (message: Message, now: Instant) => !isInFlight(message, now) && !isExpired(message, now)

    function randomRun(ready: readonly Message[]): readonly Message[] {
      const length = Math.min(ready.length, room().messages)
      const start = Math.floor(random() * (ready.length - length + 1))
      return ready.slice(start, start + length)
    }

    return { taken, hasRoom, anywhere, again, fromFront }
  }
}

const isLost = (outcome: PromiseSettledResult<LeasedMessage | undefined>): boolean =>
  outcome.status === 'fulfilled' && outcome.value === undefined

const max = (a: string, b: string): string => (a > b ? a : b)
