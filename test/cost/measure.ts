import { prices } from '../../cdk/prices.ts'
import { logger } from '../../functions/logger.ts'
import { handler as releaseDelayed } from '../../functions/scheduled/release-delayed.ts'
import { handler as retryDeliveries } from '../../functions/scheduled/retry-deliveries.ts'
import { whilePassing } from '../support/clock.ts'
import type { Answer } from '../support/service.ts'
import { newWorld, type World, type WorldOptions } from '../support/worker.ts'
import { listed, type Parameters } from '../bench/cmq-client.ts'
import { countUsage, minus, plus, type Counter, type Usage } from '../bench/usage.ts'

/** What something asks of AWS. */
export interface Consumed {
  readonly writeUnits: number
  readonly readUnits: number
  readonly requests: number
  /** Parts of requests and answers that API Gateway counts as a request each. */
  readonly metered: number
  /** Invocations that no request made, and the seconds that they ran. */
  readonly runs: number
  readonly seconds: number
  readonly schedules: number
  readonly attempts: number
}

/** What came of one kind of use, and how many messages it was for. */
export type Use = Consumed & { readonly messages: number }

export interface Measured {
  /** Messages from send to delete, by how they are sent: 16 of them where it is in batches. */
  readonly lives: Readonly<Record<'small' | 'large' | 'smallBatch' | 'largeBatch', Use>>
  /** Messages that were published to one web server, one a second, and pushed. */
  readonly pushed: Readonly<Record<'small' | 'large', Use>>
  /** A receive that waits 27 s for nothing. */
  readonly wait: Consumed
  /** A minute in which nothing happens. */
  readonly idleMinute: Consumed
}

const NOTHING: Consumed = {
  writeUnits: 0,
  readUnits: 0,
  requests: 0,
  metered: 0,
  runs: 0,
  seconds: 0,
  schedules: 0,
  attempts: 0,
}

/** A world that counts what it consumes. */
async function counting(endpoint: string, options: WorldOptions = {}) {
  const counters: Counter[] = []
  const world = await newWorld(endpoint, { ...options, prepare: (client) => void counters.push(countUsage(client)) })
  const ran = { runs: 0, milliseconds: 0 }
  logger.info = (text, ...[line]) => {
    if (text !== 'push') return
    ran.runs++
    ran.milliseconds += (line as unknown as { milliseconds: number }).milliseconds
  }
  const asked = { requests: 0, metered: 0 }
  const total = () => counters.map(({ total }) => total).reduce(plus)

  return {
    world,

    async ask(Action: string, parameters: Parameters, code = 0): Promise<Answer> {
      const answer = await whilePassing(world.clock, world.publisher.ask(Action, parameters))
      if (answer.code !== code) throw new Error(`${Action}: ${answer.message}`)
      asked.requests++
      const sent = new URLSearchParams(textsOf(parameters)).toString().length
      asked.metered += Math.ceil(Math.max(sent, JSON.stringify(answer).length) / prices.apiRequestBytes)
      return answer
    },

    /** What the work consumes; it must be all that is going on. */
    async during(work: () => Promise<unknown>): Promise<Consumed> {
      const before: Usage = total()
      Object.assign(asked, { requests: 0, metered: 0 })
      Object.assign(ran, { runs: 0, milliseconds: 0 })
      const [schedules, attempts] = [world.schedules.length, world.pushes.length]
      await work()
      const { writeUnits, readUnits } = minus(total(), before)
      return {
        ...NOTHING,
        ...asked,
        writeUnits,
        readUnits,
        runs: ran.runs,
        seconds: ran.milliseconds / 1_000,
        schedules: world.schedules.length - schedules,
        attempts: world.pushes.length - attempts,
      }
    },
  }
}

type Counting = Awaited<ReturnType<typeof counting>>

const textsOf = (parameters: Parameters) =>
  Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, String(value)]))

const SMALL = 'x'.repeat(256)
const LARGE = 'x'.repeat(65_536)

/** What each kind of use consumes, over the engine at this address. */
export async function measure(endpoint: string): Promise<Measured> {
  const queue = await counting(endpoint)
  await queue.ask('CreateQueue', { queueName: 'orders', maxMsgSize: 1_048_576 })
  return {
    lives: {
      small: { messages: 1, ...(await singleLife(queue, SMALL)) },
      large: { messages: 1, ...(await singleLife(queue, LARGE)) },
      smallBatch: { messages: 16, ...(await batchLife(queue, SMALL)) },
      largeBatch: { messages: 16, ...(await batchLife(queue, LARGE)) },
    },
    pushed: { small: await pushes(endpoint, SMALL), large: await pushes(endpoint, LARGE) },
    wait: await queue.during(() => queue.ask('ReceiveMessage', { queueName: 'orders', pollingWaitSeconds: 27 }, 7000)),
    idleMinute: await idleMinute(queue),
  }
}

const one = { queueName: 'orders', pollingWaitSeconds: 0 }

/** Its queue's record was read a moment ago, as it was where there is traffic. */
async function singleLife({ during, ask }: Counting, msgBody: string): Promise<Consumed> {
  await ask('ReceiveMessage', one, 7000)
  return during(async () => {
    await ask('SendMessage', { queueName: 'orders', msgBody })
    const { receiptHandle } = await ask('ReceiveMessage', one)
    await ask('DeleteMessage', { queueName: 'orders', receiptHandle: String(receiptHandle) })
  })
}

async function batchLife({ during, ask }: Counting, msgBody: string): Promise<Consumed> {
  await ask('ReceiveMessage', one, 7000)
  return during(async () => {
    await ask('BatchSendMessage', { queueName: 'orders', ...listed('msgBody', Array<string>(16).fill(msgBody)) })
    const { msgInfoList } = await ask('BatchReceiveMessage', { ...one, numOfMsg: 16 })
    const handles = (msgInfoList as { receiptHandle: string }[]).map(({ receiptHandle }) => receiptHandle)
    if (handles.length !== 16) throw new Error(`${handles.length} were received`)
    await ask('BatchDeleteMessage', { queueName: 'orders', ...listed('receiptHandle', handles) })
  })
}

const PUBLISHED = 30

/** A message a second to one web server that answers within 100 ms, until the last one is pushed. */
async function pushes(endpoint: string, msgBody: string): Promise<Use> {
  const counted = await counting(endpoint, { isLive: true, answer: () => ({ status: 200, after: 100 }) })
  const { world, ask, during } = counted
  await world.subscribe()
  await ask('PublishMessage', { topicName: 'news', msgBody })
  await world.clock.advance(10_000)
  const consumed = await during(async () => {
    for (let number = 0; number < PUBLISHED; number++) {
      await ask('PublishMessage', { topicName: 'news', msgBody })
      await world.clock.advance(1_000)
    }
    await world.clock.advance(10_000)
  })
  return { messages: PUBLISHED, ...consumed }
}

async function idleMinute({ world, during }: Counting): Promise<Consumed> {
  const consumed = await during(() => castBoth(world))
  return { ...consumed, runs: 2, schedules: 2 }
}

async function castBoth(world: World): Promise<void> {
  await whilePassing(world.clock, world.run({}, { handler: retryDeliveries }))
  await whilePassing(world.clock, world.run({}, { handler: releaseDelayed }))
}

const DEAD = 1_000
const DAY = 86_400_000

/** A day of an endpoint that answers 503 after 100 ms, with a thousand messages published to it at its beginning. */
export async function measureDeadDay(endpoint: string): Promise<Use> {
  const { world, ask, during } = await counting(endpoint, {
    isLive: true,
    answer: () => ({ status: 503, after: 100 }),
  })
  await world.subscribe()
  for (let number = 0; number < DEAD; number++) await ask('PublishMessage', { topicName: 'news', msgBody: SMALL })
  const consumed = await during(() => world.clock.advance(DAY))
  if (world.failures.length > 0) throw new Error('a run failed', { cause: world.failures[0] })
  return { messages: DEAD, ...consumed }
}
