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
      const name = `${work.duty}-${work.laneId}-${minute}`
      if (made.has(name)) return
      // Whoever asks for the same minute later is waited for too.
      const run: Run = { work, wokenFor: (minute + 2) * MINUTE }
      // A time that has passed is refused; the run that comes early waits.
      const at = Math.max(minute * MINUTE, clock.now() + 1_000)
      try {
        await client.send(
          new CreateScheduleCommand({
            GroupName: group,
            Name: name,
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
      made.add(name)
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
