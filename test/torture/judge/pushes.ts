import {
  firstOf,
  hasStoodStill,
  ANSWERED_WITHIN,
  releasesOf,
  whyDoneAgain,
  whyStoredTwice,
  type Cause,
} from './causes.ts'
import type { Arrival, Call, History } from '../history.ts'
import type { Strategy } from '../program.ts'
import { claim, strategiesOf, subscriptionsOf, type Subscription } from './claims.ts'
import type { Ledger } from './ledger.ts'
import type { Tally, Violation } from './rows.ts'

/** What web servers got: everything that they want, nothing else, not too early, and again as the policy says. */
export function judgePushes(ledger: Ledger, tally: Tally, explained: Cause[]): readonly Violation[] {
  const { history, originOf, apart } = ledger
  const subscriptions = subscriptionsOf(history).filter(({ op }) => 'web' in op.endpoint)
  const arrivals = Map.groupBy(history.arrivals, ({ web, text }) => `${web} ${text}`)
  const byWeb = Map.groupBy(arrivals.values(), ([first]) => first?.web)
  const violations: Violation[] = []

  for (const [key, those] of arrivals) {
    const [{ text, web }] = those as [Arrival]
    const origin = originOf(text)
    if (!origin) {
      violations.push({ row: 'unexpected', what: key.slice(0, 40), ops: [] })
      continue
    }
    const { call, isWhole } = origin
    const ops = [call.op.id]
    const what = `${JSON.stringify(text.slice(0, 12))} at ${web}`
    const owners = subscriptions.filter(({ op }) => 'web' in op.endpoint && op.endpoint.web === web)
    const claims = owners.map((one) => claim(history, one, call))
    if (!isWhole) violations.push({ row: 'wrong', what, ops })
    if (call.outcome === 'refused') violations.push({ row: 'unexpected', what, ops })
    else if (claims.every((one) => one === 'must not')) violations.push({ row: 'unmatched', what, ops })
    if (those.some(({ from }) => from < dueAt(call) - apart)) violations.push({ row: 'early', what, ops })
    const made = those.filter(({ outcome }) => outcome === '200').length
    const most = claims.filter((one) => one !== 'must not').length
    tally.duplicated += Math.max(0, made - most)
    if (made > most && most > 0) {
      const cause = whyTwice(history, call, those)
      if (cause) explained.push(...Array.from({ length: made - most }, () => cause))
      else violations.push({ row: 'unexplained', what, ops })
    }
    const [one, another] = owners
    if (one && !another)
      violations.push(...checkTries(ledger, { one, call, arrivals: those, atWeb: byWeb.get(web) ?? [], what }))
  }

  for (const call of history.calls) {
    if (call.op.kind !== 'publish') continue
    for (const one of subscriptions)
      for (const text of call.given) {
        const web = 'web' in one.op.endpoint ? one.op.endpoint.web : ''
        const those = arrivals.get(`${web} ${text}`) ?? []
        if (claim(history, one, call) !== 'must' || isDone(one, those, history.endedAt)) continue
        const what = `${JSON.stringify(text.slice(0, 12))} for ${web}: ${those.length} attempts`
        violations.push({ row: 'lost', what, ops: [call.op.id, one.op.id] })
      }
  }
  return violations
}

/** Why a delivery was made again: it was stored twice, or released twice, or what came of it was not stored. */
function whyTwice(history: History, call: Call, arrivals: readonly Arrival[]): Cause | undefined {
  const between = arrivals.slice(0, -1).map((one, index) => whyForgotten(one, arrivals[index + 1]))
  return (
    whyTwoDeliveries(history, call, arrivals, arrivals.at(-1)?.from ?? Infinity) ??
    between.find((cause) => cause !== undefined) ??
    (arrivals.slice(1).some(isStale) ? 'standstills' : undefined)
  )
}

/** A body of at most so many bytes is never read before it is posted. */
const SHORT = 256

/** Why there may be two deliveries of what a call published: it was stored twice, or released twice until then. */
const whyTwoDeliveries = (history: History, call: Call, [first]: readonly Arrival[], until: number) =>
  whyStoredTwice(call.faults) ?? firstOf(releasesOf(history, call, until), call.from, first?.from ?? Infinity)

/**
 * Whether the run of an attempt stood still when it had decided on it: it may have made it under a lease that was another's
 * by then. It was made at once, or when its body had been read.
 */
const isStale = ({ from, text, faults, earlier }: Arrival): boolean =>
  hasStoodStill(faults.slice(0, earlier), Buffer.byteLength(text) > SHORT ? from - ANSWERED_WITHIN : from)

/**
 * Why what came of an attempt may not have been noted: by what befell its run from its beginning on, until the next one
 * where that is its own.
 */
const whyForgotten = ({ from, to, faults, earlier }: Arrival, next?: Arrival): Cause | undefined =>
  whyDoneAgain(faults.slice(earlier, next?.faults === faults ? next.earlier : undefined), from, to)

const dueAt = ({ op, from, skew }: Call): number => from + skew + (op.kind === 'publish' ? op.delay * 1_000 : 0)

/** Retries after which a delivery is given up (406/4552). */
const RETRIES: Readonly<Record<Strategy, number>> = { BACKOFF_RETRY: 3, EXPONENTIAL_DECAY_RETRY: 176 }

/** Whether it was delivered, or tried as often as one of its strategies says. */
function isDone(one: Subscription, arrivals: readonly Arrival[], end: number): boolean {
  if (arrivals.some(({ outcome }) => outcome === '200')) return true
  return strategiesOf(one, 0, end).some((strategy) => arrivals.length > RETRIES[strategy])
}

/** So many deliveries that are failing fill a window. */
const WINDOW = 16

/** Waits so long are shared by all deliveries of a window that is full, until the last of them is over, in milliseconds. */
const SHARED = 128_000
const LONGEST = 512_000

/** The shortest and the longest wait before a retry, in milliseconds (406/4552). */
function waits(strategy: Strategy, retry: number, mayBeFull: () => boolean): readonly [least: number, most: number] {
  if (strategy === 'BACKOFF_RETRY') return [10_000, 20_000]
  const wait = Math.min(LONGEST, 2 ** retry * 1_000)
  return [wait, wait >= SHARED && mayBeFull() ? wait + LONGEST : wait]
}

/** Whether so many deliveries were failing at some time of the interval that they may have filled the window. */
const mayHaveBeenFull = (atWeb: readonly (readonly Arrival[])[], from: number, to: number): boolean =>
  atWeb.filter((those) => {
    const hasFailed = those.some((one) => one.outcome !== '200' && one.from <= to)
    return hasFailed && !those.some((one) => one.outcome === '200' && one.to < from)
  }).length >= WINDOW

/** How late a retry may be while a run works on its lane, and nothing holds it up: a look, and the way to the store. */
const LATE = 2_500

/** The attempts at one delivery, and what it is to be judged by. */
interface Tries {
  readonly one: Subscription
  readonly call: Call
  readonly arrivals: readonly Arrival[]
  readonly atWeb: readonly (readonly Arrival[])[]
  readonly what: string
}

/** Whether nobody may have noted what came of an attempt: then it is made again under its number, and at any time. */
const mayBeForgotten = (arrival: Arrival, next?: Arrival): boolean =>
  arrival.to === Infinity ||
  arrival.outcome === 'stopped' ||
  isStale(arrival) ||
  whyForgotten(arrival, next) !== undefined

/** Between two attempts lies the wait of the policy, and there are no more of them than it says. */
function checkTries(ledger: Ledger, tries: Tries): Violation[] {
  const { history, isCalm, apart } = ledger
  const { one, call, arrivals, atWeb, what } = tries
  // What was stored twice is tried from the beginning once more.
  if (whyTwoDeliveries(history, call, arrivals, Infinity)) return []
  const ops = [call.op.id]
  const violations: Violation[] = []
  let retry = 0

  for (const [index, before] of arrivals.entries()) {
    const next = arrivals[index + 1]
    // What was made is not tried again; where it is, it was made twice.
    if (before.outcome === '200' || mayBeForgotten(before, next)) continue
    if (next && !isStale(next)) {
      const gap = next.from - before.to
      const strategies = strategiesOf(one, before.from - 2_000 - apart, next.from + apart)
      const isRight = strategies.some((strategy) => {
        const [least, most] = waits(strategy, retry, () => mayHaveBeenFull(atWeb, before.to, next.from))
        return gap >= least - apart && (!isCalm || gap <= most + LATE)
      })
      if (!isRight) violations.push({ row: 'gaps', what: `${what}: ${gap} ms before retry ${retry + 1}`, ops })
    }
    retry++
  }
  const most = 1 + Math.max(...strategiesOf(one, 0, history.endedAt).map((strategy) => RETRIES[strategy]))
  return retry > most
    ? [...violations, { row: 'gaps', what: `${what}: ${retry} attempts of ${most}`, ops }]
    : violations
}
