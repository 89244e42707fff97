import type { Call, History } from '../history.ts'
import { START } from '../../support/clock.ts'
import { GRAVEYARD } from '../program.ts'
import { callsOf, isOfQueue } from './calls.ts'
import { nameOf, type Ledger, type Message } from './ledger.ts'
import { violation, type Violation } from './rows.ts'
import { CACHED, latestOf, type Settings } from './settings.ts'

/** What is in the queue of dead letters, by the id that it had in its own. */
export const buried = ({ messages }: Ledger): ReadonlyMap<string, Message> =>
  new Map(messages.flatMap((message) => (message.queue === GRAVEYARD ? [[message.msgId, message]] : [])))

/** Calls that may have changed where dead letters of the queue go. */
const bindingsOf = (history: History, queue: string): readonly Call[] =>
  callsOf(history, 'bury').filter((call) => isOfQueue(call, queue) && call.outcome !== 'refused')

/** Those of them that may have had it go to their own. */
const burialsOf = (history: History, queue: string): readonly Call[] =>
  bindingsOf(history, queue).filter(({ op }) => op.kind === 'bury' && op.settings)

/** Whether messages of the queue may have died. */
export const mayDie = (history: History, queue: string): boolean => burialsOf(history, queue).length > 0

/** Whether a message of the queue may have died, and then have ended where it lay. */
export const mayEndBuried = (history: History, { possible }: Settings, queue: string): boolean =>
  mayDie(history, queue) &&
  possible(GRAVEYARD, 'msgRetentionSeconds', 0, history.endedAt).some(
    (retention) => START + retention * 1_000 <= history.endedAt,
  )

/** A dead letter is in one queue at a time, and was received as often as the policy says. */
export function checkDeadLetters(ledger: Ledger): readonly Violation[] {
  const graves = buried(ledger)
  return ledger.messages.flatMap((message): Violation[] => {
    const grave = message.queue === GRAVEYARD ? undefined : graves.get(message.msgId)
    const [first] = grave?.receipts ?? []
    if (!grave || !first) return []
    const after = message.receipts.find(({ call }) => call.from > first.call.to)
    const what = `${message.msgId} of ${message.queue}`
    const ops = [first.call.op.id, ...(after ? [after.call.op.id] : [])]
    const { deadLetter } = first.message
    const least = Math.min(...burialsOf(ledger.history, message.queue).map(leastCount))
    const isEarly = deadLetter?.policy === 0 && deadLetter.dequeueCount < least
    return [
      ...(after ? [{ row: 'misplaced' as const, what: `${what} is in both queues`, ops }] : []),
      ...(isEarly ? [{ row: 'misplaced' as const, what: `${what} is dead too soon`, ops }] : []),
    ]
  })
}

const leastCount = ({ op }: Call): number =>
  op.kind === 'bury' ? (op.settings?.['maxReceiveCount'] ?? Infinity) : Infinity

/**
 * What was received as often as the policy allows is not received again. Its last lease has to have ended under that very
 * policy: what was there before a binding is served once more.
 */
export function checkOverdue({ history, apart }: Ledger, { mayBeGone }: Settings, life: Message): readonly Violation[] {
  const { queue, receipts } = life
  const bindings = bindingsOf(history, queue)
  if (bindings.length === 0) return []
  return receipts.flatMap((receipt) => {
    const last = receipts.find(({ message }) => message.dequeueCount === receipt.message.dequeueCount - 1)
    const binding = bindingAt(bindings, receipt.call, CACHED + apart)
    if (!last || !binding || last.message.dequeueCount < mostCount(binding)) return []
    const isCounted = last.message.nextVisibleTime * 1_000 > binding.to + apart
    if (!isCounted || mayBeGone(queue, binding.from)) return []
    return [violation('misplaced', `${nameOf(life)} should be dead`, binding, last.call, receipt.call)]
  })
}

/** The binding that was in force for certain while a call went on. */
function bindingAt(bindings: readonly Call[], { from, to }: Call, margin: number): Call | undefined {
  const begun = bindings.filter((binding) => binding.from <= to)
  const last = begun.reduce<Call | undefined>((one, other) => (one && one.to > other.to ? one : other), undefined)
  const isAlone = begun.every((other) => other === last || latestOf(other) <= (last?.from ?? 0))
  return last?.outcome === 'acknowledged' && last.to + margin < from && isAlone ? last : undefined
}

const mostCount = ({ op }: Call): number =>
  op.kind === 'bury' && op.settings?.['policy'] === 0 ? (op.settings['maxReceiveCount'] ?? Infinity) : Infinity
