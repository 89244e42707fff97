import { randomUUID } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { CmqError } from '../lib/domain/errors.ts'
import { isSecretId, lasting } from '../lib/domain/key.ts'
import { originFrom, type Origin } from '../lib/first-pair.ts'
import { askedToEnd } from '../lib/local/asked-to-end.ts'
import { ownDirectory } from '../lib/local/data-directory.ts'
import { startEngine } from '../lib/local/engine.ts'
import { tellOfFullDisk } from '../lib/local/full-disk.ts'
import { checkPort, serve } from '../lib/local/gateway.ts'
import { firstLine, LocalError } from '../lib/local/local-error.ts'
import { readOptions, usage, type LocalOptions } from '../lib/local/options.ts'
import { passingSealingKey, sealingKeyIn } from '../lib/local/sealing-key.ts'
import { tableNames } from '../lib/local/table-names.ts'
import { protocolOfHeaders } from '../lib/protocol/protocol-of.ts'
import { createTables } from '../lib/store/create-tables.ts'
import { connect } from '../lib/store/connection.ts'
import { database, type Database } from '../lib/store/database.ts'
import type { KeyStore } from '../lib/store/keys.ts'
import { knownKeys } from '../lib/store/known-keys.ts'
import { sweep } from '../lib/store/sweep.ts'
import { handler as api } from './api.ts'
import { localWorker } from './local-worker.ts'
import { logger } from './logger.ts'
import { createServices, keysIn, systemClock } from './services.ts'
import { readSettings, unknownSettings, type Settings } from './settings.ts'

/** The same handlers on localhost, over an embedded DynamoDB: this file only puts the parts together. */

/** What a developer pushes to. */
const LOOPBACK = ['127.0.0.0/8', '::1']

/** Milliseconds for one attempt at the engine: nothing is lost on the way to it, but a busy machine is slow. */
const ATTEMPT_TIMEOUT = 10_000

/** Milliseconds in which a DynamoDB that is not ours has to answer for the first time. */
const FIRST_ANSWER_TIMEOUT = 5_000

const SWEEP_EVERY = 60_000

/** What runs, in the order of its start: it ends in reverse. */
type Parts = { end(): Promise<void> }[]

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2), process.env)
  if (!options) return console.log(usage)
  const settings = settingsOf(process.env)
  if (!settings.anySecretId && !options.secretId.startsWith('AKID'))
    throw new LocalError('CMQ_SECRET_ID must begin with AKID, or CMQ_ANY_SECRET_ID must be on')
  if (!isSecretId(options.secretId)) throw new LocalError('CMQ_SECRET_ID must have at most 128 characters')
  if (!options.verbose) logger.setLogLevel('WARN')
  for (const name of unknownSettings(process.env)) console.warn(`${name} is no setting, and is ignored: see README.md`)

  outliveLog()
  const parts: Parts = []
  const end = async () => {
    for (let part = parts.pop(); part; part = parts.pop()) await part.end()
  }
  const ending = endOnSignal(end)
  try {
    await checkPort(options)
    const { origin, ...store } = await openStore(options, parts)
    const keys = keysIn(store.client, tableNames.registry, () => Promise.resolve(origin))
    parts.push(startSweeping(database(store.client, systemClock)))
    const { services, end: endRuns } = localWorker((start) =>
      createServices({ ...store, tableNames, settings, keys: knownKeys(keys, systemClock), start }),
    )
    parts.push({ end: endRuns })
    const gateway = await serve((event, context) => api(event, { ...context, services }), {
      host: options.host,
      port: options.port,
      tooLarge,
    })
    parts.push({ end: gateway.close })
    console.log(`${howToCall(gateway.url, options)}\nCMQ listening on ${gateway.url}`)
    // Not waited for, as a DynamoDB of somebody else's may be slow: the first request takes the pair over as well.
    void warnOf(options, keys).catch((error: unknown) => {
      if (!ending.aborted) logger.warn('the key pair could not be read yet', { error })
    })
  } catch (error) {
    // What was still starting fails when it is ended, and that is no news.
    if (ending.aborted) return
    await end()
    throw error
  }
}

/** A log that cannot be written to, as on a full disk, loses lines, and must not take the server with it. */
function outliveLog(): void {
  for (const log of [process.stdout, process.stderr]) log.on('error', () => undefined)
}

/** What is answered to a body that is not read to its end. */
const tooLarge = (headers: IncomingHttpHeaders) =>
  protocolOfHeaders(headers).refusal(undefined, randomUUID(), new CmqError('requestTooLarge', 'body'), {
    layered: false,
  })

/** The DynamoDB to use, with its tables: started and owned by this process, unless another one was named. */
async function openStore(options: LocalOptions, parts: Parts) {
  const { dynamodb, directory } = options
  if (dynamodb !== undefined) {
    await makeTables(dynamodb, FIRST_ANSWER_TIMEOUT, `cannot use the DynamoDB at ${dynamodb}`)
    const client = connect({ endpoint: dynamodb, attemptTimeout: ATTEMPT_TIMEOUT })
    return { client, isAlone: false, origin: originFrom(options) }
  }
  const owned = directory === undefined ? undefined : await ownDirectory(directory)
  if (owned) parts.push({ end: owned.release })
  const origin: Origin = { first: options, root: owned ? await sealingKeyIn(owned.folder) : passingSealingKey() }
  const starting = startEngine(owned ? { databaseFile: owned.databaseFile } : {})
  // Noted before it has started: the directory is not given up while an engine starts in it.
  parts.push({ end: () => starting.then(({ stop }) => stop()).catch(() => {}) })
  const engine = await starting
  await owned?.noteEngine(engine)
  if (engine.kind === 'DynamoDB Local')
    console.warn(
      'DynamoDB Local listens on every interface of this machine: let nobody else reach its port, or use dynoxide',
    )
  void engine.ended.then((reason) => fail(new LocalError(reason)))
  await makeTables(engine.endpoint, ATTEMPT_TIMEOUT, `cannot make the tables in ${owned?.folder ?? 'memory'}`)
  const client = connect({
    endpoint: engine.endpoint,
    attemptTimeout: ATTEMPT_TIMEOUT,
    ...(owned && { onFailure: tellOfFullDisk(owned.folder, (line) => console.warn(line)) }),
  })
  return { client, isAlone: true, origin }
}

/** Makes the tables that are missing, or says in one line why not: a DynamoDB may be anything, and a disk full. */
async function makeTables(endpoint: string, attemptTimeout: number, failure: string): Promise<void> {
  const client = connect({ endpoint, attemptTimeout })
  try {
    await createTables(client, tableNames)
  } catch (error) {
    const isLate = (error as NodeJS.ErrnoException).code === 'ETIMEDOUT'
    const reason = isLate ? `no answer within ${attemptTimeout / 1000} s` : firstLine(error)
    throw new LocalError(`${failure}: ${reason}`, { cause: error })
  } finally {
    client.destroy()
  }
}

/** What `npm run keys` has made of the pair counts, whatever was said of how to call. */
async function warnOf({ secretId, secretKey }: LocalOptions, keys: KeyStore): Promise<void> {
  const key = await keys.open(secretId)
  const good = key?.status === 'enabled' ? lasting(key.secrets, systemClock.now()) : []
  const isGood = good.some((secret) => secret.secretKey === secretKey)
  if (!isGood) console.warn(`the key ${secretId} was deleted, disabled or rotated: see npm run keys -- list`)
}

/** Removes what has expired, every minute: what TTL does in the cloud. */
function startSweeping(db: Database) {
  const stopped = new AbortController()
  const sweepAll = async () => {
    while (!stopped.signal.aborted) {
      for (const table of Object.values(tableNames))
        await sweep(db, table, systemClock, stopped.signal).catch((error: unknown) => {
          if (!stopped.signal.aborted) logger.warn('a sweep failed', { error })
        })
      await systemClock.sleep(SWEEP_EVERY, stopped.signal)
    }
  }
  void sweepAll()
  // Not waited for: it may have much to remove, or ask a DynamoDB that does not answer, and any step may be its last.
  return { end: () => Promise.resolve(stopped.abort()) }
}

/** Three lines; a pair that only its owner knows is not shown. */
function howToCall(url: string, { isDefaultPair, secretId, secretKey }: LocalOptions): string {
  const id = isDefaultPair ? secretId : '$CMQ_SECRET_ID'
  const secret = isDefaultPair ? secretKey : '$CMQ_SECRET_KEY'
  return [
    `Python  Account('${url}', '${id}', '${secret}').get_queue('orders')`,
    `Java    new Account("${url}", "${id}", "${secret}").getQueue("orders")`,
    `others  endpoint ${url}, path /v2/index.php, SecretId ${id}, SecretKey ${secret}`,
  ].join('\n')
}

function settingsOf(environment: NodeJS.ProcessEnv): Settings {
  try {
    return readSettings(environment, { longestWait: 30, maxRate: 0, pushTargets: LOOPBACK })
  } catch (error) {
    throw new LocalError((error as Error).message)
  }
}

/** Ends everything, once. Aborted as soon as the end has begun. */
const endOnSignal = (end: () => Promise<void>): AbortSignal =>
  askedToEnd(
    ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'],
    () => void end().then(() => process.exit(0), fail),
    () => process.exit(1),
  )

/** What the user can mend is one line; what we must mend comes with its stack. */
function fail(error: unknown): never {
  console.error(error instanceof LocalError ? error.message : error)
  process.exit(1)
}

main().catch(fail)
