import { CROWDED, newFront, type Front } from './front.ts'
import { newPace, type Pace } from './pace.ts'

/** What a process knows of a shard, and how it goes about it. */
export interface Shard {
  readonly front: Front
  readonly pace: Pace
}

/** The shards that this process reads. */
export interface Shards {
  /** One about which nothing is known yet is made. */
  of(partition: string): Shard
  /** One that this process reads already. */
  known(partition: string): Shard | undefined
}

/** What a process is ready to remember. */
export interface ShardLimits {
  /** How many leases of one shard: with more in flight it is refused to be received from. */
  readonly crowded?: number
  /** How many leases of all shards together. */
  readonly leases?: number
}

/** At 200 bytes each they come to 80 MB, beside which a function of 512 MB has room for all else. */
const LEASES = 400_000

/** How many shards one process knows. */
const KNOWN_SHARDS = 2_000

/**
 * No shards yet. Where too much is remembered, what was used longest ago is forgotten: to learn it again costs read units,
 * and a process without memory would die.
 */
export function newShards({ crowded = CROWDED, leases = LEASES }: ShardLimits = {}): Shards {
  /** In the order of their last use. */
  const shards = new Map<string, Shard>()

  function makeRoomFor(newest: Shard): void {
    let held = newest.front.held()
    for (const { front } of shards.values()) held += front.held()
    for (const [partition, { front }] of shards) {
      if (held <= leases && shards.size < KNOWN_SHARDS) return
      held -= front.held()
      shards.delete(partition)
    }
  }

  return {
    known: (partition) => shards.get(partition),
    of(partition) {
      const shard = shards.get(partition) ?? { front: newFront(crowded), pace: newPace() }
      shards.delete(partition)
      makeRoomFor(shard)
      shards.set(partition, shard)
      return shard
    },
  }
}
