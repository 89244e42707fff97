import { ScanCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Subscription } from '../../lib/domain/subscription.ts'
import { ONLY_ACCOUNT } from '../../lib/names.ts'
import type { Published } from '../../lib/store/fan-out.ts'
import { untilAsleep, whilePassing } from '../support/clock.ts'
import { patientClient, testEngine } from '../support/engine.ts'
import { faultsOf, injectFaults, type Fault, type SeenCall } from '../support/faults.ts'
import { newWorld, pushWork, type Process, type World } from '../support/worker.ts'

const DAY = 86_400_000

let engine: Awaited<ReturnType<typeof testEngine>>
beforeAll(async () => {
  engine = await testEngine()
})
afterAll(() => engine.stop())

const given = () => newWorld(engine.endpoint)

/** Subscribes a queue, which is made unless told otherwise. */
async function subscribeQueue(world: World, name: string, attributes: Record<string, number> | 'none' = {}) {
  if (attributes !== 'none') await world.admin.ask('CreateQueue', { queueName: name, ...attributes })
  return world.subscribe(name, { protocol: 'queue', endpoint: name })
}

const labels = { tags: ['t'], routingKey: '' }
const textOf = (index: number, bytes = 10) => String(index).padStart(bytes, 'x')

function messages({ clock, admin }: World, ...texts: string[]): Published[] {
  return texts.map((text) => ({ id: admin.services.ids.messageId(clock.now()), text }))
}

const copy = ({ clock }: World, by: Process, to: readonly Subscription[], what: readonly Published[]) =>
  whilePassing(clock, by.services.fanOut.copy(to, what, labels))

/** The bodies that the queue has for whoever receives now, in order. */
async function received({ admin }: World, queueName: string): Promise<string[]> {
  const { code, msgInfoList } = await admin.ask('BatchReceiveMessage', { queueName, numOfMsg: 16 })
  return code === 0 ? msgInfoList.map(({ msgBody }: { msgBody: string }) => msgBody) : []
}

async function bodiesStored({ tableNames }: World) {
  const scan = new ScanCommand({ TableName: tableNames.bodies })
  const { Items = [] } = await patientClient(engine.endpoint).send(scan)
  return Items
}

/** A process whose calls fail as told, and that tells each of them. */
async function unlucky(world: World, decide: (call: SeenCall) => Fault | undefined = () => undefined) {
  const seen: SeenCall[] = []
  const reports: string[] = []
  const process = await world.process({
    report: (message) => void reports.push(message),
    prepare: (client) =>
      injectFaults(client, (call) => {
        seen.push(call)
        return decide(call)
      }),
  })
  return { process, seen, reports }
}

describe('given a topic with queues and web servers', () => {
  it('when messages are copied, then each queue has all of them, and each web server one delivery of each', async () => {
    const world = await given()
    const subscriptions = [
      await subscribeQueue(world, 'q1'),
      await world.subscribe('w1'),
      await subscribeQueue(world, 'q2'),
      await world.subscribe('w2'),
    ]
    const published = messages(world, 'a', 'b', 'c')
    await copy(world, world.publisher, subscriptions, published)
    for (const queue of ['q1', 'q2']) expect((await received(world, queue)).toSorted()).toEqual(['a', 'b', 'c'])
    for (const index of [1, 3]) {
      const deliveries = await world.left(subscriptions[index] as Subscription)
      expect(deliveries.map(({ id, body }) => ({ id, body }))).toEqual(
        published.map(({ id, text }) => ({ id, body: { text } })),
      )
      expect(deliveries[0]).toMatchObject({ publishedAt: world.clock.now(), attempt: 0, labels })
    }
  })

  it('when a body is large, then it is stored once for all, to live a day longer than the last of its copies', async () => {
    const world = await given()
    const subscriptions = [
      await subscribeQueue(world, 'brief', { msgRetentionSeconds: 60 }),
      await subscribeQueue(world, 'long', { msgRetentionSeconds: 1_296_000 }),
      await world.subscribe('web'),
    ]
    const large = textOf(1, 60_000)
    await copy(world, world.publisher, subscriptions, messages(world, large))
    const stored = await bodiesStored(world)
    expect(stored).toHaveLength(1)
    const lastCopyEnds = world.clock.now() + 15 * DAY
    expect(Number(stored[0]?.['expiresAt']?.N) * 1_000).toBeGreaterThanOrEqual(lastCopyEnds + DAY)
    expect(await received(world, 'brief')).toEqual([large])
    expect(await received(world, 'long')).toEqual([large])
    const [delivery] = await world.left(subscriptions[2] as Subscription)
    expect(await world.admin.services.bodies.load(delivery ? [delivery.body] : [])).toEqual([large])
  })

  it('when only web servers subscribe, then a large body lives a day longer than its deliveries', async () => {
    const world = await given()
    await copy(world, world.publisher, [await world.subscribe()], messages(world, textOf(1, 5_000)))
    const [stored] = await bodiesStored(world)
    expect(Number(stored?.['expiresAt']?.N) * 1_000).toBeGreaterThanOrEqual(world.clock.now() + 2 * DAY)
  })

  it('when 16 messages go to 12 web servers, then all are there, and one run is started for each server', async () => {
    const world = await given()
    const subscriptions: Subscription[] = []
    for (let index = 0; index < 12; index++) subscriptions.push(await world.subscribe(`w${index}`))
    const published = messages(world, ...Array.from({ length: 16 }, (_, index) => textOf(index)))
    await copy(world, world.publisher, subscriptions, published)
    for (const subscription of subscriptions)
      expect((await world.left(subscription)).map(({ id }) => id)).toEqual(published.map(({ id }) => id))
    expect(world.starts).toEqual(subscriptions.map(pushWork))
  })
})

describe('given a queue that cannot take a message', () => {
  it('when it is missing, then the message is a delivery to its subscription, and somebody is called', async () => {
    const world = await given()
    const subscription = await subscribeQueue(world, 'later', 'none')
    await copy(world, world.publisher, [subscription], messages(world, 'a'))
    expect(await world.left(subscription)).toMatchObject([{ body: { text: 'a' }, attempt: 0 }])
    expect(world.starts).toEqual([pushWork(subscription)])
  })

  it('when it is too small for some, then those are deliveries, and the others are in the queue', async () => {
    const world = await given()
    const subscription = await subscribeQueue(world, 'small', { maxMsgSize: 1_024 })
    const [fits, tooLarge] = [textOf(1, 1_024), textOf(2, 1_025)]
    await copy(world, world.publisher, [subscription], messages(world, fits, tooLarge))
    expect(await received(world, 'small')).toEqual([fits])
    const [delivery, ...others] = await world.left(subscription)
    expect(others).toEqual([])
    expect(await world.admin.services.bodies.load(delivery ? [delivery.body] : [])).toEqual([tooLarge])
  })

  it('when bytes count, and not characters, then what is too large by them is a delivery', async () => {
    const world = await given()
    const subscription = await subscribeQueue(world, 'small', { maxMsgSize: 1_024 })
    await copy(world, world.publisher, [subscription], messages(world, '中'.repeat(342)))
    expect(await world.left(subscription)).toHaveLength(1)
  })

  it('when it is asked for too much, then what it has not taken within 5 s is a delivery, and the publish succeeds', async () => {
    const world = await given()
    const [full, other] = [await subscribeQueue(world, 'full'), await subscribeQueue(world, 'other')]
    const { laneId } = await world.admin.services.queues.get(ONLY_ACCOUNT, 'full')
    const { process } = await unlucky(world, ({ input }) =>
      JSON.stringify(input).includes(`"${laneId}#`) ? 'throttled' : undefined,
    )
    await copy(world, process, [full], messages(world, 'a', 'b'))
    await copy(world, process, [other], messages(world, 'c'))
    expect((await world.left(full)).map(({ body }) => body)).toEqual([{ text: 'a' }, { text: 'b' }])
    expect([await received(world, 'full'), await received(world, 'other')]).toEqual([[], ['c']])
    expect(world.starts).toEqual([pushWork(full)])
  })

  it('when it is deleted while it is filled, then nothing is lost: what did not go in is a delivery', async () => {
    const world = await given()
    const subscription = await subscribeQueue(world, 'doomed')
    const other = await subscribeQueue(world, 'kept')
    let isThrottled = true
    const { process } = await unlucky(world, ({ command }) =>
      command === 'BatchWriteItemCommand' && isThrottled ? 'throttled' : undefined,
    )
    await process.services.queues.get(ONLY_ACCOUNT, 'doomed')
    const copying = process.services.fanOut.copy([subscription, other], messages(world, 'a', 'b'), labels)
    await untilAsleep(world.clock)
    await world.admin.ask('DeleteQueue', { queueName: 'doomed' })
    // The record that was read a moment ago is believed for a second.
    world.clock.set(world.clock.now() + 1_000)
    isThrottled = false
    await whilePassing(world.clock, copying)
    expect((await received(world, 'kept')).toSorted()).toEqual(['a', 'b'])
    expect((await world.left(subscription)).map(({ body }) => body)).toEqual([{ text: 'a' }, { text: 'b' }])
    expect(world.starts).toEqual([pushWork(subscription)])
  })
})

describe('given the order of a publish to a web server', () => {
  it('when it is made, then the lane is noted before the delivery is stored, and the mark read after', async () => {
    const world = await given()
    const subscription = await world.subscribe()
    const { process, seen } = await unlucky(world)
    await copy(world, process, [subscription], messages(world, 'a'))
    const shown = seen.map(
      ({ command, input }) => `${command} ${/work#|pending#/.exec(JSON.stringify(input))?.[0] ?? ''}`,
    )
    expect(shown).toEqual([
      'UpdateItemCommand pending#',
      'PutItemCommand ',
      'BatchGetItemCommand work#',
      'UpdateItemCommand work#',
    ])
    expect(world.starts).toEqual([pushWork(subscription)])
  })

  it('when the note cannot be made, then nothing is stored and the publish fails', async () => {
    const world = await given()
    const subscription = await world.subscribe()
    const { process } = await unlucky(world, ({ command }) =>
      command === 'UpdateItemCommand' ? 'throttled' : undefined,
    )
    await expect(copy(world, process, [subscription], messages(world, 'a'))).rejects.toThrow('too much')
    expect([await world.left(subscription), world.starts]).toEqual([[], []])
  })

  it('when the mark cannot be read, then the publish succeeds, that is reported, and the net starts a run', async () => {
    const world = await given()
    const subscription = await world.subscribe()
    const { process, reports } = await unlucky(world, ({ command }) =>
      command === 'BatchGetItemCommand' ? 'throttled' : undefined,
    )
    await copy(world, process, [subscription], messages(world, 'a'))
    expect(await world.left(subscription)).toHaveLength(1)
    expect(world.starts).toEqual([])
    expect(reports).toEqual(['nobody could be called for deliveries'])
    await world.castNets()
    expect(world.starts).toEqual([pushWork(subscription)])
  })

  it('when the call cannot be noted, then the publish succeeds, and the run is started all the same', async () => {
    const world = await given()
    const subscription = await world.subscribe()
    let updates = 0
    const { process } = await unlucky(world, ({ command }) =>
      command === 'UpdateItemCommand' && ++updates > 1 ? 'throttled' : undefined,
    )
    await copy(world, process, [subscription], messages(world, 'a'))
    expect(await world.left(subscription)).toHaveLength(1)
    expect(world.starts).toEqual([pushWork(subscription)])
  })

  it('when the invocation is refused, then the publish succeeds, that is reported, and the net starts a run', async () => {
    const world = await given()
    const [a, b] = [await world.subscribe('a'), await world.subscribe('b')]
    const { process, reports } = await unlucky(world)
    world.luck.starts = 'refused'
    await copy(world, process, [a, b], messages(world, 'a'))
    expect(reports).toEqual(Array(2).fill('nobody could be called for deliveries'))
    world.luck.starts = 'made'
    world.starts.length = 0
    // Whoever was called may still come for two seconds.
    await world.clock.advance(2_000)
    await world.castNets()
    expect(world.starts.map(({ laneId }) => laneId).toSorted()).toEqual([a.id, b.id].toSorted())
  })

  const FAULTS: readonly Fault[] = ['throttled', 'lost before', 'lost after']
  it.each(
    FAULTS.flatMap((fault) =>
      (['UpdateItemCommand', 'PutItemCommand', 'BatchGetItemCommand'] as const).map(
        (command) => [command, fault] as const,
      ),
    ),
  )('when its first %s is %s, then it is stored once and somebody is called', async (command, fault) => {
    const world = await given()
    const subscription = await world.subscribe()
    const { process } = await unlucky(world, faultsOf(command, fault))
    await copy(world, process, [subscription], messages(world, 'a'))
    expect(await world.left(subscription)).toHaveLength(1)
    expect(world.starts).toEqual([pushWork(subscription)])
  })
})

describe('given a publication with a delay', () => {
  it('when it is stored, then it lies in the lane of its topic at the time when it is due, and lives from then on', async () => {
    const world = await given()
    const topic = await world.admin.services.topics.read(ONLY_ACCOUNT, 'news')
    const { clock } = world
    const dueAt = clock.now() + 600_000
    await world.publisher.services.fanOut.delay(topic, messages(world, 'a', textOf(1, 5_000)), labels, 600)
    const left = await world.left(topic)
    expect(left).toHaveLength(2)
    expect(left[0]).toMatchObject({ publishedAt: dueAt, dueAt, endsAt: dueAt + DAY, labels, body: { text: 'a' } })
    const [stored] = await bodiesStored(world)
    expect(Number(stored?.['expiresAt']?.N) * 1_000).toBeGreaterThanOrEqual(dueAt + 2 * DAY)
    expect(world.starts).toEqual([{ duty: 'release', laneId: topic.id, within: ONLY_ACCOUNT, name: 'news' }])
  })
})
