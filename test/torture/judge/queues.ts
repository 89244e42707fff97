import { LEFT_IN_TIME, type Call, type History } from '../history.ts'
import { GRAVEYARD } from '../program.ts'
import { callsOf } from './calls.ts'
import { buried, checkDeadLetters, checkOverdue, mayDie, mayEndBuried } from './dead-letters.ts'
import { checkAcross, checkDeletions, checkStrayed } from './deletions.ts'
import { nameOf, type Ledger, type Message, type Receipt } from './ledger.ts'
import { livesOf } from './lives.ts'
import { checkFound } from './looks.ts'
import { checkNumbers } from './numbers.ts'
import { checkOrder } from './order.ts'
import { checkRewound, mayBringBack, memoryOf, type Memory } from './rewinds.ts'
import { violation, type Violation } from './rows.ts'
import { AFTERMATH, settingsOf, type Settings } from './settings.ts'

/** What each message of a queue tells. */
export function judgeQueues(ledger: Ledger): readonly Violation[] {
  const settings = settingsOf(ledger.history)
  const receives = receivesOf(ledger)
  const graves = buried(ledger)
  const memories = new Map<string, Memory>()

  function judgeMessage(message: Message): readonly Violation[] {
    const memory = memories.get(message.queue) ?? memoryOf(ledger, settings, message.queue)
    memories.set(message.queue, memory)
    const { history } = ledger
    const grave = graves.get(message.msgId)
    const isBuried =
      mayEndBuried(history, settings, message.queue) || (mayDie(history, message.queue) && grave !== undefined)
    // What was rewound lives anew: its counts begin again, and so do its leases.
    const mayLiveTwice = memory.rewinds.length > 0 && message.deletions.some(({ outcome }) => outcome !== 'refused')
    const lives = mayLiveTwice ? (livesOf(message) ?? []) : [message]
    return [
      ...(isBuried ? [] : checkLost(ledger, settings, message)),
      ...checkRevived(settings, memory, message),
      ...checkTimes(ledger, settings, message),
      ...checkFound(ledger, message),
      ...(mayLiveTwice ? checkRewound(ledger, settings, message, grave?.receipts ?? []) : []),
      ...lives.flatMap((life) => [
        ...checkOverlaps(life),
        ...checkCounts(ledger, life, receives),
        ...checkOverdue(ledger, settings, life),
        ...checkDeletions(ledger, settings, life),
      ]),
      ...checkAcross(lives),
    ]
  }
  return [
    ...ledger.messages.flatMap(judgeMessage),
    ...checkDeadLetters(ledger),
    ...checkStrayed(ledger),
    ...checkNumbers(ledger, settings),
    ...checkOrder(ledger, settings),
  ]
}

/** What is not deleted, and neither ended nor its queue, is there at the end. */
function checkLost({ history, originOf, apart }: Ledger, settings: Settings, message: Message): Violation[] {
  const { queue, receipts, deletions, sentBy, text } = message
  if (deletions.some(({ outcome }) => outcome !== 'refused')) return []
  if (receipts.some(({ call }) => call.from >= history.healedAt)) return []
  const sending = sentBy ?? (text === undefined ? undefined : originOf(text)?.call)
  const since = sending?.from ?? 0
  if (settings.mayBeGone(queue, since)) return []
  const [first] = receipts
  const bornBy = first ? first.message.enqueueTime * 1_000 : since + (sending?.skew ?? 0)
  const retention = Math.min(...settings.possible(queue, 'msgRetentionSeconds', since - apart, history.endedAt))
  if (bornBy + retention * 1_000 - apart - 1_000 <= history.settledAt) return []
  return [violation('lost', nameOf(message), sending, first?.call)]
}

function checkRevived(settings: Settings, memory: Memory, message: Message): Violation[] {
  const { queue, receipts, deletions, sentBy } = message
  const made = deletions.filter(({ outcome }) => outcome !== 'refused').map(({ call }) => call)
  const ended = deletions.filter(({ outcome }) => outcome === 'acknowledged').map(({ call }) => call)
  // What was sent before its queue was deleted is not in another one of its name.
  const gone = settings.deletions(queue).filter(({ from }) => sentBy !== undefined && sentBy.to < from)
  return receipts.flatMap(({ call, message: { enqueueTime } }) => {
    const mayComeAfter = (deletion: Call) => mayBringBack(memory, deletion, call, enqueueTime)
    // Who tries again after no answer, and finds nothing, since it was deleted and not brought back yet, is told that it is gone.
    const mayHaveFoundNothing = ({ faults, from }: Call) =>
      faults.length > 0 && made.some((other) => other.from < from && mayComeAfter(other))
    return [
      ...gone
        .filter(({ to }) => call.from > to)
        .map((deletion) => violation('revived', nameOf(message), sentBy, deletion, call)),
      ...ended
        .filter((deletion) => call.from > deletion.to && !mayComeAfter(deletion) && !mayHaveFoundNothing(deletion))
        .map((deletion) =>
          violation(memory.rewinds.length > 0 ? 'rewound' : 'revived', nameOf(message), sentBy, deletion, call),
        ),
    ]
  })
}

/** Nothing comes before its delay is over, after its retention, or only to one who has never looked before. */
function checkTimes({ history, originOf, apart }: Ledger, settings: Settings, message: Message): Violation[] {
  const { queue, receipts, text } = message
  const origin = originOf(text ?? '')?.call
  const found: Violation[] = []
  for (const { call, message: got } of receipts) {
    const delay = origin?.op.kind === 'send' || origin?.op.kind === 'publish' ? origin.op.delay * 1_000 : 0
    // What has been received in time is not early any more, be it brought back by a clock that is behind.
    const isFirst = !receipts.some((other) => other.call.to < call.to)
    if (origin && isFirst && call.to + call.skew < origin.from + origin.skew + delay)
      found.push(violation('early', nameOf(message), origin, call))
    const sentAt = got.enqueueTime * 1_000
    const retention = Math.max(
      ...settings.possible(queue, 'msgRetentionSeconds', sentAt - apart - AFTERMATH, sentAt + apart + 1_000),
    )
    if (call.from + call.skew >= sentAt + 1_000 + retention * 1_000)
      found.push(violation('expired', nameOf(message), origin, call))
    // Whoever looks at a queue may move its dead letters, at any time.
    if (call.from >= history.settledAt && queue !== GRAVEYARD)
      found.push(violation('late', nameOf(message), origin, call))
  }
  return found
}

/** Nobody gets a message before the lease of whoever got it before has run out, nor twice at once. */
function checkOverlaps(message: Message): Violation[] {
  const ordered = inOrder(message.receipts)
  return ordered.slice(1).flatMap(({ call }, index) => {
    const before = ordered[index]
    const isTwice = call === before?.call
    return before && (isTwice || call.to + call.skew < before.message.nextVisibleTime * 1_000)
      ? [violation('overlapping', nameOf(message), before.call, call)]
      : []
  })
}

const inOrder = (receipts: readonly Receipt[]): readonly Receipt[] =>
  receipts.toSorted((a, b) => a.message.dequeueCount - b.message.dequeueCount)

/** Receives of each queue that may have taken what they did not answer. */
function receivesOf({ history }: Ledger): ReadonlyMap<string, readonly Call[]> {
  const faulty = callsOf(history, 'receive').filter(
    (call) => (call.outcome === 'unknown' || call.faults.length > 0) && !hasGivenBack(history, call),
  )
  return Map.groupBy(faulty, ({ op }) => ('queue' in op ? op.queue : ''))
}

/** Whether the server noticed that its client had gone, and nothing kept it from giving back what it had taken for it. */
const hasGivenBack = ({ deaths }: History, { from, to, faults }: Call): boolean =>
  faults.every((fault) => fault === LEFT_IN_TIME) &&
  faults.length > 0 &&
  !deaths.some((time) => time >= from && time <= to + AFTERMATH)

/** A receive counts one more than the one before, unless one between was not answered. */
function checkCounts({ apart }: Ledger, message: Message, faulty: ReadonlyMap<string, readonly Call[]>): Violation[] {
  const ordered = inOrder(message.receipts)
  const silent = faulty.get(message.queue) ?? []
  return ordered.flatMap(({ call, message: { dequeueCount, enqueueTime } }, index) => {
    const before = ordered[index - 1]
    const counted = before?.message.dequeueCount ?? 0
    const since = before ? before.call.from : enqueueTime * 1_000 - apart
    const isExact = !silent.some(({ from, to }) => from < call.to && to + AFTERMATH > since)
    const isRight = isExact ? dequeueCount === counted + 1 : dequeueCount > counted
    const isInTime = !before || before.call.from <= call.to
    return isRight && isInTime
      ? []
      : [violation('miscounted', `${nameOf(message)}: ${dequeueCount} after ${counted}`, before?.call, call)]
  })
}
