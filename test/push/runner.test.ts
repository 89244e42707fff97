import { GetItemCommand, UpdateItemCommand, type AttributeValue } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Subscription } from '../../lib/domain/subscription.ts'
import { whilePassing } from '../support/clock.ts'
import { patientClient, testEngine } from '../support/engine.ts'
import { injectFaults, type Fault, type SeenCall } from '../support/faults.ts'
import type { Client } from '../support/service.ts'
import { newWorld, pushWork, type Process, type Reply, type World, type WorldOptions } from '../support/worker.ts'

let engine: Awaited<ReturnType<typeof testEngine>>
beforeAll(async () => {
  engine = await testEngine()
})
afterAll(() => engine.stop())

const given = (options: WorldOptions = {}) => newWorld(engine.endpoint, { isQuick: true, ...options })

/** A world in which whatever is started or woken runs. */
const live = (options: WorldOptions = {}) => given({ isLive: true, ...options })

type Item = Record<string, AttributeValue>

async function markOf({ tableNames }: World, { id }: Subscription): Promise<Item> {
  const Key = { pk: { S: `work#${id}` }, sk: { S: 'mark' } }
  const get = new GetItemCommand({ TableName: tableNames.registry, Key, ConsistentRead: true })
  return (await patientClient(engine.endpoint).send(get)).Item ?? {}
}

/** Which of a run's writes a call is; undefined where it is none. */
function writeOf({ command, input }: SeenCall): Write | undefined {
  if (command === 'DeleteItemCommand' || JSON.stringify(input).includes('DeleteRequest')) return 'remove'
  const { UpdateExpression = '' } = input as { UpdateExpression?: string }
  if (UpdateExpression.startsWith('SET leaseId')) return 'take'
  if (UpdateExpression.includes('REMOVE leaseId')) return 'letGo'
  if (UpdateExpression === 'SET leaseUntil = :until') return 'renew'
  if (UpdateExpression.startsWith('SET attempt')) return 'postpone'
  return undefined
}

type Write = 'take' | 'renew' | 'postpone' | 'remove' | 'letGo'
const WRITES: readonly Write[] = ['take', 'renew', 'postpone', 'remove', 'letGo']
const FAULTS: readonly Fault[] = ['throttled', 'lost before', 'lost after']

/** Calls `meanwhile` before each of the client's calls, and waits for it. */
function beforeEachCall(client: Client, meanwhile: (call: SeenCall) => Promise<void>): void {
  client.middlewareStack.add(
    (next, { commandName = '' }) =>
      async (args) => {
        await meanwhile({ command: commandName, input: args.input as Record<string, unknown> })
        return next(args)
      },
    { step: 'initialize', priority: 'low', name: 'meanwhile' },
  )
}

const texts = ({ pushes }: World) => pushes.map(({ text }) => text)
const delivered = ({ pushes }: World) => pushes.filter(({ outcome }) => outcome === '200').map(({ text }) => text)

describe('given a lane that somebody is called for', () => {
  it('when the run comes, then it takes the lane, pushes what is there, lets go, and looks once more', async () => {
    const world = await given()
    const subscription = await world.subscribe()
    const seen: string[] = []
    world.pusher = await world.process({
      prepare: (client) => injectFaults(client, (call) => void seen.push(writeOf(call) ?? call.command)),
    })
    await world.publish('hello')
    await world.happen()
    expect(texts(world)).toEqual(['hello'])
    expect(await world.left(subscription)).toEqual([])
    expect(seen).toEqual(['take', 'GetItemCommand', 'QueryCommand', 'remove', 'letGo', 'QueryCommand'])
    for (const name of ['leaseId', 'leaseUntil', 'calledAt', 'nextDueAt'])
      expect(await markOf(world, subscription)).not.toHaveProperty(name)
  })

  it('when there is nothing to do, then the run ends after four calls and the reading of the subscription', async () => {
    const world = await given()
    const subscription = await world.subscribe()
    const seen: string[] = []
    const prepare = (client: Client) => injectFaults(client, ({ command }) => void seen.push(command))
    const by = await world.process({ prepare })
    await world.run({ work: pushWork(subscription) }, { by })
    expect(seen).toEqual(['UpdateItemCommand', 'GetItemCommand', 'QueryCommand', 'UpdateItemCommand', 'QueryCommand'])
  })
})

describe('given a lane that another has', () => {
  async function held(left: number) {
    const world = await given()
    const subscription = await world.subscribe()
    const other = await world.process()
    const lease = await other.services.workList.take(subscription.id, 'theirs')
    if (!('leaseId' in lease)) throw new Error('the lease was not to be had')
    await world.publish('hello')
    await world.clock.advance(30_000 - left)
    const run = () => world.run({ work: pushWork(subscription) })
    return { world, subscription, other, lease, run }
  }

  it('when its lease holds for more than 2 s, then a run ends at once', async () => {
    const { world, run } = await held(2_001)
    await run()
    expect([texts(world), world.running]).toEqual([[], 0])
  })

  it('when its lease holds for 2 s or less, then a run waits for its end, and takes the lane', async () => {
    const { world, lease, run } = await held(2_000)
    const running = run()
    await world.clock.advance(1_999)
    expect(texts(world)).toEqual([])
    await world.clock.advance(1)
    await running
    expect(world.pushes.map(({ begunAt }) => begunAt)).toEqual([lease.until])
  })

  it('when its lease is renewed after all, then a run that has waited ends', async () => {
    const { world, subscription, other, lease, run } = await held(1_000)
    const running = run()
    await world.clock.advance(500)
    await other.services.workList.renew(subscription.id, lease)
    await world.clock.advance(600)
    await running
    expect([texts(world), world.running]).toEqual([[], 0])
  })

  it('when it lets go while a run waits, then that run takes the lane', async () => {
    const { world, subscription, other, lease, run } = await held(1_000)
    const running = run()
    await world.clock.advance(500)
    await other.services.workList.letGo(subscription.id, lease, { isFull: false })
    await world.clock.advance(600)
    await running
    expect(texts(world)).toEqual(['hello'])
  })
})

describe('given a publisher and a runner at the same time', () => {
  it('when something is stored just before any call of the run, then it is pushed, and no net is needed', async () => {
    let hasEnded = false
    for (let point = 1; !hasEnded; point++) {
      const world = await live()
      const subscription = await world.subscribe()
      let calls = 0
      hasEnded = true
      world.pusher = await world.process({
        prepare: (client) =>
          beforeEachCall(client, async () => {
            if (++calls !== point) return
            hasEnded = false
            await world.publish('second')
          }),
      })
      await world.publish('first')
      await world.clock.advance(5_000)
      expect(texts(world).toSorted(), `call ${point}`).toEqual(hasEnded ? ['first'] : ['first', 'second'])
      expect(await world.left(subscription)).toEqual([])
      expect([world.running, world.failures, world.sideBySide]).toEqual([0, [], []])
    }
  })

  it('when a whole run takes place just before any call of the publish, then what is stored is pushed', async () => {
    let hasEnded = false
    for (let point = 1; !hasEnded; point++) {
      const world = await live()
      const subscription = await world.subscribe()
      let calls = 0
      hasEnded = true
      const publisher = await world.process({
        prepare: (client) =>
          beforeEachCall(client, async () => {
            if (++calls !== point) return
            hasEnded = false
            await world.run({ work: pushWork(subscription) })
          }),
      })
      expect(await world.publish('hello', {}, publisher)).toMatchObject({ code: 0 })
      await world.clock.advance(5_000)
      expect(texts(world), `call ${point}`).toEqual(['hello'])
      expect(await world.left(subscription)).toEqual([])
    }
  })
})

describe('given a run that takes long', () => {
  it('when it works, then its lease never has less than 20 s left, and is renewed every 10 s', async () => {
    const world = await live({ answer: () => ({ status: 200, after: 14_000 }) })
    const subscription = await world.subscribe()
    const renewedAt: number[] = []
    const start = world.clock.now()
    world.pusher = await world.process({
      prepare: (client) =>
        injectFaults(client, (call) => void (writeOf(call) === 'renew' && renewedAt.push(world.clock.now() - start))),
    })
    for (let second = 0; second < 55; second++) {
      if (second % 5 === 0) await world.publish(`m${second}`)
      await world.clock.advance(999)
      const { leaseUntil } = await markOf(world, subscription)
      expect(Number(leaseUntil?.N) - world.clock.now()).toBeGreaterThanOrEqual(20_000)
      await world.clock.advance(1)
    }
    expect(renewedAt).toEqual([10_000, 20_000, 30_000, 40_000, 50_000])
    expect(world.starts).toHaveLength(1)
  })

  it('when its lease is renewed late, then nothing begins that might outlive it, and begins within a second afterwards', async () => {
    const world = await live({ answer: () => ({ status: 200, after: 15_000 }) })
    await world.subscribe()
    const start = world.clock.now()
    const isSlow = () => world.clock.now() < start + 14_500
    world.pusher = await world.process({
      prepare: (client) =>
        injectFaults(client, (call) => (writeOf(call) === 'renew' && isSlow() ? 'throttled' : undefined)),
    })
    await world.publish('a')
    await world.clock.advance(13_900)
    await world.publish('b', {}, world.pusher)
    await world.clock.advance(150)
    // Now the lease holds for less than 16 s.
    await world.publish('c', {}, world.pusher)
    await world.clock.advance(5_000)
    const [, b, c] = world.pushes.map(({ begunAt }) => begunAt - start)
    expect(b).toBe(13_900)
    expect(c).toBeGreaterThanOrEqual(14_500)
    expect(c).toBeLessThanOrEqual(16_500)
  })

  it('when its lease cannot be renewed, then its attempts are stopped before it ends, and nobody pushes beside', async () => {
    const world = await live({ answer: () => ({ status: 200, after: 14_000 }) })
    const subscription = await world.subscribe()
    world.pusher = await world.process({
      prepare: (client) => injectFaults(client, (call) => (writeOf(call) === 'renew' ? 'lost before' : undefined)),
    })
    const start = world.clock.now()
    await world.publish('a')
    await world.clock.advance(9_000)
    await world.publish('b')
    await world.clock.advance(11_000)
    expect(world.running).toBe(0)
    const b = world.pushes.find(({ text }) => text === 'b')
    expect(b?.outcome).toBe('stopped')
    expect(b?.endedAt).toBeLessThan(start + 17_000)
    expect((await world.left(subscription)).map(({ attempt }) => attempt)).toEqual([0])
    world.pusher = world.admin
    world.keepCasting()
    await world.clock.advance(100_000)
    expect(world.pushes.at(-1)).toMatchObject({ text: 'b', outcome: '200' })
    expect(world.sideBySide).toEqual([])
  })

  it('when another has taken its lane, then it stops its attempts with its next renewal, and leaves the mark alone', async () => {
    const world = await live({ answer: () => ({ status: 200, after: 14_000 }) })
    const subscription = await world.subscribe()
    await world.publish('hello')
    await world.clock.advance(5_000)
    const Key = { pk: { S: `work#${subscription.id}` }, sk: { S: 'mark' } }
    await patientClient(engine.endpoint).send(
      new UpdateItemCommand({
        TableName: world.tableNames.registry,
        Key,
        UpdateExpression: 'SET leaseId = :other',
        ExpressionAttributeValues: { ':other': { S: 'other' } },
      }),
    )
    await world.clock.advance(5_000)
    expect(world.pushes).toMatchObject([{ outcome: 'stopped', endedAt: world.clock.now() }])
    expect(await markOf(world, subscription)).toMatchObject({ leaseId: { S: 'other' } })
    expect([world.running, world.starts.length]).toEqual([0, 1])
  })
})

describe('given a function whose time ends', () => {
  it('when there is more to push than it has time for, then successors go on without a pause, each in its own time', async () => {
    const lifetime = 60_000
    const world = await live({ lifetime, answer: () => ({ status: 200, after: 9_000 }), settings: { pushWindow: 1 } })
    const subscription = await world.subscribe()
    const start = world.clock.now()
    for (let index = 0; index < 20; index++) await world.publish(`m${index}`)
    await world.clock.advance(200_000)
    expect(delivered(world)).toEqual(Array.from({ length: 20 }, (_, index) => `m${index}`))
    // Within 40 s of each function five attempts begin, the last of which ends in its 45th second.
    expect(world.pushes.map(({ begunAt }) => begunAt - start)).toEqual(
      Array.from({ length: 20 }, (_, index) => index * 9_000),
    )
    // The last one finds nothing left.
    expect(world.starts).toEqual(Array(5).fill(pushWork(subscription)))
    expect([world.sideBySide, world.failures, await world.left(subscription)]).toEqual([[], [], []])
  })

  it('when it waits for a retry as its time ends, then its successor makes it in time', async () => {
    let failures = 1
    const answer = (): Reply => ({ status: failures-- > 0 ? 500 : 200 })
    const world = await live({ lifetime: 25_000, answer, settings: {} })
    world.pusher = await world.process({ random: () => 0.5 })
    await world.subscribe('mail', { notifyStrategy: 'BACKOFF_RETRY' })
    const start = world.clock.now()
    await world.publish('hello')
    await world.clock.advance(40_000)
    expect(world.pushes.map(({ begunAt }) => begunAt - start)).toEqual([0, 15_000])
    expect(world.starts.length).toBeGreaterThan(1)
  })

  it('when the successor cannot be started, then the run fails, and the net starts it', async () => {
    const world = await live({
      lifetime: 30_000,
      answer: () => ({ status: 200, after: 9_000 }),
      settings: { pushWindow: 1 },
    })
    await world.subscribe()
    for (const text of ['a', 'b', 'c']) await world.publish(text)
    world.luck.starts = 'refused'
    await world.clock.advance(20_000)
    expect(world.failures).toHaveLength(1)
    world.luck.starts = 'made'
    world.keepCasting()
    await world.clock.advance(80_000)
    expect(delivered(world)).toEqual(['a', 'b', 'c'])
  })
})

describe('given a wait that is too long for a run', () => {
  const failing = { answer: () => ({ status: 500 }) }

  it('when its retry is due later than the longest pause, then the run has itself woken, and says so on the mark', async () => {
    const world = await live({ ...failing, settings: { longestPause: 30 } })
    const subscription = await world.subscribe()
    await world.publish('hello')
    await world.clock.advance(31_000)
    const [{ dueAt } = { dueAt: 0 }] = await world.left(subscription)
    expect(world.running).toBe(0)
    expect(await markOf(world, subscription)).toMatchObject({ nextDueAt: { N: String(dueAt) }, isFull: { N: '0' } })
    expect(world.schedules.map(({ run }) => run.work)).toEqual([pushWork(subscription)])
    await world.clock.advance(32_000)
    expect(world.pushes.at(-1)?.begunAt).toBe(dueAt)
  })

  it.each(['refused', 'lost'] as const)(
    'when its wake-up is %s, then the net makes the retry at most a minute late, and never early',
    async (luck) => {
      const world = await live(failing)
      await world.subscribe()
      world.luck.schedules = luck
      world.keepCasting()
      await world.publish('hello')
      await world.clock.advance(400_000)
      const [seventh, eighth] = world.pushes.slice(7)
      const due = (seventh?.endedAt ?? 0) + 128_000
      expect(eighth?.begunAt).toBeGreaterThanOrEqual(due)
      expect(eighth?.begunAt).toBeLessThanOrEqual(due + 60_000)
      expect(world.failures).toEqual([])
    },
  )

  it('when its wake-up is slow to make, then another run works through the lane meanwhile', async () => {
    const world = await live(failing)
    await world.subscribe()
    world.luck.schedules = 'hanging'
    await world.publish('slow')
    await world.clock.advance(130_000)
    expect(world.running).toBe(1)
    world.answer = ({ text }) => ({ status: text === 'slow' ? 500 : 200 })
    await world.publish('quick')
    await world.clock.advance(10)
    expect(delivered(world)).toEqual(['quick'])
  })

  it('when a full window rests, then publishers start nothing; when it is due, all of it is tried at once', async () => {
    const world = await live(failing)
    const subscription = await world.subscribe()
    for (let index = 0; index < 16; index++) await world.publish(`m${index}`)
    await world.clock.advance(127_000 + 1_000)
    expect(world.running).toBe(0)
    const { nextDueAt, isFull } = await markOf(world, subscription)
    expect(isFull?.N).toBe('1')
    const starts = world.starts.length
    const before = world.pushes.length
    for (let index = 0; index < 30; index++) {
      await world.publish(`n${index}`)
      await world.clock.advance(1_000)
    }
    expect([world.starts.length, world.pushes.length]).toEqual([starts, before])
    await world.clock.advance(Number(nextDueAt?.N) - world.clock.now())
    const again = world.pushes.slice(before)
    expect(new Set(again.map(({ begunAt }) => begunAt))).toEqual(new Set([Number(nextDueAt?.N)]))
    expect(again.map(({ text }) => text).toSorted()).toEqual(
      Array.from({ length: 16 }, (_, index) => `m${index}`).toSorted(),
    )
  })

  it('when a window rests that is not full, then a publish starts a run, whose waits do not make the others late', async () => {
    const world = await live(failing)
    await world.subscribe()
    await world.publish('slow')
    await world.clock.advance(130_000)
    expect(world.running).toBe(0)
    const [last] = world.pushes.slice(-1)
    world.answer = ({ text }) => ({ status: text === 'slow' ? 500 : 200 })
    await world.publish('quick')
    await world.clock.advance(10)
    expect(delivered(world)).toEqual(['quick'])
    await world.clock.advance(130_000)
    const retry = world.pushes.at(-1)
    expect(retry?.text).toBe('slow')
    expect((retry?.begunAt ?? 0) - (last?.endedAt ?? 0)).toBe(128_000)
  })
})

describe('given many publishers', () => {
  it('when a thousand messages are published to one slow web server, then one run is started', async () => {
    const world = await live({ answer: () => ({ status: 200, after: 10_000 }) })
    await world.subscribe()
    const publishers = [world.publisher, await world.process(), await world.process(), await world.process()]
    const batch = Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`msgBody.${index}`, `b${index}`]))
    for (let round = 0; round < 10; round++) {
      // A hundred of them, by four processes at once.
      const single = publishers.flatMap((by) => [by, by, by, by, by]).map((by) => world.publish('a', {}, by))
      const batches = [0, 1, 2, 3, 0].map((at) =>
        publishers[at]?.ask('BatchPublishMessage', { topicName: 'news', ...batch }),
      )
      for (const answer of await Promise.all([...single, ...batches])) expect(answer?.code).toBe(0)
      await world.clock.advance(1_000)
    }
    await world.clock.advance(5_000)
    expect([world.starts.length, world.running]).toEqual([1, 1])
    expect([world.mostAtOnce <= 100, world.sideBySide]).toEqual([true, []])
  })

  it('when the run that was started never comes, then another is started every two seconds, and not more often', async () => {
    const world = await given()
    await world.subscribe()
    for (let step = 0; step < 50; step++) {
      await world.publish(`m${step}`)
      await world.clock.advance(100)
    }
    expect(world.starts).toHaveLength(3)
  })
})

describe('given processes that race for one lane', () => {
  it('when two are started again and again, then no delivery is under way in both, and each is made once', async () => {
    let chance = 1
    const random = () => (chance = (chance * 16_807) % 2_147_483_647) / 2_147_483_647
    const answer = (): Reply => ({ status: random() < 0.3 ? 500 : 200, after: Math.floor(random() * 3_000) })
    const world = await live({ answer })
    const subscription = await world.subscribe()
    const processes = [await world.process(), await world.process()]
    for (let step = 0; step < 60; step++) {
      if (step < 40) await world.publish(`m${step}`)
      for (const by of processes) void world.run({ work: pushWork(subscription) }, { by })
      await world.clock.advance(500)
    }
    await world.clock.advance(200_000)
    expect(delivered(world).toSorted()).toEqual(Array.from({ length: 40 }, (_, index) => `m${index}`).toSorted())
    expect([world.sideBySide, world.failures, await world.left(subscription)]).toEqual([[], [], []])
  })

  it('when one dies in the middle of an attempt, then another pushes only when its lease has ended', async () => {
    const world = await live({ answer: () => ({ status: 200, after: 12_000 }) })
    const subscription = await world.subscribe()
    const doomed = await world.process()
    world.pusher = doomed
    await world.publish('hello')
    await world.clock.advance(11_000)
    const { leaseUntil } = await markOf(world, subscription)
    doomed.die()
    world.pusher = await world.process()
    for (let second = 0; second < 60; second++) {
      void world.run({ work: pushWork(subscription) })
      await world.clock.advance(1_000)
    }
    expect(world.pushes.map(({ outcome }) => outcome)).toEqual([undefined, '200'])
    expect(world.pushes[1]?.begunAt).toBe(Number(leaseUntil?.N))
  })
})

describe('given a run whose writes do not go well', () => {
  /** One message that fails once and is pushed again 15 s later, so that every write takes place. */
  async function faulty(decide: (call: SeenCall, world: World) => Fault | undefined) {
    const world = await live()
    let failures = 1
    world.answer = () => ({ status: failures-- > 0 ? 500 : 200 })
    const subscription = await world.subscribe('mail', { notifyStrategy: 'BACKOFF_RETRY' })
    world.pusher = await world.process({
      random: () => 0.5,
      prepare: (client) => injectFaults(client, (call) => decide(call, world)),
    })
    return { world, subscription }
  }

  it.each(WRITES.flatMap((write) => FAULTS.map((fault) => [write, fault] as const)))(
    'when the write to %s is %s twice, then the message is tried twice, in time, and nothing is left',
    async (write, fault) => {
      let faults = 2
      const { world, subscription } = await faulty((call) =>
        writeOf(call) === write && faults-- > 0 ? fault : undefined,
      )
      await whilePassing(world.clock, world.publish('hello'))
      await world.clock.advance(30_000)
      expect(world.pushes.map(({ outcome }) => outcome)).toEqual(['500', '200'])
      const [first, second] = world.pushes
      expect((second?.begunAt ?? 0) - (first?.endedAt ?? 0)).toBeGreaterThanOrEqual(15_000)
      expect((second?.begunAt ?? 0) - (first?.endedAt ?? 0)).toBeLessThanOrEqual(16_000)
      expect([await world.left(subscription), world.running, world.failures]).toEqual([[], 0, []])
      expect(await markOf(world, subscription)).not.toHaveProperty('leaseId')
    },
  )

  it.each(WRITES)(
    'when the write to %s is throttled for a minute, then the message is made in the end',
    async (write) => {
      let until = Infinity
      const { world, subscription } = await faulty((call, { clock }) =>
        writeOf(call) === write && clock.now() < until ? 'throttled' : undefined,
      )
      until = world.clock.now() + 60_000
      world.keepCasting()
      await world.publish('hello')
      await world.clock.advance(240_000)
      expect(world.pushes.at(-1)?.outcome).toBe('200')
      expect([await world.left(subscription), world.running, world.sideBySide]).toEqual([[], 0, []])
    },
  )
})

describe('given processes that die', () => {
  /** However long a lease outlives its process, and the net takes, and the wait after the one failure. */
  const LATEST = 30_000 + 60_000 + 3_000

  it.each(['before', 'after'] as const)(
    'when a runner dies %s any of its calls, then what it was to push is pushed, in time for a stale lease and the net',
    async (moment) => {
      const world = await live()
      world.keepCasting()
      let isOver = false
      for (let call = 1; !isOver; call++) {
        const text = `m${call}`
        await world.topic(text)
        const subscription = await world.subscribe(text, { topicName: text })
        let failures = 1
        world.answer = () => ({ status: failures-- > 0 ? 500 : 200 })
        const doomed = await world.process()
        doomed.dieAt(call, moment)
        world.pusher = doomed
        await world.publish(text, { topicName: text })
        world.pusher = world.publisher
        await world.clock.advance(LATEST)
        const last = world.pushes.findLast((push) => push.text === text)
        expect(last, `call ${call}`).toMatchObject({ outcome: '200' })
        expect(await world.left(subscription)).toEqual([])
        isOver = !doomed.isDead
        if (isOver) expect(call).toBeGreaterThanOrEqual(9)
      }
      expect([world.sideBySide, world.failures]).toEqual([[], []])
    },
  )

  it.each(['before', 'after'] as const)(
    'when a publisher dies %s any of its calls, then what it has stored is pushed, at the latest by the net',
    async (moment) => {
      const world = await live()
      world.keepCasting()
      let isOver = false
      for (let call = 1; !isOver; call++) {
        const text = `m${call}`
        await world.topic(text)
        const subscription = await world.subscribe(text, { topicName: text })
        const doomed: Process = await world.process()
        doomed.dieAt(call, moment)
        let isAnswered = false
        void world.publish(text, { topicName: text }, doomed).then(() => (isAnswered = true))
        await world.clock.advance(0)
        const isStored = (await world.left(subscription)).length > 0 || texts(world).includes(text)
        await world.clock.advance(61_000)
        expect(
          texts(world).filter((pushed) => pushed === text),
          `call ${call}`,
        ).toEqual(isStored ? [text] : [])
        expect(await world.left(subscription)).toEqual([])
        isOver = isAnswered
        if (isAnswered) expect([isStored, call > 6]).toEqual([true, true])
      }
      expect(world.failures).toEqual([])
    },
  )
})
