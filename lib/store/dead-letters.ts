import { deadLetterOf, held, originOf } from '../domain/dead-letter.ts'
import type { DeadLetterPolicy } from '../domain/dead-letter-policy.ts'
import { CmqError } from '../domain/errors.ts'
import type { Message, Origin } from '../domain/message.ts'
import type { Queue } from '../domain/queue.ts'
import { after, type Instant, type Seconds } from '../domain/time.ts'
import type { Front } from './front.ts'
import type { Claim } from './lane.ts'
import { inlineBytesBeside, keyOf, partitionOf } from './message-item.ts'
import type { Shared } from './messages.ts'
import type { Queues } from './queues.ts'
import { bodiesEndAt } from './send.ts'

/** Moves dead messages to dead-letter queues. */
export interface DeadLetters {
  /** Moves these at once. What fails is told in one line, and comes up again; `front` learns what became of each. */
  move(grave: Grave, dead: readonly Message[], front: Front | undefined): Promise<readonly Fate[]>
}

/** Where dead messages lie, and why they are dead. */
export interface Grave {
  readonly queue: Queue
  readonly policy: DeadLetterPolicy
  readonly partition: string
}

/** What became of a message whose move did not fail. */
export type Fate = 'moved' | 'lost' | 'unmovable'

/** How long a message is kept from others while its body is stored again, and one that has nowhere to go. */
const STORING: Seconds = 30
const UNMOVABLE: Seconds = 60

/** How long this process leaves a message alone whose move failed, in milliseconds. */
const FAILED_FOR = 10_000

/** Why all of them are unmovable. */
const GONE = 'there is no such queue'
const FULL = 'it is full'

/** The dead letters of a message store. */
export function deadLetters(shared: Shared): DeadLetters {
  const { lane, bodies, queues, depth, shards, bell, clock, ids, random, report } = shared

  /** Whether a queue still is what a move was begun for. */
  async function isStill({ account, name, id, laneId, deadLetterPolicy: policy }: Queue): Promise<boolean> {
    const now = await find(queues, account, name)
    return now?.id === id && now.laneId === laneId && now.deadLetterPolicy?.queueName === policy?.queueName
  }

  async function moveTo({ queue, policy, partition }: Grave, seen: Message, to: Queue): Promise<Claim> {
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
    // Counting a full queue and storing a body take a while: by now either may be cleared, deleted or unbound.
    if (!(await areStill())) return { won: false, found: message }
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
  async function moveOne(grave: Grave, seen: Message, to: Queue | undefined, front: Front | undefined): Promise<Fate> {
    const key = keyOf(seen)
    front?.beginClaim(key, clock.now() + FAILED_FOR)
    try {
      if (!to) {
        await keepAway(grave.partition, seen, front)
        return 'unmovable'
      }
      const outcome = await moveTo(grave, seen, to)
      if (outcome.won) front?.forget([key])
      else settleLost(seen, outcome, front)
      return outcome.won ? 'moved' : 'lost'
    } finally {
      front?.endClaim(key)
    }
  }

  const tell = ({ queue, policy }: Grave, messages: number, error: unknown) =>
    report('dead letters could not be moved', {
      queue: queue.name,
      deadLetterQueue: policy.queueName,
      messages,
      error,
    })

  return {
    async move(grave, dead, front) {
      const found = await find(queues, grave.queue.account, grave.policy.queueName)
      const isFull = found !== undefined && (await depth.isFull(found))
      const to = isFull ? undefined : found
      const ends = await Promise.allSettled(dead.map((message) => moveOne(grave, message, to, front)))
      const errors = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as unknown] : []))
      const fates = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []))
      // What others have moved, they count.
      if (to) depth.sent(to, fates.filter((fate) => fate === 'moved').length)
      if (errors.length > 0) tell(grave, errors.length, errors[0])
      if (!to) tell(grave, dead.length, isFull ? FULL : GONE)
      return fates
    },
  }
}

/** The queue as it was at most a second ago; undefined when it is gone. */
export const find = (queues: Queues, account: string, name: string): Promise<Queue | undefined> =>
  queues.get(account, name).catch((error: unknown) => {
    if (error instanceof CmqError) return undefined
    throw error
  })

/**
 * Whether a copy can have the body as it is: a small one fits its item beside the origin, and a large one, which was stored
 * for the original's life, lives long enough.
 */
const keepsBody = ({ body, endsAt }: Message, origin: Origin, copyEndsAt: Instant): boolean =>
  'text' in body ? Buffer.byteLength(body.text) <= inlineBytesBeside(origin) : copyEndsAt <= endsAt
