import type { Item } from './expressions.ts'
import { compareTexts } from './values.ts'

/** One write of a table, as long as an eventual read may not know of it yet. */
interface Written {
  readonly at: number
  readonly pk: string
  readonly sk: string
  readonly before: Item | undefined
}

/** The items of one partition, in order of their sort keys. */
export interface Partition {
  readonly keys: string[]
  readonly items: Map<string, Item>
}

/** A table in memory that remembers for a while what it was. */
export interface MemoryTable {
  get(pk: string, sk: string, asOf?: number): Item | undefined
  put(pk: string, sk: string, item: Item, at: number): void
  remove(pk: string, sk: string, at: number): void
  /** The partition as it is, or as it was. */
  partition(pk: string, asOf?: number): Partition
  /** Partitions in an order of its own. */
  partitions(): Iterable<readonly [pk: string, partition: Partition]>
}

/** How long writes are remembered, in milliseconds. */
const REMEMBERED = 2_000

const EMPTY: Partition = { keys: [], items: new Map() }

export function memoryTable(): MemoryTable {
  const partitions = new Map<string, Partition>()
  const journal: Written[] = []
  let first = 0

  function note(at: number, pk: string, sk: string, before: Item | undefined): void {
    journal.push({ at, pk, sk, before })
    while ((journal[first]?.at ?? Infinity) < at - REMEMBERED) first++
    if (first < 1_000) return
    journal.splice(0, first)
    first = 0
  }

  function put(pk: string, sk: string, item: Item): void {
    const partition = partitions.get(pk) ?? { keys: [], items: new Map() }
    if (partition.items.size === 0) partitions.set(pk, partition)
    if (!partition.items.has(sk)) partition.keys.splice(rankOf(partition.keys, sk), 0, sk)
    partition.items.set(sk, item)
  }

  function remove(pk: string, sk: string): void {
    const partition = partitions.get(pk)
    if (!partition?.items.delete(sk)) return
    partition.keys.splice(rankOf(partition.keys, sk), 1)
    if (partition.keys.length === 0) partitions.delete(pk)
  }

  /** What the writes since then have changed in the partition: its items as they were. */
  function since(pk: string, asOf: number): Map<string, Item | undefined> {
    const were = new Map<string, Item | undefined>()
    for (let index = journal.length - 1; index >= first; index--) {
      const written = journal[index]
      if (!written || written.at <= asOf) break
      if (written.pk === pk) were.set(written.sk, written.before)
    }
    return were
  }

  function partition(pk: string, asOf?: number): Partition {
    const present = partitions.get(pk) ?? EMPTY
    const were = asOf === undefined ? undefined : since(pk, asOf)
    if (!were || were.size === 0) return present
    const past = { keys: [...present.keys], items: new Map(present.items) }
    for (const [sk, item] of were) {
      const rank = rankOf(past.keys, sk)
      const isThere = past.items.has(sk)
      if (item && !isThere) past.keys.splice(rank, 0, sk)
      if (!item && isThere) past.keys.splice(rank, 1)
      if (item) past.items.set(sk, item)
      else past.items.delete(sk)
    }
    return past
  }

  return {
    partition,
    partitions: () => partitions,
    get: (pk, sk, asOf) => partition(pk, asOf).items.get(sk),

    put(pk, sk, item, at) {
      note(at, pk, sk, partitions.get(pk)?.items.get(sk))
      put(pk, sk, item)
    },

    remove(pk, sk, at) {
      note(at, pk, sk, partitions.get(pk)?.items.get(sk))
      remove(pk, sk)
    },
  }
}

/** How many of the sorted keys come before. */
export function rankOf(keys: readonly string[], key: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareTexts(keys[middle] ?? '', key) < 0) low = middle + 1
    else high = middle
  }
  return low
}
