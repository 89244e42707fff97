import type { Instant } from '../domain/time.ts'

/** When a lease ends, and the key of its message. */
export type LeaseEnd = [until: Instant, key: string]

/** Adds to a binary heap with the earliest end on top. */
export function pushEnd(heap: LeaseEnd[], entry: LeaseEnd): void {
  let at = heap.push(entry) - 1
  while (at > 0) {
    const parent = (at - 1) >>> 1
    if (endAt(heap, parent) <= endAt(heap, at)) return
    swap(heap, parent, at)
    at = parent
  }
}

/** Takes the earliest end out. */
export function popEnd(heap: LeaseEnd[]): void {
  swap(heap, 0, heap.length - 1)
  heap.pop()
  for (let at = 0; ;) {
    const left = 2 * at + 1
    const least = endAt(heap, left + 1) < endAt(heap, left) ? left + 1 : left
    if (endAt(heap, at) <= endAt(heap, least)) return
    swap(heap, at, least)
    at = least
  }
}

const endAt = (heap: readonly LeaseEnd[], at: number): Instant => heap[at]?.[0] ?? Infinity

function swap(heap: LeaseEnd[], a: number, b: number): void {
  const first = heap[a]
  const second = heap[b]
  if (!first || !second) return
  heap[a] = second
  heap[b] = first
}
