import type { Call } from '../history.ts'
import { rewoundTo } from '../perform.ts'
import { GRAVEYARD } from '../program.ts'
import { callsOf } from './calls.ts'
import { mayDie } from './dead-letters.ts'
import type { Ledger, Message, Receipt } from './ledger.ts'
import type { Violation } from './rows.ts'
import { AFTERMATH, type Settings } from './settings.ts'

/** The rewinds of a queue that may have had an effect. */
export const rewindsOf = ({ history }: Ledger, queue: string): readonly Call[] =>
  callsOf(history, 'rewind').filter(
    ({ op, outcome }) => op.kind === 'rewind' && op.queue === queue && outcome !== 'refused',
  )

/** From which second on a rewind brings back; what was produced in it may be brought back or not. */
const startOf = ({ op, from }: Call): number => (op.kind === 'rewind' ? rewoundTo(op.ago, from) : Infinity)

/** Whether one of the rewinds may have brought back what was deleted: it ended after the deletion had begun. */
export const mayBringBack = (rewinds: readonly Call[], deletion: Call, receipt: Call, sentAt: number): boolean =>
  rewinds.some(
    (rewind) =>
      (rewind.outcome === 'unknown' ? rewind.to + AFTERMATH : rewind.to) >= deletion.from &&
      rewind.from <= receipt.to &&
      sentAt >= startOf(rewind) - 1,
  )

/** How long after a change processes may go on with what they knew, in milliseconds. */
const SETTLED = 3_000

/**
 * What a rewind covers for certain is received once more. Judged by the last deletion: what was deleted again had come
 * back from the one before. `letters` are its receipts as a dead letter.
 */
export function checkRewound(
  ledger: Ledger,
  settings: Settings,
  message: Message,
  letters: readonly Receipt[],
): Violation[] {
  const { history, apart } = ledger
  const { queue, receipts, deletions } = message
  const deletion = deletions
    .filter(({ outcome }) => outcome !== 'refused')
    .toSorted((a, b) => a.call.to - b.call.to)
    .at(-1)
  const sentAt = receipts[0]?.message.enqueueTime
  if (deletion?.outcome !== 'acknowledged' || sentAt === undefined || settings.mayBeGone(queue, 0)) return []
  const kept = settings.possible(queue, 'rewindSeconds', 0, history.endedAt)
  const retention = Math.min(...settings.possible(queue, 'msgRetentionSeconds', 0, history.endedAt))
  if (new Set(kept).size !== 1 || kept[0] === 0 || (sentAt + retention) * 1_000 < history.endedAt) return []
  const rewind = rewindsOf(ledger, queue).find(
    (call) =>
      call.outcome === 'acknowledged' &&
      call.from > deletion.call.to + SETTLED + apart &&
      sentAt > startOf(call) &&
      (sentAt + (kept[0] ?? 0)) * 1_000 > call.to + apart,
  )
  if (!rewind) return []
  // It may have come back to receivers that died until it was dead itself.
  if (mayDie(history, queue) && settings.mayBeGone(GRAVEYARD, 0)) return []
  // Whenever it came back after its last deletion, it is there, or dead, and no rewind covers it any more.
  if ([...receipts, ...letters].some(({ call }) => call.to > deletion.call.to)) return []
  const ops = [deletion.call.op.id, rewind.op.id]
  return [{ row: 'rewound', what: `${message.msgId} in ${queue} did not come back`, ops }]
}
