import { randomInt } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { LocalError } from '../../lib/local/local-error.ts'
import { aimsNotPassed, caseOf, keep, onceFailed, type Case } from './cases.ts'
import { printSignatureTimes } from './hostile/signature-timing.ts'
import { aimsFor, waysBack } from './crash-points.ts'
import { add, noTotals, reportOf, type SeedResult, type Totals } from './report.ts'
import { bearsLoad, loadReport } from './load/outcome.ts'
import { loadServer } from './load/run.ts'
import { untilInterrupted } from './interruption.ts'
import { readTask, usage, type Simulation } from './options.ts'
import { isWell, processReport } from './processes/report.ts'
import { tortureDisk, tortureProcesses } from './processes/run.ts'
import { isCalm, profileOf } from './profile.ts'
import { shrink } from './shrink.ts'
import { storyOf } from './story.ts'
import { trySeed } from './try-seed.ts'
import { verdictOf } from './verdict.ts'

async function main(): Promise<void> {
  const task = readTask(process.argv.slice(2), { seed: () => randomInt(2 ** 31), workers: availableParallelism() })
  switch (task.kind) {
    case 'help':
      return console.log(usage)
    case 'load':
      return load()
    case 'signatures':
      return printSignatureTimes()
    case 'processes':
      return killProcesses(task.seed, task.minutes * 60)
    case 'replay':
      return replay(caseOf(task.seed, task.ops, task.aims))
    case 'simulation':
      return torture(task)
  }
}

async function torture(task: Simulation): Promise<void> {
  // Before anything is said: whoever has read that may want the end.
  const interrupted = untilInterrupted()
  const { first, ops, keepAs } = task
  const corpus = task.hasCorpus ? onceFailed() : []
  console.log(`seeds from ${first}, ${ops} operations each, after ${corpus.length} programs that have failed once`)
  const startedAt = performance.now()
  const totals = noTotals()
  const failed = await runAll(task, corpus, totals, interrupted)
  const { user, system } = process.cpuUsage()
  console.log(reportOf(totals, (performance.now() - startedAt) / 1_000, (user + system) / 1_000_000))
  console.log(`\n${verdictOf([...totals.counts.keys()])}`)
  const [worst] = failed.toSorted((a, b) => a.one.program.seed - b.one.program.seed)
  if (!worst) return
  process.exitCode = 1
  await explain(worst, ops, keepAs, interrupted.aborted ? PATIENCE_ONCE_INTERRUPTED : undefined)
}

/** How long is looked for a shorter history when somebody wants the end, in milliseconds. */
const PATIENCE_ONCE_INTERRUPTED = 10_000

interface Failed {
  readonly one: Case
  readonly result: SeedResult
}

/**
 * Has the workers run what there is until there is nothing more, or no time, or nobody who wants it; returns what failed.
 * Each seed aims at places where nobody has died yet, and when the time is over there is a way back to each that is left.
 */
async function runAll(
  task: Simulation,
  corpus: readonly Case[],
  totals: Totals,
  interrupted: AbortSignal,
): Promise<readonly Failed[]> {
  const { seeds, minutes, first, ops, workers } = task
  const deadline = performance.now() + minutes * 60_000
  const waysBackUntil = deadline + minutes * 60_000 * MORE_FOR_WAYS_BACK
  const failed: Failed[] = []
  const back = waysBack()
  let begun = 0

  const fresh = (): Case => {
    const seed = first + begun++ - corpus.length
    // A calm one stays calm.
    return caseOf(seed, ops, isCalm(profileOf(seed)) ? [] : aimsFor(totals.points))
  }
  const next = (): Case | undefined => {
    if (interrupted.aborted) return undefined
    const known = corpus[begun]
    if (known) begun++
    if (known || failed.length >= MOST_FAILED) return known
    const now = performance.now()
    if (now < deadline && begun - corpus.length < seeds) return fresh()
    return seeds === Infinity && now < waysBackUntil ? back.next(totals.points) : undefined
  }
  const done = (one: Case, result: SeedResult): void => {
    add(totals, result)
    if (result.violations.length > 0) {
      failed.push({ one, result })
      console.log(`failed by ${rowsOf(result)}: ${again(one, ops)}`)
    } else if (!corpus.includes(one)) {
      // What has failed once was made short, so no command runs it with other aims.
      back.note(one, result.points)
    }
  }
  await Promise.all(Array.from({ length: workers }, () => work(next, done)))
  return failed
}

/** How much of the time there is more for ways back. */
const MORE_FOR_WAYS_BACK = 0.25

/** With so many there is enough to look for. */
const MOST_FAILED = 20

function work(next: () => Case | undefined, done: (one: Case, result: SeedResult) => void): Promise<void> {
  const worker = new Worker(new URL('worker.ts', import.meta.url), {
    env: { ...process.env, POWERTOOLS_LOG_LEVEL: 'SILENT' },
  })
  return new Promise((resolve, reject) => {
    let under: Case | undefined
    const goOn = () => {
      under = next()
      if (under) return worker.postMessage(under)
      void worker.terminate().then(() => resolve())
    }
    worker.on('error', reject)
    worker.on('message', (result: SeedResult) => {
      if (under) done(under, result)
      goOn()
    })
    goOn()
  })
}

/** Looks for the shortest program that fails in the same way, and prints its history. */
async function explain(
  { one, result }: Failed,
  ops: number,
  keepAs: string | undefined,
  patience: number | undefined,
): Promise<void> {
  const [first] = result.violations
  if (!first) return
  const { program, profile, run, violations, tries } = await shrink(
    one,
    first.row,
    patience === undefined ? {} : { patience },
  )
  const { length } = program.ops
  console.log(`\nthe shortest history of ${tries} tries: ${length} operations, in ${JSON.stringify(profile)}\n`)
  console.log(storyOf(run, violations))
  console.log(`\nagain: ${again(one, ops)}`)
  if (keepAs !== undefined) keep(keepAs, { program, profile })
}

const rowsOf = ({ violations }: SeedResult): string => [...new Set(violations.map(({ row }) => row))].join(', ')

/** The command that runs a case once more. */
function again({ program, profile }: Case, ops: number): string {
  const aims = profile.aims ? ` --aim ${profile.aims.join()}` : ''
  return `npm run torture -- --replay ${program.seed} --ops ${ops}${aims}`
}

async function load(): Promise<void> {
  const interrupted = untilInterrupted()
  const outcome = await unlessInterrupted(() => loadServer(interrupted), interrupted)
  console.log(loadReport(outcome))
  if (!bearsLoad(outcome)) process.exitCode = 1
}

/** How long the disk is full now and then, at most, in seconds: its room is for all bodies of such a time. */
const LONGEST_FULL = 60

async function killProcesses(seed: number, seconds: number): Promise<void> {
  const interrupted = untilInterrupted()
  console.log(`seed ${seed}, ${seconds} s`)
  const parts = [
    () => tortureProcesses(seed, seconds, interrupted),
    () => tortureDisk(seed, Math.min(LONGEST_FULL, seconds), interrupted),
  ]
  for (const part of parts) {
    const outcome = await unlessInterrupted(part, interrupted)
    console.log(outcome ? processReport(outcome) : 'no disk could be filled: this machine lets nobody mount one')
    if (outcome && !isWell(outcome)) process.exitCode = 1
  }
}

/** What real processes come to; whoever interrupts them ends with them, and nothing is judged that has no end. */
async function unlessInterrupted<T>(run: () => Promise<T>, interrupted: AbortSignal): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (!interrupted.aborted) throw error
    console.log('interrupted: nothing more was judged')
    // What was under way waits for what is gone.
    process.exit()
  }
}

async function replay({ program, profile }: Case): Promise<void> {
  const startedAt = performance.now()
  const { run, result } = await trySeed(program, { profile })
  console.log(`${JSON.stringify(profile)}\n\n${storyOf(run, result.violations)}`)
  const astray = aimsNotPassed(profile.aims ?? [], result.points)
  if (astray.length > 0) console.log(`aimed at, and not passed: ${astray.join()}`)
  const totals = noTotals()
  add(totals, result)
  console.log(reportOf(totals, (performance.now() - startedAt) / 1_000))
  console.log(`\n${verdictOf([...totals.counts.keys()])}`)
  if (result.violations.length > 0) process.exitCode = 1
}

/** What the user can mend is one line; what we must mend comes with its stack. */
function fail(error: unknown): never {
  console.error(error instanceof LocalError ? error.message : error)
  process.exit(1)
}

main().catch(fail)
