import { ConflictException, type CreateScheduleCommand, type SchedulerClient } from '@aws-sdk/client-scheduler'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Run, Work } from '../lib/store/work.ts'
import { scheduledWakeUps, timedWakeUps } from '../lib/wake-ups.ts'
import { manualClock, START } from './support/clock.ts'

const MINUTE = 60_000

const work: Work = { duty: 'push', laneId: 'subsc-a', within: 'topic-a', name: 'mail' }
const other: Work = { ...work, laneId: 'subsc-b' }
const target = { group: 'wake-ups', roleArn: 'arn:role', functionArn: 'arn:function' }

describe('given wake-ups by EventBridge', () => {
  type Input = CreateScheduleCommand['input']

  /** A Scheduler that takes every schedule, or fails as told. */
  function given(answers: (Error | undefined)[] = []) {
    const clock = manualClock()
    clock.set(START + 137)
    const asked: Input[] = []
    const client = {
      send: ({ input }: CreateScheduleCommand) => {
        asked.push(input)
        const failure = answers.shift()
        return failure ? Promise.reject(failure) : Promise.resolve({})
      },
    } as unknown as Pick<SchedulerClient, 'send'>
    return { clock, asked, client, ...scheduledWakeUps(client, target, clock) }
  }

  const minuteOf = (instant: number) => Math.floor(instant / MINUTE)
  const timeOf = ({ ScheduleExpression = '' }: Input) =>
    Date.parse(`${/^at\((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\)$/.exec(ScheduleExpression)?.[1]}Z`)
  const runOf = ({ Target }: Input) => JSON.parse(Target?.Input ?? '') as Run

  it('when one is wanted, then a schedule is made that runs once and is gone, with all that the run needs', async () => {
    const { asked, wake } = given()
    const dueAt = START + 10 * MINUTE + 2_500
    await wake(work, dueAt)
    expect(asked).toEqual([
      {
        GroupName: 'wake-ups',
        Name: `push-subsc-a-${minuteOf(START) + 9}`,
        ScheduleExpression: 'at(2026-01-05T12:09:00)',
        FlexibleTimeWindow: { Mode: 'OFF' },
        ActionAfterCompletion: 'DELETE',
        Target: {
          Arn: 'arn:function',
          RoleArn: 'arn:role',
          Input: JSON.stringify({ work, wokenFor: START + 11 * MINUTE }),
        },
      },
    ])
  })

  it('when anything is due more than two minutes ahead, then its run comes 60 to 120 s before, at a full minute', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2 * MINUTE + 1, max: 86_400_000 }),
        fc.nat({ max: MINUTE }),
        async (ahead, ms) => {
          const { clock, asked, wake } = given()
          clock.set(START + ms)
          const dueAt = clock.now() + ahead
          await wake(work, dueAt)
          const [input] = asked
          if (!input) throw new Error('no schedule was made')
          const at = timeOf(input)
          expect(at).toBeGreaterThan(clock.now())
          expect(dueAt - at).toBeLessThan(2 * MINUTE)
          // Where its minute begins within two seconds, these pass first.
          expect(at % MINUTE === 0 || at <= clock.now() + 2_000).toBe(true)
          expect(dueAt - at).toBeGreaterThanOrEqual(at % MINUTE === 0 ? MINUTE : MINUTE - 2_000)
          expect(runOf(input).wokenFor).toBeGreaterThan(dueAt)
        },
      ),
    )
  })

  it('when what is due is near, or past, then no schedule lies in the past', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: -10 * MINUTE, max: 2 * MINUTE }),
        fc.nat({ max: MINUTE }),
        async (ahead, ms) => {
          const { clock, asked, wake } = given()
          clock.set(START + ms)
          await wake(work, clock.now() + ahead)
          expect(asked.map((input) => timeOf(input) > clock.now())).toEqual([true])
        },
      ),
    )
  })

  it('when many are wanted for one lane and minute, then one schedule is made, whose run waits for all of them', async () => {
    const { asked, wake } = given()
    for (const second of [0, 1, 30, 59]) await wake(work, START + 10 * MINUTE + second * 1_000)
    expect(asked).toHaveLength(1)
    expect(runOf(asked[0] as Input).wokenFor).toBeGreaterThan(START + 10 * MINUTE + 59_000)
  })

  it('when the minute, the lane or the duty is another, then so is the schedule', async () => {
    const { asked, wake } = given()
    const dueAt = START + 10 * MINUTE
    await wake(work, dueAt)
    await wake(work, dueAt + MINUTE)
    await wake(other, dueAt)
    await wake({ ...work, duty: 'release' }, dueAt)
    const minute = minuteOf(dueAt) - 1
    expect(asked.map(({ Name }) => Name)).toEqual([
      `push-subsc-a-${minute}`,
      `push-subsc-a-${minute + 1}`,
      `push-subsc-b-${minute}`,
      `release-subsc-a-${minute}`,
    ])
    expect(runOf(asked[2] as Input).work).toEqual(other)
  })

  it('when another process has made the schedule, then that is as good, and it is not asked for again', async () => {
    const conflict = new ConflictException({ message: 'it is there', Message: 'it is there', $metadata: {} })
    const { asked, wake } = given([conflict])
    await wake(work, START + 10 * MINUTE)
    await wake(work, START + 10 * MINUTE)
    expect(asked).toHaveLength(1)
  })

  it('when EventBridge refuses, then the caller hears of it, and the next one asks again', async () => {
    const { asked, wake } = given([new Error('too many schedules')])
    await expect(wake(work, START + 10 * MINUTE)).rejects.toThrow('too many schedules')
    await wake(work, START + 10 * MINUTE)
    expect(asked).toHaveLength(2)
  })

  it('when its minute has begun, then its run may be over, so that another one is made, once a second', async () => {
    const { clock, asked, wake } = given()
    const dueAt = START + 11 * MINUTE
    await wake(work, dueAt)
    clock.set(dueAt - MINUTE + 5_000)
    await wake(work, dueAt)
    await wake(work, dueAt + 1)
    await clock.advance(20_000)
    await wake(work, dueAt)
    expect(new Set(asked.map(({ Name }) => Name)).size).toBe(3)
    expect(asked.map((input) => timeOf(input) - dueAt)).toEqual([-MINUTE, -MINUTE + 6_000, -MINUTE + 26_000])
    expect(asked.map((input) => runOf(input).wokenFor)).toEqual(Array(3).fill(dueAt + MINUTE))
  })

  it('when more schedules were made than are remembered, then one may be asked for again', async () => {
    const { asked, wake } = given()
    for (let minute = 10; minute < 10_010; minute++) await wake(work, START + minute * MINUTE)
    expect(asked).toHaveLength(10_000)
    await wake(work, START + 10_010 * MINUTE)
    await wake(work, START + 10 * MINUTE)
    expect(asked).toHaveLength(10_002)
  })

  it('when a lane has the longest name, then the schedule may have it', async () => {
    const { asked, wake } = given()
    await wake({ ...work, duty: 'release', laneId: 'topic-abcdefgh' }, START + 10 * MINUTE)
    await wake({ ...work, duty: 'release', laneId: 'topic-abcdefgh' }, START)
    expect(asked).toHaveLength(2)
    for (const { Name } of asked) expect(Name).toMatch(/^[0-9a-zA-Z-_.]{1,64}$/)
  })
})

describe('given wake-ups by timers', () => {
  function given() {
    const clock = manualClock()
    const ended = new AbortController()
    const runs: { run: Run; at: number }[] = []
    const start = (run: Run) => Promise.resolve(void runs.push({ run, at: clock.now() - START }))
    return { clock, ended, runs, ...timedWakeUps(clock, start, ended.signal) }
  }

  it('when one is wanted, then the run comes at its very millisecond', async () => {
    const { clock, runs, wake } = given()
    await wake(work, START + 130_001)
    await clock.advance(130_000)
    expect(runs).toEqual([])
    await clock.advance(1)
    expect(runs).toEqual([{ run: { work }, at: 130_001 }])
  })

  it('when the same is wanted again, then it comes once; afterwards it may be wanted anew', async () => {
    const { clock, runs, wake } = given()
    for (let times = 0; times < 3; times++) await wake(work, START + 1_000)
    await wake(other, START + 1_000)
    await wake(work, START + 2_000)
    await clock.advance(5_000)
    expect(runs.map(({ run, at }) => [run.work.laneId, at])).toEqual([
      ['subsc-a', 1_000],
      ['subsc-b', 1_000],
      ['subsc-a', 2_000],
    ])
    await wake(work, START + 1_000)
    await clock.advance(0)
    expect(runs).toHaveLength(4)
  })

  it('when it is due in more than a day, then the run comes after a day, to have itself woken again', async () => {
    const { clock, runs, wake } = given()
    await wake(work, START + 30 * 86_400_000)
    await clock.advance(86_400_000)
    expect(runs.map(({ at }) => at)).toEqual([86_400_000])
  })

  it('when all ends, then no timer is left and nothing runs', async () => {
    const { clock, ended, runs, wake } = given()
    await wake(work, START + 1_000)
    await wake(other, START + 9_000)
    ended.abort()
    await clock.advance(10_000)
    expect([clock.sleepers, runs]).toEqual([0, []])
    await wake(work, START + 20_000)
    await clock.advance(20_000)
    expect(runs).toEqual([])
  })
})
