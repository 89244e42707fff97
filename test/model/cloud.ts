import { ScanCommand } from '@aws-sdk/client-dynamodb'
import { ConflictException, type CreateScheduleCommand } from '@aws-sdk/client-scheduler'
import { handler as push } from '../../functions/push.ts'
import type { RunEvent, RunHandler } from '../../functions/run-handler.ts'
import { handler as releaseDelayed } from '../../functions/scheduled/release-delayed.ts'
import { handler as retryDeliveries } from '../../functions/scheduled/retry-deliveries.ts'
import type { Services } from '../../functions/services.ts'
import type { Settings } from '../../functions/settings.ts'
import { createWorker, type Worker } from '../../functions/worker.ts'
import type { Clock } from '../../lib/domain/time.ts'
import type { Poster } from '../../lib/push/post.ts'
import type { Table } from '../../lib/tables.ts'
import { scheduledWakeUps, timedWakeUps } from '../../lib/wake-ups.ts'
import { during, type ManualClock } from '../support/clock.ts'
import { patientClient } from '../support/engine.ts'
import { ask, testServices, type Answer, type Client } from '../support/service.ts'

/** What befalls a call to DynamoDB, after so many that went well. */
export interface Trouble {
  readonly after: number
  readonly kind: TroubleKind
  /** How long it lasts, in milliseconds. */
  readonly lasting: number
}

export type TroubleKind =
  /** The process that calls dies: before the call is made, or when it has been. */
  | 'crash before'
  | 'crash after'
  /** It is refused for now. */
  | 'throttled'
  /** No answer comes: it was never made, or was, or will be made later. */
  | 'lost before'
  | 'lost after'
  | 'lost and late'
  /** It is made late, or its answer comes late. */
  | 'late'
  | 'slow'
  /** Of a batch only the first half is done. */
  | 'halved'

/** What becomes of an invocation, or of a request for a schedule. */
export type Luck = 'made' | 'lost' | 'refused'

/** One attempt at a subscriber, as the subscriber sees it. */
export interface Arrival {
  readonly endpoint: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** How a subscriber answers: after so many milliseconds, if at all. */
export interface Reply {
  readonly status: number | 'hang' | 'reset'
  readonly after: number
}

/** The subscribers of all topics. */
export interface Web {
  /** An attempt begins. */
  arrived(arrival: Arrival): { readonly reply: Reply; ended(outcome: string): void; died(until: number): void }
}

/** What whoever watches is told. */
export interface Watch {
  crashed(): void
  /** A run of the lane was to end soon at `from`, and began nothing from then on. */
  closed(laneId: string, from: number, to: number): void
  failed(error: unknown): void
}

export interface CloudOptions {
  readonly endpoint: string
  readonly tableNames: Readonly<Record<Table, string>>
  readonly clock: ManualClock
  readonly settings: Partial<Settings>
  readonly processes: number
  readonly isAlone: boolean
  /** Wake-ups by timers of the process that wants them, or by schedules that outlive it. */
  readonly wakeUps: 'timers' | 'schedules'
  /** How long a function may run, in milliseconds. */
  readonly lifetime: number
  readonly random: () => number
  readonly troubles: readonly Trouble[]
  readonly starts: readonly Luck[]
  readonly wakes: readonly Luck[]
  readonly web: Web
  readonly watch: Watch
}

/** Processes over the same tables and what runs them: requests, invocations, schedules, and the nets of every minute. */
export interface Cloud {
  /** What a process answers; undefined where it died before. */
  ask(process: number, parameters: Record<string, string | number>): Promise<Answer | undefined>
  /** A process dies, and another takes its place. */
  crash(process: number): Promise<void>
  /** All is well until then, and from `heal` on. */
  arm(): void
  heal(): void
  castNets(): void
  /** Whether no lane holds anything. */
  isIdle(): Promise<boolean>
  /** Nothing goes on. */
  end(): Promise<void>
}

interface Process {
  readonly services: Services
  readonly worker: Worker
  readonly hasDied: Promise<undefined>
  isDead(): boolean
  die(): void
}

/** Runs are called off so long before their function ends, and so long they last at most beyond that. */
const LAST_ATTEMPT = 20_000

const ATTEMPT_TIMEOUT = 15_000

export function cloud(options: CloudOptions): Cloud {
  const { clock, random, web, watch, lifetime } = options
  const ended = new AbortController()
  const clients: Client[] = []
  const schedules = new Set<string>()
  const eyes = patientClient(options.endpoint)
  const starts = [...options.starts]
  const wakes = [...options.wakes]
  let isArmed = false
  const nextTrouble = drawn(options.troubles)
  const luckOf = (list: Luck[]): Luck => (isArmed ? (list.shift() ?? 'made') : 'made')

  const slots = Array.from({ length: options.processes }, (_, slot) => launch(slot))
  const anyProcess = () => slots[Math.floor(random() * slots.length)] ?? fail('there is no process')

  async function launch(slot: number): Promise<Process> {
    const life = newLife(() => {
      if (ended.signal.aborted) return
      watch.crashed()
      slots[slot] = launch(slot)
    })
    const mortal: Clock = {
      now: () => clock.now(),
      sleep: async (milliseconds, signal) => {
        await clock.sleep(milliseconds, signal)
        await life.goOn()
      },
    }
    const start = async (event: RunEvent): Promise<void> => {
      await life.goOn()
      const luck = luckOf(starts)
      if (luck === 'refused') throw new Error('the function cannot be invoked now')
      if (luck === 'made') void invoke(handlerOf(event), event)
    }
    const services = await testServices({
      endpoint: options.endpoint,
      tableNames: options.tableNames,
      clock: mortal,
      random,
      isAlone: options.isAlone,
      settings: options.settings,
      start: (work) => start({ work }),
      prepare(client) {
        clients.push(client)
        inflict(client, clock, life, () => (isArmed ? nextTrouble() : undefined))
      },
    })
    const wakeUps =
      options.wakeUps === 'timers'
        ? timedWakeUps(mortal, (run) => start(run).catch(() => undefined), ended.signal)
        : scheduledWakeUps({ send: schedule }, { group: 'runs', roleArn: 'role', functionArn: 'push' }, mortal)
    const fateful = {
      async wake(...wanted: Parameters<typeof wakeUps.wake>) {
        await life.goOn()
        const luck = luckOf(wakes)
        if (luck === 'refused') throw new Error('there are too many schedules')
        if (luck === 'made') await wakeUps.wake(...wanted)
      },
    }
    const worker = createWorker(services, fateful, posterOver(web, clock, life))
    return { services, worker, ...life }
  }

  /** One-time schedules: at most one of a name, and gone when it has run. They are exact to the minute. */
  const schedule = (command: CreateScheduleCommand) => {
    const { Name = '', ScheduleExpression = '', Target } = command.input
    if (schedules.has(Name)) throw new ConflictException({ message: Name, Message: Name, $metadata: {} })
    schedules.add(Name)
    const at = Date.parse(`${ScheduleExpression.slice(3, -1)}Z`)
    const late = (options.settings.longestPause ?? 0) < 120 ? 0 : Math.floor(random() * 60_000)
    const event = JSON.parse(Target?.Input ?? '') as RunEvent
    void clock.sleep(at + late - clock.now(), ended.signal).then(() => {
      schedules.delete(Name)
      if (!ended.signal.aborted) void invoke(handlerOf(event), event)
    })
    return Promise.resolve({})
  }

  async function invoke(handler: RunHandler, event: RunEvent): Promise<void> {
    const { worker, hasDied } = await anyProcess()
    const startedAt = clock.now()
    const getRemainingTimeInMillis = () => startedAt + lifetime - clock.now()
    const run = handler(event, { awsRequestId: `run-${startedAt}`, worker, getRemainingTimeInMillis }).then(() => {
      const from = startedAt + lifetime - LAST_ATTEMPT
      if (clock.now() > startedAt + lifetime) throw new Error('a run took too long')
      if (clock.now() >= from && event.work) watch.closed(event.work.laneId, from, clock.now())
    })
    await Promise.race([run, hasDied]).catch((error: unknown) => watch.failed(error))
  }

  const castNets = () => {
    void invoke(retryDeliveries, {})
    void invoke(releaseDelayed, {})
  }

  async function isIdle(): Promise<boolean> {
    const scan = new ScanCommand({ TableName: options.tableNames.deliveries, Limit: 1, ConsistentRead: true })
    const { Items = [] } = await during(eyes.send(scan))
    return Items.length === 0
  }

  async function castEveryMinute(): Promise<void> {
    for (;;) {
      await clock.sleep(60_000, ended.signal)
      if (ended.signal.aborted) return
      // Over nothing they would catch nothing.
      if (!(await isIdle())) castNets()
    }
  }
  void castEveryMinute().catch((error: unknown) => watch.failed(error))

  return {
    async ask(process, parameters) {
      const { services, hasDied } = await (slots[process % slots.length] ?? fail('there is no such process'))
      return Promise.race([ask(services, parameters), hasDied])
    },

    crash: async (process) => (await slots[process % slots.length])?.die(),
    arm: () => (isArmed = true),
    heal: () => (isArmed = false),
    castNets,
    isIdle,

    async end() {
      ended.abort()
      for (const { die } of await Promise.all(slots)) die()
      for (const client of [...clients, eyes]) client.destroy()
    },
  }
}

const handlerOf = ({ work }: RunEvent): RunHandler => (work?.duty === 'release' ? releaseDelayed : push)

interface Life {
  readonly hasDied: Promise<undefined>
  isDead(): boolean
  die(): void
  /** Resolves at once, or never. */
  goOn(): Promise<void>
}

function newLife(died: () => void): Life {
  let isDead = false
  const { promise: hasDied, resolve } = Promise.withResolvers<undefined>()
  return {
    hasDied,
    isDead: () => isDead,
    goOn: () => (isDead ? new Promise(() => {}) : Promise.resolve()),
    die() {
      if (isDead) return
      isDead = true
      resolve(undefined)
      died()
    },
  }
}

/** Each trouble after as many calls as it says. */
function drawn(troubles: readonly Trouble[]): () => Trouble | undefined {
  const left = [...troubles]
  let calls = 0
  return () => {
    if (left[0] === undefined || calls++ < left[0].after) return undefined
    calls = 0
    return left.shift()
  }
}

/** Lets things go wrong, and nothing go on in a process that is dead. Outermost: time passes while a call is late. */
function inflict(client: Client, clock: Clock, life: Life, draw: () => Trouble | undefined): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      await life.goOn()
      const { kind, lasting } = draw() ?? { kind: undefined, lasting: 0 }
      if (kind === 'crash before') life.die()
      if (kind === 'throttled') throw throttle()
      if (kind === 'lost and late') {
        // A batch has no conditions that tell what is outdated.
        const isBatch = 'RequestItems' in args.input
        if (!isBatch) void clock.sleep(5 * lasting).then(() => next(args).catch(() => undefined))
        throw timeout()
      }
      if (kind === 'late' || kind === 'lost before') await clock.sleep(lasting)
      await life.goOn()
      if (kind === 'lost before') throw timeout()
      try {
        return await (kind === 'halved' ? half(next, args) : next(args))
      } finally {
        if (kind === 'crash after') life.die()
        if (kind === 'slow' || kind === 'lost after') await clock.sleep(lasting)
        await life.goOn()
        if (kind === 'lost after') throw timeout()
      }
    },
    { step: 'initialize', priority: 'high', name: 'trouble' },
  )
}

/** Does the first half of a batch; the rest is told to be unprocessed. */
async function half<Output>(next: (args: never) => Promise<Output>, args: { input: object }): Promise<Output> {
  const { RequestItems } = args.input as { RequestItems?: Record<string, unknown[] | { Keys: unknown[] }> }
  if (!RequestItems) return next(args as never)
  const first: typeof RequestItems = {}
  const rest: typeof RequestItems = {}
  for (const [table, requests] of Object.entries(RequestItems)) {
    const all = Array.isArray(requests) ? requests : requests.Keys
    const most = Math.ceil(all.length / 2)
    const some = (part: unknown[]) => (Array.isArray(requests) ? part : { ...requests, Keys: part })
    first[table] = some(all.slice(0, most))
    if (all.length > most) rest[table] = some(all.slice(most))
  }
  const isWrite = Object.values(RequestItems).some(Array.isArray)
  const result = await next({ ...args, input: { ...args.input, RequestItems: first } } as never)
  Object.assign((result as { output: object }).output, { [isWrite ? 'UnprocessedItems' : 'UnprocessedKeys']: rest })
  return result
}

const throttle = () =>
  Object.assign(new Error('too much'), { name: 'ThrottlingException', $metadata: { httpStatusCode: 400 } })

const timeout = () => Object.assign(new Error('no answer in time'), { name: 'TimeoutError' })

/** Posts to the web of the test. */
const posterOver = (web: Web, clock: Clock, life: Life): Poster => ({
  async post(endpoint, { headers, body }, signal) {
    await life.goOn()
    const { reply, ended, died } = web.arrived({ endpoint, headers, body })
    const from = clock.now()
    const time = reply.status === 'hang' ? ATTEMPT_TIMEOUT : Math.min(reply.after, ATTEMPT_TIMEOUT)
    await clock.sleep(time, signal)
    if (life.isDead()) died(from + time)
    await life.goOn()
    const outcome = signal?.aborted
      ? 'stopped'
      : time === ATTEMPT_TIMEOUT
        ? 'timeout'
        : reply.status === 'reset'
          ? 'ECONNRESET'
          : String(reply.status)
    ended(outcome)
    return { isDelivered: outcome.startsWith('2'), outcome, milliseconds: clock.now() - from }
  },
  close: () => undefined,
})

function fail(message: string): never {
  throw new Error(message)
}
