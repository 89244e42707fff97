import type { Ids } from '../domain/ids.ts'
import { fitting, lease, roomBeside, type LeasedMessage, type Message, type Room } from '../domain/message.ts'
import type { Clock, Instant, Seconds } from '../domain/time.ts'
import type { Front } from './front.ts'
import type { Lane } from './lane.ts'
import { keyOf } from './message-item.ts'

/** What one call takes from one shard. */
export interface Basket {
  readonly taken: readonly LeasedMessage[]
  hasRoom(): boolean
  /** How many messages there is room for. */
  room(): number
  /** Claims what fits, the first in order, all at once. Tells how many it tried, and at how many others were faster. */
  claim(ready: readonly Message[]): Promise<Claimed>
}

/** How a round of claims went. */
export interface Claimed {
  readonly tried: number
  readonly lost: number
}

/** What one call wants of one shard. */
export interface BasketOptions {
  readonly partition: string
  readonly front: Front
  readonly visibilityTimeout: Seconds
  readonly room: Room
  /** No claim begins later: its message could not be answered any more. */
  readonly claimUntil: Instant
}

/** How long a message counts as taken of which a claim failed without telling, in milliseconds. */
const FAILED_FOR = 1_000

/** An empty basket. What it claims is held at the front of its shard. */
export function newBasket(lane: Lane, clock: Clock, ids: Ids, options: BasketOptions): Basket {
  const { partition, front, visibilityTimeout, room, claimUntil } = options
  const taken: LeasedMessage[] = []
  let isFull = false

  async function claimOne(seen: Message): Promise<LeasedMessage | undefined> {
    const key = keyOf(seen)
    const leased = lease(seen, visibilityTimeout, ids.leaseId(), clock.now())
    front.beginClaim(key, leased.leaseUntil)
    try {
      const outcome = await lane.claim(partition, seen, leased)
      if (outcome.won) return leased
      if (outcome.found) front.hold(key, outcome.found.leaseUntil)
      else front.forget([key])
      return undefined
    } catch (error) {
      front.hold(key, clock.now() + FAILED_FOR)
      throw error
    } finally {
      front.endClaim(key)
    }
  }

  return {
    taken,
    hasRoom: () => !isFull && taken.length < room.messages,
    room: () => room.messages - taken.length,

    async claim(ready) {
      if (clock.now() > claimUntil) isFull = true
      const left = roomBeside(taken, room)
      const chosen = isFull ? [] : fitting(ready, left)
      // The next one is too long for the answer.
      isFull ||= chosen.length < Math.min(ready.length, left.messages)
      const outcomes = await Promise.allSettled(chosen.map(claimOne))
      const won = outcomes.flatMap((outcome) =>
        outcome.status === 'fulfilled' && outcome.value ? [outcome.value] : [],
      )
      taken.push(...won)
      const failure = outcomes.find((outcome) => outcome.status === 'rejected')
      if (failure) throw failure.reason
      return { tried: chosen.length, lost: chosen.length - won.length }
    },
  }
}
