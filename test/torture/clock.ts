import type { Clock, Instant } from '../../lib/domain/time.ts'
import { settled } from '../support/clock.ts'

/** A clock that jumps from one sleeper to the next, as fast as they act. */
export interface VirtualClock extends Clock {
  /** Lets time pass until `done` is settled, but not beyond `limit`: then false. */
  drive(done: Promise<unknown>, limit: Instant): Promise<boolean>
}

interface Sleeper {
  readonly until: Instant
  /** Of those due at once, who lay down first wakes first. */
  readonly turn: number
  readonly wake: () => void
  isAwake: boolean
}

/** What nobody but time and the gathered calls of one turn of the event loop is waited for takes so many turns. */
const TURNS = 2

export function virtualClock(start: Instant): VirtualClock {
  let now = start
  let turns = 0
  const sleepers: Sleeper[] = []

  return {
    now: () => now,

    sleep: (milliseconds, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted || milliseconds <= 0) return resolve()
        const wake = () => {
          if (sleeper.isAwake) return
          sleeper.isAwake = true
          signal?.removeEventListener('abort', wake)
          resolve()
        }
        // Clocks count whole milliseconds; a pause with jitter does not.
        const sleeper: Sleeper = { until: now + Math.ceil(milliseconds), turn: ++turns, wake, isAwake: false }
        signal?.addEventListener('abort', wake)
        push(sleepers, sleeper)
      }),

    async drive(done, limit) {
      let isDone = false
      const end = () => (isDone = true)
      done.then(end, end)
      for (;;) {
        await settled(TURNS)
        if (isDone) return true
        let next = pop(sleepers)
        while (next?.isAwake) next = pop(sleepers)
        if (!next || next.until > limit) return false
        now = Math.max(now, next.until)
        next.wake()
      }
    },
  }
}

const isBefore = (a: Sleeper | undefined, b: Sleeper | undefined): boolean =>
  a !== undefined && (b === undefined || a.until < b.until || (a.until === b.until && a.turn < b.turn))

/** A binary heap, the earliest on top. */
function push(heap: Sleeper[], sleeper: Sleeper): void {
  let at = heap.push(sleeper) - 1
  while (at > 0) {
    const parent = (at - 1) >>> 1
    if (!isBefore(heap[at], heap[parent])) return
    swap(heap, at, parent)
    at = parent
  }
}

function pop(heap: Sleeper[]): Sleeper | undefined {
  swap(heap, 0, heap.length - 1)
  const top = heap.pop()
  for (let at = 0; ;) {
    const left = 2 * at + 1
    const least = isBefore(heap[left + 1], heap[left]) ? left + 1 : left
    if (!isBefore(heap[least], heap[at])) return top
    swap(heap, at, least)
    at = least
  }
}

function swap(heap: Sleeper[], a: number, b: number): void {
  const [first, second] = [heap[a], heap[b]]
  if (!first || !second) return
  heap[a] = second
  heap[b] = first
}
