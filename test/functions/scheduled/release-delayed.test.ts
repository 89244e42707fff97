import { DeleteItemCommand, ScanCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { logger } from '../../../functions/logger.ts'
import { handler } from '../../../functions/scheduled/release-delayed.ts'
import type { Topic } from '../../../lib/domain/topic.ts'
import { ONLY_ACCOUNT } from '../../../lib/names.ts'
import { patientClient, testEngine } from '../../support/engine.ts'
import { injectFaults, type Fault, type SeenCall } from '../../support/faults.ts'
import { newWorld, type World, type WorldOptions } from '../../support/worker.ts'

let engine: Awaited<ReturnType<typeof testEngine>>
beforeAll(async () => {
  engine = await testEngine()
})
afterAll(() => engine.stop())
afterEach(() => vi.restoreAllMocks())

const given = (options: WorldOptions = {}) => newWorld(engine.endpoint, { isLive: true, isQuick: true, ...options })

const news = ({ admin }: World): Promise<Topic> => admin.services.topics.read(ONLY_ACCOUNT, 'news')
const texts = ({ pushes }: World) => pushes.map(({ text }) => text)

/** When each text was pushed, in milliseconds from now. */
function arrivals(world: World) {
  const start = world.clock.now()
  return () => Object.fromEntries(world.pushes.map(({ text, begunAt }) => [text, begunAt - start]))
}

/** What is logged from now on. */
function logged(level: 'info' | 'warn' | 'error') {
  const spy = vi.spyOn(logger, level).mockImplementation(() => undefined)
  return (text: string) => spy.mock.calls.flatMap(([line, details]) => (line === text ? [details as object] : []))
}

describe('given publications with a delay', () => {
  it('when they are due within two minutes, then each goes out at its very millisecond, by one run', async () => {
    const world = await given()
    await world.subscribe()
    const at = arrivals(world)
    for (const seconds of [100, 1, 30]) await world.publish(`m${seconds}`, { delaySeconds: seconds })
    await world.clock.advance(101_000)
    expect(at()).toEqual({ m1: 1_000, m30: 30_000, m100: 100_000 })
    expect(world.starts.filter(({ duty }) => duty === 'release')).toHaveLength(1)
  })

  it('when they are due at any time, then none goes out early, nor more than a second late', async () => {
    const world = await given()
    await world.subscribe()
    const start = world.clock.now()
    const at = arrivals(world)
    const delays = [1_260, 121, 120, 180, 600, 601, 240]
    for (const seconds of delays) {
      await world.publish(`m${seconds}`, { delaySeconds: seconds })
      await world.clock.advance(777)
    }
    const publishedAt = (seconds: number) => delays.indexOf(seconds) * 777
    await world.clock.advance(1_300_000 - (world.clock.now() - start))
    for (const seconds of delays) {
      const late = (at()[`m${seconds}`] ?? NaN) - publishedAt(seconds) - seconds * 1_000
      expect(late, `${seconds} s`).toBeGreaterThanOrEqual(0)
      expect(late, `${seconds} s`).toBeLessThanOrEqual(1_000)
    }
    expect([world.failures, await world.left(await news(world))]).toEqual([[], []])
  })

  it('when another process publishes with a shorter delay while a run waits, then that is at most a second late', async () => {
    const world = await given()
    await world.subscribe()
    await world.publish('long', { delaySeconds: 100 })
    await world.clock.advance(10_400)
    const at = arrivals(world)
    await world.publish('short', { delaySeconds: 5 }, await world.process())
    await world.clock.advance(7_000)
    expect(at()['short']).toBeGreaterThanOrEqual(5_000)
    expect(at()['short']).toBeLessThanOrEqual(6_000)
  })

  it('when somebody comes back in time for them, then no run is started; when not, then one is', async () => {
    const world = await given()
    await world.subscribe()
    await world.publish('first', { delaySeconds: 400 })
    await world.clock.advance(3_000)
    expect([world.starts.length, world.running]).toEqual([1, 0])
    await world.publish('later', { delaySeconds: 600 })
    expect(world.starts).toHaveLength(1)
    await world.publish('sooner', { delaySeconds: 200 })
    expect(world.starts).toHaveLength(2)
    const at = arrivals(world)
    await world.clock.advance(700_000)
    expect(at()).toEqual({ sooner: 200_000, first: 397_000, later: 600_000 })
  })

  it('when they go out, then that is when they were published: their messages and bodies are as they were', async () => {
    const world = await given()
    await world.subscribe()
    await world.admin.ask('CreateQueue', { queueName: 'queue' })
    await world.subscribe('queue', { protocol: 'queue', endpoint: 'queue' })
    const large = '中'.repeat(20_000)
    const { msgId } = await world.publish(large, { delaySeconds: 10, 'msgTag.1': 'blue' })
    await world.clock.advance(9_999)
    expect(await world.admin.ask('ReceiveMessage', { queueName: 'queue' })).toMatchObject({ code: 7000 })
    await world.clock.advance(1)
    expect(await world.admin.ask('ReceiveMessage', { queueName: 'queue' })).toMatchObject({ msgBody: large })
    expect(texts(world)).toEqual([large])
    const [{ headers, body } = { headers: undefined, body: '' }] = world.pushes
    expect(headers).toMatchObject({ 'x-cmq-message-id': msgId, 'x-cmq-message-tag': 'blue' })
    expect(JSON.parse(body)).toMatchObject({ msgId, publishTime: Math.floor(world.clock.now() / 1_000) })
  })

  it('when more are due at once than go out at once, then all go out, in order', async () => {
    const world = await given({ settings: { pushWindow: 1 } })
    await world.subscribe()
    const all = Array.from({ length: 40 }, (_, index) => `m${index}`)
    for (const text of all) await world.publish(text, { delaySeconds: 5 })
    await world.clock.advance(6_000)
    expect(texts(world).toSorted()).toEqual(all.toSorted())
    expect(world.pushes.every(({ begunAt }) => begunAt >= (world.pushes[0]?.begunAt ?? 0))).toBe(true)
  })

  it('when they go out, then that is logged, with how late they are', async () => {
    const infos = logged('info')
    const world = await given()
    await world.subscribe()
    const { msgId } = await world.publish('hello', { delaySeconds: 5 })
    await world.clock.advance(5_000)
    const line = { topic: 'news', messageId: msgId, outcome: 'published', late: 0 }
    expect(infos('release')).toMatchObject([line])
    expect(infos('release-delayed')).toMatchObject([{ topics: 1, released: 1 }])
  })
})

describe('given subscriptions that change during a delay', () => {
  it('when a publication is due, then it goes to those who want it then, by their filters of then', async () => {
    const world = await given()
    for (const name of ['stays', 'leaves', 'turns-to', 'turns-from']) await world.subscribe(name)
    const change = (subscriptionName: string, filterTag: string) =>
      world.admin.ask('SetSubscriptionAttributes', { topicName: 'news', subscriptionName, 'filterTag.1': filterTag })
    await change('turns-to', 'red')
    await world.publish('hello', { delaySeconds: 60, 'msgTag.1': 'blue' })
    await world.clock.advance(30_000)
    await change('turns-to', 'blue')
    await change('turns-from', 'red')
    await world.admin.ask('Unsubscribe', { topicName: 'news', subscriptionName: 'leaves' })
    await world.subscribe('joins')
    await world.clock.advance(30_000)
    expect(world.pushes.map(({ endpoint }) => endpoint.split('/').at(-1)).toSorted()).toEqual([
      'joins',
      'stays',
      'turns-to',
    ])
  })

  it('when the topic has routing keys, then they choose when it is due', async () => {
    const world = await given()
    const topicName = 'stocks'
    await world.topic(topicName, { filterType: 2 })
    await world.subscribe('yes', { topicName, 'bindingKey.1': 'a.*' })
    await world.subscribe('no', { topicName, 'bindingKey.1': 'b.*' })
    await world.publish('hello', { topicName, delaySeconds: 3, routingKey: 'a.x' })
    await world.clock.advance(3_000)
    expect(world.pushes.map(({ endpoint }) => endpoint.split('/').at(-1))).toEqual(['yes'])
  })

  it('when nobody wants it any more, then it is gone, and that is logged', async () => {
    const infos = logged('info')
    const world = await given()
    await world.subscribe()
    await world.publish('hello', { delaySeconds: 60 })
    await world.admin.ask('Unsubscribe', { topicName: 'news', subscriptionName: 'mail' })
    await world.clock.advance(61_000)
    expect(infos('release')).toMatchObject([{ outcome: 'nobody wants it' }])
    expect([world.pushes, await world.left(await news(world))]).toEqual([[], []])
  })
})

describe('given a topic that is deleted with publications that wait', () => {
  it.each([
    ['while a run waits for them', 60],
    ['while nobody waits', 600],
  ])('when that is %s, then nothing goes out, and nobody looks after them', async (_, delaySeconds) => {
    const world = await given()
    const topic = await news(world)
    await world.publish('old', { delaySeconds })
    await world.clock.advance(10_000)
    await world.admin.ask('DeleteTopic', { topicName: 'news' })
    // Until then other processes may use the record that they have read.
    await world.clock.advance(1_000)
    await world.topic()
    await world.subscribe()
    await world.publish('new', { delaySeconds: delaySeconds + 5 })
    await world.clock.advance(700_000)
    expect([texts(world), world.running, world.failures]).toEqual([['new'], 0, []])
    expect(await world.left(topic)).toHaveLength(1)
    expect((await world.admin.services.workList.left('release')).map(({ laneId }) => laneId)).not.toContain(topic.id)
  })
})

describe('given a large body that is missing', () => {
  it('when its publication is due, then it is dropped, and that is said; others go out', async () => {
    const warnings = logged('warn')
    const world = await given()
    await world.subscribe()
    const { msgId } = await world.publish('x'.repeat(5_000), { delaySeconds: 5 })
    await world.publish('small', { delaySeconds: 5 })
    const client = patientClient(engine.endpoint)
    const { Items = [] } = await client.send(new ScanCommand({ TableName: world.tableNames.bodies }))
    for (const { pk, sk } of Items)
      if (pk && sk) await client.send(new DeleteItemCommand({ TableName: world.tableNames.bodies, Key: { pk, sk } }))
    await world.clock.advance(6_000)
    expect(texts(world)).toEqual(['small'])
    expect(warnings('message dropped')).toMatchObject([
      { topic: 'news', messageId: msgId, lastFailure: 'body missing' },
    ])
    expect(await world.left(await news(world))).toEqual([])
  })
})

describe('given a store that does not take what is due', () => {
  /** Subscribes a queue and a web server, and lets calls for the items of one table fail as told. */
  async function faulty(table: 'messages' | 'deliveries', decide: (call: SeenCall, world: World) => Fault | undefined) {
    const world = await given()
    await world.admin.ask('CreateQueue', { queueName: 'queue' })
    await world.subscribe('queue', { protocol: 'queue', endpoint: 'queue' })
    await world.subscribe()
    const received = async () => {
      const { code, msgInfoList } = await world.admin.ask('BatchReceiveMessage', { queueName: 'queue', numOfMsg: 16 })
      return code === 0 ? msgInfoList.map(({ msgBody }: { msgBody: string }) => msgBody) : []
    }
    world.pusher = await world.process({
      prepare: (client) =>
        injectFaults(client, (call) =>
          JSON.stringify(call.input).includes(world.tableNames[table]) && !call.command.startsWith('Query')
            ? decide(call, world)
            : undefined,
        ),
    })
    return { world, received }
  }

  it('when a queue takes nothing for half a minute, then it gets the publication at a retry, once, and others at once', async () => {
    let until = Infinity
    const { world, received } = await faulty('messages', (_, { clock }) =>
      clock.now() < until ? 'throttled' : undefined,
    )
    until = world.clock.now() + 40_000
    await world.publish('hello', { delaySeconds: 10 })
    await world.clock.advance(20_000)
    expect([texts(world), await received()]).toEqual([['hello'], []])
    await world.clock.advance(60_000)
    expect([texts(world), await received()]).toEqual([['hello'], ['hello']])
    expect([await world.left(await news(world)), world.failures]).toEqual([[], []])
  })

  it('when it takes no deliveries for half a minute, then the publication is tried again until it goes out', async () => {
    const errors = logged('error')
    let until = Infinity
    const { world, received } = await faulty('deliveries', ({ command }, { clock }) =>
      command === 'PutItemCommand' && clock.now() < until ? 'throttled' : undefined,
    )
    until = world.clock.now() + 40_000
    await world.publish('hello', { delaySeconds: 10 })
    await world.clock.advance(39_000)
    expect(errors('a delayed message could not be published yet').length).toBeGreaterThan(2)
    expect(texts(world)).toEqual([])
    await world.clock.advance(20_000)
    expect(texts(world)).toEqual(['hello'])
    expect(new Set(await received())).toEqual(new Set(['hello']))
    expect([await world.left(await news(world)), world.failures]).toEqual([[], []])
  })

  it('when its answer is lost, then the publication goes out, at worst twice', async () => {
    let losses = 1
    const { world, received } = await faulty('messages', () => (losses-- > 0 ? 'lost after' : undefined))
    await world.publish('hello', { delaySeconds: 10 })
    await world.clock.advance(15_000)
    expect((await received()).length).toBeOneOf([1, 2])
    expect(await world.left(await news(world))).toEqual([])
  })
})

describe('given processes that die', () => {
  it.each(['before', 'after'] as const)(
    'when one dies %s any of its calls as it publishes with a delay, then what it has stored goes out, and not early',
    async (moment) => {
      const world = await given()
      world.keepCasting()
      let isOver = false
      for (let call = 1; !isOver; call++) {
        const text = `m${call}`
        const topic = await world.topic(text)
        await world.subscribe(text, { topicName: text })
        const doomed = await world.process()
        doomed.dieAt(call, moment)
        let isAnswered = false
        const dueAt = world.clock.now() + 5_000
        void world.publish(text, { topicName: text, delaySeconds: 5 }, doomed).then(() => (isAnswered = true))
        await world.clock.advance(0)
        const isStored = (await world.left(topic)).length > 0
        await world.clock.advance(66_000)
        const out = world.pushes.filter((one) => one.text === text)
        expect(out.length, `call ${call}`).toBe(isStored ? 1 : 0)
        for (const { begunAt } of out) expect(begunAt).toBeGreaterThanOrEqual(dueAt)
        isOver = isAnswered
        if (isAnswered) expect([isStored, call > 4]).toEqual([true, true])
      }
    },
  )

  it('when a run dies at any of its calls, then all goes out in time for a stale lease and the net', async () => {
    const world = await given()
    world.keepCasting()
    let isOver = false
    for (let call = 1; !isOver; call++) {
      const text = `m${call}`
      const topic = await world.topic(text)
      await world.subscribe(text, { topicName: text })
      const doomed = await world.process()
      doomed.dieAt(call, call % 2 === 0 ? 'before' : 'after')
      world.pusher = doomed
      await world.publish(text, { topicName: text, delaySeconds: 2 })
      await world.clock.advance(0)
      world.pusher = world.publisher
      await world.clock.advance(2_000 + 30_000 + 60_000 + 3_000)
      expect(texts(world), `call ${call}`).toContain(text)
      expect(await world.left(topic)).toEqual([])
      isOver = !doomed.isDead
      if (isOver) expect(call).toBeGreaterThan(8)
    }
    expect([world.failures, world.sideBySide]).toEqual([[], []])
  })
})

describe('given topics that were left behind', () => {
  async function left(world: World, ...names: string[]) {
    world.luck.starts = 'lost'
    for (const topicName of names) {
      await world.topic(topicName)
      await world.subscribe(topicName, { topicName })
      await world.publish(topicName, { topicName, delaySeconds: 10 })
    }
    world.luck.starts = 'made'
    await world.clock.advance(3_000)
  }

  it('when the beat of its schedule comes, then one run works through all of them', async () => {
    const infos = logged('info')
    const world = await given()
    await left(world, 'a', 'b', 'c')
    const run = world.run({}, { handler })
    await world.clock.advance(20_000)
    await run
    expect(texts(world).toSorted()).toEqual(['a', 'b', 'c'])
    expect(infos('release-delayed')).toMatchObject([{ topics: 3, released: 3 }])
    await world.run({}, { handler })
    expect(infos('release-delayed')[1]).toMatchObject({ topics: 0, released: 0 })
  })

  it('when one of them fails, then the others go out all the same, and the run says that it has failed', async () => {
    const world = await given()
    await left(world, 'a', 'b', 'c')
    const { id } = await world.admin.services.topics.read(ONLY_ACCOUNT, 'b')
    let isBroken = true
    world.pusher = await world.process({
      prepare: (client) =>
        injectFaults(client, ({ command, input }) =>
          isBroken && command === 'QueryCommand' && input['ConsistentRead'] && JSON.stringify(input).includes(`"${id}"`)
            ? 'throttled'
            : undefined,
        ),
    })
    const run = world.run({}, { handler })
    await world.clock.advance(20_000)
    await run
    expect(texts(world).toSorted()).toEqual(['a', 'c'])
    expect(world.failures).toMatchObject([{ message: 'too much' }])
    isBroken = false
    await world.run({}, { handler })
    await world.clock.advance(0)
    expect(texts(world)).toContain('b')
  })

  it('when another works through one of them, then that one is left to it', async () => {
    const world = await given()
    await left(world, 'a', 'b')
    const { id } = await world.admin.services.topics.read(ONLY_ACCOUNT, 'a')
    const other = await world.process()
    await other.services.workList.take(id, 'theirs')
    const run = world.run({}, { handler })
    await world.clock.advance(10_000)
    await run
    expect(texts(world)).toEqual(['b'])
  })
})
