import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { testEngine } from '../support/engine.ts'
import type { Client } from '../support/service.ts'
import { caseOf, onceFailed, type Case } from './cases.ts'
import { aimsFor, missed, waysBack } from './crash-points.ts'
import type { History } from './history.ts'
import type { Row } from './judge/rows.ts'
import { aimed, CALM, isCalm, plainly, profileOf } from './profile.ts'
import { runProgram } from './run-seed.ts'
import { shrink } from './shrink.ts'
import { trySeed } from './try-seed.ts'

/** Everything that anybody saw, and when. */
const seen = ({ calls, arrivals, deaths }: History) =>
  JSON.stringify({ calls, arrivals, deaths }, (key, value: unknown) => (key === 'requestId' ? undefined : value))

/** Seeds of which one is calm, and the others have topics, faults, deaths, standstills and clocks that are off. */
const SEEDS = [3, 12, 27, 35]

describe('given a seed', () => {
  it.each(SEEDS)('when %i is run twice, then all goes the same way', async (seed) => {
    const { program, profile } = caseOf(seed, 60)
    const first = await runProgram(program, { profile })
    expect(seen((await runProgram(program, { profile })).history)).toBe(seen(first.history))
  })

  it('when all are run, then nothing is wrong, although something befalls them', async () => {
    const results = []
    for (const seed of SEEDS) {
      const { program, profile } = caseOf(seed, 150)
      results.push((await trySeed(program, { profile })).result)
    }
    expect(results.flatMap(({ violations }) => violations)).toEqual([])
    expect(results.some(({ deaths }) => deaths > 0)).toBe(true)
    expect(results.some(({ faults }) => Number(faults['standstill']) > 0)).toBe(true)
    expect(SEEDS.some((seed) => isCalm(profileOf(seed)))).toBe(true)
  })

  it('when a part of its operations is left out, then the others go the same way', async () => {
    const { program, profile } = caseOf(12, 40)
    const { history } = await runProgram(program, { profile })
    const shorter = await runProgram({ ...program, ops: program.ops.slice(0, 20) }, { profile })
    const early = ({ calls }: History) =>
      calls.slice(0, 15).map(({ op, faults, outcome }) => ({ id: op.id, faults, outcome }))
    expect(early(shorter.history)).toEqual(early(history))
  })
})

describe('given a seed with crashes', () => {
  const { program, profile } = caseOf(12, 100)
  const crashing = { ...profile, rates: { ...profile.rates, crash: 500 } }

  it('when it aims at places where nobody died, then somebody does, in the same way each time', async () => {
    const { points } = await runProgram(program, { profile: crashing })
    const [first] = missed(points)
    const aiming = { profile: aimed(crashing, aimsFor(points)) }
    const again = await runProgram(program, aiming)
    expect(first).toBeDefined()
    expect(again.points.get(first?.[0] ?? '')?.died).toBeGreaterThan(0)
    expect(seen((await runProgram(program, aiming)).history)).toBe(seen(again.history))
    expect((await trySeed(program, aiming)).result.violations).toEqual([])
  })
})

describe('given a case in which nobody has died', () => {
  const one: Case = { program: caseOf(5, 30).program, profile: { ...CALM, aims: ['elsewhere'] } }

  it('when somebody goes back to a place that it has passed, then a process dies there, and only there', async () => {
    const back = waysBack()
    const { points } = await runProgram(one.program, { profile: one.profile })
    back.note(one, points)
    for (const [place] of missed(points).slice(0, 3)) {
      const { program, profile } = back.next(points) ?? one
      const { run, result } = await trySeed(program, { profile })
      expect([...run.points].filter(([, { died }]) => died > 0)).toEqual([
        [place, expect.objectContaining({ died: 1 })],
      ])
      expect(result.violations).toEqual([])
    }
  })

  it('when a way was gone back to each place, then there is no other, also when they are passed again', async () => {
    const back = waysBack()
    const { points } = await runProgram(one.program, { profile: one.profile })
    back.note(one, points)
    const aims = Array.from({ length: points.size }, () => back.next(points)?.profile.aims)
    expect(aims.every((those) => those?.length === 2 && those[0] === 'elsewhere')).toBe(true)
    expect(new Set(aims.map((those) => those?.[1])).size).toBe(points.size)
    back.note(one, points)
    expect(back.next(points)).toBeUndefined()
  })
})

describe('given an engine that is a process of its own', () => {
  let engine: Awaited<ReturnType<typeof testEngine>>
  beforeAll(async () => {
    engine = await testEngine()
  })
  afterAll(() => engine.stop())

  it('when a seed is run over it, then all goes as over the one in memory', async () => {
    const { program, profile } = caseOf(12, 120)
    const real = await runProgram(program, { profile, endpoint: engine.endpoint })
    const memory = await runProgram(program, { profile: plainly(profile) })
    expect(seen(real.history)).toBe(seen(memory.history))
    expect(real.history.deaths.length + real.history.arrivals.length).toBeGreaterThan(0)
  })
})

describe('given what has failed once', () => {
  it.each(onceFailed())('when $name is run, then nothing is wrong', async ({ program, profile }) => {
    expect((await trySeed(program, { profile })).result.violations).toEqual([])
  })
})

interface Input {
  TableName?: string
  Item?: Record<string, { S?: string; N?: string }>
  Key?: Record<string, { S?: string }>
  ExpressionAttributeValues?: Record<string, { S?: string; N?: string }>
}

/** A store that does another thing than it says, now and then. */
function spoiling(commandName: string, spoil: (input: Input) => Input | undefined, every = 5) {
  let calls = 0
  return (client: Client): void =>
    client.middlewareStack.add(
      (next, context) => (args) => {
        const input = args.input as Input
        const isMeant = context.commandName === `${commandName}Command` && input.TableName === 'messages'
        if (!isMeant || ++calls % every !== 0) return next(args)
        const spoilt = spoil(structuredClone(input))
        const done = { output: { $metadata: {} }, response: undefined }
        return spoilt ? next({ ...args, input: spoilt }) : Promise.resolve(done as never)
      },
      { step: 'initialize', priority: 'low', name: 'sabotage' },
    )
}

const withBody = (change: (body: string) => string) => (input: Input) => {
  const body = input.Item?.['body']
  if (body?.S !== undefined) body.S = change(body.S)
  return input
}

const another = (key: string) => `${key.slice(0, -1)}${key.endsWith('f') ? 'e' : 'f'}`

/** Each of these breaks one promise. */
const sabotages: readonly (readonly [Row, (client: Client) => void])[] = [
  ['lost', spoiling('PutItem', () => undefined)],
  ['unexpected', spoiling('PutItem', (input) => withBody(() => '99999.0|x')(withKey(input, another)))],
  [
    'wrong',
    spoiling(
      'PutItem',
      withBody((body) => `${body}!`),
    ),
  ],
  ['revived', spoiling('DeleteItem', () => undefined)],
  [
    'overlapping',
    spoiling(
      'UpdateItem',
      withValue(':until', () => '0'),
    ),
  ],
  ['early', spoiling('PutItem', (input) => withKey(input, (key) => `${input.Item?.['sentAt']?.N}${key.slice(13)}`), 1)],
  [
    'miscounted',
    spoiling(
      'UpdateItem',
      withValue(':count', (count) => String(Number(count) + 1)),
    ),
  ],
]

function withValue(name: string, change: (value: string) => string) {
  return (input: Input): Input => {
    const value = input.ExpressionAttributeValues?.[name]
    if (value?.N !== undefined) value.N = change(value.N)
    return input
  }
}

function withKey(input: Input, change: (key: string) => string): Input {
  const sk = input.Item?.['sk']
  if (sk?.S !== undefined) sk.S = change(sk.S)
  return input
}

describe('given a store that does not do what it says', () => {
  const one = caseOf(1, 400)
  const profile = CALM

  it.each(sabotages)('when something is %s by it, then the judge says so', async (row, sabotage) => {
    const { result } = await trySeed(one.program, { profile, sabotage })
    expect(result.violations.map((violation) => violation.row)).toContain(row)
  })

  it('when it is made short, then what is left is short, and goes wrong in the same way', async () => {
    const sabotage = spoiling('DeleteItem', () => undefined)
    const { program, violations } = await shrink({ program: one.program, profile }, 'revived', { sabotage })
    expect(violations.map(({ row }) => row)).toContain('revived')
    expect(program.ops.length).toBeLessThan(30)
  })
})
