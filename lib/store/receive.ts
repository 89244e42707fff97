import { ANSWER_ROOM, givenBack, roomBeside, type LeasedMessage } from '../domain/message.ts'
import { longestRetention, mayRetireShards, type Queue } from '../domain/queue.ts'
import { receiptHandleOf } from '../domain/receipt-handle.ts'
import { after, type Instant, type Seconds } from '../domain/time.ts'
import { keyAt, keyOf, LAST_KEY, partitionOf } from './lane.ts'
import type { Messages, Received, Shared, Want } from './messages.ts'
import { taker } from './take.ts'

/** Clocks of the processes that wrote a lane may be off by this much. */
const CLOCK_SKEW: Seconds = 60

/**
 * How often the shards above `writeShards` are visited while they give nothing, in milliseconds. They hold what was sent
 * before the queue shrank.
 */
const RETIRING_EVERY = 3_000

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
export function receiver(shared: Shared): Messages['receive'] {
  const { lane, bodies, queues, fronts, bell, clock, ids, random, report } = shared
  const take = taker(lane, clock, ids, random)
  const stays = notes<{ shard: number; until: Instant }>()
  const retiringVisits = notes<Instant>()

  return async (queue, want) => {
    const first = beginning(queue)
    const shards = Array.from({ length: queue.writeShards }, (_, index) => (first + index) % queue.writeShards)
    let taken = await visit(queue, [...(await retiringShards(queue)), ...shards], want, true)
    for (let round = 0, current = queue; ; round++) {
      const received = await answered(current, taken, want.signal)
      if (received.length > 0) return received

      // At most ten reads a second, however many shards there are: each pause looks at the next one.
      const next = (first + round) % current.writeShards
      const { pause } = fronts.of(partitionOf(current.laneId, next))
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
    return stay && stay.shard < writeShards && clock.now() < stay.until
      ? stay.shard
      : Math.floor(random() * writeShards)
  }

  /** Takes from these shards in turn. A look that is not `eager` may be left to another waiting call of this process. */
  async function visit(queue: Queue, shards: readonly number[], want: Want, eager: boolean): Promise<readonly Taken[]> {
    const taken: Taken[] = []
    for (const [visited, shard] of shards.entries()) {
      const room = roomBeside(
        taken.map(({ message }) => message),
        { messages: want.count, bytes: ANSWER_ROOM },
      )
      if (room.messages === 0 || room.bytes <= 0 || (taken.length > 0 && visited >= SHARDS_A_CALL)) break
      const partition = partitionOf(queue.laneId, shard)
      const front = fronts.of(partition)
      if (!eager && clock.now() - front.emptyAt < 0.9 * front.pause) continue
      const messages = await take({
        partition,
        front,
        visibilityTimeout: queue.attributes.visibilityTimeout,
        oldest: oldestAlive(queue, clock.now()),
        room,
        claimUntil: want.claimUntil,
        consistent: eager,
      }).catch((error: unknown) => {
        // What other shards gave is answered: nobody else will have it until its lease ends.
        if (taken.length === 0) throw error
        return []
      })
      taken.push(...messages.map((message) => ({ shard, message })))
      if (messages.length > 0 && shard >= queue.writeShards) retiringVisits.set(queue.id, 0)
      const now = clock.now()
      if (messages.length === want.count && (stays.get(queue.id)?.until ?? 0) <= now)
        stays.set(queue.id, { shard, until: now + STAYS_FOR })
    }
    return taken
  }

  /**
   * The shards above `writeShards` when it is time to visit them. Once nobody can send to them any more and a consistent
   * look finds none of their messages, they are given up.
   */
  async function retiringShards(queue: Queue): Promise<readonly number[]> {
    const now = clock.now()
    const { readShards, writeShards } = queue
    if (readShards === writeShards || now - (retiringVisits.get(queue.id) ?? 0) < RETIRING_EVERY) return []
    retiringVisits.set(queue.id, now)
    const retiring = Array.from({ length: readShards - writeShards }, (_, index) => writeShards + index)
    if (!mayRetireShards(queue, now)) return retiring
    const empty = await Promise.all(retiring.map((shard) => isEmpty(queue, shard)))
    if (empty.includes(false)) return retiring
    await queues.retireShards(queue, ids.leaseId())
    return []
  }

  async function isEmpty(queue: Queue, shard: number): Promise<boolean> {
    const now = clock.now()
    const partition = partitionOf(queue.laneId, shard)
    let from: string | undefined = keyAt(oldestAlive(queue, now))
    while (from !== undefined) {
      const page = await lane.survey(partition, { from, to: LAST_KEY, limit: 100, consistent: true })
      if (page.states.some(({ endsAt }) => endsAt > now)) return false
      from = page.next
    }
    return true
  }

  /** What was taken, with its bodies. What cannot be answered any more is given back, its counts as before. */
  async function answered(queue: Queue, taken: readonly Taken[], signal: AbortSignal): Promise<readonly Received[]> {
    if (taken.length === 0) return []
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
      if (text !== undefined) received.push({ message, text, handle: receiptHandleOf(message, queue.laneId, shard) })
      else await drop(queue, shard, message)
    }
    return received
  }

  async function giveBack(queue: Queue, taken: readonly Taken[]): Promise<void> {
    await Promise.allSettled(
      taken.map(async ({ shard, message }) => {
        const partition = partitionOf(queue.laneId, shard)
        await lane.giveBack(partition, message, givenBack(message, ids.leaseId()))
        fronts.of(partition).hold(keyOf(message), clock.now())
        bell.ring(queue.laneId, shard, 1)
      }),
    )
  }

  /** A body of which a part is missing never comes back: its message would come up again and again for nothing. */
  async function drop(queue: Queue, shard: number, message: LeasedMessage): Promise<void> {
    report('a message was dropped: a part of its body is missing', { queue: queue.name, messageId: message.id })
    await lane.end(partitionOf(queue.laneId, shard), keyOf(message), message.leaseId, message.leaseUntil)
  }

  /** Small notes about queues; those of the queue noted longest ago go first. */
  function notes<Value>() {
    const noted = new Map<string, Value>()
    return {
      get: (id: string) => noted.get(id),
      set(id: string, value: Value) {
        noted.delete(id)
        noted.set(id, value)
        if (noted.size > NOTED_QUEUES) noted.delete(noted.keys().next().value ?? id)
      },
    }
  }
}
