import { ConflictException, CreateScheduleCommand, type SchedulerClient } from '@aws-sdk/client-scheduler'
import type { Clock, Instant } from './domain/time.ts'
import type { Run, Work } from './store/work.ts'

/** Has a lane worked through at a later time. */
export interface WakeUps {
  /** Starts a run in time for what is due at `dueAt`: at most two minutes before, and hardly later. */
  wake(work: Work, dueAt: Instant): Promise<void>
}

/** Where EventBridge Scheduler keeps one-time schedules, and what they call. */
export interface ScheduleTarget {
  readonly group: string
  readonly roleArn: string
  readonly functionArn: string
}

const MINUTE = 60_000

/** Schedules that this process has made, so that none is made twice. */
const REMEMBERED = 10_000

/**
 * Wake-ups by EventBridge Scheduler, which is exact to the minute: a one-time schedule at the beginning of the minute that
 * lies 60 to 120 s before the due time, so that the run is there when it comes. One for a lane and minute, however
 * many ask for it; Scheduler deletes it after it ran.
 */
export function scheduledWakeUps(
  client: Pick<SchedulerClient, 'send'>,
  { group, roleArn, functionArn }: ScheduleTarget,
  clock: Clock,
): WakeUps {
  const made = new Set<string>()

  return {
    async wake(work, dueAt) {
      const minute = Math.floor(dueAt / MINUTE) - 1
      const soon = Math.ceil(clock.now() / 1_000) + 1
      // A minute that has begun may have had its run already, and a time that has passed is refused.
      const [at, name] =
        minute * 60 >= soon ? [minute * MINUTE, `${minute}`] : [soon * 1_000, `${minute}-${soon % 3_600}`]
      const Name = `${work.duty}-${work.laneId}-${name}`
      if (made.has(Name)) return
      // The run that comes early waits, also for what others ask for in the same minute later.
      const run: Run = { work, wokenFor: (minute + 2) * MINUTE }
      try {
        await client.send(
          new CreateScheduleCommand({
            GroupName: group,
            Name,
            ScheduleExpression: `at(${new Date(at).toISOString().slice(0, 19)})`,
            FlexibleTimeWindow: { Mode: 'OFF' },
            ActionAfterCompletion: 'DELETE',
            Target: { Arn: functionArn, RoleArn: roleArn, Input: JSON.stringify(run) },
          }),
        )
      } catch (error) {
        // Another run has asked for the same minute.
        if (!(error instanceof ConflictException)) throw error
      }
      if (made.size >= REMEMBERED) made.clear()
      made.add(Name)
    },
  }
}

/** No timer runs for longer, as those of Node cannot for more than 24 days: a run that comes too early has itself woken again. */
const LONGEST_TIMER = 86_400_000

/** Wake-ups by timers of this process, exact to the millisecond. `signal` ends them all. */
export function timedWakeUps(clock: Clock, start: (run: Run) => Promise<void>, signal: AbortSignal): WakeUps {
  const set = new Set<string>()

  return {
    wake(work, dueAt) {
      const name = `${work.laneId}-${dueAt}`
      if (!set.has(name)) {
        set.add(name)
        void clock.sleep(Math.min(dueAt - clock.now(), LONGEST_TIMER), signal).then(() => {
          set.delete(name)
          return signal.aborted ? undefined : start({ work })
        })
      }
      return Promise.resolve()
    },
  }
}
