import { parseArgs } from 'node:util'
import { LocalError } from '../../lib/local/local-error.ts'

export const usage = `npm run torture -- [options]: tries to make the service lose, repeat, revive or leak a message

  --seeds N       so many seeds, instead of as many as there is time for
  --minutes M     so long (2), and up to a quarter more to go back to places where no process has died
  --seed FIRST    the first seed (a new one)
  --ops N         operations of each seed (1000)
  --replay SEED   one seed, with its history
  --aim PLACES    with --replay: the places it aimed at, as they were printed
  --workers N     threads (one for each core)
  --no-corpus     without what has failed once
  --keep NAME     adds what fails, made short, to what has failed once
  --processes     real processes and sockets instead, killed, stopped and cut off, for --minutes (1); then as long
                  with a full disk, but at most a minute. It takes --seed, too
  --load          a real server with 2,000 connections and 500 long polls at once
  --signatures    how long a wrong signature takes, by where it differs
  --help          this text

Ctrl-C ends it, with the report so far. Exits with 1 if anything failed.`

/** What was asked for. */
export type Task =
  | { readonly kind: 'help' | 'load' | 'signatures' }
  | { readonly kind: 'processes'; readonly seed: number; readonly minutes: number }
  | { readonly kind: 'replay'; readonly seed: number; readonly ops: number; readonly aims: readonly string[] }
  | Simulation

/** Many seeds, on many threads. */
export interface Simulation {
  readonly kind: 'simulation'
  readonly seeds: number
  readonly minutes: number
  readonly first: number
  readonly ops: number
  readonly workers: number
  /** Whether what has failed once comes first. */
  readonly hasCorpus: boolean
  readonly keepAs: string | undefined
}

const options = {
  seeds: { type: 'string' },
  minutes: { type: 'string' },
  seed: { type: 'string' },
  ops: { type: 'string' },
  replay: { type: 'string' },
  aim: { type: 'string' },
  workers: { type: 'string' },
  keep: { type: 'string' },
  load: { type: 'boolean' },
  processes: { type: 'boolean' },
  signatures: { type: 'boolean' },
  'no-corpus': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const

/** What else each kind of run takes: whatever it would ignore is refused. */
const companions: Readonly<Record<string, readonly string[]>> = {
  replay: ['ops', 'aim'],
  processes: ['seed', 'minutes'],
  load: [],
  signatures: [],
}

/** What stands for options that are not given. */
export interface Defaults {
  readonly seed: () => number
  readonly workers: number
}

/** Reads the command line; whatever is wrong with it is said in one line. */
export function readTask(args: readonly string[], defaults: Defaults): Task {
  const given = parse(args)
  if (given.help) return { kind: 'help' }
  refuseIgnored(Object.keys(given))
  if (given.load) return { kind: 'load' }
  if (given.signatures) return { kind: 'signatures' }
  const ops = whole('ops', given.ops ?? '1000', 1)
  if (given.replay !== undefined)
    return { kind: 'replay', seed: whole('replay', given.replay), ops, aims: places(given.aim) }
  const first = given.seed === undefined ? defaults.seed() : whole('seed', given.seed)
  if (given.processes) return { kind: 'processes', seed: first, minutes: duration(given.minutes ?? '1') }
  return {
    kind: 'simulation',
    seeds: given.seeds === undefined ? Infinity : whole('seeds', given.seeds, 1),
    minutes: given.seeds === undefined || given.minutes !== undefined ? duration(given.minutes ?? '2') : Infinity,
    first,
    ops,
    workers: given.workers === undefined ? defaults.workers : whole('workers', given.workers, 1),
    hasCorpus: !given['no-corpus'],
    keepAs: given.keep === undefined ? undefined : name(given.keep),
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options }).values
  } catch (error) {
    const [reason] = (error as Error).message.split(/\. |\.?\n/)
    throw new LocalError(`${reason}; see npm run torture -- --help`)
  }
}

function refuseIgnored(given: readonly string[]): void {
  const kind = given.find((name) => name in companions)
  if (kind === undefined && given.includes('aim')) throw new LocalError('--aim goes with --replay alone')
  if (kind === undefined) return
  const ignored = given.find((name) => name !== kind && !companions[kind]?.includes(name))
  if (ignored !== undefined) throw new LocalError(`--${kind} and --${ignored} do not go together`)
}

function whole(name: string, text: string, least = 0): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= least && Number.isSafeInteger(value)) return value
  throw new LocalError(`--${name} takes a whole number${least > 0 ? ` of at least ${least}` : ''}, not ${text}`)
}

/** What is no time, or none at all, is refused: it would be over before it began, and nothing would have failed. */
function duration(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text) && Number(text) > 0) return Number(text)
  throw new LocalError(`--minutes takes a number above 0, not ${text}`)
}

/** Places by their short names. */
function places(text: string | undefined): readonly string[] {
  if (text === undefined) return []
  if (/^[a-z0-9]+(,[a-z0-9]+)*$/.test(text)) return text.split(',')
  throw new LocalError(`--aim takes places as they were printed, with commas between them, not ${text}`)
}

/** It becomes the name of a file, which must lie beside its like. */
function name(text: string): string {
  if (/^[A-Za-z0-9-]+$/.test(text)) return text
  throw new LocalError(`--keep takes a name of letters, digits and dashes, not ${text}`)
}
