import { filled, shareOf, type Bucket } from '../domain/rate.ts'
import type { Clock } from '../domain/time.ts'
import { boundedMap } from './bounded-map.ts'
import type { Counts, Tallies } from './tallies.ts'

/** How many messages a second all processes together let through, for each queue or topic and each action. */
export interface Rates {
  /**
   * Whether so many messages are let through now; they are spent then. Where anything is left a whole call is let through,
   * and later ones wait for what it took too much. A receive asks with 0, and spends what it found.
   */
  allows(id: string, action: Counts, messages: number): boolean
  /** Spends what was done. */
  spend(id: string, action: Counts, messages: number): void
}

/** How many buckets a process keeps. */
const KNOWN = 10_000

/** A full queue that could be emptied no faster than it is filled would stay full. */
const CONSUMING = 1.1
const CONSUMES: ReadonlySet<Counts> = new Set(['receive', 'delete'])

/**
 * The rates of this process, which knows by the tallies what all do: what is asked for has to be added to them. `limit` is
 * what may be sent or published in a second; 0 is no limit.
 */
export function rates(tallies: Pick<Tallies, 'pace'>, clock: Clock, limit: number): Rates {
  const buckets = boundedMap<Bucket>(KNOWN)

  function bucketOf(id: string, action: Counts): Bucket {
    const perSecond = shareOf(limit * (CONSUMES.has(action) ? CONSUMING : 1), tallies.pace(id, action))
    return filled(buckets.get(`${id}#${action}`), perSecond, clock.now())
  }

  function spend(id: string, action: Counts, messages: number): void {
    if (limit === 0) return
    const { tokens, at } = bucketOf(id, action)
    buckets.set(`${id}#${action}`, { tokens: tokens - messages, at })
  }

  return {
    spend,
    allows(id, action, messages) {
      const isAllowed = limit === 0 || bucketOf(id, action).tokens > 0
      if (isAllowed) spend(id, action, messages)
      return isAllowed
    },
  }
}
