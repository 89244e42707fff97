import { HIDDEN } from './clients.ts'
import { countsOf, faultsOf, refusedWhileFull, slowestRecovery } from './judge.ts'
import type { Ledger } from './ledger.ts'

/** What real processes came to. */
export interface Outcome {
  readonly ledger: Ledger
  /** How many messages the queue still had, once nothing could be received any more. */
  readonly left: number
}

/** The report: what was done, what came of it, and what must be 0, with some of what it was found at. */
export function processReport({ ledger, left }: Outcome): string {
  const { harms, fullDisks } = ledger
  const done = [...Map.groupBy(harms, ({ name }) => name)].map(([name, { length }]) => `${name} ${length} times`)
  return [
    done.join('; '),
    ...(fullDisks.length > 0 ? [diskLine(ledger)] : []),
    ...Object.entries(countsOf(ledger)).map(([name, count]) => `${name} ${count}`),
    `left ${left}`,
    ...Object.entries(faultsOf(ledger, HIDDEN)).map(([name, found]) => faultLine(name, found)),
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

/** Where nothing was done, or a full disk has refused nothing, nothing was shown either. */
export function isWell({ ledger, left }: Outcome): boolean {
  const isFaultless = Object.values(faultsOf(ledger, HIDDEN)).every(({ length }) => length === 0)
  const hasRefused = ledger.fullDisks.length === 0 || refusedWhileFull(ledger) > 0
  const hasShown = ledger.harms.length > 0 && hasRefused
  return isFaultless && hasShown && left === 0
}
