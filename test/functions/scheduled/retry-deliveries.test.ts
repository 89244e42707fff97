import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { logger } from '../../../functions/logger.ts'
import { handler } from '../../../functions/scheduled/retry-deliveries.ts'
import { newDelivery } from '../../../lib/domain/delivery.ts'
import { ONLY_ACCOUNT } from '../../../lib/names.ts'
import type { Work } from '../../../lib/store/work.ts'
import { testEngine } from '../../support/engine.ts'
import { injectFaults } from '../../support/faults.ts'
import { newWorld, pushWork, type World } from '../../support/worker.ts'

let engine: Awaited<ReturnType<typeof testEngine>>
beforeAll(async () => {
  engine = await testEngine()
})
afterAll(() => engine.stop())
afterEach(() => vi.restoreAllMocks())

const given = () => newWorld(engine.endpoint)

const workOf = (laneId: string): Work => ({ duty: 'push', laneId, within: 'topic-a', name: laneId })

/** Notes lanes, and stores a delivery in each, as publishers do that die before they call anybody. */
async function leave({ admin, clock }: World, ...laneIds: string[]): Promise<void> {
  const { workList, deliveries, ids } = admin.services
  await workList.note(laneIds.map(workOf), clock.now())
  const delivery = () =>
    newDelivery(
      { id: ids.messageId(clock.now()), labels: { tags: [], routingKey: '' }, body: { text: 'm' } },
      clock.now(),
    )
  await deliveries.add(laneIds.map((laneId) => ({ laneId, delivery: delivery() })))
}

const cast = (world: World) => world.run({}, { handler })
const started = ({ starts }: World) => starts.map(({ laneId }) => laneId).toSorted()

/** What one beat has said in the log. */
function loggedBy(level: 'info' | 'error') {
  const spy = vi.spyOn(logger, level).mockImplementation(() => undefined)
  return (text: string) => spy.mock.calls.flatMap(([line, details]) => (line === text ? [details as object] : []))
}

describe('given lanes that were left behind', () => {
  it('when the net is cast, then a run is started for each of them, with all that it needs', async () => {
    const infos = loggedBy('info')
    const world = await given()
    await leave(world, 'a', 'b', 'c')
    await cast(world)
    expect(world.starts.toSorted((x, y) => (x.laneId < y.laneId ? -1 : 1))).toEqual(['a', 'b', 'c'].map(workOf))
    expect(infos('retry-deliveries')).toMatchObject([{ started: 3 }])
  })

  it('when there are a hundred, then all are started', async () => {
    const world = await given()
    const lanes = Array.from({ length: 100 }, (_, index) => `lane-${index}`)
    await leave(world, ...lanes)
    await cast(world)
    expect(started(world)).toEqual(lanes.toSorted())
  })

  it('when one of the starts is refused, then that is logged, the others are made, and it is made up for', async () => {
    const errors = loggedBy('error')
    const world = await given()
    await leave(world, 'a', 'b', 'c')
    const { services } = world.pusher
    let refusals = 1
    const start = (work: Work) =>
      work.laneId === 'b' && refusals-- > 0 ? Promise.reject(new Error('no function')) : services.start(work)
    const by = { ...world.pusher, worker: { ...world.pusher.worker, start } }
    await world.run({}, { handler, by })
    expect(started(world)).toEqual(['a', 'c'])
    expect(errors('a run could not be started')).toMatchObject([{ lane: 'b' }])
    await world.run({}, { handler, by })
    expect(started(world)).toContain('b')
    expect(world.failures).toEqual([])
  })

  it('when the list cannot be read, then the beat fails, and the next one makes up for it', async () => {
    const world = await given()
    await leave(world, 'a')
    let isBroken = true
    world.pusher = await world.process({
      prepare: (client) =>
        injectFaults(client, ({ command }) => (isBroken && command === 'QueryCommand' ? 'throttled' : undefined)),
    })
    const failing = cast(world)
    await world.clock.advance(10_000)
    await failing
    expect(world.failures).toMatchObject([{ message: 'too much' }])
    isBroken = false
    await cast(world)
    expect(started(world)).toEqual(['a'])
  })
})

describe('given lanes that somebody looks after, or that hold nothing', () => {
  it('when the net is cast, then nothing is started for them, but for what is due before anybody is back', async () => {
    const world = await given()
    const { workList } = world.admin.services
    const { services } = await world.process()
    await leave(world, 'held', 'due', 'full', 'left')
    await workList.note([workOf('empty')], world.clock.now())
    await services.workList.take('held', 'lease')
    const nextDueAt = world.clock.now() + 500_000
    for (const [laneId, isFull] of [
      ['due', false],
      ['resting', false],
      ['full', true],
    ] as const) {
      const lease = await services.workList.take(laneId, 'lease')
      if ('leaseId' in lease) await services.workList.letGo(laneId, lease, { isFull, nextDueAt })
    }
    await workList.note([workOf('resting')], nextDueAt)
    await cast(world)
    expect(started(world)).toEqual(['due', 'left'])
  })

  it('when who looked after them does not come, then they are started within a beat', async () => {
    const world = await given()
    const { services } = await world.process()
    await leave(world, 'held', 'resting')
    await services.workList.take('held', 'lease')
    const lease = await services.workList.take('resting', 'lease')
    const nextDueAt = world.clock.now() + 500_000
    if ('leaseId' in lease) await services.workList.letGo('resting', lease, { isFull: true, nextDueAt })
    await world.clock.advance(30_000)
    await cast(world)
    expect(started(world)).toEqual(['held'])
    world.clock.set(nextDueAt)
    await cast(world)
    expect(started(world)).toEqual(['held', 'held', 'resting'])
  })

  it("when there are delayed publications, then they are another's business", async () => {
    const world = await given()
    await world.subscribe()
    world.luck.starts = 'lost'
    await world.publish('hello', { delaySeconds: 1 })
    const before = world.starts.length
    await world.clock.advance(5_000)
    await cast(world)
    expect(world.starts).toHaveLength(before)
  })
})

describe('given a lane whose subscription is gone', () => {
  it('when the net is cast, then one run is started, finds that, and no other is', async () => {
    const world = await given()
    const subscription = await world.subscribe()
    world.luck.starts = 'lost'
    await world.publish('hello')
    world.luck.starts = 'made'
    await world.admin.ask('Unsubscribe', { topicName: 'news', subscriptionName: 'mail' })
    await world.clock.advance(2_000)
    for (let beat = 0; beat < 3; beat++) {
      world.starts.length = 0
      await cast(world)
      expect(world.starts).toEqual(beat === 0 ? [pushWork(subscription)] : [])
      await world.happen()
      await world.clock.advance(60_000)
    }
    expect(world.pushes).toEqual([])
  })

  it('when its topic is gone too, then that is as well', async () => {
    const world = await given()
    await world.subscribe()
    world.luck.starts = 'lost'
    await world.publish('hello')
    world.luck.starts = 'made'
    await world.admin.ask('Unsubscribe', { topicName: 'news', subscriptionName: 'mail' })
    await world.admin.ask('DeleteTopic', { topicName: 'news' })
    await expect(world.admin.services.topics.read(ONLY_ACCOUNT, 'news')).rejects.toThrow()
    await world.clock.advance(2_000)
    await cast(world)
    await world.happen()
    expect([world.pushes, world.failures, await world.admin.services.workList.left('push')]).toEqual([[], [], []])
  })
})
