import { addPoints, missed, type CrashPoints } from './crash-points.ts'
import { causes } from './judge/causes.ts'
import { noTally, rows, type Row, type Tally, type Violation } from './judge/rows.ts'
import { faultKinds } from './profile.ts'

/** What all seeds together came to. */
export interface Totals {
  seeds: number
  operations: number
  calls: number
  readonly tally: Tally
  readonly counts: Map<Row, number>
  readonly faults: Map<string, number>
  readonly explained: Map<string, number>
  readonly points: CrashPoints
  deaths: number
}

/** What one seed came to, as it is told by whoever ran it. */
export interface SeedResult {
  readonly seed: number
  readonly operations: number
  readonly calls: number
  readonly tally: Tally
  readonly violations: readonly Violation[]
  readonly faults: Readonly<Record<string, number>>
  /** How many duplicates were there for each reason. */
  readonly explained: Readonly<Record<string, number>>
  readonly points: readonly (readonly [string, { passed: number; died: number }])[]
  readonly deaths: number
}

export const noTotals = (): Totals => ({
  seeds: 0,
  operations: 0,
  calls: 0,
  tally: noTally(),
  counts: new Map(),
  faults: new Map(),
  explained: new Map(),
  points: new Map(),
  deaths: 0,
})

export function add(totals: Totals, result: SeedResult): void {
  totals.seeds++
  totals.operations += result.operations
  totals.calls += result.calls
  totals.deaths += result.deaths
  for (const name of Object.keys(totals.tally) as (keyof Tally)[]) totals.tally[name] += result.tally[name]
  for (const { row } of result.violations) totals.counts.set(row, (totals.counts.get(row) ?? 0) + 1)
  addCounts(totals.faults, result.faults)
  addCounts(totals.explained, result.explained)
  addPoints(totals.points, result.points)
}

function addCounts(all: Map<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(more)) all.set(name, (all.get(name) ?? 0) + count)
}

/** The report, whose last lines are the rows. */
export function reportOf(totals: Totals, seconds: number, cpuSeconds = seconds): string {
  const { seeds, operations, calls, tally, faults, explained, points, deaths, counts } = totals
  const notVisited = missed(points)
  const causeOf = (name: string) => explained.get(name) ?? 0
  return [
    `${number(operations)} operations of ${number(seeds)} seeds in ${seconds.toFixed(0)} s (${number(operations / seconds)} a second, ${number(operations / cpuSeconds)} a second of one core), as ${number(calls)} calls`,
    `faults: ${faultKinds
      .filter((kind) => kind !== 'crash')
      .map((kind) => `${kind} ${number(faults.get(kind) ?? 0)}`)
      .join(', ')}, others ${number(faults.get('others') ?? 0)}`,
    `deaths: ${number(deaths)}; crash points: ${points.size - notVisited.length} of ${points.size} visited`,
    ...notVisited.map(([point, { passed }]) => `  never died ${point} (passed ${number(passed)} times)`),
    `explained by: ${causes.map((cause) => `${cause} ${number(causeOf(cause))}`).join(', ')}`,
    '',
    ...Object.entries(tally).map(([name, count]) => `${name} ${count}`),
    `explained ${causes.reduce((sum, cause) => sum + causeOf(cause), 0)}`,
    ...(Object.keys(rows) as Row[]).map((row) => `${row} ${counts.get(row) ?? 0}`),
  ].join('\n')
}

const number = (value: number): string => Math.round(value).toLocaleString('en')
