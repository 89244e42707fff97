import { claim, subscriptionsOf, type Subscription } from './claims.ts'
import { firstOf, pushesOf, releasesOf, whyStoredTwice, type Cause } from './causes.ts'
import type { Call, RunRecord } from '../history.ts'
import { GRAVEYARD } from '../program.ts'
import { mayDie, mayEndBuried } from './dead-letters.ts'
import type { Ledger, Message } from './ledger.ts'
import { noTally, type Tally, type Violation } from './rows.ts'
import { settingsOf } from './settings.ts'

interface Texts {
  readonly violations: readonly Violation[]
  readonly tally: Tally
  readonly explained: Cause[]
}

/** What became of everything that somebody sent or published: who got it, how often, and as what. */
export function judgeTexts(ledger: Ledger): Texts {
  const { history, messages } = ledger
  const subscriptions = subscriptionsOf(history)
  const settings = settingsOf(history)
  const tally = noTally()
  const violations: Violation[] = []
  const explained: Cause[] = []
  const received = messages.filter(({ receipts }) => receipts.length > 0)
  const copies = Map.groupBy(received, ({ text, queue }) => `${queue} ${text}`)

  for (const message of received) violations.push(...checkBody(ledger, message))

  for (const call of history.calls) {
    const { op, given, outcome } = call
    if (op.kind !== 'send' && op.kind !== 'publish') continue
    for (const text of given) {
      tally.attempted++
      if (outcome === 'acknowledged') tally.acknowledged++
      for (const queue of op.kind === 'send' ? [op.queue] : queuesIn(subscriptions)) {
        const found = copies.get(`${queue} ${text}`) ?? []
        const [least, most] = op.kind === 'send' ? [0, 1] : claims(ledger, subscriptions, queue, call)
        const known = { text, queue, found, least, most }
        if (found.length > 0) tally.received++
        if (found.length > 0 && outcome === 'unknown') tally.recovered++
        tally.duplicated += Math.max(0, found.length - most)
        violations.push(...checkCopies(call, known))
        const isSafe =
          !settings.mayBeGone(queue, 0) &&
          !isShort(queue, call) &&
          !mayEndBuried(history, settings, queue) &&
          fits(queue, call, text)
        const dead = mayDie(history, queue) ? (copies.get(`${GRAVEYARD} ${text}`) ?? []) : []
        if (isSafe && found.length + dead.length < least)
          violations.push({
            row: 'lost',
            what: `${shown(text)} for ${queue}: ${found.length} of ${least}`,
            ops: [op.id],
          })
      }
    }
  }
  return { violations, tally, explained }

  /** Whether copies may have ended before anybody looked. */
  function isShort(queue: string, { from }: Call): boolean {
    const retention = Math.min(...settings.possible(queue, 'msgRetentionSeconds', from - 10_000, history.endedAt))
    return from + retention * 1_000 <= history.endedAt
  }

  /** A copy that is too large for its queue is retried, and given up in the end. */
  function fits(queue: string, { from }: Call, text: string): boolean {
    const largest = Math.min(...settings.possible(queue, 'maxMsgSize', from - 10_000, history.endedAt))
    return Buffer.byteLength(text) <= largest
  }

  function checkBody({ originOf }: Ledger, { text = '', queue, receipts }: Message): Violation[] {
    const origin = originOf(text)
    const ops = receipts.slice(0, 1).map(({ call }) => call.op.id)
    if (!origin) return [{ row: 'unexpected', what: `${shown(text)} in ${queue}`, ops }]
    const { call, isWhole } = origin
    const all = [call.op.id, ...ops]
    const isSame = receipts.every(({ message }) => message.msgBody === text)
    if (!isWhole || !isSame) return [{ row: 'wrong', what: `${shown(text)} in ${queue}`, ops: all }]
    const { op, outcome } = call
    const isDead = queue === GRAVEYARD && (op.kind !== 'send' || mayDie(history, op.queue))
    if (outcome === 'refused' || (op.kind === 'send' && op.queue !== queue && !isDead))
      return [{ row: 'unexpected', what: `${shown(text)} in ${queue}`, ops: all }]
    return []
  }

  function checkCopies(
    call: Call,
    { text, queue, found, most }: { text: string; queue: string; found: readonly Message[]; most: number },
  ): Violation[] {
    if (found.length <= most) return []
    const ops = [call.op.id, ...found.flatMap(({ receipts }) => receipts.slice(0, 1).map(({ call }) => call.op.id))]
    const what = `${shown(text)} in ${queue}: ${found.length} of ${most}`
    if (most === 0) return [{ row: 'unmatched', what, ops }]
    const cause = whyStoredTwice(call.faults) ?? firstOf(runsFor(call, queue, found), call.from, Infinity)
    if (!cause) return [{ row: 'unexplained', what, ops }]
    explained.push(...found.slice(most).map(() => cause))
    return []
  }

  /** A publication that waited is released, and a copy that its queue did not take is pushed, by a run. */
  function runsFor(call: Call, queue: string, found: readonly Message[]): readonly RunRecord[] {
    const { op, from } = call
    if (op.kind !== 'publish') return []
    const until = Math.max(...found.flatMap(({ receipts }) => receipts.slice(0, 1).map((receipt) => receipt.call.to)))
    const names = subscriptions
      .filter((one) => one.op.topic === op.topic && 'queue' in one.op.endpoint && one.op.endpoint.queue === queue)
      .map((one) => one.op.name)
    return [...releasesOf(history, call, until), ...pushesOf(history, names, from, until)]
  }
}

function claims(
  { history }: Ledger,
  subscriptions: readonly Subscription[],
  queue: string,
  call: Call,
): [number, number] {
  const all = subscriptions
    .filter(({ op }) => 'queue' in op.endpoint && op.endpoint.queue === queue)
    .map((one) => claim(history, one, call))
  const least = all.filter((one) => one === 'must').length
  return [least, all.filter((one) => one !== 'must not').length]
}

const queuesIn = (subscriptions: readonly Subscription[]): readonly string[] => [
  ...new Set(subscriptions.flatMap(({ op }) => ('queue' in op.endpoint ? [op.endpoint.queue] : []))),
]

const shown = (text: string): string => JSON.stringify(text.slice(0, 12))
