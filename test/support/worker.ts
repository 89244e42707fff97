import { ConflictException, type CreateScheduleCommand, type SchedulerClient } from '@aws-sdk/client-scheduler'
import { handler as push } from '../../functions/push.ts'
import type { RunEvent, RunHandler } from '../../functions/run-handler.ts'
import { handler as releaseDelayed } from '../../functions/scheduled/release-delayed.ts'
import { handler as retryDeliveries } from '../../functions/scheduled/retry-deliveries.ts'
import type { Services } from '../../functions/services.ts'
import type { Settings } from '../../functions/settings.ts'
import { createWorker, type Worker } from '../../functions/worker.ts'
import type { Delivery } from '../../lib/domain/delivery.ts'
import type { Subscription } from '../../lib/domain/subscription.ts'
import type { Clock, Instant } from '../../lib/domain/time.ts'
import type { Topic } from '../../lib/domain/topic.ts'
import { ONLY_ACCOUNT } from '../../lib/names.ts'
import type { Attempt, Poster } from '../../lib/push/post.ts'
import type { Run, Work } from '../../lib/store/work.ts'
import type { Table } from '../../lib/tables.ts'
import { scheduledWakeUps, timedWakeUps } from '../../lib/wake-ups.ts'
import { manualClock, whilePassing, type ManualClock } from './clock.ts'
import { asker, newTables, testServices, type Answer, type Ask, type Client, type ServiceOptions } from './service.ts'

/** One attempt, as the web server sees it. */
export interface Push {
  readonly endpoint: string
  readonly messageId: string
  /** What was published, whatever the format. */
  readonly text: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly begunAt: Instant
  /** The status, or what happened instead; undefined while it is under way, or where its process has died. */
  outcome?: string
  endedAt?: Instant
}

/** What a web server does: a status after so many milliseconds, 0 unless told otherwise. */
export interface Reply {
  readonly status: number
  readonly after?: number
}

/** A one-time schedule, as EventBridge was asked for it. */
export interface Schedule {
  readonly name: string
  readonly madeAt: Instant
  readonly at: Instant
  readonly run: Run
  /** Everything that was asked for. */
  readonly input: CreateScheduleCommand['input']
}

/** A process, of which there may be many over the same tables. */
export interface Process {
  readonly services: Services
  readonly worker: Worker
  readonly ask: Ask
  /** It dies at its so-many-th call to DynamoDB from now on: before the call is made, or when it has been. */
  dieAt(call: number, moment: 'before' | 'after'): void
  die(): void
  readonly isDead: boolean
}

export interface ProcessOptions extends Pick<ServiceOptions, 'prepare' | 'random' | 'isAlone' | 'report'> {
  readonly settings?: Partial<Settings>
}

export interface WorldOptions {
  readonly settings?: Partial<Settings>
  /** 200 at once by default. */
  readonly answer?: (push: Push) => Reply
  /** Whether what is started or woken runs by itself, and does not wait for the test to let it. */
  readonly isLive?: boolean
  /** How long a function may run, in milliseconds: 15 minutes, as in Lambda. */
  readonly lifetime?: number
  /** Beside whatever else is added to the calls of every process. */
  readonly prepare?: (client: Client) => void
  /** EventBridge's schedules, unless timers of the process do. */
  readonly wakeUps?: 'schedules' | 'timers'
  /** Whether looks that nobody has a reason for cost nothing, so that a day passes in seconds. */
  readonly isQuick?: boolean
}

/** Processes, web servers and the cloud around them, at one clock. */
export interface World {
  readonly clock: ManualClock
  readonly tableNames: Readonly<Record<Table, string>>
  /** Owns the data: it makes what a test needs, and reads what came of it. It never works through a lane. */
  readonly admin: Process
  /** Publishes, unless the test has another do so. */
  readonly publisher: Process
  /** Runs what is started and woken. A test may put another in its place. */
  pusher: Process
  answer: (push: Push) => Reply
  /** Every attempt so far. */
  readonly pushes: Push[]
  /** Deliveries that were tried while they were being tried. */
  readonly sideBySide: Push[]
  /** How many were under way at once, at most. */
  readonly mostAtOnce: number
  /** Whatever was started, and has not been let run. */
  readonly waiting: Work[]
  /** Whatever was started. */
  readonly starts: Work[]
  readonly schedules: Schedule[]
  /** What invocations and schedules come to. */
  luck: { starts: 'made' | 'lost' | 'refused'; schedules: 'made' | 'lost' | 'refused' | 'hanging' }
  /** Runs that have not ended. */
  readonly running: number
  /** What runs failed with. */
  readonly failures: unknown[]
  process(options?: ProcessOptions): Promise<Process>
  topic(name?: string, sent?: Sent): Promise<Topic>
  subscribe(name?: string, sent?: Sent): Promise<Subscription>
  publish(text: string, sent?: Sent, by?: Process): Promise<Answer>
  /** Runs a handler, and resolves when it has ended. */
  run(event: RunEvent, options?: RunOptions): Promise<void>
  /** Lets what was started run, until it has ended. */
  happen(): Promise<void>
  /** One beat of the schedules that recur. */
  castNets(by?: Process): Promise<void>
  /** Has them recur, every minute from now on. */
  keepCasting(): void
  /** What waits in the lane of a subscription or topic. */
  left(lane: { readonly id: string }): Promise<readonly Delivery[]>
}

export interface RunOptions {
  readonly by?: Process
  readonly handler?: RunHandler
  readonly signal?: AbortSignal
  /** How long the function may run, in milliseconds. */
  readonly lifetime?: number
}

type Sent = Readonly<Record<string, string | number>>

/** Milliseconds after which a poster gives up. */
const PATIENCE = 15_000

const never = () => new Promise<never>(() => undefined)

export const pushWork = ({ id, topicId, name }: Subscription): Work => ({
  duty: 'push',
  laneId: id,
  within: topicId,
  name,
})

/** A world over the engine, with the topic `news` in it. */
export async function newWorld(endpoint: string, options: WorldOptions = {}): Promise<World> {
  const { isLive = false, isQuick = false, wakeUps = 'schedules', lifetime = 900_000 } = options
  const clock = manualClock()
  // Most lives begin within a second, not at its start.
  clock.set(clock.now() + 137)
  const tableNames = await newTables(endpoint)
  const pushes: Push[] = []
  const sideBySide: Push[] = []
  const underWay = new Set<Push>()
  let mostAtOnce = 0
  const waiting: Work[] = []
  const starts: Work[] = []
  const schedules: Schedule[] = []
  const pending = new Set<string>()
  const failures: unknown[] = []
  let running = 0
  let requests = 0
  let writes = 0

  async function run(event: RunEvent, { by = world.pusher, handler, signal, ...more }: RunOptions = {}): Promise<void> {
    const begunAt = clock.now()
    const endsAt = begunAt + (more.lifetime ?? lifetime)
    running++
    try {
      await (handler ?? (event.work?.duty === 'release' ? releaseDelayed : push))(event, {
        awsRequestId: `run-${++requests}`,
        getRemainingTimeInMillis: () => endsAt - clock.now(),
        worker: by.worker,
        ...(signal ? { signal } : {}),
      })
    } catch (error) {
      failures.push(error)
    } finally {
      running--
    }
  }

  async function start(work: Work): Promise<void> {
    starts.push(work)
    if (world.luck.starts === 'refused') throw new Error('the invocation was refused')
    if (world.luck.starts === 'lost') return
    if (isLive) void run({ work })
    else waiting.push(work)
    return Promise.resolve()
  }

  const scheduler = {
    send: async ({ input }: CreateScheduleCommand): Promise<unknown> => {
      if (world.luck.schedules === 'hanging') return never()
      if (world.luck.schedules === 'refused') throw new Error('the schedule was refused')
      const { Name: name = '', ScheduleExpression = '', Target } = input
      const at = Date.parse(`${ScheduleExpression.slice('at('.length, -1)}Z`)
      if (!(at > clock.now())) throw new Error(`the schedule ${name} lies in the past: ${ScheduleExpression}`)
      if (pending.has(name)) throw new ConflictException({ message: `${name} is there`, $metadata: {}, Message: '' })
      const schedule = { name, madeAt: clock.now(), at, run: JSON.parse(Target?.Input ?? '') as Run, input }
      schedules.push(schedule)
      pending.add(name)
      if (world.luck.schedules === 'made')
        void clock.sleep(at - clock.now()).then(() => {
          pending.delete(name)
          return isLive ? run(schedule.run) : undefined
        })
      return Promise.resolve()
    },
  } as unknown as Pick<SchedulerClient, 'send'>

  function poster(isDead: () => boolean): Poster {
    return {
      close: () => undefined,

      async post(endpoint, { headers, body }, signal): Promise<Attempt> {
        if (isDead()) return never()
        const messageId = headers['x-cmq-message-id'] ?? ''
        const text = body.startsWith('{"TopicOwner"') ? (JSON.parse(body) as { msgBody: string }).msgBody : body
        const attempt: Push = { endpoint, messageId, text, headers, body, begunAt: clock.now() }
        pushes.push(attempt)
        const isDoubled = [...underWay].some((one) => one.messageId === messageId && one.endpoint === endpoint)
        if (isDoubled) sideBySide.push(attempt)
        underWay.add(attempt)
        mostAtOnce = Math.max(mostAtOnce, underWay.size)
        const { status, after = 0 } = world.answer(attempt)
        await clock.sleep(Math.min(after, PATIENCE), signal)
        underWay.delete(attempt)
        if (isDead()) return never()
        const outcome = signal?.aborted ? 'stopped' : after > PATIENCE ? 'timeout' : String(status)
        attempt.outcome = outcome
        attempt.endedAt = clock.now()
        return { isDelivered: /^2\d\d$/.test(outcome), outcome, milliseconds: clock.now() - attempt.begunAt }
      },
    }
  }

  async function process({ prepare, settings, ...rest }: ProcessOptions = {}): Promise<Process> {
    let isDead = false
    let calls = 0
    let death: { readonly call: number; readonly moment: 'before' | 'after' } | undefined

    const dies = (moment: 'before' | 'after') => {
      if (death && (calls > death.call || (calls === death.call && moment === death.moment))) isDead = true
      return isDead
    }
    const mortal: Clock = {
      now: () => clock.now(),
      sleep: (milliseconds, signal) => clock.sleep(milliseconds, signal).then(() => (isDead ? never() : undefined)),
    }
    const services = await testServices({
      endpoint,
      tableNames,
      isAlone: false,
      settings: { ...options.settings, ...settings },
      clock: mortal,
      start: (work) => (isDead ? never() : start(work)),
      prepare(client) {
        options.prepare?.(client)
        prepare?.(client)
        client.middlewareStack.add(
          (next, { commandName = '' }) =>
            async (args) => {
              calls++
              if (dies('before')) return never()
              const isWrite = !/^(Get|BatchGet|Query)/.test(commandName)
              if (isWrite) writes++
              try {
                return await next(args)
              } finally {
                if (isWrite) writes++
                if (dies('after')) await never()
              }
            },
          { step: 'initialize', priority: 'high', name: 'mortal' },
        )
      },
      ...rest,
    })
    const target = { group: 'wake-ups', roleArn: 'arn:role', functionArn: 'arn:function' }
    const ask = asker(services)
    return {
      services,
      worker: createWorker(
        isQuick ? rememberingLooks(services, () => writes) : services,
        wakeUps === 'timers'
          ? timedWakeUps(mortal, (woken) => run(woken), new AbortController().signal)
          : scheduledWakeUps(scheduler, target, mortal),
        poster(() => isDead),
      ),
      ask,
      dieAt(call, moment) {
        death = { call: calls + call, moment }
      },
      die() {
        isDead = true
      },
      get isDead() {
        return isDead
      },
    }
  }

  const admin = await process({ isAlone: true })
  const first = await process()

  async function succeed(action: string, sent: Sent): Promise<void> {
    const answer = await admin.ask(action, sent)
    if (answer.code !== 0) throw new Error(`${action}: ${answer.message}`)
  }

  const world: World = {
    clock,
    tableNames,
    admin,
    publisher: first,
    pusher: first,
    answer: options.answer ?? (() => ({ status: 200 })),
    pushes,
    sideBySide,
    get mostAtOnce() {
      return mostAtOnce
    },
    waiting,
    starts,
    schedules,
    luck: { starts: 'made', schedules: 'made' },
    get running() {
      return running
    },
    failures,
    process,
    run,

    async topic(topicName = 'news', sent = {}) {
      await succeed('CreateTopic', { topicName, ...sent })
      return admin.services.topics.read(ONLY_ACCOUNT, topicName)
    },

    async subscribe(subscriptionName = 'mail', sent = {}) {
      const topicName = String(sent['topicName'] ?? 'news')
      const web = { protocol: 'http', endpoint: `http://example.com/${subscriptionName}` }
      await succeed('Subscribe', { topicName, subscriptionName, ...web, ...sent })
      const { id } = await admin.services.topics.read(ONLY_ACCOUNT, topicName)
      return admin.services.subscriptions.read(id, subscriptionName)
    },

    publish: (msgBody, sent = {}, by = world.publisher) =>
      by.ask('PublishMessage', { topicName: 'news', msgBody, ...sent }),

    async happen() {
      await Promise.all(waiting.splice(0).map((work) => whilePassing(clock, run({ work }))))
    },

    async castNets(by = world.pusher) {
      await whilePassing(clock, run({}, { by, handler: retryDeliveries }))
      await whilePassing(clock, run({}, { by, handler: releaseDelayed }))
    },

    keepCasting() {
      void clock.sleep(60_000).then(() => {
        void run({}, { handler: retryDeliveries })
        void run({}, { handler: releaseDelayed })
        world.keepCasting()
      })
    },

    left: async ({ id }) => (await admin.services.deliveries.first(id, 1_000)).deliveries,
  }
  await world.topic()
  return world
}

/** Answers from memory what a runner asks each second, for as long as nobody has written anything. */
function rememberingLooks(services: Services, writes: () => number): Services {
  const { deliveries, subscriptions, topics } = services
  const answers = new Map<string, { readonly asOf: number; readonly answer: Promise<unknown> }>()

  function remembered<Answer>(key: string, ask: () => Promise<Answer>): Promise<Answer> {
    const known = answers.get(key)
    if (known?.asOf === writes()) return known.answer as Promise<Answer>
    const answer = ask()
    answers.set(key, { asOf: writes(), answer })
    return answer
  }
  return {
    ...services,
    deliveries: {
      ...deliveries,
      first: (laneId, limit, beyond) =>
        remembered([laneId, limit, beyond?.publishedAt, beyond?.id].join('#'), () =>
          deliveries.first(laneId, limit, beyond),
        ),
    },
    subscriptions: {
      ...subscriptions,
      get: (...call) => remembered(call.join('#'), () => subscriptions.get(...call)),
    },
    topics: {
      ...topics,
      get: (...call) => remembered(call.join('#'), () => topics.get(...call)),
    },
  }
}
