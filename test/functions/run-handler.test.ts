import { GetItemCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { logger } from '../../functions/logger.ts'
import { runHandler, type RunInvocation } from '../../functions/run-handler.ts'
import type { Worker } from '../../functions/worker.ts'
import { ONLY_ACCOUNT } from '../../lib/names.ts'
import type { RunBounds } from '../../lib/push/shift.ts'
import type { Run, Work } from '../../lib/store/work.ts'
import { patientClient, testEngine } from '../support/engine.ts'
import { newWorld, pushWork, type World } from '../support/worker.ts'

let engine: Awaited<ReturnType<typeof testEngine>>
let world: World
beforeAll(async () => {
  engine = await testEngine()
})
afterAll(() => engine.stop())
beforeEach(async () => {
  world = await newWorld(engine.endpoint, { settings: { longestPause: 77 } })
})
afterEach(() => vi.restoreAllMocks())

const work: Work = { duty: 'push', laneId: 'subsc-a', within: 'topic-a', name: 'mail' }

/** What is logged from now on. */
function logged(level: 'info' | 'error') {
  const spy = vi.spyOn(logger, level).mockImplementation(() => undefined)
  return () => spy.mock.calls
}

/** Runs a handler that is called `work`, over the worker of this test. */
function run(
  act: (event: Partial<Run>, worker: Worker, bounds: RunBounds) => Promise<object>,
  { event = {}, ...invocation }: Partial<RunInvocation> & { event?: Partial<Run> } = {},
) {
  const undeployed = () => {
    throw new Error('nothing is deployed')
  }
  const handler = runHandler<Worker>('work', undeployed, act)
  return handler(event, { awsRequestId: 'id-1', worker: world.pusher.worker, ...invocation })
}

describe('given a run that succeeds', () => {
  it('when it has ended, then one line says how long it took, what it consumed and what came of it', async () => {
    const infos = logged('info')
    await run(async (_, { topics, clock }) => {
      await topics.read(ONLY_ACCOUNT, 'news')
      world.clock.set(clock.now() + 1_234)
      return { pushed: 3 }
    })
    expect(infos()).toEqual([
      ['work', { requestId: 'id-1', milliseconds: 1_234, readUnits: 1, writeUnits: 0, calls: 1, pushed: 3 }],
    ])
  })

  it('when two run at once in one process, then each tells what it has consumed itself', async () => {
    const infos = logged('info')
    const reading = (times: number) =>
      run(async (_, { topics }) => {
        for (let time = 0; time < times; time++) await topics.read(ONLY_ACCOUNT, 'news')
        return { times }
      })
    await Promise.all([reading(1), reading(5), reading(3)])
    const lines = infos().map(
      ([, details]) => details as unknown as { times: number; calls: number; readUnits: number },
    )
    expect(lines).toHaveLength(3)
    for (const { times, calls, readUnits } of lines) expect([calls, readUnits]).toEqual([times, times])
  })
})

describe('given a run that fails', () => {
  it('when it has ended, then the failure is logged, and thrown so that whoever started it may try again', async () => {
    const [errors, infos] = [logged('error'), logged('info')]
    const error = new Error('the table is gone')
    await expect(run(() => Promise.reject(error))).rejects.toThrow(error)
    expect(errors()).toEqual([['unexpected failure', { error, run: 'work', requestId: 'id-1' }]])
    expect(infos()).toEqual([])
  })
})

describe('given the bounds of a run', () => {
  async function boundsOf(invocation: Partial<RunInvocation> & { event?: Partial<Run> } = {}): Promise<RunBounds> {
    let found: RunBounds | undefined
    await run((_, __, bounds) => {
      found = bounds
      return Promise.resolve({})
    }, invocation)
    if (!found) throw new Error('it has not run')
    return found
  }

  it('when a function has so much time left, then nothing begins in the last 20 s of it', async () => {
    const { endBy } = await boundsOf({ getRemainingTimeInMillis: () => 899_500 })
    expect(endBy).toBe(world.clock.now() + 879_500)
  })

  it('when nobody tells how much time is left, then there is no end', async () => {
    expect((await boundsOf()).endBy).toBe(Infinity)
  })

  it('when a pause is set as the longest, then longer ones are not waited for', async () => {
    expect((await boundsOf()).longestWait).toBe(77_000)
  })

  it('when it was woken for something, then it knows until when to wait for that', async () => {
    expect((await boundsOf({ event: { work, wokenFor: 99 } })).wokenFor).toBe(99)
    expect(await boundsOf({ event: { work } })).not.toHaveProperty('wokenFor')
  })

  it('when whoever runs it wants it to let go, then it hears of that', async () => {
    const ending = new AbortController()
    const { signal } = await boundsOf({ signal: ending.signal })
    ending.abort()
    expect(signal.aborted).toBe(true)
    expect((await boundsOf()).signal.aborted).toBe(false)
  })
})

describe('given a run without a worker of its own', () => {
  it('when it is invoked, then it gets what is deployed, and its own invocation made that', async () => {
    const worker = world.pusher.worker
    const invocations: RunInvocation[] = []
    const deployed = (invocation: RunInvocation) => {
      invocations.push(invocation)
      return worker
    }
    let found: Worker | undefined
    const handler = runHandler<Worker>('work', deployed, (_, given) => {
      found = given
      return Promise.resolve({})
    })
    await handler({}, { awsRequestId: 'id-1', invokedFunctionArn: 'arn:push' })
    expect(found).toBe(worker)
    expect(invocations).toMatchObject([{ invokedFunctionArn: 'arn:push' }])
  })
})

describe('given a wake-up that cannot be made', () => {
  it('when a run wants one, then that is logged, and the run goes on to let go of its lane', async () => {
    const errors = logged('error')
    const subscription = await world.subscribe()
    world.luck.schedules = 'refused'
    world.answer = () => ({ status: 500 })
    await world.publish('hello')
    const [delivery] = await world.left(subscription)
    if (!delivery) throw new Error('nothing was stored')
    const dueAt = world.clock.now() + 78_000
    await world.admin.services.deliveries.postpone(subscription.id, delivery, { ...delivery, attempt: 7, dueAt })
    await world.run({ work: pushWork(subscription) })
    expect(errors()).toMatchObject([['no wake-up could be made', { lane: subscription.id, dueAt }]])
    const Key = { pk: { S: `work#${subscription.id}` }, sk: { S: 'mark' } }
    const client = patientClient(engine.endpoint)
    const { Item = {} } = await client.send(new GetItemCommand({ TableName: world.tableNames.registry, Key }))
    expect(Item).not.toHaveProperty('leaseId')
    expect(world.failures).toEqual([])
  })
})
