import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { localWorker, type LocalWorker } from '../../functions/local-worker.ts'
import { logger } from '../../functions/logger.ts'
import type { Services } from '../../functions/services.ts'
import type { Settings } from '../../functions/settings.ts'
import { ONLY_ACCOUNT } from '../../lib/names.ts'
import type { Attempt, Poster } from '../../lib/push/post.ts'
import type { Start } from '../../lib/starts.ts'
import { metered, noUsage } from '../../lib/store/meter.ts'
import { manualClock, type ManualClock } from '../support/clock.ts'
import { testEngine } from '../support/engine.ts'
import { injectFaults, type Fault, type SeenCall } from '../support/faults.ts'
import { asker, newTables, testServices, type Ask } from '../support/service.ts'

let engine: Awaited<ReturnType<typeof testEngine>>
beforeAll(async () => {
  engine = await testEngine()
})
afterAll(() => engine.stop())

const workers: LocalWorker[] = []
afterEach(async () => {
  vi.restoreAllMocks()
  await Promise.all(workers.splice(0).map((worker) => worker.end()))
})

interface Server {
  readonly worker: LocalWorker
  readonly services: Services
  readonly ask: Ask
}

interface Options {
  readonly settings?: Partial<Settings>
  readonly decide?: (call: SeenCall) => Fault | undefined
}

interface Setting {
  readonly clock: ManualClock
  /** When each attempt began, in milliseconds from the start, and what came of it. */
  readonly attempts: { at: number; outcome?: string }[]
  /** The status of the next attempts, and how long each takes. */
  reply: { status: number; after: number }
  /** Starts a server over the same data. */
  serve(options?: Options): Promise<Server>
}

async function given(): Promise<Setting> {
  const clock = manualClock()
  clock.set(clock.now() + 137)
  const start = clock.now()
  const tableNames = await newTables(engine.endpoint)
  const setting: Setting = {
    clock,
    attempts: [],
    reply: { status: 200, after: 0 },

    async serve({ settings = {}, decide = () => undefined } = {}) {
      const closed = new AbortController()
      const sites: Poster = {
        close: () => closed.abort(),
        async post(_, __, signal): Promise<Attempt> {
          const attempt: Setting['attempts'][number] = { at: clock.now() - start }
          setting.attempts.push(attempt)
          const { status, after } = setting.reply
          const ending = AbortSignal.any([closed.signal, ...(signal ? [signal] : [])])
          await clock.sleep(after, ending)
          attempt.outcome = ending.aborted ? 'stopped' : String(status)
          return { isDelivered: attempt.outcome === '200', outcome: attempt.outcome, milliseconds: after }
        },
      }
      let begin: Start = () => Promise.resolve()
      const services = await testServices({
        endpoint: engine.endpoint,
        tableNames,
        clock,
        isAlone: true,
        settings,
        start: (work) => begin(work),
        prepare: (client) => injectFaults(client, decide),
      })
      const worker = localWorker((start) => {
        begin = start
        return services
      }, sites)
      workers.push(worker)
      return { worker, services, ask: asker(services) }
    },
  }
  return setting
}

async function subscribe({ ask, services }: Server): Promise<string> {
  await ask('CreateTopic', { topicName: 'news' })
  const web = { protocol: 'http', endpoint: 'http://example.com/hook' }
  await ask('Subscribe', { topicName: 'news', subscriptionName: 'mail', ...web })
  const { id } = await services.topics.read(ONLY_ACCOUNT, 'news')
  return (await services.subscriptions.read(id, 'mail')).id
}

const publish = ({ ask }: Server, sent: Record<string, string | number> = {}) =>
  ask('PublishMessage', { topicName: 'news', msgBody: 'hello', ...sent })

describe('given a server', () => {
  it('when something is published, then it is pushed at once', async () => {
    const { clock, attempts, serve } = await given()
    const server = await serve()
    await subscribe(server)
    await clock.advance(3_210)
    await publish(server)
    await clock.advance(0)
    expect(attempts).toEqual([{ at: 3_210, outcome: '200' }])
  })

  it('when a push fails, then it is retried at the very millisecond, whether that is waited for or woken for', async () => {
    const setting = await given()
    const { clock, attempts } = setting
    setting.reply = { status: 500, after: 50 }
    const server = await setting.serve({ settings: { longestPause: 3 } })
    await subscribe(server)
    await publish(server)
    await clock.advance(32_000)
    expect(attempts.map(({ at }) => at)).toEqual([0, 1_050, 3_100, 7_150, 15_200, 31_250])
  })

  it('when a publication has a delay, then it is pushed at the very millisecond', async () => {
    const { clock, attempts, serve } = await given()
    const server = await serve({ settings: { longestPause: 5 } })
    await subscribe(server)
    await publish(server, { delaySeconds: 3 })
    await publish(server, { delaySeconds: 25 })
    await clock.advance(25_000)
    expect(attempts.map(({ at }) => at)).toEqual([3_000, 25_000])
  })

  it("when a publish starts a run, then what that consumes is not counted as the publish's", async () => {
    const { clock, attempts, serve } = await given()
    const server = await serve()
    await subscribe(server)
    const usage = noUsage()
    await metered(usage, () => publish(server))
    await clock.advance(0)
    expect(attempts).toHaveLength(1)
    // The topic, its subscriptions and the mark are read; a note, a delivery and a call are written.
    expect(usage).toEqual({ readUnits: 3, writeUnits: 3, calls: 6 })
  })
})

describe('given what a server before left', () => {
  it('when it was killed in the middle of a push, then the next one pushes at once, whatever the leases say', async () => {
    const setting = await given()
    const { clock, attempts } = setting
    setting.reply = { status: 200, after: 12_000 }
    const killed = await setting.serve()
    await subscribe(killed)
    await publish(killed)
    await clock.advance(5_000)
    setting.reply = { status: 200, after: 0 }
    await setting.serve()
    await clock.advance(0)
    expect(attempts).toEqual([{ at: 0 }, { at: 5_000, outcome: '200' }])
  })

  it('when it was killed while all rested, then the next one has itself woken, and retries when it is due', async () => {
    const setting = await given()
    const { clock, attempts } = setting
    setting.reply = { status: 500, after: 0 }
    const killed = await setting.serve({ settings: { longestPause: 1 } })
    await subscribe(killed)
    await publish(killed)
    await clock.advance(16_000)
    await killed.worker.end()
    await clock.advance(5_000)
    const before = attempts.length
    setting.reply = { status: 200, after: 0 }
    await setting.serve({ settings: { longestPause: 1 } })
    await clock.advance(60_000)
    expect(attempts.slice(before)).toEqual([{ at: 31_000, outcome: '200' }])
  })

  it('when delayed publications became due meanwhile, then they are released at once', async () => {
    const { clock, attempts, serve } = await given()
    const killed = await serve()
    await subscribe(killed)
    await publish(killed, { delaySeconds: 60 })
    await killed.worker.end()
    await clock.advance(100_000)
    await serve()
    await clock.advance(0)
    expect(attempts).toEqual([{ at: 100_000, outcome: '200' }])
  })
})

describe('given a run that fails', () => {
  it('when the store is well again, then the net makes up for it within ten seconds', async () => {
    const errors = vi.spyOn(logger, 'error').mockImplementation(() => undefined)
    const setting = await given()
    const { clock, attempts } = setting
    let isBroken = false
    const isLook = ({ command, input }: SeenCall) =>
      command === 'QueryCommand' && JSON.stringify(input).includes('"ConsistentRead":true,"Limit"')
    const decide = (call: SeenCall) =>
      isBroken && (isLook(call) || JSON.stringify(call.input).includes(':lane')) ? 'throttled' : undefined
    const server = await setting.serve({ decide })
    await subscribe(server)
    isBroken = true
    await publish(server)
    await clock.advance(8_000)
    expect(attempts).toEqual([])
    expect(errors.mock.calls.map(([text]) => text)).toContain('a run has failed')
    isBroken = false
    await clock.advance(10_000)
    expect(attempts).toMatchObject([{ outcome: '200' }])
  })
})

describe('given a server that ends', () => {
  it('when it pushes, then it stops, lets go and has ended at once; the delivery is as it was', async () => {
    const setting = await given()
    const { clock, attempts } = setting
    setting.reply = { status: 200, after: 14_000 }
    const server = await setting.serve()
    const laneId = await subscribe(server)
    await publish(server)
    await clock.advance(2_000)
    await server.worker.end()
    expect(attempts).toEqual([{ at: 0, outcome: 'stopped' }])
    const { deliveries } = await server.services.deliveries.first(laneId, 10)
    expect(deliveries).toMatchObject([{ attempt: 0 }])
    expect(await server.services.workList.take(laneId, 'next')).toHaveProperty('leaseId')
  })

  it('when it has ended, then nothing is left that waits, and nothing can be started', async () => {
    const setting = await given()
    const { clock, attempts } = setting
    setting.reply = { status: 500, after: 0 }
    const server = await setting.serve({ settings: { longestPause: 1 } })
    await subscribe(server)
    await publish(server)
    await publish(server, { delaySeconds: 600 })
    await clock.advance(4_000)
    const before = attempts.length
    await server.worker.end()
    expect(clock.sleepers).toBe(0)
    await publish(server)
    await clock.advance(100_000)
    expect([attempts.length, clock.sleepers]).toEqual([before, 0])
  })

  it('when runs are cut off by its end, then they have nothing to report', async () => {
    const errors = vi.spyOn(logger, 'error').mockImplementation(() => undefined)
    const setting = await given()
    let isBroken = false
    const server = await setting.serve({ decide: () => (isBroken ? 'throttled' : undefined) })
    await subscribe(server)
    await publish(server)
    isBroken = true
    const ended = server.worker.end()
    await setting.clock.advance(20_000)
    await ended
    expect(errors.mock.calls.map(([text]) => text)).not.toContain('a run has failed')
  })
})
