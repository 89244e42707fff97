import { ScanCommand } from '@aws-sdk/client-dynamodb'
import { ConflictException, type CreateScheduleCommand } from '@aws-sdk/client-scheduler'
import { handler as push } from '../../functions/push.ts'
import type { RunEvent, RunHandler } from '../../functions/run-handler.ts'
import { handler as releaseDelayed } from '../../functions/scheduled/release-delayed.ts'
import { handler as retryDeliveries } from '../../functions/scheduled/retry-deliveries.ts'
import type { Services } from '../../functions/services.ts'
import { createWorker, type Worker } from '../../functions/worker.ts'
import type { Clock } from '../../lib/domain/time.ts'
import { createTables } from '../../lib/store/create-tables.ts'
import { connect, database } from '../../lib/store/database.ts'
import { keyStore, type KeyStore } from '../../lib/store/keys.ts'
import { KEY_LIFETIME, knownKeys, type Keys } from '../../lib/store/known-keys.ts'
import type { Item } from '../support/memory-engine/expressions.ts'
import { originFrom } from '../../lib/first-pair.ts'
import { scheduledWakeUps, timedWakeUps } from '../../lib/wake-ups.ts'
import { during, START } from '../support/clock.ts'
import { memoryEngine } from '../support/memory-engine/engine.ts'
import { randomOf } from '../support/random.ts'
import { ask, key, testServices, type Answer, type Client } from '../support/service.ts'
import { virtualClock, type VirtualClock } from './clock.ts'
import { course, follow, type Course } from './course.ts'
import { mortality, type CrashPoints } from './crash-points.ts'
import { inflict, type Life } from './faults.ts'
import type { History } from './history.ts'
import { idsOf } from './ids.ts'
import type { Profile } from './profile.ts'
import type { Op } from './program.ts'
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

/** The gateway gives up here, while the function goes on. */
const GATEWAY_PATIENCE = 30_000

/** How long a function may run. */
const LIFETIME = 15 * 60_000

const NET_EVERY = 60_000

/** How long a secret is good beside the one that follows it, and how long any process may go on without the new one. */
const BOTH_GOOD_FOR = 180_000
const KNOWN_AFTER = KEY_LIFETIME + 20_000

/** The secret before the last is not good any more: so often at most clients are given another one. */
const ROTATE_EVERY = 2 * BOTH_GOOD_FOR

/** What the keys begin with. */
const origin = () => Promise.resolve(originFrom(key))

/** How soon what has expired is removed. */
const TTL_EVERY = 5_000

/** How late a schedule fires at most, where luck is bad. */
const LATEST_SCHEDULE = 300_000

export async function newWorld({ seed, profile, history, endpoint, sabotage }: WorldOptions): Promise<World> {
  const clock = virtualClock(START)
  const ended = new AbortController()
  const clients: Client[] = []
  const points: CrashPoints = new Map()
  const slots: Promise<Process>[] = []
  const schedules = new Set<string>()
  const ids = idsOf()
  const mayDie = mortality(points, seed, (profile.rates.crash ?? 0) / 1_000, profile.aims)
  const engine = memoryEngine({
    now: clock.now,
    staleness: () => (isArmed && profile.staleness > 0 ? course().random() * profile.staleness : 0),
  })
  let isArmed = false
  let launches = 0
  let { secretKey: secret } = key
  let rotatedAt = -Infinity
  /** What clients signed with before, and when nobody takes it any more. */
  const formerSecrets: { readonly secretKey: string; readonly endedBy: number }[] = []
  const secretOf = ({ kind }: Op): string =>
    kind === 'intrude' ? (formerSecrets.findLast(({ endedBy }) => endedBy < clock.now())?.secretKey ?? 'wrong') : secret
  let running = 0

  const prepared = (client: Client) => {
    clients.push(client)
    if (endpoint === undefined) engine.serve(client)
    return client
  }

  function newLife(slot: number): Life {
    const { promise: hasDied, resolve } = Promise.withResolvers<undefined>()
    let isDead = false
    const life: Life = {
      hasDied,
      isDead: () => isDead,
      goOn: () => (isDead ? new Promise(() => undefined) : Promise.resolve()),
      pass(what) {
        const { name, random } = course()
        if (!isDead && mayDie(`${name}: ${what}`, random)) life.die()
        return life.goOn()
      },
      die() {
        if (isDead) return
        isDead = true
        resolve(undefined)
        if (ended.signal.aborted) return
        history.deaths.push(clock.now())
        slots[slot] = launch(slot)
      },
    }
    return life
  }

  async function launch(slot: number): Promise<Process> {
    const random = randomOf(seed, 'process', ++launches)
    const skew = Math.round((random() * 2 - 1) * (isArmed ? profile.skew : 0))
    const life = newLife(slot)
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
      await invokeByLuck(event)
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
      : scheduledWakeUps({ send: schedule }, { group: 'runs', roleArn: 'role', functionArn: 'push' }, ownClock)
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

  const isUnlucky = () => isArmed && course().random() * 1_000 < profile.luck

  async function invokeByLuck(event: RunEvent): Promise<void> {
    if (!isUnlucky()) return void invoke(event)
    const { random, faults } = course()
    const luck = random.pick(['lost', 'refused', 'doubled', 'late'])
    faults.push(`start ${luck}`)
    if (luck === 'refused') throw new Error('the function cannot be invoked now')
    if (luck === 'late') await clock.sleep(random() * 5_000)
    if (luck !== 'lost') void invoke(event)
    if (luck === 'doubled') void invoke(event)
  }

  /** One-time schedules, at most one of a name; they are exact to the minute, or worse. */
  const schedule = (command: CreateScheduleCommand) => {
    const { Name = '', ScheduleExpression = '', Target } = command.input
    if (schedules.has(Name)) throw new ConflictException({ message: Name, Message: Name, $metadata: {} })
    const { random } = course()
    const luck = isUnlucky() ? random.pick(['lost', 'refused', 'doubled', 'late']) : 'good'
    if (luck === 'refused') throw new Error('there are too many schedules')
    const at = Date.parse(`${ScheduleExpression.slice('at('.length, -1)}Z`)
    const event = JSON.parse(Target?.Input ?? '') as RunEvent
    schedules.add(Name)
    const fire = async (late: number) => {
      await clock.sleep(at + late - clock.now(), ended.signal)
      schedules.delete(Name)
      if (!ended.signal.aborted) void invoke(event)
    }
    const late = random() * (luck === 'late' ? LATEST_SCHEDULE : NET_EVERY)
    if (luck !== 'lost') void fire(late)
    if (luck === 'doubled') void fire(late + random() * 1_000)
    return Promise.resolve({})
  }

  async function invoke(event: RunEvent, handler = handlerOf(event), name = nameOf(event)): Promise<void> {
    const startedAt = clock.now()
    const laneId = event.work?.laneId ?? 'all'
    const random = randomOf(seed, name, laneId, startedAt)
    const faults: string[] = []
    history.runs.push({ laneId, from: startedAt, faults })
    const { worker, life } = await (slots[random.below(slots.length)] ?? noProcess())
    const getRemainingTimeInMillis = () => startedAt + LIFETIME - clock.now()
    const run = follow({ name, random, faults }, () =>
      handler(event, {
        awsRequestId: `run-${startedAt}`,
        worker,
        signal: ended.signal,
        ...(profile.isAlone ? {} : { getRemainingTimeInMillis }),
      }),
    )
    running++
    await Promise.race([run, life.hasDied]).catch((error: unknown) => {
      if (faults.length === 0 && !ended.signal.aborted)
        history.troubles.push(`${name} failed without a fault: ${shown(error)}`)
    })
    running--
  }

  /** Over nothing the nets would catch nothing. */
  async function castNets(): Promise<void> {
    for (;;) {
      await clock.sleep(NET_EVERY, ended.signal)
      if (ended.signal.aborted) return
      if (await isIdle()) continue
      void invoke({}, retryDeliveries, 'net')
      void invoke({}, releaseDelayed, 'net')
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
    if (running > 0) return false
    const lanes = new Set((await scanned(tableNames.deliveries)).map(({ pk }) => pk?.S))
    if (lanes.size === 0) return running === 0
    return running === 0 && !(await scanned(tableNames.registry)).some(({ id }) => lanes.has(id?.S))
  }

  const sites = web(clock, history, () => isArmed)
  const eyes = prepared(connect({ endpoint: endpoint ?? NOWHERE, attemptTimeout: 20_000 }))
  const onlooker = keyStore(database(eyes, clock), tableNames.registry, { clock, ids: idsOf(), origin })
  await createTables(eyes, tableNames)
  for (let slot = 0; slot < profile.processes; slot++) slots.push(launch(slot))
  void castNets()
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
      const call = follow(own, () => ask(services, parameters, { signal: left.signal, secretKey: secretOf(op) }))
      const answer = await Promise.race([call, life.hasDied, leave]).finally(() => answered.abort('answered'))
      if (life.isDead()) faults.push('the process died')
      if (isLeaving || (answer === undefined && !life.isDead())) faults.push('the client left')
      return { answer: isLeaving ? undefined : answer, skew, faults }
    },

    async rotate(op) {
      if (clock.now() - rotatedAt < ROTATE_EVERY) return
      rotatedAt = clock.now()
      const { keys, skew, life } = await (slots[op.process % slots.length] ?? noProcess())
      const fresh = `secret-${op.id}`
      const rotate = async () => {
        const present = (await keys.read(key.secretId)) ?? (await keys.seed())
        if (present) await keys.rotate(present, fresh, clock.now() + skew + BOTH_GOOD_FOR)
      }
      const rotation = follow({ name: 'rotate', random: randomOf(seed, 'op', op.id), faults: [] }, rotate)
      await Promise.race([rotation, life.hasDied]).catch(() => undefined)
      // What became of it is seen once nothing can be on its way any more, by somebody to whom nothing happens.
      await clock.sleep(KNOWN_AFTER)
      const [newest] = (await onlooker.open(key.secretId))?.secrets ?? []
      if (newest?.secretKey !== fresh) return
      formerSecrets.push({ secretKey: secret, endedBy: rotatedAt + BOTH_GOOD_FOR + KNOWN_AFTER })
      secret = fresh
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

const nameOf = ({ work }: RunEvent): string => work?.duty ?? 'net'

const handlerOf = ({ work }: RunEvent): RunHandler => (work?.duty === 'release' ? releaseDelayed : push)

const shown = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error))

function noProcess(): never {
  throw new Error('there is no process')
}
