import { randomInt } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { caseOf, keep, onceFailed, type Case } from './cases.ts'
import { printSignatureTimes } from './hostile/signature-timing.ts'
import { aimsFor, waysBack } from './crash-points.ts'
import { add, noTotals, reportOf, type SeedResult, type Totals } from './report.ts'
import { bearsLoad, loadReport, loadServer } from './load/run.ts'
import { isWell, processReport } from './processes/report.ts'
import { tortureDisk, tortureProcesses } from './processes/run.ts'
import { isCalm, profileOf } from './profile.ts'
import { shrink } from './shrink.ts'
import { storyOf } from './story.ts'
import { trySeed } from './try-seed.ts'

const usage = `npm run torture -- [options]: tries to make the service lose, repeat, revive or leak a message

  --seeds N       so many seeds, instead of as many as there is time for
  --minutes M     so long (2), and up to a quarter more to go back to places where no process has died
  --seed FIRST    the first seed (a new one)
  --ops N         operations of each seed (1000)
  --replay SEED   one seed, with its history
  --aim PLACES    with --replay: the places it aimed at, as they were printed
  --workers N     threads (one for each core)
  --no-corpus     without what has failed once
  --processes     real processes and sockets instead, killed, stopped and cut off, for so long; then a full disk
  --load          a real server with 2,000 connections and 500 long polls at once
  --signatures    how long a wrong signature takes, by where it differs
  --keep NAME     adds what fails, made short, to what has failed once`

interface Options {
  readonly seeds: number
  readonly minutes: number
  readonly first: number
  readonly ops: number
  readonly workers: number
  readonly corpus: readonly Case[]
  readonly keepAs: string | undefined
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string' },
      minutes: { type: 'string' },
      seed: { type: 'string' },
      ops: { type: 'string', default: '1000' },
      replay: { type: 'string' },
      aim: { type: 'string' },
      workers: { type: 'string', default: String(availableParallelism()) },
      keep: { type: 'string' },
      load: { type: 'boolean', default: false },
      processes: { type: 'boolean', default: false },
      signatures: { type: 'boolean', default: false },
      'no-corpus': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return console.log(usage)
  if (values.load) return load()
  if (values.signatures) return printSignatureTimes()
  const first = values.seed === undefined ? randomInt(2 ** 31) : whole('seed', values.seed)
  if (values.processes) return killProcesses(first, amount('minutes', values.minutes ?? '1') * 60)
  const ops = whole('ops', values.ops)
  if (values.replay !== undefined) return replay(caseOf(whole('replay', values.replay), ops, values.aim?.split(',')))
  await torture({
    seeds: values.seeds === undefined ? Infinity : whole('seeds', values.seeds),
    minutes:
      values.minutes === undefined ? (values.seeds === undefined ? 2 : Infinity) : amount('minutes', values.minutes),
    first,
    ops,
    workers: whole('workers', values.workers),
    corpus: values['no-corpus'] ? [] : onceFailed(),
    keepAs: values.keep,
  })
}

async function torture(options: Options): Promise<void> {
  const { first, ops, corpus, keepAs } = options
  console.log(`seeds from ${first}, ${ops} operations each, after ${corpus.length} programs that have failed once`)
  const startedAt = performance.now()
  const totals = noTotals()
  const failed = await runAll(options, totals)
  const { user, system } = process.cpuUsage()
  console.log(reportOf(totals, (performance.now() - startedAt) / 1_000, (user + system) / 1_000_000))
  const [worst] = failed.toSorted((a, b) => a.one.program.seed - b.one.program.seed)
  if (!worst) return
  process.exitCode = 1
  await explain(worst, ops, keepAs)
}

interface Failed {
  readonly one: Case
  readonly result: SeedResult
}

/**
 * Has the workers run what there is until there is nothing more, or no time; returns what failed. Each seed aims at places
 * where nobody has died yet, and when the time is over there is a way back to each that is left.
 */
async function runAll(options: Options, totals: Totals): Promise<readonly Failed[]> {
  const { seeds, minutes, first, ops, workers, corpus } = options
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
async function explain({ one, result }: Failed, ops: number, keepAs: string | undefined): Promise<void> {
  const [first] = result.violations
  if (!first) return
  const { program, profile, run, violations, tries } = await shrink(one, first.row)
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
  const outcome = await loadServer()
  console.log(loadReport(outcome))
  if (!bearsLoad(outcome)) process.exitCode = 1
}

async function killProcesses(seed: number, seconds: number): Promise<void> {
  console.log(`seed ${seed}, ${seconds} s`)
  const outcomes = [await tortureProcesses(seed, seconds), await tortureDisk(seed, Math.min(60, seconds))]
  for (const outcome of outcomes) {
    console.log(outcome ? processReport(outcome) : 'no disk could be filled: this machine lets nobody mount one')
    if (outcome && !isWell(outcome)) process.exitCode = 1
  }
}

async function replay({ program, profile }: Case): Promise<void> {
  const startedAt = performance.now()
  const { run, result } = await trySeed(program, { profile })
  console.log(`${JSON.stringify(profile)}\n\n${storyOf(run, result.violations)}`)
  const totals = noTotals()
  add(totals, result)
  console.log(reportOf(totals, (performance.now() - startedAt) / 1_000))
  if (result.violations.length > 0) process.exitCode = 1
}

function whole(name: string, text: string): number {
  if (!/^\d+$/.test(text)) throw new Error(`--${name} takes a whole number, not ${text}`)
  return Number(text)
}

/** What is no number is refused: as a time it would be over before it began, and nothing would have failed. */
function amount(name: string, text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text)) throw new Error(`--${name} takes a number, not ${text}`)
  return Number(text)
}

await main()
