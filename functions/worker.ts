import { SchedulerClient } from '@aws-sdk/client-scheduler'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { runVariables } from '../lib/names.ts'
import { poster, type Poster } from '../lib/push/post.ts'
import { runner, type Runner } from '../lib/push/runner.ts'
import { scheduledWakeUps, type WakeUps } from '../lib/wake-ups.ts'
import { logger } from './logger.ts'
import type { RunInvocation } from './run-handler.ts'
import { deployedServices, type Services } from './services.ts'

/** What works through deliveries has beside what answers requests. */
export interface Worker extends Services {
  readonly run: Runner
  readonly poster: Poster
}

/** Puts a worker together. */
export function createWorker(services: Services, { wake }: WakeUps, post?: Poster): Worker {
  const { deliveries, workList, deliveryBell, clock, ids, start, settings, targets } = services
  return {
    ...services,
    poster: post ?? poster({ targets, maxSockets: settings.pushFirstTries + settings.pushWindow }),
    run: runner({
      deliveries,
      workList,
      bell: deliveryBell,
      clock,
      ids,
      start,
      wake: (work, dueAt) =>
        wake(work, dueAt).catch((error: unknown) => {
          // Whoever looks after what is left behind will come when it is due.
          logger.error('no wake-up could be made', { error, lane: work.laneId, dueAt })
        }),
    }),
  }
}

/** A schedule that cannot be made in time is left to the net, as the lane must not wait for it. */
const newScheduler = () =>
  new SchedulerClient({
    maxAttempts: 2,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: 1_000,
      requestTimeout: 3_000,
      throwOnRequestTimeout: true,
    }),
  })

let deployed: Worker | undefined

/** The worker of a deployed function, made once per cold start: wake-ups call the function itself. */
export function deployedWorker({ invokedFunctionArn }: RunInvocation): Worker {
  if (deployed) return deployed
  const services = deployedServices()
  const target = {
    group: required(runVariables.scheduleGroup),
    roleArn: required(runVariables.scheduleRole),
    functionArn: invokedFunctionArn ?? '',
  }
  deployed = createWorker(services, scheduledWakeUps(newScheduler(), target, services.clock))
  return deployed
}

function required(name: string): string {
  const value = process.env[name]
  if (!value) throw new Error(`the environment variable ${name} is missing`)
  return value
}
