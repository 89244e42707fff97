import { agedSince, isDead } from '../domain/dead-letter.ts'
import type { DeadLetterPolicy } from '../domain/dead-letter-policy.ts'
import { isReady, type Message } from '../domain/message.ts'
import type { Queue } from '../domain/queue.ts'
import type { Instant } from '../domain/time.ts'
import { deadLetters, find, type Grave } from './dead-letters.ts'
import { CROWDED } from './front.ts'
import type { Page } from './lane.ts'
import { keyAfter, keyAt, keyOf, partitionOf } from './message-item.ts'
import type { Shared } from './messages.ts'
import { oldestAlive } from './receive.ts'
import type { Shard } from './shards.ts'

/** Moves to the dead-letter queue what may no longer be received, and tells what may. */
export type Bury = (ready: readonly Message[]) => Promise<Buried>

/** What is left of ready messages once the dead among them are moved. */
export interface Buried {
  readonly alive: readonly Message[]
  /** The key of the first dead one that was left where it is, and that no front remembers. */
  readonly left?: string
}

/** Buries. */
export interface Undertaker {
  /** For one look at a shard of a queue that has a policy. Its call claims nothing after `claimUntil`. */
  forLook(queue: Queue, policy: DeadLetterPolicy, shardNumber: number, shard: Shard, claimUntil: Instant): Bury
  /** Moves all that has died of age, in all shards, until `until`. Returns how many it moved. */
  buryAged(queue: Queue, until: Instant, signal: AbortSignal): Promise<number>
}

/** Messages that one look moves at most, and that a sweep moves at once. */
const AT_ONCE = 16

/** What a look leaves to later looks it remembers, up to so many, and looks past for as long (milliseconds). */
const MOST_PASSED = 2_000
const PASSED_FOR = 1_000

/** A move may take this long, in milliseconds: a call with less time left begins none. */
const LONGEST_MOVE = 5_000

/** Messages of one page of a sweep. */
const PAGE = 100

/** The undertaker of a message store. */
export function undertaker(shared: Shared): Undertaker {
  const { lane, queues, shards, clock, random } = shared
  const letters = deadLetters(shared)
  const sweeping = new Set<string>()

  /** Moves what has died of age in one shard. */
  async function sweep(queue: Queue, shard: number, until: Instant, signal: AbortSignal): Promise<number> {
    const partition = partitionOf(queue.laneId, shard)
    const front = shards.known(partition)?.front
    let moved = 0
    for (let from: string | undefined = keyAt(oldestAlive(queue, clock.now())); from !== undefined;) {
      if (clock.now() >= until || signal.aborted) return moved
      // The policy may have changed meanwhile, and what was cleared lies in a lane that is the queue's no more.
      const current = await find(queues, queue.account, queue.name)
      if (current?.id !== queue.id || current.laneId !== queue.laneId) return moved
      const { deadLetterPolicy: policy } = current
      if (policy?.policy !== 1) return moved
      const now = clock.now()
      const range = { from, to: keyAfter(agedSince(policy, now)), limit: PAGE, consistent: false }
      const page: Page = await lane.page(partition, range)
      const dead = page.messages.filter(
        (message) => isReady(message, now) && isDead(message, policy, now) && !front?.isBeingClaimed(keyOf(message)),
      )
      for (let at = 0; at < dead.length; at += AT_ONCE) {
        if (clock.now() >= until || signal.aborted) return moved
        const fates = await letters.move({ queue: current, policy, partition }, dead.slice(at, at + AT_ONCE), front)
        // Nobody receives, so it is in nobody's way, and may stay where it is until there is such a queue.
        if (fates.includes('unmovable')) return moved
        moved += fates.filter((fate) => fate === 'moved').length
      }
      from = page.next
    }
    return moved
  }

  return {
    forLook(queue, policy, shardNumber, { front, pace }, claimUntil) {
      const grave: Grave = { queue, policy, partition: partitionOf(queue.laneId, shardNumber) }
      let mayMove = AT_ONCE
      let mayPass = MOST_PASSED

      return async (ready) => {
        const now = clock.now()
        const dead = ready.filter((message) => isDead(message, policy, now))
        if (dead.length === 0) return { alive: ready }
        const most = now + LONGEST_MOVE <= claimUntil ? mayMove : 0
        // Where others move them too, each begins elsewhere.
        const start = pace.isContended(now) ? Math.floor(random() * Math.max(1, dead.length - most + 1)) : 0
        const chosen = dead.slice(start, start + most)
        mayMove -= chosen.length
        const fates = chosen.length === 0 ? [] : await letters.move(grave, chosen, front)
        if (fates.includes('lost')) pace.lost(now, dead.length > AT_ONCE)
        const rest = dead.filter((message) => !chosen.includes(message)).map(keyOf)
        const left = rest.find((key) => {
          if (mayPass === 0 || front.held() >= CROWDED) return true
          mayPass--
          front.hold(key, now + PASSED_FOR)
          return false
        })
        const alive = ready.filter((message) => !dead.includes(message))
        return { alive, ...(left === undefined ? {} : { left }) }
      }
    },

    async buryAged(queue, until, signal) {
      // Where sweeps of this process overlap, one is enough.
      if (sweeping.has(queue.id)) return 0
      sweeping.add(queue.id)
      try {
        let moved = 0
        for (let shard = 0; shard < queue.readShards; shard++) moved += await sweep(queue, shard, until, signal)
        return moved
      } finally {
        sweeping.delete(queue.id)
      }
    },
  }
}
