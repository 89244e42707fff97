import type { Clock } from '../lib/domain/time.ts'
import { randomIds, type Ids } from '../lib/domain/ids.ts'
import { keysOf, type Keys } from '../lib/keys.ts'
import { tableVariables } from '../lib/names.ts'
import { bodies } from '../lib/store/bodies.ts'
import { connect, database } from '../lib/store/database.ts'
import { lane } from '../lib/store/lane.ts'
import { messages, type Messages, type Report } from '../lib/store/messages.ts'
import { queues, type Queues } from '../lib/store/queues.ts'
import type { Table } from '../lib/tables.ts'
import { logger } from './logger.ts'
import { readSettings, type Settings } from './settings.ts'

/** What the handlers work with. */
export interface Services {
  readonly queues: Queues
  readonly messages: Messages
  readonly keys: Keys
  readonly settings: Settings
  readonly clock: Clock
  readonly ids: Ids
}

/** What differs between a deployed function, localhost and a test. */
export interface ServicesOptions {
  readonly client: ReturnType<typeof connect>
  readonly tableNames: Readonly<Record<Table, string>>
  readonly keys: Keys
  readonly settings: Settings
  /** Whether no other process uses the tables. */
  readonly isAlone: boolean
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
  clock = systemClock,
  ids = randomIds(),
  random = Math.random,
  report = (message, details) => logger.error(message, { ...details }),
}: ServicesOptions): Services {
  const db = database(client, clock)
  const queueStore = queues(db, tableNames.registry, clock, { isAlone })
  return {
    queues: queueStore,
    messages: messages({
      lane: lane(db, tableNames.messages, clock),
      bodies: bodies(db, tableNames.bodies, clock, () => ids.leaseId()),
      queues: queueStore,
      clock,
      ids,
      random,
      report,
    }),
    keys,
    settings,
    clock,
    ids,
  }
}

let deployed: Services | undefined

/** The services of a deployed function, made once per cold start from its environment. */
export function deployedServices(): Services {
  deployed ??= createServices({
    client: connect(),
    tableNames: {
      registry: required(tableVariables.registry),
      messages: required(tableVariables.messages),
      bodies: required(tableVariables.bodies),
    },
    keys: keysOf(process.env) ?? fail('neither a key pair nor a secret is configured'),
    settings: readSettings(process.env),
    isAlone: false,
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
