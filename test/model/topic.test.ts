import { env as environment } from 'node:process'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, it, vi } from 'vitest'
import { logger } from '../../functions/logger.ts'
import { ONLY_ACCOUNT } from '../../lib/names.ts'
import { manualClock, START, whilePassing, type ManualClock } from '../support/clock.ts'
import { testEngine } from '../support/engine.ts'
import { newTables, type Answer } from '../support/service.ts'
import { cloud, type Cloud, type Luck, type Reply, type Trouble, type TroubleKind } from './cloud.ts'
import { promise, topicModel, type Model, type Subscribed, type Wants } from './topic-model.ts'
import { judge, waiting } from './topic-promises.ts'

let engine: Awaited<ReturnType<typeof testEngine>>
beforeAll(async () => {
  engine = await testEngine()
})
afterAll(() => engine.stop())

type Act =
  | {
      readonly do: 'publish'
      readonly process: number
      readonly bodies: readonly Body[]
      readonly tags: readonly string[]
      readonly routingKey: string
      readonly delay: number
    }
  | {
      readonly do: 'subscribe'
      readonly process: number
      readonly name: string
      readonly endpoint: Endpoint
      readonly wants: Wants
    }
  | { readonly do: 'change'; readonly process: number; readonly name: string; readonly change: Partial<Wants> }
  | { readonly do: 'clear'; readonly process: number; readonly name: string }
  | { readonly do: 'unsubscribe'; readonly process: number; readonly name: string }
  | { readonly do: 'receive'; readonly process: number; readonly queue: string }
  /** From now on the subscriber of this name answers so; the last reply goes on. */
  | { readonly do: 'answer'; readonly name: string; readonly replies: readonly Reply[] }
  /** The queue that was missing is made, or the one that was too small enlarged. */
  | { readonly do: 'mend'; readonly process: number; readonly queue: string }
  | { readonly do: 'crash'; readonly process: number }

type Body = { readonly size: number; readonly character: string }

/** A web server of its own, or a queue. */
type Endpoint = 'http' | 'small' | 'missing'

/** Acts that begin at the same moment, and how long the clock moves after them. */
interface Step {
  readonly together: readonly Act[]
  readonly then: number
}

interface Program {
  readonly filterType: 1 | 2
  readonly processes: 'alone' | 1 | 2 | 3
  readonly window: number
  readonly firstTries: number
  readonly longestPause: number
  readonly wakeUps: 'timers' | 'schedules'
  readonly lifetime: number
  readonly chance: number
  readonly atFirst: readonly (Act & { do: 'subscribe' })[]
  readonly steps: readonly Step[]
  readonly troubles: readonly Trouble[]
  readonly starts: readonly Luck[]
  readonly wakes: readonly Luck[]
  /** How long nothing at all runs before the end. */
  readonly outage: number
}

/** `MODEL_RUNS=1000 npx vitest run test/model` looks longer. */
const numRuns = Number(environment['MODEL_RUNS'] ?? 20)
/** No program begins later. None is interrupted: it would go on beside the next. */
const longest = 250 * numRuns
/** `MODEL_SEED=…` and `MODEL_PATH=…` show again what has failed. */
const { MODEL_SEED: seed, MODEL_PATH: path } = environment
const replay = { ...(seed ? { seed: Number(seed) } : {}), ...(path ? { path } : {}) }

const NAMES = ['s0', 's1', 's2']
const TAGS = ['red', 'blue', 'green']
const process = fc.nat(2)
const name = fc.constantFrom(...NAMES)
const queue = fc.constantFrom('small', 'missing')
const body: fc.Arbitrary<Body> = fc.record({
  size: fc.oneof(
    { weight: 30, arbitrary: fc.nat(40) },
    { weight: 6, arbitrary: fc.constantFrom(700, 900, 5_000) },
    { weight: 1, arbitrary: fc.constant(60_000) },
  ),
  character: fc.constantFrom('x', '中', '😀', '\u0000', '"'),
})
const reply: fc.Arbitrary<Reply> = fc.record({
  status: fc.constantFrom<Reply['status'][]>(200, 204, 500, 503, 302, 'hang', 'reset'),
  after: fc.constantFrom(0, 0, 50, 700, 3_000, 14_999),
})
const strategy = fc.constantFrom<Wants['strategy'][]>('BACKOFF_RETRY', 'EXPONENTIAL_DECAY_RETRY')
const format = fc.constantFrom<Wants['format'][]>('JSON', 'SIMPLIFIED')
const newTags = fc.uniqueArray(fc.constantFrom(...TAGS), { minLength: 1, maxLength: 2 })
const filterTags = fc.oneof(fc.constant([]), newTags)
const bindingKeys = fc.uniqueArray(fc.constantFrom('#', '#', 'a.*', 'a.#', '*.b', '#.c', 'a'), {
  minLength: 1,
  maxLength: 2,
})
const wants: fc.Arbitrary<Wants> = fc.record({ strategy, format, filterTags, bindingKeys })
const subscribe = fc.record({
  do: fc.constant('subscribe' as const),
  process,
  name,
  endpoint: fc.constantFrom<Endpoint[]>('http', 'http', 'http', 'small', 'missing'),
  wants,
})
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant('publish'),
      process,
      bodies: fc.oneof(
        { weight: 6, arbitrary: fc.array(body, { minLength: 1, maxLength: 3 }) },
        { weight: 1, arbitrary: fc.array(body, { minLength: 10, maxLength: 16, size: 'max' }) },
      ),
      tags: fc.uniqueArray(fc.constantFrom(...TAGS), { maxLength: 2 }),
      routingKey: fc.constantFrom('a', 'a.b', 'a.b.c', 'b', 'a..c'),
      delay: fc.constantFrom(0, 0, 0, 0, 1, 7, 130),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('answer'), name, replies: fc.array(reply, { maxLength: 4 }) }) },
  { weight: 2, arbitrary: subscribe },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unsubscribe'), process, name }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('change'),
      process,
      name,
      change: fc.record({ strategy, format, filterTags: newTags, bindingKeys }, { requiredKeys: [] }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('clear'), process, name }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('receive'), process, queue }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('mend'), process, queue }) },
)
const then = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom(0, 1, 100, 900, 1_000, 2_000) },
  { weight: 20, arbitrary: fc.constantFrom(5_000, 10_000, 16_000, 31_000, 61_000) },
  { weight: 3, arbitrary: fc.constantFrom(130_000, 300_000, 600_000) },
  { weight: 1, arbitrary: fc.constantFrom(3_600_000) },
)
const step = (isMortal: boolean): fc.Arbitrary<Step> =>
  fc.record({
    together: fc.array(
      isMortal
        ? fc.oneof(
            { weight: 25, arbitrary: act },
            { weight: 1, arbitrary: fc.record({ do: fc.constant('crash' as const), process }) },
          )
        : act,
      { minLength: 1, maxLength: 4 },
    ),
    then,
  })
const troubles = (kinds: readonly TroubleKind[], most: number): fc.Arbitrary<Trouble[]> =>
  fc.array(
    fc.record({
      after: fc.oneof(fc.nat(3), fc.nat(40), fc.nat(400)),
      kind: fc.constantFrom(...kinds),
      lasting: fc.constantFrom(1_000, 0, 50, 700),
    }),
    { maxLength: most, size: 'max' },
  )
const luck = fc.array(fc.constantFrom<Luck[]>('made', 'made', 'lost', 'refused'), { maxLength: 8 })

/** What goes wrong, beside subscribers. */
type Misfortunes = { readonly [Part in 'troubles' | 'starts' | 'wakes' | 'outage']: fc.Arbitrary<Program[Part]> }

const program = (misfortunes: Misfortunes, isMortal: boolean): fc.Arbitrary<Program> =>
  fc.record({
    filterType: fc.constantFrom<(1 | 2)[]>(1, 1, 2),
    processes: fc.constantFrom<Program['processes'][]>('alone', 1, 2, 3),
    window: fc.constantFrom(1, 2, 3, 16),
    firstTries: fc.constantFrom(1, 3, 100),
    longestPause: fc.constantFrom(120, 120, 0, 10),
    wakeUps: fc.constantFrom<Program['wakeUps'][]>('timers', 'schedules'),
    lifetime: fc.constantFrom(900_000, 900_000, 200_000),
    chance: fc.nat(),
    atFirst: fc.array(subscribe, { minLength: 1, maxLength: 3 }),
    steps: fc.array(step(isMortal), { minLength: 3, maxLength: 14 }),
    ...misfortunes,
  })

interface World {
  readonly program: Program
  readonly clock: ManualClock
  readonly cloud: Cloud
  readonly model: Model
  readonly replies: Map<string, readonly Reply[]>
  /** Names whose subscription somebody is changing. */
  readonly changing: Set<string>
  nextText(body: Body): string
  nextUrl(name: string): string
}

const isCalm = ({ model }: World) => !model.promised.crashes && !model.promised.faults

async function run(program: Program, misfortunes: { crashes: boolean; faults: boolean }): Promise<void> {
  const clock = manualClock(START + 137)
  const tableNames = await newTables(engine.endpoint)
  const replies = new Map<string, readonly Reply[]>()
  const failures: unknown[] = []
  const { window, firstTries, lifetime, wakeUps, troubles, starts, wakes } = program
  const model = topicModel({
    filterType: program.filterType,
    window,
    firstTries,
    owner: Number(ONLY_ACCOUNT),
    topicName: 't',
    isAlone: program.processes === 'alone',
    ...misfortunes,
  })
  // Schedules are exact to the minute only: a run is there two minutes early, and waits.
  const longestPause = wakeUps === 'schedules' ? Math.max(120, program.longestPause) : program.longestPause
  const random = chance(program.chance)
  const isAlone = program.processes === 'alone'
  const site = cloud({
    endpoint: engine.endpoint,
    tableNames,
    clock,
    settings: { pushWindow: window, pushFirstTries: firstTries, longestPause },
    processes: program.processes === 'alone' ? 1 : program.processes,
    isAlone,
    wakeUps,
    lifetime,
    random,
    troubles,
    starts,
    wakes,
    web: {
      arrived(arrival) {
        const subscriber = arrival.endpoint.split('/').at(-2) ?? ''
        const [reply = { status: 200, after: 0 }, ...rest] = replies.get(subscriber) ?? []
        if (rest.length > 0) replies.set(subscriber, rest)
        const attempt = attended(failures, () => model.arrives(clock.now(), arrival))
        return {
          reply,
          ended(outcome) {
            if (attempt) Object.assign(attempt, { to: clock.now(), outcome })
          },
          died(until) {
            if (attempt) Object.assign(attempt, { to: until, isDead: true })
          },
        }
      },
    },
    watch: {
      crashed: () => void model.crashes.push(clock.now()),
      closed: (laneId, from, to) => void model.closings.push({ laneId, from, to }),
      failed: (error) => void (misfortunes.faults || failures.push(error)),
    },
  })
  let texts = 0
  let urls = 0
  const world: World = {
    program,
    clock,
    cloud: site,
    model,
    replies,
    changing: new Set(),
    // Sixteen of the largest fit one batch.
    nextText: ({ size, character }) => `${++texts}:${(size > 5_000 ? 'x' : character).repeat(size)}`,
    nextUrl: (name) => `http://hooks.example/${name}/${++urls}`,
  }

  vi.spyOn(Math, 'random').mockImplementation(random)
  const tried = (line: never) => attended(failures, () => model.tried(clock.now(), line))
  const dropped = (line: never) =>
    attended(failures, () =>
      'subscription' in line ? model.dropped(clock.now(), line) : model.neverReleased(clock.now(), line),
    )
  listen('info', (message, line) => message === 'attempt' && tried(line))
  // The first failure of a delivery is a warning.
  listen('warn', (message, line) =>
    message === 'attempt' ? tried(line) : message === 'message dropped' && dropped(line),
  )
  listen('error', (_message, line) => {
    if (misfortunes.crashes || misfortunes.faults) return
    failures.push(Object.assign(new Error('an error is logged'), { cause: line }))
  })
  const check = () => {
    if (failures.length > 0) throw failures[0]
  }
  try {
    await setUp(world)
    site.arm()
    for (const { together, then } of program.steps) {
      await whilePassing(clock, Promise.all(together.map((act) => perform(world, act))))
      check()
      await clock.advance(then)
      check()
      if (isCalm(world)) await compareCounts(world)
    }
    await wind(world)
    check()
  } finally {
    await site.end()
    vi.restoreAllMocks()
  }
}

/** Hears what is logged. */
function listen(level: 'info' | 'warn' | 'error', hear: (message: unknown, line: never) => unknown): void {
  vi.spyOn(logger, level).mockImplementation((...[message, line]: readonly unknown[]) => {
    hear(message, line as never)
  })
}

/** What a callback throws is thrown where it is awaited. */
function attended<Result>(failures: unknown[], call: () => Result): Result | undefined {
  try {
    return call()
  } catch (error) {
    failures.push(error)
    return undefined
  }
}

function chance(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

async function setUp(world: World): Promise<void> {
  const { cloud, clock, model, program } = world
  const topic = { Action: 'CreateTopic', topicName: 't', filterType: program.filterType, maxMsgSize: 1_048_576 }
  await whilePassing(clock, cloud.ask(0, topic))
  const small = { Action: 'CreateQueue', queueName: 'small', maxMsgSize: 1_024, msgRetentionSeconds: 1_296_000 }
  await whilePassing(clock, cloud.ask(0, small))
  model.makesQueue('small', clock.now(), 1_024)
  await whilePassing(clock, Promise.all(program.atFirst.map((act) => perform(world, act))))
}

async function perform(world: World, act: Act): Promise<void> {
  const { cloud, clock, model } = world
  const from = clock.now()
  switch (act.do) {
    case 'publish':
      return publish(world, act)
    case 'subscribe':
      return alone(world, act.name, () => subscribeTo(world, act))
    case 'unsubscribe':
      return alone(world, act.name, async () => {
        const present = presentOnes(model, act.name)
        for (const one of present) model.unsubscribes(one, from)
        const answer = await cloud.ask(act.process, named('Unsubscribe', act.name))
        expectCode(world, answer, present.length > 0 ? 0 : 4440)
        // What was not answered before may have been done a moment ago.
        const patience = answer?.code === 0 ? 0 : 1_100
        if (answer?.code === 0 || answer?.code === 4440)
          for (const one of present) model.hasUnsubscribed(one, clock.now() + patience)
      })
    case 'change':
    case 'clear':
      return alone(world, act.name, async () => {
        const present = presentOnes(model, act.name)
        const change = act.do === 'clear' ? { filterTags: [] } : act.change
        const done = present.map((one) => model.changes(one, from, forProtocol(one, change)))
        const Action = act.do === 'clear' ? 'ClearSubscriptionFilterTags' : 'SetSubscriptionAttributes'
        const sent = act.do === 'clear' ? {} : parametersOf(act.change)
        const answer = await cloud.ask(act.process, { ...named(Action, act.name), ...sent })
        expectCode(world, answer, present.length > 0 ? 0 : 4440)
        if (answer?.code === 0) for (const tell of done) tell(clock.now())
      })
    case 'receive':
      return void (await receive(world, act.process, act.queue))
    case 'answer':
      return void world.replies.set(act.name, act.replies)
    case 'mend':
      return mend(world, act.process, act.queue)
    case 'crash':
      return cloud.crash(act.process)
  }
}

/** One after the other only, or nobody could say what came of them. */
async function alone(world: World, name: string, change: () => Promise<void>): Promise<void> {
  if (world.changing.has(name)) return
  world.changing.add(name)
  await change()
  world.changing.delete(name)
}

const named = (Action: string, subscriptionName: string) => ({ Action, topicName: 't', subscriptionName })

/** Those that may be there. */
const presentOnes = (model: Model, name: string): readonly Subscribed[] =>
  model.subscribed.filter((one) => one.name === name && (one.ended?.to ?? Infinity) === Infinity)

function expectCode(world: World, answer: Answer | undefined, code: number): void {
  if (isCalm(world)) promise(answer?.code === code, `the answer is ${code}, not ${answer?.code} ${answer?.message}`)
}

/** Queues get what is published as it is, whatever they ask for. */
const forProtocol = <Change extends Partial<Wants>>({ protocol }: Pick<Subscribed, 'protocol'>, change: Change) =>
  protocol === 'queue' && change.format ? { ...change, format: 'SIMPLIFIED' as const } : change

function parametersOf({ strategy, format, filterTags = [], bindingKeys = [] }: Partial<Wants>): Record<string, string> {
  return {
    ...(strategy ? { notifyStrategy: strategy } : {}),
    ...(format ? { notifyContentFormat: format } : {}),
    ...Object.fromEntries(filterTags.map((tag, index) => [`filterTag.${index + 1}`, tag])),
    ...Object.fromEntries(bindingKeys.map((key, index) => [`bindingKey.${index + 1}`, key])),
  }
}

async function subscribeTo({ ...world }: World, { process, name, endpoint, wants }: Act & { do: 'subscribe' }) {
  const { cloud, clock, model } = world
  const isTaken = presentOnes(model, name).length > 0
  const protocol = endpoint === 'http' ? 'http' : 'queue'
  const place = { name, protocol, endpoint: endpoint === 'http' ? world.nextUrl(name) : endpoint } as const
  const one = model.subscribes(clock.now(), place, forProtocol(place, wants))
  const sent = { ...named('Subscribe', name), protocol, endpoint: place.endpoint, ...parametersOf(wants) }
  const answer = await cloud.ask(process, sent)
  expectCode(world, answer, isTaken ? 4490 : 0)
  if (answer?.code === 0) model.hasSubscribed(one, clock.now(), String(answer['subscriptionId']))
  else if (answer?.code === 4490) model.hasNotSubscribed(one)
}

async function publish(world: World, { process, bodies, tags, routingKey, delay }: Act & { do: 'publish' }) {
  const { cloud, clock, model, program } = world
  const texts = bodies.map(world.nextText)
  const labels =
    program.filterType === 2
      ? { routingKey }
      : Object.fromEntries(tags.map((tag, index) => [`msgTag.${index + 1}`, tag]))
  const isBatch = texts.length > 1
  const sent = isBatch
    ? Object.fromEntries(texts.map((text, index) => [`msgBody.${index}`, text]))
    : { msgBody: texts[0] ?? '' }
  const from = clock.now()
  const ofTags = program.filterType === 1 ? tags : []
  const publishing = model.publishes(texts, { process, tags: ofTags, routingKey, delaySeconds: delay, from })
  const Action = isBatch ? 'BatchPublishMessage' : 'PublishMessage'
  const answer = await cloud.ask(process, { Action, topicName: 't', ...sent, ...labels, delaySeconds: delay })
  const ids = isBatch
    ? ((answer?.['msgList'] ?? []) as { msgId: string }[]).map(({ msgId }) => msgId)
    : [String(answer?.['msgId'])]
  if (answer?.code === 0) model.hasPublished(publishing, clock.now(), texts, ids)
  else model.hasNotPublished(publishing, clock.now(), answer?.code === 6030 ? 'refused' : 'unknown')
  if (isCalm(world)) promise(answer?.code === 0 || answer?.code === 6030, `a publish is not answered ${answer?.code}`)
}

/** Takes what the queue has, up to 16 messages, and deletes it. Returns how many there were. */
async function receive({ cloud, clock, model }: World, process: number, queueName: string): Promise<number> {
  const answer = await cloud.ask(process, { Action: 'BatchReceiveMessage', queueName, numOfMsg: 16 })
  const messages = (answer?.['msgInfoList'] ?? []) as {
    msgId: string
    msgBody: string
    receiptHandle: string
    enqueueTime: number
  }[]
  for (const { msgId, msgBody, enqueueTime } of messages)
    model.receives({ queue: queueName, msgId, text: msgBody, enqueuedAt: enqueueTime * 1000, at: clock.now() })
  if (messages.length === 0) return 0
  const handles = messages.map(({ receiptHandle }, index) => [`receiptHandle.${index}`, receiptHandle])
  await cloud.ask(process, { Action: 'BatchDeleteMessage', queueName, ...Object.fromEntries(handles) })
  return messages.length
}

async function mend({ cloud, clock, model }: World, process: number, queueName: string): Promise<void> {
  const isMade = model.queues.has(queueName)
  const Action = isMade ? 'SetQueueAttributes' : 'CreateQueue'
  const answer = await cloud.ask(process, { Action, queueName, maxMsgSize: 1_048_576, msgRetentionSeconds: 1_296_000 })
  if (answer?.code !== 0 && answer?.code !== 4460) return
  if (!isMade) model.makesQueue(queueName, clock.now(), 1_048_576)
  model.enlargesQueue(queueName, clock.now())
}

/** How many deliveries wait is told to the message, whenever nobody is publishing. */
async function compareCounts(world: World): Promise<void> {
  const { cloud, clock, model } = world
  for (const one of model.subscribed) {
    if (one.ended || one.protocol === 'queue') continue
    model.learnIds()
    const answer = await cloud.ask(0, named('GetSubscriptionAttributes', one.name))
    const { least, most } = waiting(model, one, clock.now())
    const count = Number(answer?.['msgCount'])
    promise(count >= least && count <= most, `msgCount of ${one.name} is ${count}, from ${least} to ${most}`)
  }
}

/** All is well again: then whatever is still there is delivered, and nothing stays behind. */
async function wind(world: World): Promise<void> {
  const { cloud, clock, model, program } = world
  cloud.heal()
  world.replies.clear()
  if (!isCalm(world)) {
    for (let process = 0; process < 3; process++) await cloud.crash(process)
    model.closings.push({ from: clock.now(), to: clock.now() + program.outage })
    clock.set(clock.now() + program.outage)
  }
  for (const queueName of ['small', 'missing']) await whilePassing(clock, mend(world, 0, queueName))
  // Delays, shared waits, a lease of the dead, and the net.
  for (let minute = 0; minute < 40; minute++) {
    await clock.advance(60_000)
    if (minute > 3 && (await cloud.isIdle())) break
  }
  await checkEmpty(world)
  for (let day = 0; day < 2; day++) {
    clock.set(clock.now() + 90_000_000)
    cloud.castNets()
    await clock.advance(60_000)
  }
  await checkEmpty(world)
  for (const queueName of ['small', 'missing'])
    for (let empty = 0; empty < 3;) {
      empty = (await whilePassing(clock, receive(world, 0, queueName))) === 0 ? empty + 1 : 0
      await clock.advance(empty === 0 ? 0 : 31_000)
    }
  model.learnIds()
  judge(model, clock.now())
}

async function checkEmpty({ cloud, clock, model }: World): Promise<void> {
  const answer = await whilePassing(
    clock,
    cloud.ask(0, { Action: 'ListSubscriptionByTopic', topicName: 't', limit: 100 }),
  )
  for (const { subscriptionName } of (answer?.['subscriptionList'] ?? []) as { subscriptionName: string }[]) {
    const told = await cloud.ask(0, named('GetSubscriptionAttributes', subscriptionName))
    promise(told?.['msgCount'] === 0, `nothing waits for ${subscriptionName} at the end, not ${told?.['msgCount']}`)
  }
  void model
}

const none = <Element>(): fc.Arbitrary<Element[]> => fc.constant([])
const calm: Misfortunes = { troubles: none(), starts: none(), wakes: none(), outage: fc.constant(0) }
const outage = fc.constantFrom(0, 0, 0, 3_600_000, 90_000_000)
const deadly: Misfortunes = { ...calm, troubles: troubles(['crash before', 'crash after'], 6), outage }
const allTroubles = ['throttled', 'lost before', 'lost after', 'lost and late', 'late', 'slow', 'halved'] as const
const bad: Misfortunes = {
  troubles: troubles(['crash before', 'crash after', ...allTroubles, ...allTroubles], 40),
  starts: luck,
  wakes: luck,
  outage,
}

async function hold(misfortunes: Misfortunes, kinds: { crashes: boolean; faults: boolean }): Promise<void> {
  const begun = Date.now()
  const property = fc.asyncProperty(program(misfortunes, kinds.crashes), async (one) => {
    if (Date.now() - begun < longest) await run(one, kinds)
  })
  await fc.assert(property, { numRuns, ...replay })
}

describe('given publishers and subscribers, and processes between them, when they do whatever they like', () => {
  it('then every promise holds', () => hold(calm, { crashes: false, faults: false }), 2 * longest + 60_000)

  it(
    'then every promise holds although processes die',
    () => hold(deadly, { crashes: true, faults: false }),
    2 * longest + 60_000,
  )

  it(
    'then every promise holds although calls fail and processes die',
    () => hold(bad, { crashes: true, faults: true }),
    2 * longest + 60_000,
  )
})
