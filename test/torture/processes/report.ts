import { HIDDEN } from './clients.ts'
import { countsOf, faultsOf, refusedWhileFull, slowestRecovery, type Faults } from './judge.ts'
import type { Ledger } from './ledger.ts'
import { verdictOf } from '../verdict.ts'

/** What real processes came to. */
export interface Outcome {
  readonly ledger: Ledger
  /** How many messages the queue still had, once nothing could be received any more. */
  readonly left: number
}

/** The report: what was done, what came of it, what must be 0, with some of what it was found at, and the verdict. */
export function processReport(outcome: Outcome): string {
  const { ledger, left } = outcome
  const { harms, fullDisks } = ledger
  const faults = faultsOf(ledger, HIDDEN)
  const done = [...Map.groupBy(harms, ({ name }) => name)].map(([name, { length }]) => `${name} ${length} times`)
  return [
    done.join('; '),
    ...(fullDisks.length > 0 ? [diskLine(ledger)] : []),
    ...Object.entries(countsOf(ledger)).map(([name, count]) => `${name} ${count}`),
    `left ${left}`,
    ...Object.entries(faults).map(([name, found]) => faultLine(name, found)),
    '',
    ...verdictsOn(outcome, faults),
  ].join('\n')
}

function diskLine(ledger: Ledger): string {
  const { fullDisks, startsWhileFull } = ledger
  const seconds = fullDisks.reduce((sum, { from, until }) => sum + until - from, 0) / 1_000
  const started = startsWhileFull.filter((refusal) => refusal === undefined).length
  return [
    `disk full for ${seconds.toFixed(0)} s: ${refusedWhileFull(ledger)} sends refused`,
    `${started} of ${startsWhileFull.length} starts succeeded`,
    `the first send after it at most ${slowestRecovery(ledger)} ms later`,
  ].join(', ')
}

const SHOWN = 3

const faultLine = (name: string, found: readonly string[]): string =>
  [`${name} ${found.length}`, ...found.slice(0, SHOWN)].join(found.length > 0 ? '  ' : '')

/** Whether it has shown what it was to show. */
export const isWell = (outcome: Outcome): boolean => {
  const faults = faultsOf(outcome.ledger, HIDDEN)
  return whyHollow(outcome.ledger) === undefined && rowsThatFail(outcome, faults).length === 0
}

function verdictsOn(outcome: Outcome, faults: Faults): readonly string[] {
  const failed = rowsThatFail(outcome, faults)
  const hollow = whyHollow(outcome.ledger)
  if (hollow === undefined) return [verdictOf(failed)]
  return [`shown nothing: ${hollow}`, ...(failed.length > 0 ? [verdictOf(failed)] : [])]
}

const rowsThatFail = ({ left }: Outcome, faults: Faults): readonly string[] => [
  // Also what is no number: nobody could say how many there are.
  ...(left === 0 ? [] : ['left']),
  ...Object.entries(faults).flatMap(([name, { length }]) => (length > 0 ? name : [])),
]

/** Why nothing was shown, although nothing failed: nothing was done, or a full disk has refused nothing. */
function whyHollow(ledger: Ledger): string | undefined {
  if (ledger.harms.length === 0) return 'nothing was done to anything'
  return ledger.fullDisks.length > 0 && refusedWhileFull(ledger) === 0 ? 'no send was refused' : undefined
}
