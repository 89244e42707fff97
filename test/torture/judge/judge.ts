import type { Call, History } from '../history.ts'
import type { Cause } from './causes.ts'
import { ledgerOf } from './ledger.ts'
import { judgePushes } from './pushes.ts'
import { judgeQueues } from './queues.ts'
import type { Tally, Violation } from './rows.ts'
import { judgeTexts } from './texts.ts'
import { judgeTopics } from './topics.ts'

/** What is not as promised in a history, and what was counted in it. */
export interface Verdict {
  readonly violations: readonly Violation[]
  readonly tally: Tally
  /** Why each of the duplicates is there, where that is known. */
  readonly explained: readonly Cause[]
}

/** Judges a whole history, once all that was to come has come. Another promise is another function here. */
export function judge(history: History): Verdict {
  const ledger = ledgerOf(history)
  const { violations, tally, explained } = judgeTexts(ledger)
  return {
    tally,
    explained,
    violations: [
      ...violations,
      ...judgeQueues(ledger),
      ...judgePushes(ledger, tally, explained),
      ...judgeTopics(ledger),
      ...checkKeys(history),
      ...checkFailures(history),
    ],
  }
}

/** A signature is not what it should be (406/5903). */
const NOT_AUTHENTIC = 4_100

function checkKeys({ calls }: History): readonly Violation[] {
  return calls.flatMap(({ op, code, outcome }): Violation[] => {
    if (outcome === 'unknown') return []
    const isRefused = code === NOT_AUTHENTIC
    if (op.kind === 'intrude') return isRefused ? [] : [{ row: 'admitted', what: `answered by ${code}`, ops: [op.id] }]
    return isRefused ? [{ row: 'shut out', what: op.kind, ops: [op.id] }] : []
  })
}

/**
 * Calls of one process at once share what they read, and its faults, which are told of the first of them. That one may go
 * on when its client has left.
 */
const mayShare = (one: Call, other: Call, processes: number): boolean =>
  one.faults.length > 0 &&
  one.op.process % processes === other.op.process % processes &&
  one.from <= other.to &&
  other.from <= one.overAt

/** Without a fault everything is answered, and not by a failure of the server. */
function checkFailures({ calls, profile, troubles }: History): readonly Violation[] {
  const unknown = calls.filter(({ outcome }) => outcome === 'unknown')
  const failed = unknown.filter(
    (call) => call.faults.length === 0 && !unknown.some((other) => mayShare(other, call, profile.processes)),
  )
  return [
    ...failed.map(({ op, code }) => ({ row: 'failed' as const, what: `${op.kind}: ${code}`, ops: [op.id] })),
    ...troubles.map((what) => ({ row: 'failed' as const, what, ops: [] })),
  ]
}
