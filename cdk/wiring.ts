import {
  type aws_lambda as lambda,
  aws_scheduler as scheduler,
  type aws_secretsmanager as secrets,
  type aws_sqs as sqs,
  RemovalPolicy,
} from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import { keyVariables, metricsVariable, runVariables } from '../lib/names.ts'
import {
  createFunction,
  functionKinds,
  type FunctionName,
  type FunctionOptions,
  type FunctionSize,
  type Network,
} from './functions.ts'
import { allow, letStart, letStartItself, letUseKey } from './rights.ts'
import { createFailedBeats, createScheduleRole, everyMinute, letWakeItself, wakeUpVariables } from './schedules.ts'

/** The size of each function that is to have another than the others. */
export type Sizes = Readonly<Record<FunctionName, FunctionSize | undefined>>

/** What the functions are told of metrics: where, and whether to count everything, or only what is overdue. */
export interface Counting {
  readonly namespace: string
  readonly all: boolean
  readonly overdue: boolean
}

/** What differs between deployments. */
export interface WiringOptions extends Omit<FunctionOptions, 'size' | 'network' | 'environment'> {
  readonly secret: secrets.Secret
  readonly sizes: Sizes
  readonly pushNetwork: Network | undefined
  readonly settings: Readonly<Record<string, string>>
  readonly counting: Counting
}

/** The functions, each with what it calls, and the schedules that call them. */
export interface Wired {
  readonly functions: Readonly<Record<FunctionName, lambda.Function>>
  readonly scheduleGroup: scheduler.ScheduleGroup
  readonly failedBeats: sqs.Queue
}

/** Creates the functions of the service, and lets each start those that it starts. */
export function createFunctions(scope: Construct, options: WiringOptions): Wired {
  // Whatever is scheduled would call functions that are gone.
  const scheduleGroup = new scheduler.ScheduleGroup(scope, 'Schedules', { removalPolicy: RemovalPolicy.DESTROY })
  const wakeUpRole = createScheduleRole(scope, 'WakeUpRole', scheduleGroup)
  const functions = createAll(scope, options, wakeUpVariables(scheduleGroup, wakeUpRole))
  const { api, push, releaseDelayed, retryDeliveries } = functions

  allow(api, options.secret.secretArn, 'secretsmanager', ['GetSecretValue'])
  if (options.encryptionKey) letUseKey(api, options.encryptionKey, 'secretsmanager')
  letStart(api, push, releaseDelayed)
  letStart(releaseDelayed, push)
  letStart(retryDeliveries, push)
  letStartItself(push)
  letStartItself(releaseDelayed)
  letWakeItself(push, scheduleGroup, wakeUpRole, 'push')
  letWakeItself(releaseDelayed, scheduleGroup, wakeUpRole, 'release')

  const failedBeats = createFailedBeats(scope)
  const beatRole = createScheduleRole(scope, 'BeatRole', scheduleGroup)
  allow(beatRole, failedBeats.queueArn, 'sqs', ['SendMessage'])
  const beat = { group: scheduleGroup, role: beatRole, failed: failedBeats }
  everyMinute(retryDeliveries, beat)
  everyMinute(releaseDelayed, beat)
  return { functions, scheduleGroup, failedBeats }
}

function createAll(
  scope: Construct,
  { sizes, pushNetwork, settings, counting, secret, ...options }: WiringOptions,
  wakeUps: Readonly<Record<string, string>>,
): Wired['functions'] {
  const create = (id: string, name: FunctionName, variables: Readonly<Record<string, string>>) =>
    createFunction(scope, id, functionKinds[name], {
      ...options,
      size: sizes[name],
      network: name === 'push' ? pushNetwork : undefined,
      environment: { ...settings, ...variables },
    })
  const told = (isAsked: boolean) => (isAsked ? { [metricsVariable]: counting.namespace } : {})

  const push = create('Push', 'push', { ...wakeUps, ...told(counting.all) })
  const callsPush = { [runVariables.pushFunction]: push.functionName }
  const releaseDelayed = create('ReleaseDelayed', 'releaseDelayed', {
    ...wakeUps,
    ...callsPush,
    ...told(counting.overdue),
  })
  return {
    push,
    releaseDelayed,
    retryDeliveries: create('RetryDeliveries', 'retryDeliveries', { ...callsPush, ...told(counting.overdue) }),
    api: create('Api', 'api', {
      ...callsPush,
      [runVariables.releaseFunction]: releaseDelayed.functionName,
      [keyVariables.secretArn]: secret.secretArn,
      ...told(counting.all),
    }),
  }
}
