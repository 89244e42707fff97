import { GATEWAY_PATIENCE, type Call, type History } from '../history.ts'
import { isOfQueue } from './calls.ts'

/** How long after its answer a call that nobody heard of may still have an effect, in milliseconds. */
export const AFTERMATH = 60_000

/** When a call has had its effect, if it has any. Nobody waits for it any longer than the gateway does. */
export const latestOf = ({ from, to, outcome }: Call): number =>
  outcome === 'unknown' ? Math.min(to, from + GATEWAY_PATIENCE) + AFTERMATH : to

/** How long a process goes on with what it has read of a queue or a topic, and how long a change may take to be known. */
export const CACHED = 1_100

/** How long after a change, a deletion or a send processes may go on with what they knew at most, in milliseconds. */
export const SETTLED = 3_000

/** What the attributes of queues may have been, and when. */
export interface Settings {
  /** Every value that may have been in force for somebody at some time of the interval. */
  possible(queue: string, attribute: string, from: number, to: number): readonly number[]
  /** Whether the queue may have been deleted or cleared since then, until the end. */
  mayBeGone(queue: string, since: number): boolean
  /** When the queue was deleted or cleared, for certain. */
  deletions(queue: string): readonly Call[]
}

interface Version {
  readonly value: number
  readonly from: number
  readonly to: number
  isReplacedAt: number
}

/** What CMQ gives a queue that says nothing (406/5832). */
const DEFAULTS: Readonly<Record<string, number>> = {
  visibilityTimeout: 30,
  rewindSeconds: 0,
  msgRetentionSeconds: 345_600,
  pollingWaitSeconds: 0,
  maxMsgSize: 65_536,
  shards: 1,
}

export function settingsOf({ calls, profile }: History): Settings {
  const removals = calls.filter(({ op: { kind }, outcome }) => isRemoval(kind) && outcome !== 'refused')
  const margin = CACHED + 2 * profile.skew
  const known = new Map<string, readonly Version[]>()

  function versionsOf(queue: string, attribute: string): readonly Version[] {
    const key = `${queue} ${attribute}`
    const found = known.get(key)
    if (found) return found
    const versions: Version[] = []
    for (const call of calls) {
      const { op, from, to, outcome } = call
      if ((op.kind !== 'create' && op.kind !== 'change') || op.queue !== queue || outcome === 'refused') continue
      const value = op.attributes[attribute] ?? (op.kind === 'create' ? DEFAULTS[attribute] : undefined)
      if (value === undefined) continue
      if (outcome === 'acknowledged')
        for (const version of versions)
          if (version.to <= from) version.isReplacedAt = Math.min(version.isReplacedAt, to + margin)
      versions.push({ value, from, to: latestOf(call), isReplacedAt: Infinity })
    }
    known.set(key, versions)
    return versions
  }

  return {
    possible: (queue, attribute, from, to) =>
      versionsOf(queue, attribute)
        .filter((version) => version.from <= to && version.isReplacedAt >= from)
        .map(({ value }) => value),

    mayBeGone: (queue, since) => removals.some((call) => isOfQueue(call, queue) && latestOf(call) + margin >= since),

    deletions: (queue) => removals.filter((call) => isOfQueue(call, queue) && call.outcome === 'acknowledged'),
  }
}

const isRemoval = (kind: Call['op']['kind']): boolean => kind === 'destroy' || kind === 'clear'
