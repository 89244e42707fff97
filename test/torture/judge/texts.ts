import { claim, subscriptionsOf, type Subscription } from './claims.ts'
import type { Call } from '../history.ts'
import { GRAVEYARD } from '../program.ts'
import { mayDie, mayEndBuried } from './dead-letters.ts'
import type { Ledger, Message } from './ledger.ts'
import { noTally, type Tally, type Violation } from './rows.ts'
import { settingsOf } from './settings.ts'

/** What became of everything that somebody sent or published: who got it, how often, and as what. */
export function judgeTexts(ledger: Ledger): { readonly violations: readonly Violation[]; readonly tally: Tally } {
  const { history, messages } = ledger
  const subscriptions = subscriptionsOf(history)
  const settings = settingsOf(history)
  const tally = noTally()
  const violations: Violation[] = []
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
        violations.push(...checkCopies(ledger, call, known))
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
  return { violations, tally }

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
    { isCalm }: Ledger,
    { op, faults, outcome }: Call,
    { text, queue, found, most }: { text: string; queue: string; found: readonly Message[]; most: number },
  ): Violation[] {
    if (found.length <= most) return []
    const ops = [op.id, ...found.flatMap(({ receipts }) => receipts.slice(0, 1).map(({ call }) => call.op.id))]
    const what = `${shown(text)} in ${queue}: ${found.length} of ${most}`
    if (most === 0) return [{ row: 'unmatched', what, ops }]
    // A publication that waited, or a copy that was retried, is repeated by what befalls others.
    const isExplained = faults.length > 0 || outcome === 'unknown' || (op.kind === 'publish' && !isCalm)
    return isExplained ? [] : [{ row: 'unexplained', what, ops }]
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
