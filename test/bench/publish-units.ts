import { handler as push } from '../../functions/push.ts'
import { createWorker, type Worker } from '../../functions/worker.ts'
import type { Services } from '../../functions/services.ts'
import type { Subscription } from '../../lib/domain/subscription.ts'
import type { Topic } from '../../lib/domain/topic.ts'
import { ONLY_ACCOUNT } from '../../lib/names.ts'
import type { Work } from '../../lib/store/work.ts'
import { manualClock, whilePassing, type ManualClock } from '../support/clock.ts'
import { ask, testServices } from '../support/service.ts'
import { accepted, listed, type Parameters } from './cmq-client.ts'
import { engine } from './processes.ts'
import { atMost, exactly, table, type Findings } from './report.ts'
import type { Size } from './run.ts'
import { countUsage, minus, type Counter, type Usage } from './usage.ts'

/** Subscriptions of a topic. */
const FULL = [1, 10, 100]
const QUICK = [1, 10]

const small = 'x'.repeat(256)
const large = 'x'.repeat(65_536)

const publishes: readonly (readonly [what: string, action: string, parameters: Parameters])[] = [
  ['256 bytes', 'PublishMessage', { msgBody: small }],
  ['64 KB', 'PublishMessage', { msgBody: large }],
  ['16 of 256 bytes', 'BatchPublishMessage', listed('msgBody', Array<string>(16).fill(small))],
]

/** What a publish consumes by its subscriptions, and what pushing consumes: nobody else does anything meanwhile. */
export async function publishUnits({ quick }: Size): Promise<Findings> {
  await using database = await engine()
  const world = await newWorld(database.endpoint)
  const published = await publishing(world, quick ? QUICK : FULL)
  const pushed = await pushing(world)
  return {
    text: `${published.text}\n\n${pushed.text}`,
    requirements: [...published.requirements, ...pushed.requirements],
  }
}

interface World {
  readonly services: Services
  readonly worker: Worker
  readonly clock: ManualClock
  readonly counter: Counter
  /** The lanes that somebody was called for. */
  readonly called: Work[]
  /** How many of the next attempts fail. */
  readonly next: { failures: number }
}

async function newWorld(endpoint: string): Promise<World> {
  const clock = manualClock()
  const called: Work[] = []
  let counter: Counter | undefined
  const services = await testServices({
    endpoint,
    clock,
    prepare: (client) => (counter = countUsage(client)),
    start: (work) => Promise.resolve(void called.push(work)),
  })
  if (!counter) throw new Error('nothing counts')
  const wakeUps = { wake: () => Promise.resolve() }
  const next = { failures: 0 }
  const post = () => {
    const isDelivered = next.failures === 0
    if (!isDelivered) next.failures--
    return Promise.resolve({ isDelivered, outcome: isDelivered ? '200' : '500', milliseconds: 1 })
  }
  const worker = createWorker(services, wakeUps, { post, close: () => undefined })
  return { services, worker, clock, counter, called, next }
}

interface Made {
  readonly topic: Topic
  readonly subscriptions: readonly Subscription[]
}

/** A new topic, with so many subscriptions. */
async function newTopic({ services }: World, protocol: 'queue' | 'http', count: number): Promise<Made> {
  const topicName = `${protocol}-${++topics}`
  const make = async (Action: string, parameters: Parameters) =>
    accepted(await ask(services, { Action, ...parameters }))
  await make('CreateTopic', { topicName })
  const subscribe = async (_: unknown, number: number) => {
    const name = `${topicName}-${number}`
    if (protocol === 'queue') await make('CreateQueue', { queueName: name })
    const endpoint = protocol === 'queue' ? name : `http://example.com/${name}`
    const notifyContentFormat = protocol === 'queue' ? 'SIMPLIFIED' : 'JSON'
    await make('Subscribe', { topicName, subscriptionName: name, protocol, endpoint, notifyContentFormat })
  }
  await Promise.all(Array.from({ length: count }, subscribe))
  const topic = await services.topics.get(ONLY_ACCOUNT, topicName)
  return { topic, subscriptions: await services.subscriptions.of(topic.id) }
}

let topics = 0

/** Reads all records that a publish needs, as the publish a moment ago did. */
async function readRecords({ services }: World, { topic, subscriptions }: Made): Promise<void> {
  await services.topics.get(ONLY_ACCOUNT, topic.name)
  for (const { protocol, endpoint, name, id } of await services.subscriptions.of(topic.id))
    if (protocol === 'queue') await services.queues.get(ONLY_ACCOUNT, endpoint)
    else await services.subscriptions.get(topic.id, name, id)
  if (subscriptions.length === 0) throw new Error('nobody subscribes')
}

async function publish({ services, counter }: World, { topic }: Made, action: string, parameters: Parameters) {
  const call = () => ask(services, { Action: action, topicName: topic.name, ...parameters })
  const [answer, usage] = await counter.during(call)
  accepted(answer)
  return usage
}

async function publishing(world: World, counts: readonly number[]): Promise<Findings> {
  const { clock, services } = world
  const rows = new Map<string, Usage[]>()
  const note = (what: string, usage: Usage) => void rows.set(what, [...(rows.get(what) ?? []), usage])
  const [[, action, parameters]] = publishes as [(typeof publishes)[number]]

  for (const count of counts) {
    const queues = await newTopic(world, 'queue', count)
    for (const [what, ...how] of publishes) {
      await readRecords(world, queues)
      note(`queues, ${what}`, await publish(world, queues, ...how))
    }
    await clock.advance(1_000)
    note('queues, 256 bytes, the first in a second', await publish(world, queues, action, parameters))
  }

  for (const count of counts) {
    const servers = await newTopic(world, 'http', count)
    await readRecords(world, servers)
    note('web servers, 256 bytes, for the first time', await publish(world, servers, action, parameters))
    for (const [what, ...how] of publishes) {
      // Nobody has come whoever was called, so somebody is called anew.
      await clock.advance(3_000)
      await readRecords(world, servers)
      note(`web servers, ${what}, nobody pushes`, await publish(world, servers, ...how))
    }
    note('web servers, 256 bytes, somebody was just called', await publish(world, servers, action, parameters))

    const { workList, ids } = services
    for (const { id } of servers.subscriptions) await workList.take(id, ids.leaseId())
    for (const [what, ...how] of publishes) {
      await readRecords(world, servers)
      note(`web servers, ${what}, somebody pushes`, await publish(world, servers, ...how))
    }
    await clock.advance(1_000)
    note('web servers, 256 bytes, the first in a second', await publish(world, servers, action, parameters))
  }

  const heads = ['a publish to', ...counts.flatMap((count) => [`${count}: write`, 'read', 'calls'])]
  const cells = (usages: readonly Usage[]) =>
    usages.flatMap(({ writeUnits, readUnits, calls }) => [writeUnits, readUnits, calls])
  const most = counts.at(-1) ?? NaN
  const writes = (what: string) => rows.get(what)?.at(-1)?.writeUnits ?? NaN
  return {
    text: table(
      heads,
      [...rows].map(([what, usages]) => [what, ...cells(usages)]),
    ),
    requirements: [
      exactly(`write units of a publish of 256 bytes to ${most} queues`, writes('queues, 256 bytes'), most),
      atMost(`write units of a publish of 64 KB to ${most} queues`, writes('queues, 64 KB'), 65 + most),
      exactly(
        `write units of a publish of 256 bytes to ${most} web servers that somebody pushes to`,
        writes('web servers, 256 bytes, somebody pushes'),
        most,
      ),
      atMost(
        `write units of a publish of 256 bytes to ${most} web servers that nobody pushes to`,
        writes('web servers, 256 bytes, nobody pushes'),
        2 * most,
      ),
    ],
  }
}

/** Deliveries that one run finds. */
const MANY = 17

async function pushing(world: World): Promise<Findings> {
  const servers = await newTopic(world, 'http', 1)
  const [subscription] = servers.subscriptions
  if (!subscription) throw new Error('nobody subscribes')
  const rows: (readonly (string | number)[])[] = []
  const note = (what: string, { writeUnits, readUnits, calls }: Usage) => {
    rows.push([what, writeUnits, readUnits, calls])
    return writeUnits
  }

  /** The run that so many publishes call for, and what the first of them consumed. */
  async function life(msgBody: string, deliveries: number, failures: number) {
    const { clock, counter, called, next, services, worker } = world
    await clock.advance(3_000)
    called.length = 0
    let first: Usage | undefined
    for (let number = 0; number < deliveries; number++) {
      await readRecords(world, servers)
      const published = await publish(world, servers, 'PublishMessage', { msgBody })
      first ??= published
    }
    const [work] = called
    if (!first || !work || called.length > 1) throw new Error(`${called.length} runs were called for`)
    next.failures = failures
    const run = () => push({ work }, { awsRequestId: 'run', worker })
    const [, usage] = await counter.during(() => whilePassing(clock, run(), 1_000))
    if (!(await services.deliveries.isEmpty(work.laneId))) throw new Error('not everything was pushed')
    return { published: first, run: usage }
  }

  // What is noted once in twelve hours is noted.
  await life(small, 1, 0)
  const one = await life(small, 1, 0)
  const oneLarge = await life(large, 1, 0)
  const many = await life(small, MANY, 0)
  const [once, twice, often] = [await life(small, 1, 1), await life(small, 1, 2), await life(small, 1, 5)]

  const further = divided(minus(many.run, one.run), MANY - 1)
  const total = one.published.writeUnits + one.run.writeUnits
  note('the publish of one delivery that calls for a run', one.published)
  note('a run for one delivery of 256 bytes', one.run)
  note('a run for one delivery of 64 KB', oneLarge.run)
  note(`a run for ${MANY} deliveries of 256 bytes`, many.run)
  const inRun = note('of these each beyond the first', further)
  note('more for a failed attempt, retried 1 s later', minus(once.run, one.run))
  const failing = note('more for another one, retried 2 s later', minus(twice.run, once.run))
  note('more for three others, retried 4, 8 and 16 s later', minus(often.run, twice.run))
  return {
    text: table(['pushing to one web server', 'write units', 'read units', 'calls'], rows),
    requirements: [
      atMost('write units of the life of a delivery by itself, its publish and its run', total, 5),
      exactly('write units of a delivery in a run beside its publish', inRun, 1),
      exactly('write units of a failed attempt', failing, 1),
    ],
  }
}

const divided = (usage: Usage, by: number): Usage => ({
  ...usage,
  writeUnits: usage.writeUnits / by,
  readUnits: usage.readUnits / by,
  calls: usage.calls / by,
})
