import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { logger } from '../../functions/logger.ts'
import { measured, messagesOf, overdueSince } from '../../functions/metrics.ts'
import { handler as releaseDelayed } from '../../functions/scheduled/release-delayed.ts'
import { handler as retryDeliveries } from '../../functions/scheduled/retry-deliveries.ts'
import { metricsVariable } from '../../lib/names.ts'
import { testEngine } from '../support/engine.ts'
import { newWorld } from '../support/worker.ts'

afterEach(() => {
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
})

describe('given nobody who asked for metrics', () => {
  it('when something is measured, then the line stays as it is', () => {
    expect(measured(1_000, { values: { messagesIn: 1 } })).toEqual({})
  })
})

describe('given a namespace', () => {
  beforeEach(() => vi.stubEnv(metricsVariable, 'CMQ/cmq'))

  it('when a line has values together and by a dimension, then it has all of them, and says which are metrics', () => {
    const line = measured(
      1_000,
      { values: { milliseconds: 12 }, by: { action: 'SendMessage' } },
      { values: { messagesIn: 1 } },
      { values: {} },
      { values: { refused: 1 }, by: { refusal: '4440' } },
    )
    const milliseconds = [{ Name: 'milliseconds', Unit: 'Milliseconds' }]
    expect(line).toEqual({
      milliseconds: 12,
      action: 'SendMessage',
      messagesIn: 1,
      refused: 1,
      refusal: '4440',
      _aws: {
        Timestamp: 1_000,
        CloudWatchMetrics: [
          { Namespace: 'CMQ/cmq', Dimensions: [['action']], Metrics: milliseconds },
          { Namespace: 'CMQ/cmq', Dimensions: [[]], Metrics: [{ Name: 'messagesIn', Unit: 'Count' }] },
          { Namespace: 'CMQ/cmq', Dimensions: [['refusal']], Metrics: [{ Name: 'refused', Unit: 'Count' }] },
        ],
      },
    })
  })

  it('when there is nothing to measure, then the line stays as it is', () => {
    expect(measured(1_000, { values: {} }, messagesOf({}))).toEqual({})
  })

  it.each([
    ['for a minute and a half', 10_000, 100_000, 90],
    ['for no time', 100_000, 100_000, 0],
    ['since a clock that is ahead', 100_001, 100_000, 0],
  ])('when something has been due %s, then that is told in seconds', (_how, oldest, now, overdue) => {
    expect(overdueSince(oldest, now)).toMatchObject({ overdue })
  })
})

describe('the messages that an answer tells of', () => {
  const received = { msgId: 'a', receiptHandle: 'h', msgBody: 'x' }

  it.each([
    ['a send', { msgId: 'a' }, { messagesIn: 1 }],
    ['a batch of sends', { msgList: [{ msgId: 'a' }, { msgId: 'b' }] }, { messagesIn: 2 }],
    ['a receive', received, { messagesOut: 1 }],
    ['a batch of receives', { msgInfoList: [received, received, received] }, { messagesOut: 3 }],
    ['a deletion', {}, {}],
    ['a list of queues', { totalCount: 1, queueList: [{ queueId: 'q', queueName: 'orders' }] }, {}],
  ])('of %s', (_what, answer, values) => {
    expect(messagesOf(answer)).toEqual({ values })
  })
})

describe('given functions that count', () => {
  let engine: Awaited<ReturnType<typeof testEngine>>
  beforeAll(async () => {
    engine = await testEngine()
  })
  afterAll(() => engine.stop())
  beforeEach(() => vi.stubEnv(metricsVariable, 'CMQ/cmq'))

  /** What is told as metrics from now on: each line's members that are one, with the values that they are told by. */
  function told() {
    const levels = (['info', 'warn'] as const).map((level) =>
      vi.spyOn(logger, level).mockImplementation(() => undefined),
    )
    return () => levels.flatMap((spy) => spy.mock.calls.flatMap(([, line]) => metricsIn(line as Line)))
  }

  it('when actions are asked for, then they are told as CMQ spells them, and what is no action is not', async () => {
    const { publisher } = await newWorld(engine.endpoint)
    const metrics = told()
    await publisher.ask('createQUEUE', { queueName: 'orders' })
    await publisher.ask('SendMessage', { queueName: 'orders', msgBody: 'x' })
    await publisher.ask('ReceiveMessage', { queueName: 'orders' })
    await publisher.ask('MadeUp1', {})
    await publisher.ask('ListQueue', {}, { secretKey: 'wrong' })
    expect(metrics()).toEqual([
      { milliseconds: 0, action: 'CreateQueue' },
      { milliseconds: 0, action: 'SendMessage' },
      { messagesIn: 1 },
      { milliseconds: 0, action: 'ReceiveMessage' },
      { messagesOut: 1 },
      { refused: 1, refusal: '4000' },
      { milliseconds: 0, action: 'ListQueue' },
      { refused: 1, refusal: '4100' },
    ])
  })

  it('when pushes fail, are retried and are given up, then each is told', async () => {
    const answer = () => ({ status: 500, after: 5 })
    const world = await newWorld(engine.endpoint, { isLive: true, answer, wakeUps: 'timers' })
    await world.subscribe('mail', { NotifyStrategy: 'BACKOFF_RETRY' })
    const metrics = told()
    await world.publish('hello')
    await world.clock.advance(120_000)
    const pushed = { milliseconds: 5, action: 'Push' }
    const all = metrics().filter(({ action }) => action !== 'PublishMessage')
    expect(all).toHaveLength(4 + 4 + 1 + 1)
    expect(all.filter(({ action }) => action === 'Push')).toEqual(Array(4).fill(pushed))
    const others = all.filter(({ action }) => action === undefined)
    expect(others).toEqual(
      expect.arrayContaining([{ messagesIn: 1 }, { failed: 1 }, { retries: 1, failed: 1 }, { dropped: 1 }]),
    )
  })

  it('when a run was lost, then what is left behind is told as overdue, and nothing is when it is not', async () => {
    const world = await newWorld(engine.endpoint)
    await world.subscribe()
    await world.publish('hello')
    await world.publish('later', { delaySeconds: 10 })
    const metrics = told()
    await world.clock.advance(100_000)
    await world.run({}, { handler: retryDeliveries })
    await world.run({}, { handler: releaseDelayed })
    expect(metrics()).toEqual(expect.arrayContaining([{ overdue: 100 }, { overdue: 90 }]))
    await world.happen()
    await world.run({}, { handler: retryDeliveries })
    await world.run({}, { handler: releaseDelayed })
    expect(metrics().slice(-2)).toEqual([{ overdue: 0 }, { overdue: 0 }])
  })
})

type Line = Readonly<Record<string, unknown>> & {
  readonly _aws?: { readonly CloudWatchMetrics: readonly { Dimensions: [string[]]; Metrics: { Name: string }[] }[] }
}

const metricsIn = (line: Line) =>
  (line._aws?.CloudWatchMetrics ?? []).map(({ Dimensions: [dimensions], Metrics }) =>
    Object.fromEntries([...Metrics.map(({ Name }) => Name), ...dimensions].map((name) => [name, line[name]])),
  )
