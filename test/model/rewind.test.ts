import { env as environment } from 'node:process'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, it } from 'vitest'
import type { Services } from '../../functions/services.ts'
import { manualClock, whilePassing, type ManualClock } from '../support/clock.ts'
import { testEngine } from '../support/engine.ts'
import { ask, newTables, testServices, type Answer, type Client } from '../support/service.ts'
import { rewindModel, type Received, type RewindModel } from './rewind-model.ts'

let engine: Awaited<ReturnType<typeof testEngine>>
beforeAll(async () => {
  engine = await testEngine()
})
afterAll(() => engine.stop())

/** What one of the processes does. `newest` counts back from the newest handle, `back` in seconds from now. */
type Act = { readonly process: number } & (
  | { readonly do: 'send'; readonly count: number }
  | { readonly do: 'receive'; readonly count: number }
  | { readonly do: 'delete'; readonly newest: number }
  | { readonly do: 'rewind'; readonly back: number }
  | { readonly do: 'shards'; readonly shards: number }
)

/** Acts that begin at the same moment, and how long the clock moves after them. */
interface Step {
  readonly together: readonly Act[]
  readonly then: number
}

/** What befalls a call to DynamoDB: as `Fault`, or whoever made it dies, or it is made much later. */
type Mishap = 'throttled' | 'lost before' | 'lost after' | 'lost and late' | 'crash before' | 'crash after' | undefined

interface Program {
  readonly visibilityTimeout: number
  readonly retention: number
  readonly shards: number
  readonly mishaps: readonly Mishap[]
  readonly steps: readonly Step[]
}

const PROCESSES = 3

/** `MODEL_RUNS=1000 npx vitest run test/model` looks longer. */
const numRuns = Number(environment['MODEL_RUNS'] ?? 20)
const effort = { numRuns, interruptAfterTimeLimit: 600 * numRuns }
const process = fc.nat(PROCESSES - 1)
const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('send'), process, count: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('receive'), process, count: fc.constantFrom(1, 2, 5, 16) }) },
  { weight: 9, arbitrary: fc.record({ do: fc.constant('delete'), process, newest: fc.nat(8) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('rewind'), process, back: fc.constantFrom(0, 1, 2, 5, 60) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('shards'), process, shards: fc.constantFrom(1, 2, 3) }) },
)
const step: fc.Arbitrary<Step> = fc.record({
  together: fc.array(act, { minLength: 1, maxLength: 4 }),
  then: fc.constantFrom(0, 0, 1, 100, 900, 2_000, 10_000, 31_000),
})
const program = (mishap: fc.Arbitrary<Mishap>, steps: fc.Arbitrary<Step>, shards: number): fc.Arbitrary<Program> =>
  fc.record({
    visibilityTimeout: fc.constantFrom(1, 10, 30),
    retention: fc.constantFrom(60, 120, 345_600),
    shards: fc.constant(shards),
    mishaps: fc.array(mishap, { maxLength: 60 }),
    steps: fc.array(steps, { minLength: 5, maxLength: 16 }),
  })

interface World {
  readonly clock: ManualClock
  readonly model: RewindModel
  readonly processes: Promise<Process>[]
  start(slot: number): Promise<Process>
}

interface Process {
  readonly services: Services
  readonly hasDied: Promise<undefined>
}

const queueName = 'q'

async function run({ visibilityTimeout, retention, shards, mishaps, steps }: Program): Promise<void> {
  const clock = manualClock()
  const tableNames = await newTables(engine.endpoint)
  const left = [...mishaps]
  let isArmed = false
  const draw = () => (isArmed ? left.shift() : undefined)
  async function start(slot: number): Promise<Process> {
    const { promise: hasDied, resolve } = Promise.withResolvers<undefined>()
    const die = () => {
      processes[slot] = start(slot)
      resolve(undefined)
    }
    const options = { endpoint: engine.endpoint, tableNames, clock, isAlone: false }
    const prepare = (client: Client) => inflict(client, clock, draw, die)
    return { services: await testServices({ ...options, prepare }), hasDied }
  }
  const processes: Promise<Process>[] = []
  for (let slot = 0; slot < PROCESSES; slot++) processes.push(start(slot))
  const world: World = { clock, model: rewindModel({ now: clock.now, retention }), processes, start }
  const attributes = { visibilityTimeout, msgRetentionSeconds: retention, rewindSeconds: 60, shards }
  await whilePassing(clock, call(world, 0, 'CreateQueue', attributes))

  isArmed = true
  for (const { together, then } of steps) {
    const judgements = await whilePassing(clock, Promise.all(together.map((act) => perform(world, act))))
    for (const { judge } of judgements.toSorted((a, b) => a.rank - b.rank)) judge()
    await clock.advance(then)
  }
  isArmed = false
  const isCertain = mishaps.length === 0
  await drain(world, visibilityTimeout, { isCertain, isOrdered: isCertain && shards === 1 })
}

/** What the model is told once everything that began together is over. */
interface Judgement {
  /**
   * Of two deletions side by side one succeeds: it is told first. What was received beside them is told last, since what they
   * delete was received before they began.
   */
  readonly rank: number
  readonly judge: () => void
}

async function perform(world: World, act: Act): Promise<Judgement> {
  const { clock, model } = world
  const done = model.begins()
  const asked = (Action: string, parameters: Record<string, string | number>) =>
    call(world, act.process, Action, parameters)
  switch (act.do) {
    case 'send': {
      const bodies = Array.from({ length: act.count }, (_, index) => [`msgBody.${index}`, 'x'])
      const answer = await asked('BatchSendMessage', Object.fromEntries(bodies))
      if (answer?.code === 0) model.sent((answer['msgList'] as { msgId: string }[]).map(({ msgId }) => msgId))
      return nothing
    }
    case 'receive': {
      const answer = await asked('BatchReceiveMessage', { numOfMsg: act.count })
      const during = done()
      const judge = () => received(answer).forEach((message) => model.received(during, message))
      return { rank: RECEIVED + during.end, judge }
    }
    case 'delete': {
      const receiptHandle = model.handles.at(-1 - act.newest)
      if (receiptHandle === undefined) return nothing
      const code = (await asked('DeleteMessage', { receiptHandle }))?.code
      const during = done()
      return { rank: code ?? DIED, judge: () => model.deleted(during, receiptHandle, code) }
    }
    case 'rewind': {
      const second = Math.floor(clock.now() / 1000) - act.back
      const answered = model.rewinds(second)
      answered((await asked('RewindQueue', { startConsumeTime: second }))?.code)
      return nothing
    }
    case 'shards':
      await asked('SetQueueAttributes', { shards: act.shards })
      return nothing
  }
}

const DIED = 9_999
const RECEIVED = 10_000

const nothing: Judgement = { rank: 0, judge: () => undefined }

const received = (answer: Answer | undefined) => (answer?.['msgInfoList'] ?? []) as Received[]

/** What a process answers; undefined where it died before. */
async function call(
  { processes }: World,
  process: number,
  Action: string,
  parameters: Record<string, string | number>,
): Promise<Answer | undefined> {
  const { services, hasDied } = await (processes[process] ?? Promise.reject(new Error('no such process')))
  return await Promise.race([ask(services, { Action, queueName, ...parameters }), hasDied])
}

/** All that is due comes out at the end, what is rewound in order of production where that is promised; then nothing more. */
async function drain(
  world: World,
  visibilityTimeout: number,
  { isCertain, isOrdered }: { readonly isCertain: boolean; readonly isOrdered: boolean },
): Promise<void> {
  const { clock, model, processes } = world
  processes[0] = world.start(0)
  // Leases are over by then, and what was lost and is late has arrived.
  await clock.advance(Math.max(visibilityTimeout * 1000, 31_000))
  const left = new Set(model.due(clock.now()))
  const again: string[] = []
  for (let empty = 0; empty < 5;) {
    const done = model.begins()
    const messages = received(await whilePassing(clock, call(world, 0, 'BatchReceiveMessage', { numOfMsg: 3 })))
    const during = done()
    empty = messages.length === 0 ? empty + 1 : 0
    for (const message of messages) {
      if (model.isDeleted(message.msgId)) again.push(message.msgId)
      model.received(during, message)
      const deleted = model.begins()
      const { receiptHandle } = message
      const answer = await whilePassing(clock, call(world, 0, 'DeleteMessage', { receiptHandle }))
      model.deleted(deleted(), receiptHandle, answer?.code)
      left.delete(message.msgId)
    }
    if (messages.length === 0) await clock.advance(1_000)
  }
  const due = new Set(model.due(clock.now()))
  const lost = [...left].filter((id) => due.has(id))
  if (lost.length > 0) throw new Error(`broken promise: ${lost.length} messages that are due come: ${lost.join()}`)
  if (isOrdered && again.join() !== again.toSorted().join())
    throw new Error(`broken promise: what is rewound comes in order of production: ${again.join()}`)
  if (isCertain) await count(world)
}

/** The queue says that it is empty, and how much of what it was sent could be rewound. */
async function count(world: World): Promise<void> {
  const { clock, model } = world
  const answer = await whilePassing(clock, call(world, 0, 'GetQueueAttributes', {}))
  const since = clock.now() - 60_000
  const kept = model.kept(clock.now()).filter((id) => Number.parseInt(id.slice(0, 12), 16) >= since)
  const counted = [answer?.['activeMsgNum'], answer?.['inactiveMsgNum'], answer?.['rewindMsgNum']].join()
  if (counted !== [0, 0, kept.length].join())
    throw new Error(`broken promise: none is active or in flight, and ${kept.length} can be rewound, but ${counted}`)
}

const timeout = () => Object.assign(new Error('no answer in time'), { name: 'TimeoutError' })
const throttle = () =>
  Object.assign(new Error('too much'), { name: 'ThrottlingException', $metadata: { httpStatusCode: 400 } })

/** How much later what was lost and is late arrives, in milliseconds. */
const LATE = 7_000

/** Lets things go wrong, and nothing go on in a process that is dead. Outermost: what a dead one waits for stops no clock. */
function inflict(client: Client, clock: ManualClock, draw: () => Mishap, died: () => void): void {
  let isDead = false
  const forEver = () => new Promise<never>(() => {})
  client.middlewareStack.add(
    (next, { commandName = '' }) =>
      async (args) => {
        if (isDead) return await forEver()
        const mishap = draw()
        if (mishap === undefined) return await next(args)
        if (mishap === 'throttled') throw throttle()
        if (mishap === 'lost before') throw timeout()
        // A batch has no conditions that tell what is outdated, and a read that is late changes nothing.
        const isConditional = /^(Put|Update|Delete)Item|^TransactWrite/.test(commandName)
        if (mishap === 'lost and late') {
          if (isConditional) void clock.sleep(LATE).then(() => next(args).catch(() => undefined))
          throw timeout()
        }
        if (mishap !== 'crash before') await next(args).catch(() => undefined)
        if (mishap === 'lost after') throw timeout()
        isDead = true
        died()
        return await forEver()
      },
    { step: 'initialize', priority: 'high', name: 'mishaps' },
  )
}

describe('given producers, consumers and rewinds in several processes, when they do whatever they like', () => {
  const check = (programs: fc.Arbitrary<Program>) => fc.assert(fc.asyncProperty(programs, run), effort)
  const time = 1_000 * numRuns + 60_000
  const withoutShards = step.filter(({ together }) => together.every((act) => act.do !== 'shards'))

  it(
    'then what a rewind covers comes again, once, in order of production, and nothing else does',
    () => check(program(fc.constant(undefined), withoutShards, 1)),
    time,
  )

  it(
    'then the same holds over several shards that come and go',
    () => check(program(fc.constant(undefined), step, 2)),
    time,
  )

  it(
    'then the same holds although processes die, calls are throttled, and answers get lost or come late',
    () => {
      const well: Mishap[] = [undefined, undefined, undefined, undefined, undefined]
      const ill = ['throttled', 'lost before', 'lost after', 'lost and late', 'crash before', 'crash after'] as const
      return check(program(fc.constantFrom(...well, ...ill), step, 1))
    },
    time,
  )
})
