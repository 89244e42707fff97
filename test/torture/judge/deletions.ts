import { nameOf, type Deletion, type Ledger, type Message } from './ledger.ts'
import { violation, type Violation } from './rows.ts'
import type { Settings } from './settings.ts'

/** The newest handle deletes while its lease holds, and no other ever does. */
export const checkDeletions = (ledger: Ledger, settings: Settings, message: Message): readonly Violation[] =>
  message.deletions.flatMap((deletion) => {
    if (deletion.outcome === 'acknowledged') return checkTrespass(message, deletion)
    return deletion.outcome === 'refused' ? checkRefusal(ledger, settings, message, deletion) : []
  })

function checkTrespass(message: Message, deletion: Deletion): readonly Violation[] {
  const { call, receipt } = deletion
  const newer = laterThan(message, deletion).find((other) => other.call.to < call.from)
  const isOver = call.from + call.skew >= (receipt.message.nextVisibleTime + 1) * 1_000
  // Who tries again after no answer, and finds nothing, takes it for its own doing.
  const isExcused = call.faults.length > 0 && mayBeDeletedBefore(message, deletion)
  if ((!newer && !isOver) || isExcused) return []
  return [violation('trespassed', nameOf(message), receipt.call, newer?.call, call)]
}

function checkRefusal(
  { history, apart }: Ledger,
  settings: Settings,
  message: Message,
  deletion: Deletion,
): readonly Violation[] {
  const { call, receipt } = deletion
  const { nextVisibleTime, enqueueTime } = receipt.message
  const retention = Math.min(...settings.possible(message.queue, 'msgRetentionSeconds', 0, history.endedAt))
  const endsAt = Math.min(nextVisibleTime, enqueueTime + retention) * 1_000
  const isExcused =
    call.faults.length > 0 ||
    mayBeDeletedBefore(message, deletion) ||
    laterThan(message, deletion).some((other) => other.call.from <= call.to) ||
    settings.mayBeGone(message.queue, receipt.call.from)
  const isInTime = call.to + call.skew + apart < endsAt - 1_000
  return isInTime && !isExcused ? [violation('refused', nameOf(message), receipt.call, call)] : []
}

const laterThan = ({ receipts }: Message, { receipt }: Deletion) =>
  receipts.filter(({ message }) => message.dequeueCount > receipt.message.dequeueCount)

const mayBeDeletedBefore = ({ deletions }: Message, deletion: Deletion): boolean =>
  deletions.some((other) => other !== deletion && other.outcome !== 'refused' && other.call.from <= deletion.call.to)

/** No handle of an earlier life deletes one that has begun since. */
export const checkAcross = (lives: readonly Message[]): readonly Violation[] =>
  lives.flatMap((life, index) => {
    const later = lives.slice(index + 1)
    return life.deletions
      .filter(({ outcome }) => outcome === 'acknowledged')
      .flatMap((deletion) => {
        const { call, receipt } = deletion
        const newer = later.flatMap(({ receipts }) => receipts).find((other) => other.call.to < call.from)
        const isExcused = call.faults.length > 0 && later.some((other) => mayBeDeletedBefore(other, deletion))
        return newer && !isExcused ? [violation('trespassed', nameOf(life), receipt.call, newer.call, call)] : []
      })
  })

/** A handle of another queue deletes nothing. */
export const checkStrayed = ({ strayed }: Ledger): readonly Violation[] =>
  strayed
    .filter(({ outcome }) => outcome === 'acknowledged')
    .map(({ call, receipt }) =>
      violation('trespassed', `${receipt.message.msgId} by another queue`, receipt.call, call),
    )
