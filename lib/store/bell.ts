import type { Clock } from '../domain/time.ts'

/** Tells those of this process who wait for a lane that this process has put something into it. */
export interface Bell {
  /** Waits so many milliseconds, or until it is rung for this lane: then the shard that has something. */
  wait(laneId: string, milliseconds: number, signal: AbortSignal): Promise<number | undefined>
  /** Has `heard` called at each ring for this lane, until what is returned is called. */
  listen(laneId: string, heard: () => void): () => void
  /** Wakes those that have waited longest, one for each message. */
  ring(laneId: string, shard: number, messages: number): void
}

/** A bell that nobody waits for yet. */
export function newBell(clock: Clock): Bell {
  const waiting = new Map<string, Set<(shard: number) => void>>()
  const listening = new Map<string, Set<() => void>>()

  return {
    async wait(laneId, milliseconds, signal) {
      const woken = new AbortController()
      const waiters = waiting.get(laneId) ?? new Set()
      waiting.set(laneId, waiters)
      let rung: number | undefined
      const wake = (shard: number) => {
        rung = shard
        woken.abort()
      }
      waiters.add(wake)
      const end = () => woken.abort()
      signal.addEventListener('abort', end)
      if (!signal.aborted) await clock.sleep(milliseconds, woken.signal)
      signal.removeEventListener('abort', end)
      waiters.delete(wake)
      if (waiters.size === 0) waiting.delete(laneId)
      return rung
    },

    listen(laneId, heard) {
      const listeners = listening.get(laneId) ?? new Set()
      listening.set(laneId, listeners)
      listeners.add(heard)
      return () => {
        listeners.delete(heard)
        if (listeners.size === 0) listening.delete(laneId)
      }
    },

    ring(laneId, shard, messages) {
      for (const heard of listening.get(laneId) ?? []) heard()
      const waiters = waiting.get(laneId) ?? []
      for (const wake of [...waiters].slice(0, messages)) {
        wake(shard)
        if (waiters instanceof Set) waiters.delete(wake)
      }
    },
  }
}
