import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { randomIds } from '../domain/ids.ts'
import type { Clock } from '../domain/time.ts'
import { originFrom, originOf, type Origin } from '../first-pair.ts'
import { ownDirectory, ownedElsewhere } from '../local/data-directory.ts'
import { startEngine } from '../local/engine.ts'
import { LocalError } from '../local/local-error.ts'
import { keyPair } from '../local/options.ts'
import { sealingKeyIn } from '../local/sealing-key.ts'
import { tableNames } from '../local/table-names.ts'
import { keyVariables } from '../names.ts'
import { createTables } from '../store/create-tables.ts'
import { connect } from '../store/connection.ts'
import { database } from '../store/database.ts'
import { keyStore, type KeyStore, type KeyStoreOptions } from '../store/keys.ts'

/** Where the keys are kept, as the command line says it. */
export interface KeyPlace {
  readonly stack?: string
  readonly registryTable?: string
  readonly secretArn?: string
  readonly data?: string
  readonly dynamodb?: string
}

/** The time of this machine. */
export const clock: Clock = { now: () => Date.now(), sleep: (milliseconds) => sleep(milliseconds) }

/** Milliseconds for one attempt at a DynamoDB that may be far away, or on a busy machine. */
const ATTEMPT_TIMEOUT = 10_000

const DEFAULT_DIRECTORY = '.cmq'

interface Opened {
  readonly endpoint?: string
  readonly registry: string
  readonly origin: () => Promise<Origin>
  close?(): Promise<void>
}

/** Does something with the keys of that place. A first pair that nobody had asked for is taken over, and that is told. */
export async function withKeys<Result>(
  place: KeyPlace,
  seeded: NonNullable<KeyStoreOptions['seeded']>,
  work: (keys: KeyStore) => Promise<Result>,
): Promise<Result> {
  const { endpoint, registry, origin, close } = await open(place)
  const client = connect({ attemptTimeout: ATTEMPT_TIMEOUT, ...(endpoint === undefined ? {} : { endpoint }) })
  try {
    if (endpoint !== undefined) await createTables(client, tableNames)
    const keys = keyStore(database(client, clock), registry, { clock, ids: randomIds(), origin, seeded })
    // A deployment that nobody has called yet has its first pair all the same.
    await keys.seed()
    return await work(keys)
  } finally {
    client.destroy()
    await close?.()
  }
}

/** The local data directory that the keys are in, when there is none of that name yet. */
export function missingDirectory({ data, ...elsewhere }: KeyPlace): string | undefined {
  const { stack, registryTable, secretArn, dynamodb } = elsewhere
  const isLocal = [stack, registryTable, secretArn, dynamodb].every((place) => place === undefined)
  const directory = data ?? DEFAULT_DIRECTORY
  return isLocal && directory !== '' && !existsSync(directory) ? directory : undefined
}

function open({ stack, registryTable, secretArn, data, dynamodb }: KeyPlace): Promise<Opened> | Opened {
  const isExplicit = registryTable !== undefined || secretArn !== undefined
  const places = [stack !== undefined, isExplicit, data !== undefined, dynamodb !== undefined]
  if (places.filter(Boolean).length > 1)
    throw new LocalError('give one of --stack, --registry-table with --secret-arn, --data and --dynamodb')
  if (stack !== undefined) return deployedAs(stack)
  if (isExplicit) return named(registryTable, secretArn)
  if (dynamodb !== undefined) return elsewhere(dynamodb)
  if (data === '') throw new LocalError('--data takes a directory')
  return inDirectory(data ?? DEFAULT_DIRECTORY)
}

/** By the outputs of a stack: of `CmqService` alone or in an app of one's own, where their names begin and end otherwise. */
async function deployedAs(StackName: string): Promise<Opened> {
  const { CloudFormationClient, DescribeStacksCommand } = await import('@aws-sdk/client-cloudformation')
  const { Stacks = [] } = await new CloudFormationClient({}).send(new DescribeStacksCommand({ StackName }))
  const outputs = Stacks[0]?.Outputs ?? []
  const output = (name: string) => {
    const [found, another] = outputs.filter(({ OutputKey = '' }) => OutputKey.includes(name))
    if (another)
      throw new LocalError(`the stack ${StackName} has several outputs ${name}: give --registry-table and --secret-arn`)
    return found?.OutputValue
  }
  const registry = output('RegistryTable')
  const arn = output('SecretArn')
  if (!registry || !arn) throw new LocalError(`the stack ${StackName} has no outputs RegistryTable and SecretArn`)
  return named(registry, arn)
}

function named(registry: string | undefined, secretArn: string | undefined): Opened {
  if (!registry || !secretArn) throw new LocalError('give --registry-table and --secret-arn together')
  return { registry, origin: originOf({ [keyVariables.secretArn]: secretArn }, connect().config) }
}

/** As `npm start -- --dynamodb` uses it: the pair of the environment seals what is kept there. */
const elsewhere = (endpoint: string): Opened => at(endpoint, originFrom(keyPair(process.env)).root)

/** The engine of the server that runs there, or one for the moment. Which pair its server starts with, only that knows. */
async function inDirectory(directory: string): Promise<Opened> {
  const running = await ownedElsewhere(directory)
  if (running) return at(running.endpoint, await sealingKeyIn(running.folder))
  const owned = await ownDirectory(directory)
  try {
    const root = await sealingKeyIn(owned.folder)
    const engine = await startEngine({ databaseFile: owned.databaseFile })
    // Without its endpoint: it runs for a moment, and whoever found it would lose it in the middle of a write.
    await owned.noteEngine({ pid: engine.pid })
    return { ...at(engine.endpoint, root), close: () => engine.stop().then(owned.release) }
  } catch (error) {
    await owned.release()
    throw error
  }
}

const at = (endpoint: string, root: string): Opened => ({
  endpoint,
  registry: tableNames.registry,
  origin: () => Promise.resolve({ root }),
})
