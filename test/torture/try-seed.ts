import { judge } from './judge/judge.ts'
import { standstillIn } from './life.ts'
import { faultKinds } from './profile.ts'
import type { Program } from './program.ts'
import type { SeedResult } from './report.ts'
import { runProgram, type Run, type RunOptions } from './run-seed.ts'

/** Runs a program, judges it, and counts what there was. */
export async function trySeed(program: Program, options: RunOptions = {}): Promise<{ run: Run; result: SeedResult }> {
  const run = await runProgram(program, options)
  const { history, points } = run
  const { violations, tally, explained } = judge(history)
  const faults = [...history.calls, ...history.runs].flatMap((one) => one.faults)
  // All that waited for the end of one have it among their faults.
  const standstills = new Set(faults.filter((fault) => standstillIn(fault) !== undefined))
  const others = faults.filter((fault) => !standstills.has(fault))
  return {
    run,
    result: {
      seed: program.seed,
      operations: program.ops.length,
      calls: history.calls.length,
      tally,
      explained: countsOf(explained),
      violations,
      faults: countsOf(
        [...others, ...standstills].map((fault) => faultKinds.find((kind) => fault.startsWith(kind)) ?? 'others'),
      ),
      points: [...points],
      deaths: history.deaths.length,
    },
  }
}

const countsOf = (names: readonly string[]): Record<string, number> =>
  Object.fromEntries([...Map.groupBy(names, (name) => name)].map(([name, those]) => [name, those.length]))
