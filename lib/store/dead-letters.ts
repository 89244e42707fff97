import { agedSince, deadLetterOf, held, isDead, originOf } from '../domain/dead-letter.ts'
import type { DeadLetterPolicy } from '../domain/dead-letter-policy.ts'
import { CmqError } from '../domain/errors.ts'
import { isReady, type Message, type Origin } from '../domain/message.ts'
import type { Queue } from '../domain/queue.ts'
import { after, type Instant, type Seconds } from '../domain/time.ts'
import { CROWDED, type Front } from './front.ts'
import { inlineBytesBeside, keyAfter, keyAt, keyOf, LAST_KEY, partitionOf } from './message-item.ts'
import type { Shared } from './messages.ts'
import { oldestAlive } from './receive.ts'
import { bodiesEndAt } from './send.ts'
import type { Shard } from './shards.ts'
import type { Claim, Page } from './lane.ts'

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

/** How long a message is kept from others while its body is stored again, and one that has nowhere to go. */
const STORING: Seconds = 30
const UNMOVABLE: Seconds = 60

/** How long this process leaves a message alone whose move failed, in milliseconds. */
const FAILED_FOR = 10_000

/** A move may take this long, in milliseconds: a call with less time left begins none. */
const LONGEST_MOVE = 5_000

/** Messages of one page of a sweep. */
const PAGE = 100

/** Why all of them are unmovable. */
const GONE = 'there is no such queue'

/** What became of one message. */
type Fate = 'moved' | 'lost' | 'unmovable'

/** Where a message lies. */
interface Grave {
  readonly queue: Queue
  readonly policy: DeadLetterPolicy
  readonly partition: string
}

/** The undertaker of a message store. */
export function undertaker(shared: Shared): Undertaker {
  const { lane, bodies, queues, shards, bell, clock, ids, random, report } = shared

  /** The queue as it was at most a second ago; undefined when it is gone. */
  const find = (account: string, name: string): Promise<Queue | undefined> =>
    queues.get(account, name).catch((error: unknown) => {
      if (error instanceof CmqError) return undefined
      throw error
    })

  /** Whether a queue still is what a move was begun for. */
  async function isStill({ account, name, id, laneId, deadLetterPolicy: policy }: Queue): Promise<boolean> {
    const now = await find(account, name)
    return now?.id === id && now.laneId === laneId && now.deadLetterPolicy?.queueName === policy?.queueName
  }

  async function move({ queue, policy, partition }: Grave, seen: Message, to: Queue): Promise<Claim> {
    const origin = originOf(queue.name, policy, seen)
    const retentionSeconds = to.attributes.msgRetentionSeconds
    const isKept = keepsBody(seen, origin, after(clock.now(), retentionSeconds))
    const message = isKept ? seen : await storedAgain(partition, seen, origin, retentionSeconds)
    if ('won' in message) return message
    const sending = { id: seen.id, leaseId: ids.leaseId(), body: message.body, retentionSeconds }
    const copy = deadLetterOf(sending, origin, clock.now())
    const shard = Math.floor(random() * to.writeShards)
    const place = { partition: partitionOf(to.laneId, shard), message: copy }
    const areStill = async () => (await isStill(queue)) && (await isStill(to))
    const outcome = await lane.move({ partition, message }, place, areStill)
    if (outcome.won) {
      shards.known(place.partition)?.front.landed(keyOf(copy))
      bell.ring(to.laneId, shard, 1)
    }
    return outcome
  }

  /** The message, held, with a body that lives as long as its copy. One of which a part is missing is dropped. */
  async function storedAgain(partition: string, seen: Message, origin: Origin, retentionSeconds: Seconds) {
    const now = clock.now()
    const claimed = held(seen, ids.leaseId(), after(now, STORING))
    const claim = await lane.claim(partition, seen, claimed)
    if (!claim.won) return claim
    const [text] = await bodies.load([seen.body])
    if (text === undefined) {
      report('a message was dropped: a part of its body is missing', { messageId: seen.id })
      await lane.end(partition, keyOf(seen), claimed.leaseId, claimed.leaseUntil)
      return { won: false } as const
    }
    const endAt = bodiesEndAt(retentionSeconds, clock.now())
    const [body] = await bodies.store([text], endAt, inlineBytesBeside(origin))
    return { ...claimed, body: body ?? seen.body }
  }

  /** Keeps a message from everybody for a while, so that it does not come up at each look, and counts no receive. */
  async function keepAway(partition: string, seen: Message, front: Front | undefined): Promise<void> {
    const until = after(clock.now(), UNMOVABLE)
    const claim = await lane.claim(partition, seen, held(seen, ids.leaseId(), until))
    if (claim.won) front?.hold(keyOf(seen), until)
    else settleLost(seen, claim, front)
  }

  function settleLost(seen: Message, claim: Claim & { won: false }, front: Front | undefined): void {
    if (claim.found) front?.hold(keyOf(seen), claim.found.leaseUntil)
    else front?.forget([keyOf(seen)])
  }

  /** Moves one message. What that comes to the front of its shard is told, if this process has one. */
  async function buryOne(grave: Grave, seen: Message, to: Queue | undefined, front: Front | undefined): Promise<Fate> {
    const key = keyOf(seen)
    front?.beginClaim(key, clock.now() + FAILED_FOR)
    try {
      if (!to) {
        await keepAway(grave.partition, seen, front)
        return 'unmovable'
      }
      const outcome = await move(grave, seen, to)
      if (outcome.won) front?.forget([key])
      else settleLost(seen, outcome, front)
      return outcome.won ? 'moved' : 'lost'
    } finally {
      front?.endClaim(key)
    }
  }

  /** Moves these at once. What fails is told in one line, and comes up again. */
  async function buryAll(grave: Grave, dead: readonly Message[], front: Front | undefined): Promise<readonly Fate[]> {
    const to = await find(grave.queue.account, grave.policy.queueName)
    const ends = await Promise.allSettled(dead.map((message) => buryOne(grave, message, to, front)))
    const errors = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []))
    const fates = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []))
    if (errors.length > 0) tell(grave, errors.length, errors[0])
    if (!to) tell(grave, dead.length, GONE)
    return fates
  }

  const tell = ({ queue, policy }: Grave, messages: number, error: unknown) =>
    report('dead letters could not be moved', {
      queue: queue.name,
      deadLetterQueue: policy.queueName,
      messages,
      error,
    })

  const sweeping = new Set<string>()

  /** Moves what has died of age in one shard. */
  async function sweep(queue: Queue, shard: number, until: Instant, signal: AbortSignal): Promise<number> {
    const partition = partitionOf(queue.laneId, shard)
    const front = shards.known(partition)?.front
    let moved = 0
    for (let from: string | undefined = keyAt(oldestAlive(queue, clock.now())); from !== undefined;) {
      // The policy may have changed meanwhile.
      const current = await find(queue.account, queue.name)
      const policy = current?.id === queue.id ? current.deadLetterPolicy : undefined
      if (policy?.policy !== 1) return moved
      const now = clock.now()
      const range = { from, to: keyAfter(agedSince(policy, now)), limit: PAGE, consistent: false }
      const page: Page = await lane.page(partition, range)
      const dead = page.messages.filter(
        (message) => isReady(message, now) && isDead(message, policy, now) && !front?.isBeingClaimed(keyOf(message)),
      )
      for (let at = 0; at < dead.length; at += AT_ONCE) {
        if (clock.now() >= until || signal.aborted) return moved
        const fates = await buryAll({ queue, policy, partition }, dead.slice(at, at + AT_ONCE), front)
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
        const fates = chosen.length === 0 ? [] : await buryAll(grave, chosen, front)
        if (fates.includes('lost')) pace.lost(now, dead.length > AT_ONCE)
        const rest = dead.filter((message) => !chosen.includes(message)).map(keyOf)
        const left = rest.find((key) => {
          if (mayPass === 0 || front.heldBetween('', LAST_KEY) >= CROWDED) return true
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

/**
 * Whether a copy can have the body as it is: a small one fits its item beside the origin, and a large one, which was stored
 * for the original's life, lives long enough.
 */
const keepsBody = ({ body, endsAt }: Message, origin: Origin, copyEndsAt: Instant): boolean =>
  'text' in body ? Buffer.byteLength(body.text) <= inlineBytesBeside(origin) : copyEndsAt <= endsAt
