import type { Call } from '../history.ts'
import { GRAVEYARD } from '../program.ts'
import { callsOf } from './calls.ts'
import { mayDie } from './dead-letters.ts'
import type { Ledger, Message } from './ledger.ts'
import { rewindsOf } from './rewinds.ts'
import { violation, type Violation } from './rows.ts'
import { SETTLED, type Settings } from './settings.ts'

/**
 * What GetQueueAttributes counts: nothing once all is deleted; before that all that lies there for certain, and where
 * nothing goes wrong no more than may lie there. Few messages are counted one by one (docs/cmq.md).
 */
export function checkNumbers(ledger: Ledger, settings: Settings): readonly Violation[] {
  const { history } = ledger
  const inQueue = Map.groupBy(ledger.messages, ({ queue }) => queue)
  return callsOf(history, 'count').flatMap((call) => {
    const { op, from, answer, faults } = call
    if (op.kind !== 'count' || answer?.code !== 0 || (faults.length > 0 && from < history.settledAt)) return []
    const { activeMsgNum, inactiveMsgNum, delayMsgNum } = answer
    const count = Number(activeMsgNum) + Number(inactiveMsgNum) + Number(delayMsgNum)
    const messages = inQueue.get(op.queue) ?? []
    const least = mayDie(history, op.queue) ? 0 : messages.filter((one) => isThere(ledger, settings, one, call)).length
    const most = from >= history.settledAt ? 0 : mostOf(ledger, op.queue, messages, call)
    if (count >= least && count <= most) return []
    return [violation('unsettled', `${count} messages are counted in ${op.queue}, not ${least} to ${most}`, call)]
  })
}

/** Whether a message was sent long before, and neither deleted nor ended since. */
function isThere({ history, apart }: Ledger, settings: Settings, message: Message, { from, to }: Call): boolean {
  const { queue, sentBy, deletions } = message
  if (!sentBy || sentBy.to + SETTLED + apart > from || settings.mayBeGone(queue, sentBy.from)) return false
  if (deletions.some(({ call, outcome }) => outcome !== 'refused' && call.from <= to)) return false
  const retention = Math.min(...settings.possible(queue, 'msgRetentionSeconds', sentBy.from - apart, history.endedAt))
  return sentBy.from + retention * 1_000 > to + apart + 1_000
}

/** As many as may lie there: known only where every copy was acknowledged to its sender, and none comes back. */
function mostOf(ledger: Ledger, queue: string, messages: readonly Message[], { from, to }: Call): number {
  const isKnown =
    ledger.isCalm &&
    queue !== GRAVEYARD &&
    callsOf(ledger.history, 'subscribe').length === 0 &&
    rewindsOf(ledger, queue).length === 0
  if (!isKnown) return Infinity
  return messages.filter(
    ({ sentBy, deletions }) =>
      !(sentBy && sentBy.from > to) &&
      !deletions.some(({ call, outcome }) => outcome === 'acknowledged' && call.to < from),
  ).length
}
