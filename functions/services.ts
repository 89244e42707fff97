import type { Clock } from '../lib/domain/time.ts'
import { randomIds, type Ids } from '../lib/domain/ids.ts'
import { originOf, type Origin } from '../lib/first-pair.ts'
import { runVariables, tableVariables } from '../lib/names.ts'
import { targets, type Targets } from '../lib/push/addresses.ts'
import { lambdaStart, type Start } from '../lib/starts.ts'
import { aging, type Aging } from '../lib/store/aging.ts'
import { archives } from '../lib/store/archives.ts'
import { newBeside, type Beside } from '../lib/store/beside.ts'
import { newBell, type Bell } from '../lib/store/bell.ts'
import { bodies, type Bodies } from '../lib/store/bodies.ts'
import { countNotes } from '../lib/store/count-notes.ts'
import { counter } from '../lib/store/counts.ts'
import { connect } from '../lib/store/connection.ts'
import { database } from '../lib/store/database.ts'
import { deliveries, type Deliveries } from '../lib/store/deliveries.ts'
import { depth, type Depth } from '../lib/store/depth.ts'
import { fanOut, type FanOut } from '../lib/store/fan-out.ts'
import { keyStore, type KeyStore } from '../lib/store/keys.ts'
import { knownKeys, type Keys } from '../lib/store/known-keys.ts'
import { lane } from '../lib/store/lane.ts'
import { messages, type Messages, type Report } from '../lib/store/messages.ts'
import { queues, type Queues } from '../lib/store/queues.ts'
import { rates, type Rates } from '../lib/store/rates.ts'
import { subscriptions, type Subscriptions } from '../lib/store/subscriptions.ts'
import { tallies, type Tallies } from '../lib/store/tallies.ts'
import { topics, type Topics } from '../lib/store/topics.ts'
import { workList, type WorkList } from '../lib/store/work.ts'
import type { Table } from '../lib/tables.ts'
import { logger } from './logger.ts'
import { readSettings, type Settings } from './settings.ts'

/** What the handlers work with. */
export interface Services {
  readonly queues: Queues
  readonly messages: Messages
  readonly topics: Topics
  readonly subscriptions: Subscriptions
  readonly deliveries: Deliveries
  readonly fanOut: FanOut
  readonly workList: WorkList
  readonly aging: Aging
  readonly bodies: Bodies
  readonly depth: Depth
  readonly rates: Rates
  readonly tallies: Tallies
  /** What goes on beside a request, and has to end with it. */
  readonly beside: Beside
  /** Has a lane of deliveries worked through, now. */
  readonly start: Start
  readonly targets: Targets
  readonly keys: Keys
  readonly settings: Settings
  readonly clock: Clock
  readonly ids: Ids
  readonly random: () => number
  /** Rung when this process puts a delivery into a lane. */
  readonly deliveryBell: Bell
}

/** What differs between a deployed function, localhost and a test. */
export interface ServicesOptions {
  readonly client: ReturnType<typeof connect>
  readonly tableNames: Readonly<Record<Table, string>>
  readonly keys: Keys
  readonly settings: Settings
  /** Whether no other process uses the tables. */
  readonly isAlone: boolean
  readonly start: Start
  readonly clock?: Clock
  readonly ids?: Ids
  readonly random?: () => number
  readonly report?: Report
}

/** Puts the stores together. */
export function createServices({
  client,
  tableNames,
  keys,
  settings,
  isAlone,
  start,
  clock = systemClock,
  ids = randomIds(),
  random = Math.random,
  report = (message, details) => logger.error(message, { ...details }),
}: ServicesOptions): Services {
  const db = database(client, clock)
  const { registry } = tableNames
  const deliveryBell = newBell(clock)
  const common = { clock, ids, random, report }
  const bodyStore = bodies(db, tableNames.bodies, clock, () => ids.leaseId())
  const queueStore = queues(db, registry, clock, { isAlone })
  const messageLane = lane(db, tableNames.messages, clock, report)
  const beside = newBeside(report, { freezes: !isAlone })
  const tallyStore = tallies(db, registry, clock, { beside, isAlone })
  const depths = depth(
    {
      tallies: tallyStore,
      notes: countNotes(db, registry),
      count: counter({ lane: messageLane, clock }, { kept: 0 }),
      clock,
      beside,
      report,
    },
    settings,
  )
  const messageStore = messages({
    lane: messageLane,
    archives: archives(db, tableNames.messages, clock, ids, report),
    bodies: bodyStore,
    queues: queueStore,
    depth: depths,
    ...common,
  })
  const deliveryStore = deliveries(db, tableNames.deliveries, clock, deliveryBell, report)
  const list = workList(db, registry, clock, { isAlone, processId: ids.leaseId() })
  return {
    queues: queueStore,
    messages: messageStore,
    topics: topics(db, registry, clock, { isAlone }),
    subscriptions: subscriptions(db, registry, clock, { isAlone }),
    deliveries: deliveryStore,
    workList: list,
    aging: aging(db, registry, clock),
    bodies: bodyStore,
    depth: depths,
    rates: rates(tallyStore, clock, settings.maxRate),
    tallies: tallyStore,
    beside,
    fanOut: fanOut({
      bodies: bodyStore,
      queues: queueStore,
      messages: messageStore,
      depth: depths,
      deliveries: deliveryStore,
      workList: list,
      start,
      ...common,
    }),
    start,
    targets: targets(settings.pushTargets),
    keys,
    settings,
    clock,
    ids,
    random,
    deliveryBell,
  }
}

/** The key pairs of a table, each change of the first one told in the log. */
export const keysIn = (client: ServicesOptions['client'], registry: string, origin: () => Promise<Origin>): KeyStore =>
  keyStore(database(client, systemClock), registry, {
    clock: systemClock,
    ids: randomIds(),
    origin,
    seeded: (key) => logger.info('audit', { ...key, action: 'SeedKey', resource: `key/${key.secretId}` }),
  })

let deployed: Services | undefined

/** The services of a deployed function, made once per cold start from its environment. */
export function deployedServices(): Services {
  if (deployed) return deployed
  const { env } = process
  // A function that works through deliveries is not told its own name; Lambda tells it.
  const self = env['AWS_LAMBDA_FUNCTION_NAME']
  const client = connect()
  deployed = createServices({
    client,
    tableNames: {
      registry: required(tableVariables.registry),
      messages: required(tableVariables.messages),
      deliveries: required(tableVariables.deliveries),
      bodies: required(tableVariables.bodies),
    },
    keys: knownKeys(keysIn(client, required(tableVariables.registry), originOf(env, client.config)), systemClock),
    settings: readSettings(env),
    isAlone: false,
    start: lambdaStart(
      { push: env[runVariables.pushFunction] ?? self, release: env[runVariables.releaseFunction] ?? self },
      client.config,
    ),
  })
  return deployed
}

const required = (name: string): string => process.env[name] ?? fail(`the environment variable ${name} is missing`)

function fail(message: string): never {
  throw new Error(message)
}

/** The time of this machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (milliseconds, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const done = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, milliseconds)
      signal?.addEventListener('abort', done)
    }),
}
