import { boundedMap } from './bounded-map.ts'
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

/** How many shards one process knows. */
const KNOWN_SHARDS = 2_000

/** No shards yet; each will remember up to `crowded` leases. */
export function newShards(crowded = CROWDED): Shards {
  const shards = boundedMap<Shard>(KNOWN_SHARDS)
  return {
    known: (partition) => shards.get(partition),
    of(partition) {
      const shard = shards.get(partition) ?? { front: newFront(crowded), pace: newPace() }
      // Set anew at each use, so that the one that was used longest ago is the first to go.
      shards.set(partition, shard)
      return shard
    },
  }
}
