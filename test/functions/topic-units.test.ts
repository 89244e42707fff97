import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { logger } from '../../functions/logger.ts'
import { handler as retryDeliveries } from '../../functions/scheduled/retry-deliveries.ts'
import { handler as releaseDelayed } from '../../functions/scheduled/release-delayed.ts'
import type { Subscription } from '../../lib/domain/subscription.ts'
import { ONLY_ACCOUNT } from '../../lib/names.ts'
import { metered, noUsage, type Usage } from '../../lib/store/meter.ts'
import { whilePassing } from '../support/clock.ts'
import { testEngine } from '../support/engine.ts'
import { newWorld, pushWork, type World } from '../support/worker.ts'

/**
 * What publishing and pushing cost: capacity units and round trips. These are promises of ARCHITECTURE.md. Records of topics,
 * subscriptions and queues, which are read once a second at most, are in the cache unless a test says otherwise.
 */

let engine: Awaited<ReturnType<typeof testEngine>>
beforeAll(async () => {
  engine = await testEngine()
})
afterAll(() => engine.stop())
afterEach(() => vi.restoreAllMocks())

const small = 'x'.repeat(256)
const large = 'x'.repeat(65_536)
const units = (writeUnits: number, readUnits: number, calls: number): Usage => ({ writeUnits, readUnits, calls })
const batchOf = (body: string) =>
  Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`msgBody.${index}`, body]))

/** A topic with so many queues and web servers. */
async function given({ queues = 0, webs = 0 }: { queues?: number; webs?: number }) {
  const world = await newWorld(engine.endpoint)
  const subscriptions: Subscription[] = []
  for (let index = 0; index < queues; index++) {
    await world.admin.ask('CreateQueue', { queueName: `queue${index}` })
    subscriptions.push(await world.subscribe(`queue${index}`, { protocol: 'queue', endpoint: `queue${index}` }))
  }
  for (let index = 0; index < webs; index++) subscriptions.push(await world.subscribe(`web${index}`))
  const { services } = world.publisher

  /** Reads what a publish a moment ago has read. */
  async function readRecords() {
    const { id } = await services.topics.get(ONLY_ACCOUNT, 'news')
    for (const { protocol, endpoint } of await services.subscriptions.of(id))
      if (protocol === 'queue') await services.queues.get(ONLY_ACCOUNT, endpoint)
  }
  async function measure(action: string, sent: Record<string, string | number> = {}): Promise<Usage> {
    await readRecords()
    const usage = noUsage()
    const { code } = await metered(usage, () => world.publisher.ask(action, { topicName: 'news', ...sent }))
    expect(code).toBe(0)
    return usage
  }
  const [only] = subscriptions
  if (!only) throw new Error('nobody subscribes')
  return {
    world,
    only,
    publish: (msgBody: string, sent = {}) => measure('PublishMessage', { msgBody, ...sent }),
    publishBatch: (body: string) => measure('BatchPublishMessage', batchOf(body)),
    /** Has somebody work through a lane, who does nothing. */
    hold: ({ id }: Subscription) => world.admin.services.workList.take(id, 'held'),
  }
}

describe('given a topic with queues', () => {
  it.each([
    ['one', 1, small, units(1, 0, 1)],
    ['three', 3, small, units(3, 0, 1)],
    // The body is stored once, in 65 units, for however many copies.
    ['one', 1, large, units(66, 0, 2)],
    ['three', 3, large, units(68, 0, 2)],
  ])('when a message is published to %s (%d), then it costs what its copies do', async (_, queues, body, expected) => {
    const { publish } = await given({ queues })
    expect(await publish(body)).toEqual(expected)
  })

  it('when 16 messages are published to one, then that is one unit each, in one round trip', async () => {
    const { publishBatch } = await given({ queues: 1 })
    expect(await publishBatch(small)).toEqual(units(16, 0, 1))
  })

  it('when 16 messages are published to three, then that is one unit a copy, 25 copies a round trip', async () => {
    const { publishBatch } = await given({ queues: 3 })
    expect(await publishBatch(small)).toEqual(units(48, 0, 2))
  })

  it('when nothing was read for a second, then the topic, its subscriptions and each queue are a read unit', async () => {
    const { world, publish } = await given({ queues: 3 })
    await publish(small)
    await world.clock.advance(1_000)
    const usage = noUsage()
    await metered(usage, () => world.publish(small))
    expect(usage).toEqual(units(3, 5, 6))
  })

  it('when no filter lets a message through, then it costs nothing', async () => {
    const { world } = await given({ queues: 1 })
    const filter = { topicName: 'news', subscriptionName: 'queue0', 'filterTag.1': 'other' }
    await world.admin.ask('SetSubscriptionAttributes', filter)
    const usage = noUsage()
    await world.publisher.services.subscriptions.of(
      (await world.publisher.services.topics.get(ONLY_ACCOUNT, 'news')).id,
    )
    const { code } = await metered(usage, () => world.publish(small, { 'msgTag.1': 'blue' }))
    expect([code, usage]).toEqual([6030, noUsage()])
  })
})

describe('given a topic with web servers', () => {
  it('when a message is published and nobody pushes, then that is the delivery, the reading of the mark, and a call', async () => {
    const { world, publish } = await given({ webs: 1 })
    // And the note, once in twelve hours.
    expect(await publish(small)).toEqual(units(3, 1, 4))
    await world.clock.advance(2_000)
    expect(await publish(small)).toEqual(units(2, 1, 3))
    expect(world.starts).toHaveLength(2)
  })

  it('when the note is twelve hours old, then the next publish notes anew', async () => {
    const { world, publish } = await given({ webs: 1 })
    await publish(small)
    world.clock.set(world.clock.now() + 12 * 3_600_000)
    expect(await publish(small)).toEqual(units(2, 1, 3))
    world.clock.set(world.clock.now() + 2_000)
    expect(await publish(small)).toEqual(units(3, 1, 4))
  })

  it('when somebody pushes, then nobody is called: that is the delivery and the reading of the mark', async () => {
    const { world, only, publish, hold } = await given({ webs: 1 })
    await publish(small)
    await hold(only)
    expect(await publish(small)).toEqual(units(1, 1, 2))
    expect(world.starts).toHaveLength(1)
  })

  it('when a full window rests, then that costs no more', async () => {
    const { world, only, publish, hold } = await given({ webs: 1 })
    await publish(small)
    const lease = await hold(only)
    const rest = { isFull: true, nextDueAt: world.clock.now() + 512_000 }
    if ('leaseId' in lease) await world.admin.services.workList.letGo(only.id, lease, rest)
    expect(await publish(small)).toEqual(units(1, 1, 2))
  })

  it('when a message is large, then its body is stored once, in 65 units, for all of them', async () => {
    const { world, publish, hold } = await given({ webs: 3 })
    await publish(small)
    for (const subscription of await world.admin.services.subscriptions.list((await topicOf(world)).id))
      await hold(subscription)
    expect(await publish(large)).toEqual(units(65 + 3, 3, 3))
  })

  it('when 16 messages are published to one, then that is one unit each, one look at the mark and one call', async () => {
    const { world, publishBatch } = await given({ webs: 1 })
    expect(await publishBatch(small)).toEqual(units(16 + 2, 1, 4))
    await world.clock.advance(2_000)
    expect(await publishBatch(small)).toEqual(units(16 + 1, 1, 3))
  })

  it('when a message of 700 bytes is published, then its delivery is one unit, and stays one when it fails', async () => {
    const { world, publish } = await given({ webs: 1 })
    await publish(small)
    await world.clock.advance(2_000)
    expect(await publish('x'.repeat(700))).toEqual(units(2, 1, 3))
  })

  it('when there are a queue and a web server, then 16 messages are one unit a copy, and one look and one call', async () => {
    const { world, publishBatch } = await given({ queues: 1, webs: 1 })
    await publishBatch(small)
    await world.clock.advance(2_000)
    expect(await publishBatch(small)).toEqual(units(32 + 1, 1, 4))
  })
})

const topicOf = ({ admin }: World) => admin.services.topics.read(ONLY_ACCOUNT, 'news')

describe('given a publication with a delay', () => {
  it('when it is stored, then that costs what a delivery to one web server does', async () => {
    const { world, publish } = await given({ queues: 3 })
    expect(await publish(small, { delaySeconds: 60 })).toEqual(units(3, 1, 4))
    await world.clock.advance(2_000)
    expect(await publish(small, { delaySeconds: 60 })).toEqual(units(2, 1, 3))
  })
})

describe('given runs', () => {
  /** What a run of this event has consumed, as it says itself. */
  async function consumed(world: World, run: () => Promise<void>): Promise<Usage> {
    const spy = vi.spyOn(logger, 'info').mockImplementation(() => undefined)
    await whilePassing(world.clock, run())
    const lines = spy.mock.calls.filter(([text]) => /^(push|release-delayed|retry-deliveries)$/.test(text as string))
    spy.mockRestore()
    expect(lines).toHaveLength(1)
    const { writeUnits, readUnits, calls } = lines[0]?.[1] as unknown as Usage
    return { writeUnits, readUnits, calls }
  }

  /** What the run consumes that pushes so many messages, the first of which fails so often. */
  async function pushing({ messages = 1, failures = 0, body = small }) {
    const { world, only, publish } = await given({ webs: 1 })
    let left = failures
    world.answer = () => ({ status: left-- > 0 ? 500 : 200 })
    for (let index = 0; index < messages; index++) await publish(body)
    const usage = await consumed(world, () => world.run({ work: pushWork(only) }))
    expect(await world.left(only)).toEqual([])
    expect(world.pushes).toHaveLength(messages + failures)
    return usage
  }

  it('when there is nothing to do, then that is the lease, a look, letting go, another look, and the record', async () => {
    const { world, only } = await given({ webs: 1 })
    expect(await consumed(world, () => world.run({ work: pushWork(only) }))).toEqual(units(2, 3, 5))
  })

  it('when another has the lane, then that is one unit', async () => {
    const { world, only, hold } = await given({ webs: 1 })
    await hold(only)
    expect(await consumed(world, () => world.run({ work: pushWork(only) }))).toEqual(units(1, 0, 1))
  })

  it('when one message is pushed, then that is one unit more, in one round trip: its life is 5 with its publish and call', async () => {
    expect(await pushing({})).toEqual(units(3, 3, 6))
  })

  it('when ten messages are pushed, then each is one unit', async () => {
    const { writeUnits } = await pushing({ messages: 10 })
    expect(writeUnits).toBe(2 + 10)
  })

  it('when a push fails, then that is one unit, and its wait costs reads only', async () => {
    const [none, one, two] = [await pushing({}), await pushing({ failures: 1 }), await pushing({ failures: 2 })]
    expect([one.writeUnits - none.writeUnits, two.writeUnits - one.writeUnits]).toEqual([1, 1])
    // While it waits a second it looks, and reads the subscription anew.
    expect(one.readUnits - none.readUnits).toBeLessThanOrEqual(4)
    expect(two.readUnits - one.readUnits).toBeLessThanOrEqual(6)
  })

  it('when a message of 700 bytes fails and is pushed then, then each write of it is one unit', async () => {
    const [none, one] = [
      await pushing({ body: 'x'.repeat(700) }),
      await pushing({ body: 'x'.repeat(700), failures: 3 }),
    ]
    expect([none.writeUnits, one.writeUnits]).toEqual([3, 6])
  })

  it('when a message of 64 KB is pushed, then its body is read once an attempt, for 8.5 units', async () => {
    expect(await pushing({ body: large })).toEqual(units(3, 3 + 8.5, 7))
  })

  it('when a run waits for a minute, then each second is a look and a record, and each ten a renewal', async () => {
    const { world, only } = await given({ webs: 1 })
    world.luck.starts = 'lost'
    await world.publish(small)
    const [delivery] = await world.left(only)
    if (!delivery) throw new Error('nothing was stored')
    const dueAt = world.clock.now() + 60_000
    await world.admin.services.deliveries.postpone(only.id, delivery, {
      ...delivery,
      attempt: 1,
      dueAt,
      failure: '500',
    })
    const { writeUnits, readUnits } = await consumed(world, () => world.run({ work: pushWork(only) }))
    expect(writeUnits).toBeLessThanOrEqual(2 + 1 + 6)
    expect(readUnits).toBeLessThanOrEqual(2 * 61 + 1)
  })

  it('when the net is cast, then that is a look at 16 parts of the list, and half a unit a lane for its mark and its first', async () => {
    const { world, publish } = await given({ webs: 1 })
    const cast = () => consumed(world, () => world.run({}, { handler: retryDeliveries }))
    expect(await cast()).toEqual(units(0, 8, 16))
    await publish(small)
    await world.clock.advance(2_000)
    expect(await cast()).toEqual(units(0, 8 + 1, 18))
    // And at the queues whose messages die of age.
    expect(await consumed(world, () => world.run({}, { handler: releaseDelayed }))).toEqual(units(0, 8 + 0.5, 17))
  })
})
