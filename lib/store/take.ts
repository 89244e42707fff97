import { CmqError } from '../domain/errors.ts'
import type { Ids } from '../domain/ids.ts'
import { isExpired, isReady, type LeasedMessage, type Message, type Room } from '../domain/message.ts'
import type { Clock, Instant, Seconds } from '../domain/time.ts'
import { newBasket, type Basket } from './basket.ts'
import { FULL_LOOK_EVERY, STALE, type Look } from './front.ts'
import type { Buried, Bury } from './undertaker.ts'
import type { Shard } from './shards.ts'
import type { Lane } from './lane.ts'
import { instantOfKey, keyAfter, keyAt, keyOf } from './message-item.ts'
import type { Report } from './messages.ts'

/** One call at one shard. */
export interface Take {
  readonly partition: string
  readonly shard: Shard
  readonly visibilityTimeout: Seconds
  /** Nothing that became visible before this instant is still alive. */
  readonly oldest: Instant
  readonly room: Room
  /** No claim begins later: its message could not be answered any more. */
  readonly claimUntil: Instant
  /** Consistent looks find what was sent a moment ago; eventual ones cost half. */
  readonly consistent: boolean
  /** Where messages go to a dead-letter queue. */
  readonly bury?: Bury
}

/** Takes ready messages of one shard for one consumer, the first in order, as many as there is room for. */
export type Taker = (take: Take) => Promise<readonly LeasedMessage[]>

/** Pages begin at a few times what is wanted, grow while they hold nothing ready, and end at this. */
const LARGEST_PAGE = 1_000
const FIRST_PAGE = 4

/** Reading a run of keys costs as much as fetching a thirteenth of them one by one: 4 KB a unit against one item. */
const ITEMS_PER_UNIT = 13

/** The page from which a random run is taken, and how many places are tried. */
const RANDOM_PAGE = 16
const RANDOM_PLACES = 3

/** How often a contended shard is looked at for what came free again, and from its front, all the same. */
const AGAIN_AMONG_RANDOM = 1 / 4
const FRONT_AMONG_RANDOM = 1 / 32

/** How often one call looks for messages that came free again before it goes on to new ones. */
const ROUNDS_AGAIN = 3

/** What a taker works with. */
export interface TakerOptions {
  readonly lane: Lane
  readonly clock: Clock
  readonly ids: Ids
  readonly random: () => number
  readonly report: Report
}

/** Takes over one lane. */
export function taker({ lane, clock, ids, random, report }: TakerOptions): Taker {
  return async (take) => {
    const { pace } = take.shard
    const basket = newBasket(lane, clock, ids, { ...take, front: take.shard.front })
    const { taken } = basket
    await inTurn(take, basket).catch((error: unknown) => {
      // What was taken before the failure is answered: nobody else will have it until its lease ends.
      if (taken.length === 0) throw error
      report('a look failed after it had taken something', { partition: take.partition, error })
    })
    if (taken.length > 0) pace.tookSome()
    else pace.tookNone(clock.now())
    return taken.toSorted(byKey)
  }

  async function inTurn(take: Take, basket: Basket): Promise<void> {
    const { pace } = take.shard
    if (pace.isContended(clock.now())) {
      if (random() < AGAIN_AMONG_RANDOM) await again(take, basket)
      if (basket.taken.length === 0 && random() >= FRONT_AMONG_RANDOM) await anywhere(take, basket)
    }
    if (basket.taken.length === 0) await again(take, basket)
    if (basket.hasRoom()) await fromFront(take, basket)
  }

  /** Messages in front whose remembered leases have ended. */
  async function again(take: Take, basket: Basket): Promise<void> {
    const { front, pace } = take.shard
    for (let round = 0; round < ROUNDS_AGAIN && basket.hasRoom(); round++) {
      const now = clock.now()
      const due = front.due(now, LARGEST_PAGE)
      if (due.length === 0) return
      // Where others look at the same ones, each begins elsewhere.
      const keys = pace.isContended(now) ? due.slice(Math.floor(random() * due.length)) : due
      const { messages, upTo } = await read(take, keys, basket.room())
      const found = new Set(messages.map(keyOf))
      front.forget(keys.filter((key) => key <= upTo && !found.has(key)))
      const { alive } = await living(
        take,
        messages.filter((message) => isFree(take.shard, message, now)),
      )
      const { lost } = await basket.claim(alive)
      if (lost > 0) pace.lost(now, due.length > LARGEST_PAGE / 2)
    }
  }

  /** The first messages of these keys, in order, and up to which key that is all there are of them. */
  async function read({ partition, shard, consistent }: Take, keys: readonly string[], wanted: number) {
    const limit = FIRST_PAGE * wanted + ITEMS_PER_UNIT
    for (const count of [keys.length, 10 * limit, limit]) {
      const run = keys.slice(0, count)
      const [from = '', to = ''] = [run[0], run.at(-1)]
      // One query where the keys lie close together: most of a long run is often gone.
      if (shard.front.heldBetween(from, to) > ITEMS_PER_UNIT * run.length) continue
      const { messages, next } = await lane.page(partition, { from, to, limit, consistent })
      const last = messages.at(-1)
      return { messages, upTo: next === undefined ? to : last ? keyOf(last) : '' }
    }
    const few = keys.slice(0, Math.max(8, wanted))
    const messages = await lane.get(partition, few, consistent)
    return { messages: messages.toSorted(byKey), upTo: few.at(-1) ?? '' }
  }

  async function fromFront(take: Take, basket: Basket): Promise<void> {
    const { partition, shard, consistent } = take
    const { front, pace } = shard
    await askForFullLook(take)
    if (front.isCrowded(clock.now()) && !front.startAnew(clock.now())) return refuse(basket)
    const look = front.begin(clock.now())
    const end = keyAfter(look.at)
    let from = max(look.from, keyAt(take.oldest))
    const held = front.heldBetween(from, end)
    // What landed behind the front did so a while ago: an eventual read shows it. Where there is much of it that is cheaper.
    const isApart = consistent && front.heldBetween(from, look.front) > ITEMS_PER_UNIT
    const first = Math.max(FIRST_PAGE * basket.room(), pace.isContended(look.at) ? RANDOM_PAGE : 0)
    for (let limit = Math.min(LARGEST_PAGE, first + held); ;) {
      const isBehind = isApart && from < look.front
      const to = isBehind ? look.front : end
      const range = { from, to, limit, consistent: consistent && !isBehind }
      const page = await lane.page(partition, range)
      reconcile(shard, page.messages, from, page.next ?? to, look)
      const left = await takeFrom(take, basket, page.messages, look, page.messages.length === limit)
      if (left !== undefined) {
        front.passed(look, left, range.consistent)
        front.stopAt(left)
        break
      }
      front.passed(look, page.next ?? to, range.consistent)
      if (page.next === undefined && to === end) break
      from = page.next ?? to
      if (!basket.hasRoom()) {
        front.stopAt(from)
        break
      }
      if (front.isCrowded(look.at)) return refuse(basket)
      limit = Math.min(LARGEST_PAGE, limit * FIRST_PAGE)
    }
    front.finished(look)
  }

  /** Too much is in flight for anyone to look past it (406/5839). */
  function refuse({ taken }: Basket): void {
    if (taken.length === 0) throw new CmqError('tooManyUnacked')
  }

  /** Once a minute one of all processes looks at the whole shard. A look without that is better than none. */
  async function askForFullLook({ partition, shard: { front } }: Take): Promise<void> {
    if (!front.mayLookFully(clock.now())) return
    const turn = await lane.winLook(partition, FULL_LOOK_EVERY).catch((error: unknown) => {
      report('nobody could be chosen for a full look', { partition, error })
      return undefined
    })
    if (turn?.won) front.lookFully()
    else if (turn) front.lookedFully(turn.at)
  }

  /** Forgets what other processes have deleted: what is held, and no longer there. */
  function reconcile({ front }: Shard, page: readonly Message[], from: string, to: string, look: Look): void {
    const old = keyAt(look.at - STALE)
    if (from < old && front.heldBetween(from, to) > 0)
      front.keepOnly(new Set(page.map(keyOf)), from, to < old ? to : old)
  }

  /** Takes what is ready in a page of the front; returns the key of the first ready message that was left. */
  async function takeFrom(take: Take, basket: Basket, page: readonly Message[], look: Look, isWhole: boolean) {
    const { front, pace } = take.shard
    const free = page.filter((message) => isFree(take.shard, message, look.at, look.isFull))
    const { alive: ready, left: dead } = await living(take, free)
    const run = pace.isContended(look.at) ? randomRun(ready, basket.room()) : ready
    const { tried, lost } = await basket.claim(run)
    const rest = ready.filter((message) => !run.slice(0, tried).includes(message))
    if (lost > 0) {
      // Where there are plenty, go elsewhere; where there are few, try those that are left once.
      pace.lost(look.at, isWhole)
      if (basket.hasRoom()) await (isWhole ? anywhere(take, basket) : basket.claim(randomRun(rest, basket.room())))
    }
    // What other calls of this process have taken meanwhile is not left.
    const left = rest.find((message) => !front.isHeld(keyOf(message), clock.now()))
    return [left && keyOf(left), dead].filter((key) => key !== undefined).toSorted()[0]
  }

  /** Takes a random run from a page at a random place between the front and now. */
  async function anywhere(take: Take, basket: Basket): Promise<void> {
    const { partition, shard, oldest, consistent } = take
    const { front, pace } = shard
    const now = clock.now()
    const begin = max(front.begin(now).front, keyAt(oldest))
    const start = instantOfKey(begin)
    let limit = Math.max(RANDOM_PAGE, basket.room())
    for (let places = 0; places < RANDOM_PLACES && basket.hasRoom(); places++) {
      const distance = Math.min(pace.reach, Math.max(0, now - start))
      const place = max(begin, keyAt(start + Math.floor(random() * distance)))
      const page = await lane.page(partition, { from: place, to: keyAfter(now), limit, consistent })
      const free = page.messages.filter((message) => isFree(shard, message, now))
      const { alive: ready } = await living(take, free)
      const { lost } = await basket.claim(randomRun(ready, basket.room()))
      if (lost > 0) pace.lost(now, true)
      // Beyond the last message there is nothing. Where all is taken already, a larger page finds more.
      if (page.next === undefined) pace.reachLess((page.messages.at(-1)?.visibleAt ?? instantOfKey(place)) - start)
      else if (ready.length === 0) limit *= FIRST_PAGE
    }
  }

  function randomRun(ready: readonly Message[], count: number): readonly Message[] {
    const start = Math.floor(random() * (ready.length - Math.min(ready.length, count) + 1))
    return ready.slice(start, start + count)
  }
}

/**
 * Whether a message that was read may be claimed; what may not is remembered. A full look believes what it reads rather
 * than what is remembered: another process may have given the message back. A wrong belief costs one refused write.
 */
function isFree({ front }: Shard, message: Message, now: Instant, isFull = false): boolean {
  const key = keyOf(message)
  if (isExpired(message, now)) {
    front.forget([key])
    return false
  }
  if (isReady(message, now)) return !front.isBeingClaimed(key) && (isFull || !front.isHeld(key, now))
  front.hold(key, message.leaseUntil)
  return false
}

/** What of ready messages may be received. */
const living = async ({ bury }: Take, ready: readonly Message[]): Promise<Buried> =>
  bury ? bury(ready) : { alive: ready }

const byKey = (a: Message, b: Message): number => (keyOf(a) < keyOf(b) ? -1 : 1)

const max = (a: string, b: string): string => (a > b ? a : b)
