import { env as environment } from 'node:process'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, it } from 'vitest'
import { buryAged } from '../../functions/bury-aged.ts'
import type { Services } from '../../functions/services.ts'
import { manualClock, whilePassing, type ManualClock } from '../support/clock.ts'
import { testEngine } from '../support/engine.ts'
import { injectFaults, type Fault } from '../support/faults.ts'
import { ask, newTables, testServices, type Answer } from '../support/service.ts'
import { queueModel, type Death, type Interval, type Model, type QueueName, type ReceivedMessage } from './model.ts'

let engine: Awaited<ReturnType<typeof testEngine>>
beforeAll(async () => {
  engine = await testEngine()
})
afterAll(() => engine.stop())

/** What one of the processes does. */
type Act =
  | { readonly do: 'send'; readonly process: number; readonly bodies: readonly Body[]; readonly delay: number }
  | {
      readonly do: 'receive'
      readonly process: number
      readonly from: QueueName
      readonly count: number
      readonly wait: number
    }
  /** `newest` counts back from the newest handle. */
  | { readonly do: 'delete'; readonly process: number; readonly newest: number }
  | { readonly do: 'restart'; readonly process: number }
  | { readonly do: 'shards'; readonly process: number; readonly shards: number }
  /** What the schedule does every minute. */
  | { readonly do: 'bury'; readonly process: number }

/** A body of some size: small, too large for its item, of several chunks; of characters of one byte or more. */
type Body = { readonly size: number; readonly character: string }

/** Acts that begin at the same moment, and how long the clock moves after them. */
interface Step {
  readonly together: readonly Act[]
  readonly then: number
}

interface Program {
  readonly visibilityTimeout: number
  readonly retention: number
  readonly death: Death | undefined
  readonly faults: readonly (Fault | undefined)[]
  readonly steps: readonly Step[]
}

const PROCESSES = 3

/** `MODEL_RUNS=1000 npx vitest run test/model` looks longer. */
const numRuns = Number(environment['MODEL_RUNS'] ?? 20)
const effort = { numRuns, interruptAfterTimeLimit: 600 * numRuns }
const process = fc.nat(PROCESSES - 1)
const body: fc.Arbitrary<Body> = fc.record({
  size: fc.oneof(
    { weight: 30, arbitrary: fc.nat(40) },
    { weight: 5, arbitrary: fc.constantFrom(700, 900, 5_000) },
    { weight: 1, arbitrary: fc.constant(140_000) },
  ),
  character: fc.constantFrom('x', '中', '😀', '\u0000', '"'),
})
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('send'),
      process,
      bodies: fc.array(body, { minLength: 1, maxLength: 5 }),
      delay: fc.constantFrom(0, 0, 0, 1, 7, 60),
    }),
  },
  {
    weight: 7,
    arbitrary: fc.record({
      do: fc.constant('receive'),
      process,
      from: fc.constantFrom<QueueName[]>('q', 'q', 'q', 'dead'),
      count: fc.constantFrom(1, 1, 2, 5, 16),
      wait: fc.constantFrom(0, 0, 0, 2, 30),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('delete'), process, newest: fc.nat(8) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart'), process }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('shards'), process, shards: fc.constantFrom(1, 2, 3) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('bury'), process }) },
)
const step: fc.Arbitrary<Step> = fc.record({
  together: fc.array(act, { minLength: 1, maxLength: 4 }),
  then: fc.constantFrom(0, 0, 1, 100, 900, 2_000, 10_000, 31_000, 150_000),
})
const program = (fault: fc.Arbitrary<Fault | undefined>): fc.Arbitrary<Program> =>
  fc.record({
    visibilityTimeout: fc.constantFrom(1, 10, 30, 300),
    retention: fc.constantFrom(60, 120, 345_600),
    death: fc.constantFrom<(Death | undefined)[]>(
      undefined,
      { maxReceiveCount: 1 },
      { maxReceiveCount: 3 },
      { maxTimeToLive: 300 },
    ),
    faults: fc.array(fault, { maxLength: 60 }),
    steps: fc.array(step, { minLength: 3, maxLength: 16 }),
  })

interface World {
  readonly clock: ManualClock
  readonly processes: Services[]
  readonly model: Model
  readonly start: () => Promise<Services>
  nextText(body: Body): string
}

async function run({ visibilityTimeout, retention, death, faults, steps }: Program): Promise<void> {
  const clock = manualClock()
  const tableNames = await newTables(engine.endpoint)
  const left = [...faults]
  let isArmed = false
  const start = () =>
    testServices({
      endpoint: engine.endpoint,
      tableNames,
      clock,
      isAlone: false,
      settings: { longestWait: 30 },
      prepare: (client) => injectFaults(client, () => (isArmed ? left.shift() : undefined)),
    })
  const processes = await Promise.all(Array.from({ length: PROCESSES }, start))
  // A time to live is shorter than the retention.
  const msgRetentionSeconds = death && 'maxTimeToLive' in death ? 345_600 : retention
  const model = queueModel({ visibilityTimeout, msgRetentionSeconds, faults: faults.length > 0, death })
  let texts = 0
  const nextText = ({ size, character }: Body) => `${++texts}:${character.repeat(size)}`
  const world: World = { clock, processes, model, start, nextText }

  const create = {
    Action: 'CreateQueue',
    queueName: 'q',
    visibilityTimeout,
    msgRetentionSeconds,
    maxMsgSize: 1_048_576,
    ...(death && { deadLetterQueueName: 'dead', policy: 'maxTimeToLive' in death ? 1 : 0, ...death }),
  }
  await call(world, 0, { Action: 'CreateQueue', queueName: 'dead', visibilityTimeout })
  await call(world, 0, create)
  isArmed = true
  const waiting: Promise<Judgement>[] = []
  for (const { together, then } of steps) {
    const acts = together.map((act) => perform(world, act))
    // A receive that waits goes on while the next steps are made.
    waiting.push(...acts.filter((_, index) => isWaiting(together[index])))
    for (const act of waiting) act.catch(() => 'told at the end')
    const done = acts.filter((_, index) => !isWaiting(together[index]))
    const judgements = await whilePassing(clock, Promise.all(done))
    // Of two deletions side by side one succeeds: it is told first.
    for (const { code, judge } of judgements.toSorted((a, b) => a.code - b.code)) judge(code)
    await clock.advance(then)
  }
  await whilePassing(clock, Promise.all(waiting), 1_000)

  isArmed = false
  await drain(world, visibilityTimeout)
}

const isWaiting = (act: Act | undefined) => act?.do === 'receive' && act.wait > 0

/** What the model is told once everything that began together is over. */
interface Judgement {
  readonly code: number
  readonly judge: (code: number) => void
}

async function perform(world: World, act: Act): Promise<Judgement> {
  const { clock, model } = world
  const from = clock.now()
  const interval = (): Interval => ({ from, to: clock.now() })
  switch (act.do) {
    case 'send': {
      const texts = act.bodies.map(world.nextText)
      const bodies = Object.fromEntries(texts.map((text, index) => [`msgBody.${index}`, text]))
      model.sends(from, texts, act.delay)
      const send = { Action: 'BatchSendMessage', queueName: 'q', ...bodies, delaySeconds: act.delay }
      const answer = await call(world, act.process, send)
      const ids = ((answer['msgList'] ?? []) as { msgId: string }[]).map(({ msgId }) => msgId)
      if (answer.code === 0) model.sent(interval(), ids, texts)
      return nothing
    }
    case 'receive': {
      const wanted = {
        Action: 'BatchReceiveMessage',
        queueName: act.from,
        numOfMsg: act.count,
        pollingWaitSeconds: act.wait,
      }
      const answer = await call(world, act.process, wanted)
      for (const message of (answer['msgInfoList'] ?? []) as ReceivedMessage[])
        model.received(interval(), act.from, message)
      return nothing
    }
    case 'delete': {
      const { handle: receiptHandle, of: queueName } = model.handles.at(-1 - act.newest) ?? {}
      if (receiptHandle === undefined || queueName === undefined) return nothing
      const { code } = await call(world, act.process, { Action: 'DeleteMessage', queueName, receiptHandle })
      const during = interval()
      return { code, judge: (answered) => model.deleted(during, receiptHandle, answered) }
    }
    case 'restart':
      world.processes[act.process] = await world.start()
      return nothing
    case 'shards':
      await call(world, act.process, { Action: 'SetQueueAttributes', queueName: 'q', shards: act.shards })
      return nothing
    case 'bury': {
      const services = world.processes[act.process]
      // A store that fails is tried again by the next beat.
      if (services) await buryAged(services, Infinity, new AbortController().signal).catch(() => undefined)
      return nothing
    }
  }
}

const nothing: Judgement = { code: 0, judge: () => undefined }

function call({ processes }: World, process: number, parameters: Record<string, string | number>): Promise<Answer> {
  const services = processes[process]
  if (!services) throw new Error('no such process')
  return ask(services, parameters)
}

/** Everything that was acknowledged, not deleted, and is still alive comes out at the end; then the queue is empty. */
async function drain(world: World, visibilityTimeout: number): Promise<void> {
  const { clock, model, processes } = world
  processes[0] = await world.start()
  // Delays are over by then, and so are the leases.
  await clock.advance(Math.max(visibilityTimeout, 60) * 1000)
  const left = new Set(model.remaining(clock.now()))
  for (let empty = 0; empty < 6;) {
    const queueName = empty % 2 === 0 ? 'q' : 'dead'
    const from = clock.now()
    const answer = await whilePassing(clock, call(world, 0, { Action: 'BatchReceiveMessage', queueName, numOfMsg: 16 }))
    const received = (answer['msgInfoList'] ?? []) as ReceivedMessage[]
    empty = received.length === 0 ? empty + 1 : 0
    for (const message of received) {
      const { receiptHandle } = message
      model.received({ from, to: clock.now() }, queueName, message)
      const { code } = await call(world, 0, { Action: 'DeleteMessage', queueName, receiptHandle })
      model.deleted({ from, to: clock.now() }, receiptHandle, code)
      left.delete(message.msgBody)
    }
    await clock.advance(1_000)
  }
  for (const queueName of ['q', 'dead']) {
    const counts = await call(world, 0, { Action: 'GetQueueAttributes', queueName })
    const { activeMsgNum, inactiveMsgNum, delayMsgNum } = counts as unknown as Record<string, number | undefined>
    if (activeMsgNum !== 0 || inactiveMsgNum !== 0 || delayMsgNum !== 0)
      throw new Error(`broken promise: ${queueName} is empty at the end: ${JSON.stringify(counts)}`)
  }
  const lost = model.remaining(clock.now()).filter((text) => left.has(text))
  if (lost.length > 0)
    throw new Error(`broken promise: ${lost.length} acknowledged messages are not lost: ${lost.join().slice(0, 200)}`)
}

describe('given producers and consumers in several processes, when they do whatever they like', () => {
  it(
    'then every promise of CMQ holds',
    async () => {
      await fc.assert(fc.asyncProperty(program(fc.constant(undefined)), run), effort)
    },
    1_000 * numRuns + 60_000,
  )

  it(
    'then every promise of CMQ holds although calls are throttled and answers get lost',
    async () => {
      const fault = fc.constantFrom<(Fault | undefined)[]>(
        undefined,
        undefined,
        undefined,
        'throttled',
        'lost before',
        'lost after',
      )
      await fc.assert(fc.asyncProperty(program(fault), run), effort)
    },
    1_000 * numRuns + 60_000,
  )
})
