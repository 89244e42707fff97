import { describe, expect, it } from 'vitest'
import { LocalError } from '../../lib/local/local-error.ts'
import { readTask, usage } from './options.ts'

const read = (...args: readonly string[]) => readTask(args, { seed: () => 7, workers: 2 })
const words = (line: string) => line.split(' ').filter((word) => word !== '')

const SIMULATION = {
  kind: 'simulation',
  seeds: Infinity,
  minutes: 2,
  first: 7,
  ops: 1_000,
  workers: 2,
  hasCorpus: true,
  keepAs: undefined,
}

describe('given a command line', () => {
  it.each([
    ['', SIMULATION],
    ['--minutes 0.5', { ...SIMULATION, minutes: 0.5 }],
    ['--seeds 3', { ...SIMULATION, seeds: 3, minutes: Infinity }],
    ['--seeds 3 --minutes 1', { ...SIMULATION, seeds: 3, minutes: 1 }],
    [
      '--seed 0 --ops 1 --workers 1 --no-corpus --keep Late-2',
      { ...SIMULATION, first: 0, ops: 1, workers: 1, hasCorpus: false, keepAs: 'Late-2' },
    ],
    ['--replay 0', { kind: 'replay', seed: 0, ops: 1_000, aims: [] }],
    ['--replay 5 --ops 40 --aim 1a,zz', { kind: 'replay', seed: 5, ops: 40, aims: ['1a', 'zz'] }],
    ['--processes', { kind: 'processes', seed: 7, minutes: 1 }],
    ['--processes --seed 41 --minutes 3', { kind: 'processes', seed: 41, minutes: 3 }],
    ['--load', { kind: 'load' }],
    ['--signatures', { kind: 'signatures' }],
    ['--help', { kind: 'help' }],
    ['-h --seeds 3', { kind: 'help' }],
  ])('when it is "%s", then that is what is done', (line, task) => {
    expect(read(...words(line))).toEqual(task)
  })

  it('when an option is taken, then the usage tells of it', () => {
    const named = 'seeds minutes seed ops replay aim workers no-corpus keep processes load signatures help'
    for (const name of words(named)) expect(usage).toMatch(new RegExp(`^  --${name} `, 'm'))
  })
})

describe('given a command line that cannot be', () => {
  it.each([
    ['--frob', "Unknown option '--frob'; see npm run torture -- --help"],
    ['foo', "Unexpected argument 'foo'; see npm run torture -- --help"],
    ['--minutes', "Option '--minutes <value>' argument missing; see npm run torture -- --help"],
    ['--minutes --load', "Option '--minutes' argument is ambiguous; see npm run torture -- --help"],
    ['--seeds x', '--seeds takes a whole number of at least 1, not x'],
    ['--seeds 0', '--seeds takes a whole number of at least 1, not 0'],
    ['--workers 0 --seeds 1', '--workers takes a whole number of at least 1, not 0'],
    ['--ops 0', '--ops takes a whole number of at least 1, not 0'],
    ['--ops 1.5', '--ops takes a whole number of at least 1, not 1.5'],
    ['--minutes 0', '--minutes takes a number above 0, not 0'],
    ['--minutes 0.0', '--minutes takes a number above 0, not 0.0'],
    ['--minutes 1e9', '--minutes takes a number above 0, not 1e9'],
    ['--processes --minutes 0', '--minutes takes a number above 0, not 0'],
    ['--seed x', '--seed takes a whole number, not x'],
    ['--seed 9007199254740992', '--seed takes a whole number, not 9007199254740992'],
    ['--replay=-1', '--replay takes a whole number, not -1'],
    ['--replay 5 --aim a,,b', '--aim takes places as they were printed, with commas between them, not a,,b'],
    ['--replay 5 --aim=', '--aim takes places as they were printed, with commas between them, not '],
    ['--keep ../evil', '--keep takes a name of letters, digits and dashes, not ../evil'],
    ['--keep=', '--keep takes a name of letters, digits and dashes, not '],
    ['--aim a', '--aim goes with --replay alone'],
    ['--processes --load', '--processes and --load do not go together'],
    ['--processes --seeds 3', '--processes and --seeds do not go together'],
    ['--load --minutes 3', '--load and --minutes do not go together'],
    ['--signatures --seeds 4', '--signatures and --seeds do not go together'],
    ['--replay 5 --seeds 3', '--replay and --seeds do not go together'],
    ['--minutes 1 --replay 5', '--replay and --minutes do not go together'],
    ['--replay 5 --keep a', '--replay and --keep do not go together'],
  ])('when it is "%s", then one line says why', (line, why) => {
    expect(() => read(...words(line))).toThrow(new LocalError(why))
  })
})
