import { ScanCommand } from '@aws-sdk/client-dynamodb'
import type { RunEvent } from '../../functions/run-handler.ts'
import type { Services } from '../../functions/services.ts'
import { createWorker, type Worker } from '../../functions/worker.ts'
import type { Clock } from '../../lib/domain/time.ts'
import { createTables } from '../../lib/store/create-tables.ts'
import { database } from '../../lib/store/database.ts'
import { keyStore, type KeyStore } from '../../lib/store/keys.ts'
import { knownKeys, type Keys } from '../../lib/store/known-keys.ts'
import { patientClient } from '../support/engine.ts'
import type { Item } from '../support/memory-engine/expressions.ts'
import { originFrom } from '../../lib/first-pair.ts'
import { scheduledWakeUps, timedWakeUps } from '../../lib/wake-ups.ts'
import { during, START } from '../support/clock.ts'
import { memoryEngine } from '../support/memory-engine/engine.ts'
import { randomOf } from '../support/random.ts'
import { ask, key, testServices, type Answer, type Client } from '../support/service.ts'
import { virtualClock, type VirtualClock } from './clock.ts'
import { newCloud } from './cloud.ts'
import { course, follow, type Course } from './course.ts'
import { mortality, type CrashPoints } from './crash-points.ts'
import { inflict } from './faults.ts'
import { GATEWAY_PATIENCE, LEFT_IN_TIME, type History } from './history.ts'
import { idsOf } from './ids.ts'
import { newLife, type Life } from './life.ts'
import type { Profile } from './profile.ts'
import type { Op } from './program.ts'
import { clientSecrets } from './secrets.ts'
import { web, type Web } from './web.ts'

/** Processes over the same tables, and around them the cloud, the web and the time. */
export interface World {
  readonly clock: VirtualClock
  readonly web: Web
  readonly points: CrashPoints
  /** What a process answers, how far its clock is off, and what befell the call; undefined where no answer came. */
  ask(op: Op, parameters: Record<string, string | number>): Promise<Answered>
  /** Gives clients another secret, which they sign with from a minute later on. */
  rotate(op: Op): Promise<void>
  kill(process: number): Promise<void>
  /** Lets things go wrong, or no more. */
  arm(isArmed: boolean): void
  /** A process more, which knows nothing. Returns its number. */
  addProcess(): number
  /** Whether no delivery waits. */
  isIdle(): Promise<boolean>
  end(): Promise<void>
}

export interface Answered {
  readonly answer: Answer | undefined
  readonly skew: number
  readonly faults: readonly string[]
  /** When the process is done with it, be it by its death. */
  readonly over: Promise<number>
}

interface Process {
  readonly services: Services
  readonly keys: KeyStore
  readonly worker: Worker
  readonly skew: number
  readonly life: Life
}

export interface WorldOptions {
  readonly seed: number
  readonly profile: Profile
  readonly history: History
  /** A DynamoDB that runs already; without one an engine in memory is used. */
  readonly endpoint?: string
  /** Spoils the calls of every process, so that the judge has something to find. */
  readonly sabotage?: (client: Client) => void
}

export const tableNames = {
  registry: 'registry',
  messages: 'messages',
  deliveries: 'deliveries',
  bodies: 'bodies',
}

/** Where calls go that are answered before they are sent. */
const NOWHERE = 'http://127.0.0.1:1'

/** What the keys begin with. */
const origin = () => Promise.resolve(originFrom(key))

/** How soon what has expired is removed. */
const TTL_EVERY = 5_000

export async function newWorld({ seed, profile, history, endpoint, sabotage }: WorldOptions): Promise<World> {
  const clock = virtualClock(START)
  const ended = new AbortController()
  const clients: Client[] = []
  const points: CrashPoints = new Map()
  const slots: Promise<Process>[] = []
  const ids = idsOf()
  const mayDie = mortality(points, seed, (profile.rates.crash ?? 0) / 1_000, profile.aims)
  const engine = memoryEngine({
    now: clock.now,
    staleness: () => (isArmed && profile.staleness > 0 ? course().random() * profile.staleness : 0),
  })
  let isArmed = false
  let launches = 0
  const prepared = (client: Client) => {
    clients.push(client)
    if (endpoint === undefined) engine.serve(client)
    return client
  }

  const cloud = newCloud({
    seed,
    profile,
    history,
    clock,
    ended: ended.signal,
    isArmed: () => isArmed,
    anyProcess: (random) => slots[random.below(slots.length)] ?? noProcess(),
  })

  async function launch(slot: number): Promise<Process> {
    const random = randomOf(seed, 'process', ++launches)
    const skew = Math.round((random() * 2 - 1) * (isArmed ? profile.skew : 0))
    const life = newLife(clock, mayDie, () => {
      if (ended.signal.aborted) return
      history.deaths.push(clock.now())
      slots[slot] = launch(slot)
    })
    const ownClock: Clock = {
      now: () => clock.now() + skew,
      sleep: async (milliseconds, signal) => {
        await clock.sleep(milliseconds, signal)
        await life.goOn()
      },
    }
    const start = async (event: RunEvent): Promise<void> => {
      await life.goOn()
      if (isArmed) await life.pass('before a start')
      await cloud.start(event)
      if (isArmed) await life.pass('after a start')
    }
    let keys: KeyStore | undefined
    let known: Keys | undefined
    const services = await testServices({
      endpoint: endpoint ?? NOWHERE,
      keys: { find: (secretId) => known?.find(secretId) ?? Promise.resolve(undefined) },
      tableNames,
      clock: ownClock,
      ids,
      random: () => course().random(),
      isAlone: profile.isAlone,
      report: () => undefined,
      start: (work) => start({ work }),
      prepare(client) {
        inflict(client, clock, life, profile, () => isArmed)
        sabotage?.(client)
        prepared(client)
        keys = keyStore(database(client, ownClock), tableNames.registry, { clock: ownClock, ids, origin })
        known = knownKeys(keys, ownClock)
      },
    })
    const wakeUps = profile.isAlone
      ? timedWakeUps(ownClock, (run) => start(run).catch(() => undefined), ended.signal)
      : scheduledWakeUps({ send: cloud.schedule }, { group: 'runs', roleArn: 'role', functionArn: 'push' }, ownClock)
    const wake: typeof wakeUps.wake = async (...wanted) => {
      await life.goOn()
      if (isArmed) await life.pass('before a wake-up')
      await wakeUps.wake(...wanted)
      if (isArmed) await life.pass('after a wake-up')
    }
    return {
      services,
      keys: keys ?? noProcess(),
      worker: createWorker(services, { wake }, sites.poster(life)),
      skew,
      life,
    }
  }

  async function removeExpired(): Promise<void> {
    while (!ended.signal.aborted) {
      await clock.sleep(TTL_EVERY, ended.signal)
      engine.expire(clock.now())
    }
  }

  /** What lies in a table. It is looked at so often that it pays to go past the client. */
  async function scanned(TableName: string): Promise<readonly Item[]> {
    if (endpoint === undefined) return [...engine.items(TableName)]
    return (await during(eyes.send(new ScanCommand({ TableName })))).Items ?? []
  }

  /** What lies in the lane of a subscription that is gone waits for nobody. */
  async function isIdle(): Promise<boolean> {
    if (cloud.isBusy()) return false
    const lanes = new Set((await scanned(tableNames.deliveries)).map(({ pk }) => pk?.S))
    if (lanes.size === 0) return !cloud.isBusy()
    return !cloud.isBusy() && !(await scanned(tableNames.registry)).some(({ id }) => lanes.has(id?.S))
  }

  /** Whether the nets would catch nothing: what dies of age they look for, whether or not there is any. */
  const nothingWaits = async () => (await isIdle()) && !(await scanned(tableNames.registry)).some(isAgingMark)

  const sites = web(clock, history, () => isArmed)
  const eyes = prepared(patientClient(endpoint ?? NOWHERE))
  const onlooker = keyStore(database(eyes, clock), tableNames.registry, { clock, ids: idsOf(), origin })
  const secrets = clientSecrets(seed, clock, onlooker)
  await createTables(eyes, tableNames)
  for (let slot = 0; slot < profile.processes; slot++) slots.push(launch(slot))
  void cloud.castNets(nothingWaits)
  if (profile.ttl === 'at once') void removeExpired()

  return {
    clock,
    web: sites,
    points,

    async ask(op, parameters) {
      const random = randomOf(seed, 'op', op.id)
      const { services, skew, life } = await (slots[op.process % slots.length] ?? noProcess())
      const faults: string[] = []
      const left = new AbortController()
      const answered = new AbortController()
      const own: Course = { name: String(parameters['Action']), random, faults }
      const isLeaving = isArmed && random() * 1_000 < profile.leaving
      const patience = isLeaving && op.kind === 'receive' ? random() * 1_000 * op.wait : GATEWAY_PATIENCE
      const leave = clock.sleep(patience, answered.signal).then(() => {
        // Only on localhost a closed connection is noticed.
        if (!answered.signal.aborted && profile.isAlone) left.abort('left')
        return undefined
      })
      const call = follow(own, () => ask(services, parameters, { signal: left.signal, secretKey: secrets.of(op) }))
      let isDone = false
      const end = () => (isDone = true)
      call.then(end, end)
      const over = Promise.race([call, life.hasDied]).then(clock.now, clock.now)
      const answer = await Promise.race([call, life.hasDied, leave]).finally(() => answered.abort('answered'))
      if (life.isDead()) faults.push('the process died')
      if (isLeaving || (answer === undefined && !life.isDead()))
        faults.push(left.signal.aborted && !isDone ? LEFT_IN_TIME : 'the client left')
      return { answer: isLeaving ? undefined : answer, skew, faults, over }
    },

    async rotate(op) {
      const { keys, skew, life } = await (slots[op.process % slots.length] ?? noProcess())
      await secrets.rotate(op, keys, skew, life.hasDied)
    },

    async kill(process) {
      ;(await slots[process % slots.length])?.life.die()
    },

    arm: (armed) => void (isArmed = armed),

    addProcess() {
      slots.push(launch(slots.length))
      return slots.length - 1
    },

    isIdle,

    async end() {
      ended.abort()
      for (const { life } of await Promise.all(slots)) life.die()
      for (const client of clients) client.destroy()
    },
  }
}

const isAgingMark = ({ pk }: Item): boolean => pk?.S === 'aging'

function noProcess(): never {
  throw new Error('there is no process')
}
