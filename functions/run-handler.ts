import middy, { type MiddlewareObj } from '@middy/core'
import { SchedulerClient } from '@aws-sdk/client-scheduler'
import { runVariables } from '../lib/names.ts'
import { poster, type Poster } from '../lib/push/post.ts'
import { runner, type Runner } from '../lib/push/runner.ts'
import type { RunBounds } from '../lib/push/shift.ts'
import { metered, noUsage, type Usage } from '../lib/store/meter.ts'
import type { Run } from '../lib/store/work.ts'
import { scheduledWakeUps, type WakeUps } from '../lib/wake-ups.ts'
import { logger } from './logger.ts'
import { deployedServices, type Services } from './services.ts'

/** What works through deliveries has beside what answers requests. */
export interface Worker extends Services {
  readonly run: Runner
  readonly poster: Poster
}

/** What Lambda passes beside the event. Localhost and tests pass a worker of their own, and a signal to let go. */
export interface RunInvocation {
  readonly awsRequestId: string
  readonly invokedFunctionArn?: string
  getRemainingTimeInMillis?(): number
  readonly worker?: Worker
  readonly signal?: AbortSignal
}

/** What a schedule passes, and a run. A schedule that recurs passes more, which nobody needs. */
export type RunEvent = Partial<Run>

/** Lambda calls it, and so do the local server and tests. */
export type RunHandler = (event: RunEvent, invocation: RunInvocation) => Promise<void>

/** What a handler of runs is given. */
export interface Shift extends Worker {
  readonly bounds: Omit<RunBounds, 'wokenFor'>
}

/** Before its time is over a function has to end what it has begun, let go and say so. */
const LAST_ATTEMPT = 20_000

/** Puts a worker together. */
export const createWorker = (services: Services, { wake }: WakeUps, post?: Poster): Worker => ({
  ...services,
  poster: post ?? poster({ targets: services.targets, maxSockets: services.settings.pushFirstTries }),
  run: runner({
    deliveries: services.deliveries,
    workList: services.workList,
    bell: services.deliveryBell,
    clock: services.clock,
    ids: services.ids,
    start: services.start,
    wake: (work, dueAt) =>
      wake(work, dueAt).catch((error: unknown) => {
        // Whoever looks after what is left behind will come when it is due.
        logger.error('no wake-up could be made', { error, lane: work.laneId, dueAt })
      }),
  }),
})

interface Found {
  readonly invocation: RunInvocation
  readonly worker: Worker
  readonly usage: Usage
  readonly startedAt: number
}

/** A complete handler of what runs by itself: it says in one line what the run consumed, and in another why it failed. */
export function runHandler(name: string, run: (event: RunEvent, shift: Shift) => Promise<object>): RunHandler {
  const log: MiddlewareObj<RunEvent, unknown, Error, Found> = {
    after: ({ response, context }) => {
      const { invocation, usage, worker, startedAt } = context
      const milliseconds = worker.clock.now() - startedAt
      logger.info(name, { requestId: invocation.awsRequestId, milliseconds, ...usage, ...(response as object) })
    },
    onError: ({ error, context }) => {
      logger.error('unexpected failure', { error, run: name, requestId: context.invocation.awsRequestId })
    },
  }
  const chain = middy<RunEvent, unknown, Error, Found>()
    .use(log)
    .handler((event, { invocation, worker }) => {
      const remaining = invocation.getRemainingTimeInMillis?.() ?? Infinity
      const bounds = {
        longestWait: worker.settings.longestPause * 1000,
        endBy: worker.clock.now() + remaining - LAST_ATTEMPT,
        signal: invocation.signal ?? new AbortController().signal,
      }
      return run(event, { ...worker, bounds })
    })

  return async (event, invocation) => {
    const worker = invocation.worker ?? deployedWorker(invocation)
    const usage = noUsage()
    await metered(usage, () => chain(event, { invocation, worker, usage, startedAt: worker.clock.now() }))
  }
}

let deployed: Worker | undefined

/** The worker of a deployed function, made once per cold start: wake-ups call the function itself. */
function deployedWorker({ invokedFunctionArn }: RunInvocation): Worker {
  if (deployed) return deployed
  const services = deployedServices()
  const target = {
    group: required(runVariables.scheduleGroup),
    roleArn: required(runVariables.scheduleRole),
    functionArn: invokedFunctionArn ?? '',
  }
  deployed = createWorker(services, scheduledWakeUps(new SchedulerClient({}), target, services.clock))
  return deployed
}

function required(name: string): string {
  const value = process.env[name]
  if (!value) throw new Error(`the environment variable ${name} is missing`)
  return value
}
