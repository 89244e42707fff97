import { NO_MESSAGE, type Attempt, type Call, type HarmDone, type Ledger, type Receipt, type Span } from './ledger.ts'

/** What it all comes to, in the words of Jepsen's total-queue. */
export interface Counts {
  readonly attempted: number
  readonly acknowledged: number
  readonly received: number
  readonly recovered: number
  readonly duplicated: number
}

/** What must not be: each is a list of what it was found at. */
export type Faults = {
  /** Acknowledged, and never received. */
  readonly lost: readonly string[]
  /** Received, and never sent. */
  readonly unexpected: readonly string[]
  /** Received with another body than was sent. */
  readonly wrong: readonly string[]
  /** Received by a request that began after its deletion was acknowledged. */
  readonly revived: readonly string[]
  /** Received by two, the second before the first one's lease can have ended, whoever was the first. */
  readonly overlapping: readonly string[]
  /** Received twice, although nothing was done to anything meanwhile, and its deletion was not late. */
  readonly unexplained: readonly string[]
  /** Requests that failed, or had no answer, although nothing was done to anything meanwhile. */
  readonly failed: readonly string[]
  /** Requests that took longer than anything may, whatever was done meanwhile. */
  readonly hung: readonly string[]
  /** Starts that did not succeed, and did not say in one line why. */
  readonly unclear: readonly string[]
}

/** A connection that was cut is found to be so a little later, in milliseconds. */
const AFTERMATH = 300

/** Nothing waits for longer inside, whatever is done to it, in milliseconds. */
const LONGEST = 20_000

export function countsOf({ attempts, receipts }: Ledger): Counts {
  const received = new Set(receipts.map(({ name }) => name))
  const isUnknown = ({ name, call }: Attempt) => call.code !== 0 && received.has(name)
  return {
    attempted: attempts.length,
    acknowledged: attempts.filter(({ call }) => call.code === 0).length,
    received: received.size,
    recovered: attempts.filter(isUnknown).length,
    duplicated: receipts.length - received.size,
  }
}

/** Judges what clients have seen of a queue that hides what was received for so many milliseconds. */
export function faultsOf({ attempts, receipts, calls, harms, startsWhileFull }: Ledger, hidden: number): Faults {
  const sent = new Map(attempts.map((attempt) => [attempt.name, attempt]))
  const byName = Map.groupBy(receipts, ({ name }) => name)
  const byId = Map.groupBy(receipts, ({ msgId }) => msgId)
  const twice = [...byId.values()].flatMap(pairsOf)

  const isWrong = ({ name, length, isWhole }: Receipt) => !isWhole || length !== sent.get(name)?.length
  const isLate = ({ call, deletion }: Receipt) => (deletion?.until ?? Infinity) >= call.from + hidden
  const isExplained = ([first, second]: Pair) => {
    const span = { from: first.call.from, until: second.call.until }
    return first.msgId === second.msgId
      ? isHarmed(span, harms) || isLate(first)
      : // A send that was repeated inside the service has stored two messages.
        isHarmed(sent.get(first.name)?.call ?? span, harms)
  }

  return {
    lost: attempts.filter(({ name, call }) => call.code === 0 && !byName.has(name)).map(({ name }) => name),
    unexpected: [...byName.keys()].filter((name) => !sent.has(name)),
    wrong: receipts.filter((receipt) => sent.has(receipt.name) && isWrong(receipt)).map(({ name }) => name),
    revived: twice.filter(isRevived).map(nameOfPair),
    overlapping: twice.filter((pair) => isOverlapping(pair, hidden)).map(nameOfPair),
    unexplained: [...byName.values()]
      .flatMap(pairsOf)
      .filter((pair) => !isExplained(pair))
      .map(nameOfPair),
    failed: [
      ...calls.filter((call) => !isGood(call) && !isHarmed(call, harms)).map(textOf),
      ...receipts.filter((receipt) => !isDeleted(receipt, harms) && !isLate(receipt)).map(({ name }) => name),
    ],
    hung: calls.filter(({ from, until }) => until - from > LONGEST).map(textOf),
    unclear: startsWhileFull.filter((refusal) => refusal !== undefined).filter((refusal) => !isClear(refusal)),
  }
}

type Pair = readonly [first: Receipt, second: Receipt]

/** Each with every later one, in the order in which they were asked for. */
function pairsOf(receipts: readonly Receipt[]): Pair[] {
  const inOrder = receipts.toSorted((a, b) => a.call.from - b.call.from)
  return inOrder.flatMap((first, index) => inOrder.slice(index + 1).map((second): Pair => [first, second]))
}

const isRevived = ([{ deletion }, { call }]: Pair): boolean => deletion?.code === 0 && call.from > deletion.until

/** A lease is taken while its request is under way: it lasts at least until `hidden` after that began. */
const isOverlapping = ([{ call: one }, { call: other }]: Pair, hidden: number): boolean =>
  other.until < one.from + hidden && one.until < other.from + hidden

const isHarmed = ({ from, until }: Span, harms: readonly HarmDone[]): boolean =>
  harms.some((harm) => from <= harm.until + AFTERMATH && until >= harm.from)

/** What is answered to a deletion is judged with its receipts, whose leases it needs. */
const isGood = ({ action, code }: Call): boolean =>
  code === 0 ||
  (action === 'BatchReceiveMessage' && code === NO_MESSAGE) ||
  (action === 'BatchDeleteMessage' && code !== undefined)

const isDeleted = ({ call, deletion }: Receipt, harms: readonly HarmDone[]): boolean =>
  deletion === undefined || deletion.code === 0 || isHarmed({ from: call.from, until: deletion.until }, harms)

const nameOfPair = ([, { name }]: Pair): string => name

const textOf = ({ action, code, from, until }: Call): string => `${action} ${code ?? 'unanswered'} ${until - from} ms`

/** What a start says that ends with one line, which is not a stack. */
const isClear = (refusal: string): boolean => /^the server ended before it listened: [^{\n]+\n$/.test(refusal)

const isSend = ({ action }: Call): boolean => action === 'BatchSendMessage'

/** How many sends were answered by a failure while the disk was full. */
export const refusedWhileFull = ({ calls, fullDisks }: Ledger): number =>
  calls.filter((call) => {
    const isRefused = isSend(call) && call.code !== undefined && call.code !== 0
    return isRefused && fullDisks.some(({ from, until }) => from <= call.from && call.until <= until)
  }).length

/** How long it took at most, in milliseconds, until a send was acknowledged after there was room again. */
export const slowestRecovery = ({ calls, fullDisks }: Ledger): number => {
  const sent = calls.filter((call) => isSend(call) && call.code === 0).map(({ until }) => until)
  const waits = fullDisks.map(({ until }) => Math.min(...sent.filter((at) => at >= until)) - until)
  return Math.max(0, ...waits)
}
