import { ANSWER_ROOM, givenBack, roomBeside, type LeasedMessage, type Room } from '../domain/message.ts'
import { longestRetention, mayRetireShards, type Queue } from '../domain/queue.ts'
import { receiptHandleOf } from '../domain/receipt-handle.ts'
import { after, isWithin, type Instant, type Seconds } from '../domain/time.ts'
import { boundedMap } from './bounded-map.ts'
import { keyAt, keyOf, LAST_KEY, partitionOf } from './message-item.ts'
import type { Undertaker } from './undertaker.ts'
import type { Messages, Received, Shared, Want } from './messages.ts'
import { rewoundMessages } from './rewound.ts'
import { taker } from './take.ts'

/** Clocks of the processes that wrote a lane may be off by this much. */
const CLOCK_SKEW: Seconds = 60

/**
 * How often the shards above `writeShards` are visited while they give nothing, in milliseconds. They hold what was sent
 * before the queue shrank.
 */
const RETIRING_EVERY = 3_000

/** How often a process looks whether they may be given up, in milliseconds. */
const RETIRE_EVERY = 30_000

/** How many shards one call visits once it has something. */
const SHARDS_A_CALL = 4

/** How long a process begins with the shard that last gave it all it wanted, in milliseconds. */
const STAYS_FOR = 1_000

/** How many queues a process keeps such notes of. */
const NOTED_QUEUES = 10_000

/** The oldest message that may still be alive became visible after this instant. */
export const oldestAlive = (queue: Queue, now: Instant): Instant =>
  after(now, -longestRetention(queue, now) - CLOCK_SKEW)

interface Taken {
  readonly shard: number
  readonly message: LeasedMessage
}

/** Receives: the same look again and again until something comes or the deadline passes. Waiting is not a second path. */
export function receiver(shared: Shared, burying: Undertaker['forLook']): Messages['receive'] {
  const { lane, bodies, queues, shards: known, bell, clock, ids, random, report } = shared
  const take = taker(shared)
  const rewound = rewoundMessages(shared)
  const stays = boundedMap<{ shard: number; since: Instant }>(NOTED_QUEUES)
  const retiringVisits = boundedMap<Instant>(NOTED_QUEUES)
  const retiringTries = boundedMap<Instant>(NOTED_QUEUES)

  return async (queue, want) => {
    const first = beginning(queue)
    const shards = Array.from({ length: queue.writeShards }, (_, index) => (first + index) % queue.writeShards)
    let taken = await visit(queue, [...(await retiringShards(queue)), ...shards], want, true)
    for (let round = 0, current = queue; ; round++) {
      const received = await answered(current, taken, want.signal)
      if (received.length > 0) return received

      // At most ten reads a second, however many shards there are: each pause looks at the next one.
      const next = (first + round) % current.writeShards
      const { pause } = known.of(partitionOf(current.laneId, next)).pace
      const left = want.until - clock.now()
      if (left <= 0 || want.signal.aborted) return []
      const rung = await bell.wait(current.laneId, Math.min(left, pause * (1 + 0.2 * random())), want.signal)
      if (want.signal.aborted || (rung === undefined && clock.now() >= want.until)) return []
      current = await queues.get(queue.account, queue.name)
      taken =
        rung === undefined
          ? await visit(current, [...(await retiringShards(current)), next % current.writeShards], want, false)
          : await visit(current, [rung], want, true)
    }
  }

  /** A random shard; or for a while the one that has much, since a look at a full shard wastes no read. */
  function beginning({ id, writeShards }: Queue): number {
    const stay = stays.get(id)
    return stay && stay.shard < writeShards && isWithin(stay.since, clock.now(), STAYS_FOR)
      ? stay.shard
      : Math.floor(random() * writeShards)
  }

  /** Takes from these shards in turn. A look that is not `eager` may be left to another waiting call of this process. */
  async function visit(queue: Queue, shards: readonly number[], want: Want, eager: boolean): Promise<readonly Taken[]> {
    const taken: Taken[] = []
    const failures: unknown[] = []
    for (const [visited, shard] of shards.entries()) {
      const room = roomBeside(
        taken.map(({ message }) => message),
        { messages: want.count, bytes: ANSWER_ROOM },
      )
      if (room.messages === 0 || room.bytes <= 0 || (taken.length > 0 && visited >= SHARDS_A_CALL)) break
      if (clock.now() > want.claimUntil) break
      if (!eager && known.of(partitionOf(queue.laneId, shard)).pace.isKnownEmpty(clock.now())) continue
      try {
        const messages = await visitOne(queue, shard, room, want, eager)
        taken.push(...messages.map((message) => ({ shard, message })))
      } catch (error) {
        // One shard that fails does not keep back what the others have.
        failures.push(error)
      }
    }
    if (failures.length === 0) return taken
    const [error] = failures
    if (taken.length === 0) throw error
    report('a shard could not be looked at', { queue: queue.name, error })
    return taken
  }

  async function visitOne(queue: Queue, shard: number, room: Room, { count, claimUntil }: Want, eager: boolean) {
    const now = clock.now()
    const isRetiring = shard >= queue.writeShards
    const partition = partitionOf(queue.laneId, shard)
    const look = { oldest: oldestAlive(queue, now), claimUntil, consistent: eager && !isRetiring }
    const backAgain = await rewound.take(queue, shard, { ...look, room })
    const left = roomBeside(backAgain, room)
    const { deadLetterPolicy: policy, attributes } = queue
    const { visibilityTimeout } = attributes
    const bury = policy && burying(queue, policy, shard, known.of(partition), claimUntil)
    const hasRoom = left.messages > 0 && left.bytes > 0
    const fromLane = hasRoom
      ? take({ ...look, partition, shard: known.of(partition), visibilityTimeout, room: left, ...(bury && { bury }) })
      : []
    const messages = [...backAgain, ...(await orNothing(fromLane, backAgain.length > 0, queue))]
    if (messages.length > 0 && isRetiring) retiringVisits.set(queue.id, -Infinity)
    if (messages.length === count && !isWithin(stays.get(queue.id)?.since ?? -Infinity, now, STAYS_FOR))
      stays.set(queue.id, { shard, since: now })
    return messages
  }

  /** What a shard gave; nothing where its look failed but there is something to answer already. */
  async function orNothing<Got>(look: Promise<readonly Got[]> | readonly Got[], hasSome: boolean, { name }: Queue) {
    try {
      return await look
    } catch (error) {
      if (!hasSome) throw error
      report('a shard could not be looked at', { queue: name, error })
      return []
    }
  }

  /**
   * The shards above `writeShards` when it is time to visit them. Once nobody can send to them any more and a consistent
   * look finds none of their messages, they are given up.
   */
  async function retiringShards(queue: Queue): Promise<readonly number[]> {
    const now = clock.now()
    const { id, readShards, writeShards } = queue
    if (readShards === writeShards || isWithin(retiringVisits.get(id) ?? -Infinity, now, RETIRING_EVERY)) return []
    retiringVisits.set(id, now)
    const retiring = Array.from({ length: readShards - writeShards }, (_, index) => writeShards + index)
    if (!mayRetireShards(queue, now) || isWithin(retiringTries.get(id) ?? -Infinity, now, RETIRE_EVERY)) return retiring
    retiringTries.set(id, now)
    try {
      for (const shard of retiring)
        // In this order: what is deleted meanwhile goes from the one to the other.
        if (!(await isEmpty(queue, shard)) || !(await rewound.isEmpty(queue, shard))) return retiring
      await queues.retireShards(queue, ids.leaseId())
      return []
    } catch (error) {
      report('the shards of a queue that shrank could not be given up', { queue: queue.name, error })
      return retiring
    }
  }

  async function isEmpty(queue: Queue, shard: number): Promise<boolean> {
    const now = clock.now()
    const partition = partitionOf(queue.laneId, shard)
    let from: string | undefined = keyAt(oldestAlive(queue, now))
    for (let limit = 1; from !== undefined; limit = 100) {
      const page = await lane.survey(partition, { from, to: LAST_KEY, limit, consistent: true })
      if (page.states.some(({ endsAt }) => endsAt > now)) return false
      from = page.next
    }
    return true
  }

  /** What was taken, with its bodies. What cannot be answered any more is given back, its counts as before. */
  async function answered(queue: Queue, all: readonly Taken[], signal: AbortSignal): Promise<readonly Received[]> {
    if (all.length === 0) return []
    // A lease that ended before its call did may be taken anew by it: only the newest handle is of use.
    const taken = [...new Map(all.map((one) => [one.message.id, one])).values()]
    const texts = await bodies.load(taken.map(({ message }) => message.body)).catch(async (error: unknown) => {
      await giveBack(queue, taken)
      throw error
    })
    if (signal.aborted) {
      await giveBack(queue, taken)
      return []
    }
    const received: Received[] = []
    for (const [index, { shard, message }] of taken.entries()) {
      const text = texts[index]
      if (text !== undefined) received.push({ message, text, handle: receiptHandleOf(message, queue, shard) })
      else await drop(queue, shard, message)
    }
    return received
  }

  async function giveBack(queue: Queue, taken: readonly Taken[]): Promise<void> {
    await Promise.allSettled(
      taken.map(async ({ shard, message }) => {
        const partition = partitionOf(queue.laneId, shard)
        await lane.giveBack(partition, message, givenBack(message, ids.leaseId()))
        known.of(partition).front.hold(keyOf(message), clock.now())
        bell.ring(queue.laneId, shard, 1)
      }),
    )
  }

  /** A body of which a part is missing never comes back: its message would come up again and again for nothing. */
  async function drop(queue: Queue, shard: number, message: LeasedMessage): Promise<void> {
    report('a message was dropped: a part of its body is missing', { queue: queue.name, messageId: message.id })
    const partition = partitionOf(queue.laneId, shard)
    await lane.end(partition, keyOf(message), message.leaseId, message.leaseUntil).catch((error: unknown) => {
      report('the rest of a dropped message is still there', { queue: queue.name, messageId: message.id, error })
    })
  }
}
