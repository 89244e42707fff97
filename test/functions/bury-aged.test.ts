import { QueryCommand, ScanCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { buryAged } from '../../functions/bury-aged.ts'
import { logger } from '../../functions/logger.ts'
import { handler } from '../../functions/scheduled/release-delayed.ts'
import { metered, noUsage } from '../../lib/store/meter.ts'
import { patientClient, testEngine } from '../support/engine.ts'
import type { Answer } from '../support/service.ts'
import { newWorld, type Process, type World } from '../support/worker.ts'

let engine: Awaited<ReturnType<typeof testEngine>>
beforeAll(async () => {
  engine = await testEngine()
})
afterAll(() => engine.stop())
afterEach(() => vi.restoreAllMocks())

const queueName = 'orders'
const policy = { deadLetterQueueName: 'dead', policy: 1, maxTimeToLive: 300 }

async function given() {
  const world = await newWorld(engine.endpoint)
  const { ask } = world.admin
  const eyes = patientClient(engine.endpoint)
  await ask('CreateQueue', { queueName: 'dead', visibilityTimeout: 43_200 })
  await ask('CreateQueue', { queueName, ...policy })
  return {
    world,
    ask,
    clock: world.clock,
    send: (msgBody: string) => ask('SendMessage', { queueName, msgBody }),
    /** One beat of the schedule. */
    beat: (by: Process = world.pusher) => world.run({}, { handler, by }),
    inDead: async () => {
      const { msgInfoList } = await ask('BatchReceiveMessage', { queueName: 'dead', numOfMsg: 16 })
      return ((msgInfoList ?? []) as Answer[]).map(({ msgBody }) => msgBody as string)
    },
    /** The queues that are looked after. */
    marks: async () => {
      const { Items = [] } = await eyes.send(
        new QueryCommand({
          TableName: world.tableNames.registry,
          KeyConditionExpression: 'pk = :pk',
          ExpressionAttributeValues: { ':pk': { S: 'aging' } },
        }),
      )
      return Items.map(({ name }) => name?.S)
    },
    /** How many items of messages there are. */
    items: async () => {
      const { Items = [] } = await eyes.send(new ScanCommand({ TableName: world.tableNames.messages }))
      return Items.filter(({ sk }) => sk?.S !== 'look').length
    },
  }
}

/** Its clock stands still while a run goes on: nothing of it waits. */
const usageOf = async (world: World, work: () => Promise<unknown>) => {
  const usage = noUsage()
  await metered(usage, work)
  expect(world.failures).toEqual([])
  return usage
}

describe('given a queue whose messages die of age, and from which nobody receives', () => {
  it('when the schedule beats every minute, then each is moved within a minute, and none early', async () => {
    const { world, clock, send, inDead } = await given()
    const moved: [string, number][] = []
    const start = clock.now()
    for (const seconds of [0, 20, 40, 60]) {
      await send(`sent after ${seconds}`)
      await clock.advance(20_000)
    }
    world.keepCasting()
    while (moved.length < 4 && clock.now() < start + 600_000) {
      await clock.advance(5_000)
      for (const text of await inDead()) moved.push([text, (clock.now() - start) / 1000])
    }
    expect(moved.map(([text]) => text)).toEqual(['sent after 0', 'sent after 20', 'sent after 40', 'sent after 60'])
    for (const [text, seconds] of moved) {
      const died = Number(text.slice('sent after '.length)) + 300
      expect(seconds, text).toBeGreaterThanOrEqual(died)
      expect(seconds, text).toBeLessThanOrEqual(died + 65)
    }
  })

  it('when a beat moves some of two queues, then it says how many', async () => {
    const info = vi.spyOn(logger, 'info').mockImplementation(() => undefined)
    const { ask, clock, send, beat } = await given()
    await ask('CreateQueue', { queueName: 'others', ...policy })
    await ask('SendMessage', { queueName: 'others', msgBody: 'hello' })
    await send('hello')
    await send('x'.repeat(5_000))
    await clock.advance(300_000)
    await beat()
    expect(info.mock.calls.filter(([line]) => line === 'release-delayed')).toMatchObject([
      ['release-delayed', { topics: 0, released: 0, buried: 3 }],
    ])
  })

  it('when nothing has died, then a beat reads the mark, the record, and once for each shard, and writes nothing', async () => {
    const { world, clock, send } = await given()
    await clock.advance(300_000)
    await send('hello')
    const { services } = world.pusher
    const look = () => usageOf(world, () => buryAged(services, Infinity, new AbortController().signal))
    expect(await look()).toEqual({ readUnits: 0.5 + 1 + 0.5, writeUnits: 0, calls: 3 })
    await world.admin.ask('SetQueueAttributes', { queueName, shards: 3 })
    await clock.advance(2_000)
    expect(await look()).toEqual({ readUnits: 0.5 + 1 + 1.5, writeUnits: 0, calls: 5 })
  })

  it('when it is bound for less time than the time to live, then what was there before stays', async () => {
    const { ask, clock, send, beat, inDead } = await given()
    await ask('UnbindDeadLetter', { queueName })
    await send('hello')
    await clock.advance(400_000)
    await ask('SetQueueAttributes', { queueName, ...policy })
    await clock.advance(299_000)
    await beat()
    expect(await inDead()).toEqual([])
    await clock.advance(1_000)
    await beat()
    expect(await inDead()).toEqual(['hello'])
  })
})

describe('given no queue whose messages die of age', () => {
  it('when the schedule beats, then that costs half a read unit', async () => {
    const { world, ask, beat } = await given()
    await ask('DeleteQueue', { queueName })
    await beat()
    const { services } = world.pusher
    const usage = await usageOf(world, () => buryAged(services, Infinity, new AbortController().signal))
    expect(usage).toEqual({ readUnits: 0.5, writeUnits: 0, calls: 1 })
  })
})

describe('given the mark of a queue', () => {
  it.each([
    ['unbound', 'UnbindDeadLetter', {}],
    ['deleted', 'DeleteQueue', {}],
    ['bound by receives', 'SetQueueAttributes', { policy: 0, maxReceiveCount: 3 }],
  ])('when the queue is %s, then the next beat removes it', async (_, action, parameters) => {
    const { world, ask, clock, beat, marks } = await given()
    expect(await marks()).toEqual([queueName])
    await ask(action, { queueName, ...parameters })
    await clock.advance(1_000)
    await beat()
    expect([await marks(), world.failures]).toEqual([[], []])
  })

  it('when the queue is bound again before it is removed, then it stays', async () => {
    const { world, ask, marks } = await given()
    const { aging } = world.admin.services
    const [old] = await aging.list()
    await ask('UnbindDeadLetter', { queueName })
    await ask('SetQueueAttributes', { queueName, ...policy })
    if (old) await aging.forget(old)
    expect(await marks()).toEqual([queueName])
  })

  it('when it is missing, as beside a record from a backup, then the same policy set anew makes it', async () => {
    const { world, ask, clock, send, beat, inDead, marks } = await given()
    const { aging } = world.admin.services
    const [mark] = await aging.list()
    if (mark) await aging.forget(mark)
    await send('hello')
    await ask('SetQueueAttributes', { queueName, ...policy })
    expect(await marks()).toEqual([queueName])
    await clock.advance(300_000)
    await beat()
    expect(await inDead()).toEqual(['hello'])
  })

  it('when a queue is not bound by age, then there is none', async () => {
    const { ask, marks } = await given()
    await ask('CreateQueue', { queueName: 'other', ...policy, policy: 0, maxReceiveCount: 3 })
    expect(await marks()).toEqual([queueName])
  })
})

describe('given a dead-letter queue that is gone', () => {
  it('when a beat comes, then that is told once, and a later one moves what is left', async () => {
    const told = vi.spyOn(logger, 'error').mockImplementation(() => undefined)
    const { world, ask, clock, send, beat, inDead } = await given()
    await send('hello')
    await clock.advance(300_000)
    const { queues } = world.admin.services
    await queues.remove(await queues.read('1250000000', 'dead'), 0)
    expect(await usageOf(world, () => beat())).toMatchObject({ writeUnits: 1 })
    expect(told.mock.calls).toMatchObject([
      ['dead letters could not be moved', { queue: 'orders', deadLetterQueue: 'dead', messages: 1 }],
    ])
    await ask('CreateQueue', { queueName: 'dead' })
    await clock.advance(60_000)
    await beat()
    expect(await inDead()).toEqual(['hello'])
  })
})

describe('given a beat whose process dies', () => {
  it.each(['before', 'after'] as const)(
    'when that is %s any of its calls, then each message is in exactly one queue, and the next beat moves the rest',
    async (moment) => {
      const { world, clock, send, beat, inDead, items } = await given()
      const bodies = ['small', 'x'.repeat(5_000)]
      for (let call = 1; ; call++) {
        for (const body of bodies) await send(body)
        await clock.advance(300_000)
        const mortal = await world.process()
        mortal.dieAt(call, moment)
        void beat(mortal)
        await clock.advance(1_000)
        expect(await items()).toBe(2 * call)
        // What was claimed comes free again.
        await clock.advance(30_000)
        await beat()
        expect((await inDead()).toSorted()).toEqual(bodies)
        expect(await items()).toBe(2 * call)
        if (!mortal.isDead) return expect(call).toBeGreaterThan(20)
      }
    },
  )
})
