import { CmqError } from '../domain/errors.ts'
import { newMessage, type Body, type Message } from '../domain/message.ts'
import type { Queue } from '../domain/queue.ts'
import { after, type Instant, type Seconds } from '../domain/time.ts'
import { PATIENCE } from './database.ts'
import { keyOf, partitionOf, placed } from './message-item.ts'
import type { Messages, Shared } from './messages.ts'

/** A put that took longer, in milliseconds, may lie behind every front: it counts as not done. */
const SLOWEST_PUT = 3_000

/** How much longer than their messages bodies are stored for, in milliseconds: a message may be sent this much later. */
const SENDING = 2 * PATIENCE

/** Until when the bodies of messages have to be there that are sent to the queue from now on. */
export const bodiesEndAt = (retentionSeconds: Seconds, now: Instant): Instant => after(now, retentionSeconds) + SENDING

/** What goes into one queue: bodies that are stored already, in order. */
export interface Parcel {
  readonly queue: Queue
  readonly bodies: readonly Body[]
}

/**
 * Sends. What is not confirmed is sent anew, under a new id and a new time: no id is ever written twice, so a write that
 * took place after all is at worst a second message, and never one that comes back after its deletion.
 */
export function sender(shared: Shared): Pick<Messages, 'send' | 'post'> {
  const { bodies, clock, lane, random } = shared

  async function post(parcels: readonly Parcel[], delaySeconds: Seconds) {
    const sendings = parcels.map((parcel) => sending(shared, parcel, delaySeconds))
    const giveUpAt = clock.now() + PATIENCE

    for (let open = sendings, backOff = 25; ; backOff = Math.min(2 * backOff, 1_000)) {
      // In turns, each with a time of its own: what waits for its turn for long counts as not done.
      for (const turn of turnsOf(open)) await putAll(turn)
      open = open.filter((one) => !one.isDone())
      if (open.length === 0 || clock.now() >= giveUpAt) return sendings.map((one) => one.ids())
      await clock.sleep(random() * backOff)
      await Promise.all(open.map((one) => one.refresh()))
      open = open.filter((one) => !one.isDone())
    }
  }

  async function putAll(sendings: readonly Sending[]): Promise<void> {
    const now = clock.now()
    const batches = sendings.map((one) => one.next(now))
    const written = await lane.put(batches.flatMap(({ partition, messages }) => placed(partition, messages)))
    const isInTime = clock.now() - now <= SLOWEST_PUT
    for (const batch of batches) batch.confirm(isInTime ? written : new Set())
  }

  return {
    post,

    async send(queue, texts, delaySeconds) {
      const endAt = bodiesEndAt(queue.attributes.msgRetentionSeconds, clock.now())
      const [ids] = await post([{ queue, bodies: await bodies.store(texts, endAt) }], delaySeconds)
      if (ids) return ids
      // Also where the queue is gone by now: what was not confirmed may have been stored, and received before that. A refusal
      // would say that nothing was sent.
      throw new Error('the messages could not be sent in time')
    },
  }
}

type Sending = ReturnType<typeof sending>

/** Messages that are put at once: some twenty calls. */
const TURN = 400

/** The parcels in turns of about so many messages. */
function turnsOf(sendings: readonly Sending[]): readonly (readonly Sending[])[] {
  const turns: Sending[][] = []
  let size = Infinity
  for (const one of sendings) {
    if (size + one.left() > TURN) {
      turns.push([])
      size = 0
    }
    turns.at(-1)?.push(one)
    size += one.left()
  }
  return turns
}

/** The way of one parcel: batch after batch, until each of its bodies is confirmed to be in the queue. */
function sending({ queues, shards, bell, ids, random }: Shared, { queue, bodies }: Parcel, delaySeconds: Seconds) {
  const retentionSeconds = queue.attributes.msgRetentionSeconds
  const sent = new Map<number, string>()
  let current: Queue | undefined = queue

  return {
    /** Messages of what is not confirmed yet, in one shard, so that they keep their order. */
    next(now: Instant) {
      const { laneId, writeShards } = current ?? queue
      const shard = Math.floor(random() * writeShards)
      const partition = partitionOf(laneId, shard)
      const made = new Map<Message, number>()
      for (const [index, body] of bodies.entries()) {
        if (sent.has(index)) continue
        const life = { id: ids.messageId(now), leaseId: ids.leaseId(), body, delaySeconds, retentionSeconds }
        made.set(newMessage(life, now), index)
      }
      return {
        partition,
        messages: [...made.keys()],

        confirm(written: ReadonlySet<string>) {
          const confirmed = [...made].filter(([{ id }]) => written.has(id))
          for (const [message, index] of confirmed) {
            sent.set(index, message.id)
            shards.known(partition)?.front.landed(keyOf(message))
          }
          if (delaySeconds === 0 && confirmed.length > 0) bell.ring(laneId, shard, confirmed.length)
        },
      }
    },

    /** The queue may be another by now, or gone. */
    async refresh() {
      current = await queues.get(queue.account, queue.name).catch((error: unknown) => {
        if (error instanceof CmqError && error.failure === 'queueNotFound') return undefined
        throw error
      })
    },

    /** How many are not confirmed yet. */
    left: () => bodies.length - sent.size,

    isDone: () => current === undefined || sent.size === bodies.length,

    /** Undefined where not all of it could be put in: the queue is gone, or was asked for too much for too long. */
    ids: () => (sent.size === bodies.length ? bodies.map((_, index) => sent.get(index) ?? '') : undefined),
  }
}
