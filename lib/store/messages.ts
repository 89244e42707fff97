import type { LeasedMessage } from '../domain/message.ts'
import type { Ids } from '../domain/ids.ts'
import { queueLimits, type Queue } from '../domain/queue.ts'
import type { ReceiptHandle } from '../domain/receipt-handle.ts'
import type { Clock, Instant, Seconds } from '../domain/time.ts'
import { withArchive, type QueueCounts } from './archive-counts.ts'
import type { Archives } from './archives.ts'
import { newBell, type Bell } from './bell.ts'
import type { Bodies } from './bodies.ts'
import type { Depth } from './depth.ts'
import { counter } from './counts.ts'
import { undertaker } from './undertaker.ts'
import { newShards, type Shards } from './shards.ts'
import type { Lane } from './lane.ts'
import { keyOf, partitionOf } from './message-item.ts'
import type { Queues } from './queues.ts'
import { receiver } from './receive.ts'
import { sender, type Parcel } from './send.ts'

/** The messages of queues. */
export interface Messages {
  /** Stores the bodies as one message each, in order, and returns their ids. All of them, or an error. */
  send(queue: Queue, texts: readonly string[], delaySeconds: Seconds): Promise<readonly string[]>
  /**
   * Sends bodies that are stored already, to many queues at once. For each its messages' ids; undefined where it is gone, or
   * did not take all of them in time.
   */
  post(parcels: readonly Parcel[], delaySeconds: Seconds): Promise<readonly (readonly string[] | undefined)[]>
  /** Takes up to `count` messages, the first in order; waits for one until `until`, or until the signal is aborted. */
  receive(queue: Queue, want: Want): Promise<readonly Received[]>
  /** Ends a message; false when the handle has run out, is not the newest, or belongs to another queue. */
  remove(queue: Queue, handle: ReceiptHandle): Promise<boolean>
  /** Moves to its dead-letter queue what has died of age, until `until`. Returns how many it moved. */
  buryAged(queue: Queue, until: Instant, signal: AbortSignal): Promise<number>
  /** How many messages are in which state, exact up to some ten thousand a shard. */
  count(queue: Queue): Promise<QueueCounts>
}

/** What a receive asks for. */
export interface Want {
  readonly count: number
  /** When to stop waiting. At or before now: one look. */
  readonly until: Instant
  /** No message is claimed later. */
  readonly claimUntil: Instant
  readonly signal: AbortSignal
}

/** A message that was taken, with all that its receiver is told. */
export interface Received {
  readonly message: LeasedMessage
  readonly text: string
  readonly handle: ReceiptHandle
}

/** Tells of what nobody asked for but somebody should know. */
export type Report = (message: string, details: Readonly<Record<string, unknown>>) => void

/** What messages are stored with. */
export interface MessageStores {
  readonly lane: Lane
  readonly archives: Archives
  readonly bodies: Bodies
  readonly queues: Queues
  /** Asked before dead letters come into a queue: it may be full. */
  readonly depth: Pick<Depth, 'isFull' | 'sent'>
  readonly clock: Clock
  readonly ids: Ids
  readonly random: () => number
  readonly report: Report
}

/** What the parts of the message store share: the stores, and what this process remembers. */
export interface Shared extends MessageStores {
  readonly shards: Shards
  readonly bell: Bell
}

/** The messages of queues, over these stores. */
export function messages(stores: MessageStores): Messages {
  const { lane, archives, clock } = stores
  const shared: Shared = { ...stores, shards: newShards(), bell: newBell(clock) }

  const { forLook, buryAged } = undertaker(shared)

  return {
    ...sender(shared),
    receive: receiver(shared, forLook),
    buryAged,
    count: withArchive(counter(shared), shared),

    async remove(queue, handle) {
      const { laneId, shard, visibleAt, messageId, leaseId, validUntil, archiveCount } = handle
      // Not compared with the queue's shards: another process may know of more than this one's record says.
      if (laneId !== queue.laneId || shard >= queueLimits.shards.max || validUntil <= clock.now()) return false
      const partition = partitionOf(laneId, shard)
      const key = keyOf({ visibleAt, id: messageId })
      const ended =
        queue.attributes.rewindSeconds > 0
          ? // Its receiver may have known of a rewind that this process does not know of yet.
            await archives.keep(handle, Math.max(queue.archive.count, archiveCount))
          : await lane.end(partition, key, leaseId, validUntil)
      if (ended) shared.shards.known(partition)?.front.forget([key])
      return ended
    },
  }
}
