import type { Call } from '../history.ts'
import { rewoundTo } from '../perform.ts'
import { GRAVEYARD } from '../program.ts'
import { callsOf } from './calls.ts'
import { mayDie } from './dead-letters.ts'
import type { Ledger, Message, Receipt } from './ledger.ts'
import type { Violation } from './rows.ts'
import { latestOf, SETTLED, type Settings } from './settings.ts'

/** The rewinds of a queue that may have had an effect. */
export const rewindsOf = ({ history }: Ledger, queue: string): readonly Call[] =>
  callsOf(history, 'rewind').filter(
    ({ op, outcome }) => op.kind === 'rewind' && op.queue === queue && outcome !== 'refused',
  )

/** From which second on a rewind brings back; what was produced in it may be brought back or not. */
const startOf = ({ op, from }: Call): number => (op.kind === 'rewind' ? rewoundTo(op.ago, from) : Infinity)

/** A change by which a queue forgot what had been deleted from it before, and had been produced before `keptFrom`. */
interface Forgetting {
  readonly call: Call
  readonly keptFrom: number
}

/** What may bring back messages of a queue, and what keeps it from that. */
export interface Memory {
  readonly rewinds: readonly Call[]
  readonly forgettings: readonly Forgetting[]
}

export const memoryOf = (ledger: Ledger, settings: Settings, queue: string): Memory => ({
  rewinds: rewindsOf(ledger, queue),
  forgettings: forgettingsOf(ledger, settings, queue),
})

/** Changes that have lowered `rewindSeconds` for certain, beside no other. To 0 is always that, or leaves it as it was. */
function forgettingsOf({ history, apart }: Ledger, { possible }: Settings, queue: string): readonly Forgetting[] {
  const changes = callsOf(history, 'change').filter(
    ({ op, outcome }) =>
      op.kind === 'change' && op.queue === queue && 'rewindSeconds' in op.attributes && outcome !== 'refused',
  )
  return changes.flatMap((call) => {
    const kept = call.op.kind === 'change' ? (call.op.attributes['rewindSeconds'] ?? 0) : 0
    const before = possible(queue, 'rewindSeconds', call.from - 1, call.from - 1)
    const isAlone = changes.every((other) => other === call || latestOf(other) < call.from || other.from > call.to)
    const isLowered = kept === 0 || before.every((seconds) => seconds > kept)
    if (call.outcome !== 'acknowledged' || !isAlone || !isLowered) return []
    return [{ call, keptFrom: kept === 0 ? Infinity : call.from - kept * 1_000 - apart }]
  })
}

/** Whether a rewind may have brought back what was deleted: it ended after the deletion began, and it was not forgotten. */
export const mayBringBack = (
  { rewinds, forgettings }: Memory,
  deletion: Call,
  receipt: Call,
  sentAt: number,
): boolean =>
  rewinds.some(
    (rewind) =>
      latestOf(rewind) >= deletion.from &&
      rewind.from <= receipt.to &&
      sentAt >= startOf(rewind) - 1 &&
      !forgettings.some(
        ({ call, keptFrom }) => deletion.to < call.from && call.to < rewind.from && (sentAt + 1) * 1_000 < keptFrom,
      ),
  )

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
