import type { Call, History, RunRecord } from '../history.ts'
import { LONGEST_STANDSTILL, standstillIn } from '../life.ts'

/** Why something may be there twice, as the report has it. */
export const causes = ['lost answers', 'deaths', 'standstills', 'late puts'] as const
export type Cause = (typeof causes)[number]

/** A write that was made, or will be, and nobody knows. Whoever gets no answer to a read just asks again. */
const LOST_WRITE = /^(lost after|lost and late|failed after) (Put|Update|Delete|BatchWrite|TransactWrite)/
const LOST_PUT = /^(lost after|lost and late|failed after) (Put|BatchWrite)/

/** Why what a call stores may have been stored twice. Clients send once: who dies, or leaves, repeats nothing. */
export function whyStoredTwice(faults: readonly string[]): Cause | undefined {
  if (faults.some((fault) => LOST_PUT.test(fault))) return 'lost answers'
  return faults.some((fault) => fault.startsWith('late put ')) ? 'late puts' : undefined
}

/** Why what a run has done between these times may be done again, by it or by the next one. */
export function whyDoneAgain(faults: readonly string[], from: number, to: number): Cause | undefined {
  if (faults.some((fault) => LOST_WRITE.test(fault))) return 'lost answers'
  if (faults.includes('the process died')) return 'deaths'
  return whyStoredTwice(faults) ?? (hasStoodStill(faults, from, to + ANSWERED_WITHIN) ? 'standstills' : undefined)
}

/** A call to the store has an answer, or is given up, within this time in milliseconds, unless the process stands still. */
export const ANSWERED_WITHIN = 7_000

/** Whether the process stood still between these times: what it held by a lease may have been another's when it went on. */
export const hasStoodStill = (faults: readonly string[], from = -Infinity, to = Infinity): boolean =>
  faults.some((fault) => {
    const until = standstillIn(fault) ?? NaN
    return until >= from && until - LONGEST_STANDSTILL <= to
  })

/** Runs that may have released what a call published with a delay, until then. The net releases what was left behind. */
export const releasesOf = ({ runs }: History, { op, from }: Call, until: number): readonly RunRecord[] =>
  op.kind === 'publish' && op.delay > 0
    ? runs.filter((run) => isDuring(run, from, until) && (run.duty === 'net' || isOf(run, 'release', [op.topic])))
    : []

/** Runs that may have pushed to one of these subscriptions in that time. */
export const pushesOf = ({ runs }: History, names: readonly string[], from: number, to: number) =>
  runs.filter((run) => isDuring(run, from, to) && isOf(run, 'push', names))

/** The first reason that there is why what they have done between these times may be done again. */
export const firstOf = (runs: readonly RunRecord[], from: number, to: number): Cause | undefined =>
  runs.map(({ faults }) => whyDoneAgain(faults, from, to)).find((cause) => cause !== undefined)

const isDuring = (run: RunRecord, from: number, to: number): boolean => run.from <= to && run.to >= from

const isOf = ({ duty, name }: RunRecord, wanted: string, names: readonly string[]): boolean =>
  duty === wanted && names.includes(name)
