import type { Call, History } from '../history.ts'
import { messagesIn } from '../perform.ts'
import { callsOf, isOfQueue } from './calls.ts'
import { nameOf, type Ledger, type Message, type Receipt } from './ledger.ts'
import { violation, type Violation } from './rows.ts'
import type { Settings } from './settings.ts'

/** A message that was sent and received once nothing went wrong any more. */
interface Late {
  readonly message: Message
  readonly sentBy: Call
  readonly receipt: Receipt
}

/**
 * A queue of one shard that has one consumer is received in the order of sending. Judged once nothing goes wrong any more,
 * by clocks that agree, of what nobody received before.
 */
export function checkOrder(ledger: Ledger, { possible }: Settings): readonly Violation[] {
  const { history, apart } = ledger
  const late = ledger.messages.flatMap((message) => lateOf(history, message))
  if (apart > 0) return []
  return [...Map.groupBy(late, ({ message }) => message.queue)].flatMap(([queue, those]) => {
    const isOneShard = possible(queue, 'shards', history.healedAt, history.endedAt).every((shards) => shards === 1)
    if (!isOneShard || !hasOneConsumer(history, queue, those)) return []
    return those.flatMap((one) =>
      those
        .filter((other) => other.sentBy.to <= one.sentBy.from && isOvertaken(other, one))
        .map(({ message, sentBy, receipt }) =>
          violation('disordered', nameOf(message), sentBy, one.sentBy, one.receipt.call, receipt.call),
        ),
    )
  })
}

function lateOf({ healedAt }: History, message: Message): readonly Late[] {
  const { sentBy, receipts, deletions } = message
  const [receipt] = receipts
  const isPlain = sentBy?.op.kind === 'send' && sentBy.op.delay === 0 && sentBy.from >= healedAt
  const isFirst = receipt?.message.dequeueCount === 1
  return isPlain && isFirst && deletions.every(({ call }) => call.from >= receipt.call.to)
    ? [{ message, sentBy, receipt }]
    : []
}

function hasOneConsumer(history: History, queue: string, those: readonly Late[]): boolean {
  const until = Math.max(...those.map(({ receipt }) => receipt.call.to))
  const receives = callsOf(history, 'receive').filter(
    (call) => isOfQueue(call, queue) && call.to >= history.healedAt && call.from <= until,
  )
  return new Set(receives.map(({ op }) => op.process)).size === 1
}

/** Whether the later one was taken although the earlier one was there, and nobody had it. */
function isOvertaken(earlier: Late, later: Late): boolean {
  const [mine, other] = [earlier.receipt.call, later.receipt.call]
  if (mine !== other) return other.to <= mine.from && earlier.sentBy.to <= other.from
  const ids = messagesIn(mine.answer).map(({ msgId }) => msgId)
  return ids.indexOf(later.message.msgId) < ids.indexOf(earlier.message.msgId)
}
