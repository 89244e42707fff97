import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { profileOf } from './profile.ts'
import { programOf } from './program.ts'
import { add, noTotals, reportOf, type SeedResult, type Totals } from './report.ts'
import { shrink } from './shrink.ts'
import { storyOf } from './story.ts'
import { trySeed } from './try-seed.ts'

const usage = `npm run torture -- [options]: tries to make the service lose, repeat, revive or leak a message

  --seeds N       so many seeds, instead of as many as there is time for
  --minutes M     so long (2)
  --seed FIRST    the first seed (a new one)
  --ops N         operations of each seed (1000)
  --replay SEED   one seed, with its history
  --workers N     threads (one for each core)
  --no-corpus     without the seeds that have failed once`

interface Options {
  readonly seeds: number
  readonly minutes: number
  readonly first: number
  readonly ops: number
  readonly workers: number
  readonly corpus: readonly number[]
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      seeds: { type: 'string' },
      minutes: { type: 'string' },
      seed: { type: 'string' },
      ops: { type: 'string', default: '1000' },
      replay: { type: 'string' },
      workers: { type: 'string', default: String(availableParallelism()) },
      'no-corpus': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return console.log(usage)
  const ops = whole('ops', values.ops)
  if (values.replay !== undefined) return replay(whole('replay', values.replay), ops)
  await torture({
    seeds: values.seeds === undefined ? Infinity : whole('seeds', values.seeds),
    minutes: values.minutes === undefined ? (values.seeds === undefined ? 2 : Infinity) : Number(values.minutes),
    first: values.seed === undefined ? randomInt(2 ** 31) : whole('seed', values.seed),
    ops,
    workers: whole('workers', values.workers),
    corpus: values['no-corpus'] ? [] : onceFailed(),
  })
}

/** Seeds that have failed once, each with its operations: they are the first to be tried. */
const onceFailed = (): readonly number[] =>
  (JSON.parse(readFileSync(new URL('corpus.json', import.meta.url), 'utf8')) as { seeds: number[] }).seeds

async function torture(options: Options): Promise<void> {
  const { first, ops, corpus } = options
  console.log(`seeds from ${first}, ${ops} operations each, after ${corpus.length} that have failed once`)
  const startedAt = performance.now()
  const totals = noTotals()
  const failed = await runAll(options, totals)
  console.log(reportOf(totals, (performance.now() - startedAt) / 1_000))
  const [worst] = failed
  if (worst === undefined) return
  console.log(`\nfailed: ${failed.map(({ seed }) => seed).join(' ')}`)
  process.exitCode = 1
  await explain(worst, ops)
}

/** Has the workers run seeds until there are none, or no time; returns those that failed. */
async function runAll(
  { seeds, minutes, first, ops, workers, corpus }: Options,
  totals: Totals,
): Promise<readonly SeedResult[]> {
  const deadline = performance.now() + minutes * 60_000
  const failed: SeedResult[] = []
  let begun = 0
  const next = (): number | undefined => {
    const mayBegin = performance.now() < deadline && begun - corpus.length < seeds && failed.length < MOST_FAILED
    return mayBegin || begun < corpus.length ? (corpus[begun++] ?? first + begun - 1 - corpus.length) : undefined
  }
  await Promise.all(
    Array.from({ length: workers }, () =>
      work(ops, next, (result) => {
        add(totals, result)
        if (result.violations.length > 0) failed.push(result)
      }),
    ),
  )
  return failed.toSorted((a, b) => a.seed - b.seed)
}

/** With so many there is enough to look for. */
const MOST_FAILED = 20

function work(ops: number, next: () => number | undefined, done: (result: SeedResult) => void): Promise<void> {
  const worker = new Worker(new URL('worker.ts', import.meta.url), {
    workerData: { ops },
    env: { ...process.env, POWERTOOLS_LOG_LEVEL: 'SILENT' },
  })
  return new Promise((resolve, reject) => {
    const goOn = () => {
      const seed = next()
      if (seed !== undefined) return worker.postMessage(seed)
      void worker.terminate().then(() => resolve())
    }
    worker.on('error', reject)
    worker.on('message', (result: SeedResult) => {
      done(result)
      goOn()
    })
    goOn()
  })
}

/** Looks for the shortest program that fails in the same way, and prints its history. */
async function explain({ seed, violations }: SeedResult, ops: number): Promise<void> {
  const [first] = violations
  if (!first) return
  const { program, profile, run, tries } = await shrink(programOf(seed, ops), first.row)
  console.log(
    `\nthe shortest history of ${tries} tries: ${program.ops.length} operations, in ${JSON.stringify(profile)}\n`,
  )
  console.log(storyOf(run, (await trySeed(program, { profile })).result.violations))
  console.log(`\nagain: npm run torture -- --replay ${seed} --ops ${ops}`)
}

async function replay(seed: number, ops: number): Promise<void> {
  const { run, result } = await trySeed(programOf(seed, ops))
  console.log(`${JSON.stringify(profileOf(seed))}\n`)
  console.log(storyOf(run, result.violations))
  const totals = noTotals()
  add(totals, result)
  console.log(reportOf(totals, 1))
  if (result.violations.length > 0) process.exitCode = 1
}

function whole(name: string, text: string): number {
  if (!/^\d+$/.test(text)) throw new Error(`--${name} takes a whole number, not ${text}`)
  return Number(text)
}

await main()
