import { ConflictException, type CreateScheduleCommand } from '@aws-sdk/client-scheduler'
import { handler as push } from '../../functions/push.ts'
import type { RunEvent, RunHandler } from '../../functions/run-handler.ts'
import { handler as releaseDelayed } from '../../functions/scheduled/release-delayed.ts'
import { handler as retryDeliveries } from '../../functions/scheduled/retry-deliveries.ts'
import type { Worker } from '../../functions/worker.ts'
import { randomOf, type Random } from '../support/random.ts'
import type { VirtualClock } from './clock.ts'
import { course, follow } from './course.ts'
import type { History } from './history.ts'
import type { Life } from './life.ts'
import type { Profile } from './profile.ts'

/** What starts functions, by luck: at once, at a time, and every minute. */
export interface Cloud {
  /** An asynchronous invocation. */
  start(event: RunEvent): Promise<void>
  /** A one-time schedule. At most one has a name; it is exact to the minute, or worse. */
  schedule(command: CreateScheduleCommand): Promise<object>
  /** Starts the nets every minute, to the end, unless nothing waits: over nothing they would catch nothing. */
  castNets(nothingWaits: () => Promise<boolean>): Promise<void>
  /** Whether any function runs. */
  isBusy(): boolean
}

export interface CloudOptions {
  readonly seed: number
  readonly profile: Profile
  readonly history: History
  readonly clock: VirtualClock
  /** Aborted when all is over. */
  readonly ended: AbortSignal
  isArmed(): boolean
  /** A process that runs what is started. */
  anyProcess(random: Random): Promise<{ readonly worker: Worker; readonly life: Life }>
}

/** How long a function may run. */
const LIFETIME = 15 * 60_000

const NET_EVERY = 60_000

/** How late a schedule fires at most, where luck is bad. */
const LATEST_SCHEDULE = 300_000

export function newCloud({ seed, profile, history, clock, ended, isArmed, anyProcess }: CloudOptions): Cloud {
  const schedules = new Set<string>()
  let running = 0

  const isUnlucky = () => isArmed() && course().random() * 1_000 < profile.luck

  async function start(event: RunEvent): Promise<void> {
    if (!isUnlucky()) return void invoke(event)
    const { random, faults } = course()
    const luck = random.pick(['lost', 'refused', 'doubled', 'late'])
    faults.push(`start ${luck}`)
    if (luck === 'refused') throw new Error('the function cannot be invoked now')
    if (luck === 'late') await clock.sleep(random() * 5_000)
    if (luck !== 'lost') void invoke(event)
    if (luck === 'doubled') void invoke(event)
  }

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
      await clock.sleep(at + late - clock.now(), ended)
      schedules.delete(Name)
      if (!ended.aborted) void invoke(event)
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
    const record = { duty: name, name: event.work?.name ?? '', laneId, from: startedAt, to: Infinity, faults }
    history.runs.push(record)
    const { worker, life } = await anyProcess(random)
    const getRemainingTimeInMillis = () => startedAt + LIFETIME - clock.now()
    const run = follow({ name, random, faults }, () =>
      handler(event, {
        awsRequestId: `run-${startedAt}`,
        worker,
        signal: ended,
        ...(profile.isAlone ? {} : { getRemainingTimeInMillis }),
      }),
    )
    running++
    await Promise.race([run, life.hasDied]).catch((error: unknown) => {
      if (faults.length === 0 && !ended.aborted)
        history.troubles.push(`${name} failed without a fault: ${shown(error)}`)
    })
    record.to = clock.now()
    if (life.isDead() && !ended.aborted) faults.push('the process died')
    running--
  }

  async function castNets(nothingWaits: () => Promise<boolean>): Promise<void> {
    for (;;) {
      await clock.sleep(NET_EVERY, ended)
      if (ended.aborted) return
      if (await nothingWaits()) continue
      void invoke({}, retryDeliveries, 'net')
      void invoke({}, releaseDelayed, 'net')
    }
  }

  return { start, schedule, castNets, isBusy: () => running > 0 }
}

const nameOf = ({ work }: RunEvent): string => work?.duty ?? 'net'

const handlerOf = ({ work }: RunEvent): RunHandler => (work?.duty === 'release' ? releaseDelayed : push)

const shown = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error))
