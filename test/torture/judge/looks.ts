import type { Call } from '../history.ts'
import { LONGEST_STANDSTILL } from '../life.ts'
import { messagesIn } from '../perform.ts'
import { callsOf, isOfQueue } from './calls.ts'
import { hasStoodStill } from './causes.ts'
import { mayDie } from './dead-letters.ts'
import { nameOf, type Ledger, type Message } from './ledger.ts'
import { violation, type Violation } from './rows.ts'

/** What is ready is found within a minute while somebody looks, and this is how long a round of looks takes at most. */
const FOUND_WITHIN = 60_000
const ROUND = 10_000

/** A lost call arrives so much later at most, in milliseconds. */
const LANDING = 10_000

/** When the last of a send has arrived, at most so much after it began, in milliseconds. */
const landingOf = ({ faults }: Call): number => (hasStoodStill(faults) ? LANDING + LONGEST_STANDSTILL : LANDING)

/** How long a queue was looked at without a pause, once nothing went wrong any more. */
interface Watch {
  readonly from: number
  readonly to: number
}

/**
 * What is ready while a queue is watched is found in time. That is judged only of what nobody may have held unseen: no
 * receive is missing in its count, it was never deleted, and it cannot have been on its way to another queue.
 */
export function checkFound(ledger: Ledger, message: Message): readonly Violation[] {
  const { history, originOf, apart } = ledger
  const { queue, receipts, deletions, text = '' } = message
  const found = receipts.find(({ call }) => call.from >= history.healedAt)
  const watch = watchOf(ledger, queue)
  const origin = originOf(text)?.call
  if (!found || !watch || origin?.op.kind !== 'send' || mayDie(history, queue)) return []
  const earlier = receipts.filter((other) => other.message.dequeueCount < found.message.dequeueCount)
  if (deletions.some(({ call, outcome }) => outcome !== 'refused' && call.from < found.call.to)) return []
  if (found.message.dequeueCount !== earlier.length + 1) return []
  const readyAt = Math.max(
    watch.from,
    (found.message.enqueueTime + 1 + origin.op.delay) * 1_000 + landingOf(origin),
    ...earlier.map((other) => (other.message.nextVisibleTime + 1) * 1_000),
  )
  const until = readyAt + FOUND_WITHIN + ROUND + apart
  return until <= watch.to && found.call.to > until ? [violation('late', nameOf(message), origin, found.call)] : []
}

const known = new WeakMap<Ledger, Map<string, Watch | undefined>>()

/** Every message asks for it. */
function watchOf(ledger: Ledger, queue: string): Watch | undefined {
  const watches = known.get(ledger) ?? new Map<string, Watch | undefined>()
  known.set(ledger, watches)
  if (!watches.has(queue)) watches.set(queue, watched(ledger, queue))
  return watches.get(queue)
}

/** Looks that were answered, each soon after the one before, by one process, from the end of all faults on. */
function watched({ history }: Ledger, queue: string): Watch | undefined {
  const [first, ...looks] = callsOf(history, 'receive').filter(
    (call) => isOfQueue(call, queue) && call.from >= history.healedAt && call.faults.length === 0,
  )
  if (!first) return undefined
  let last = first
  for (const look of looks) {
    if (look.from > last.to + ROUND || look.op.process !== first.op.process) break
    if (isEmptied(look)) last = look
  }
  return { from: first.from, to: last.to }
}

/** Whether a look found less than it asked for, so that it has left nothing that it saw. */
const isEmptied = ({ op, outcome, answer }: Call): boolean =>
  op.kind === 'receive' && outcome !== 'unknown' && messagesIn(answer).length < op.count
