import { newMessage } from '../domain/message.ts'
import { after } from '../domain/time.ts'
import { PATIENCE } from './database.ts'
import { keyOf, partitionOf } from './message-item.ts'
import type { Messages, Shared } from './messages.ts'

/** A put that took longer, in milliseconds, may lie behind every front: it counts as not done. */
const SLOWEST_PUT = 3_000

/** How much longer than their messages bodies are stored for, in milliseconds: a message may be sent this much later. */
const SENDING = 2 * PATIENCE

/**
 * Sends. What is not confirmed is sent anew, under a new id and a new time: no id is ever written twice, so a write that
 * took place after all is at worst a second message, and never one that comes back after its deletion.
 */
export function sender({ lane, bodies, queues, shards, bell, clock, ids, random }: Shared): Messages['send'] {
  return async (queue, texts, delaySeconds) => {
    const retentionSeconds = queue.attributes.msgRetentionSeconds
    const stored = await bodies.store(texts, after(clock.now(), retentionSeconds) + SENDING)
    const sent = new Map<number, string>()
    const giveUpAt = clock.now() + PATIENCE

    for (let current = queue, backOff = 25; ; current = await queues.get(queue.account, queue.name)) {
      // A batch goes to one shard, so that its messages keep their order.
      const shard = Math.floor(random() * current.writeShards)
      const partition = partitionOf(current.laneId, shard)
      const now = clock.now()
      const left = stored.flatMap((body, index) => (sent.has(index) ? [] : [{ body, index }]))
      const batch = left.map(({ body, index }) => {
        const sending = { id: ids.messageId(now), leaseId: ids.leaseId(), body, delaySeconds, retentionSeconds }
        return { index, message: newMessage(sending, now) }
      })

      const written = await lane.put(
        partition,
        batch.map(({ message }) => message),
      )
      const isInTime = clock.now() - now <= SLOWEST_PUT
      const confirmed = batch.filter(({ message }) => isInTime && written.has(message.id))
      for (const { index, message } of confirmed) {
        sent.set(index, message.id)
        shards.known(partition)?.front.landed(keyOf(message))
      }
      if (delaySeconds === 0 && confirmed.length > 0) bell.ring(current.laneId, shard, confirmed.length)
      if (sent.size === texts.length) return texts.map((_, index) => sent.get(index) ?? '')
      if (clock.now() >= giveUpAt) throw new Error('the messages could not be sent in time')
      await clock.sleep(random() * backOff)
      backOff = Math.min(2 * backOff, 1_000)
    }
  }
}
