import { DeleteItemCommand, ScanCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { logger } from '../../functions/logger.ts'
import { handler as push } from '../../functions/push.ts'
import { patientClient, testEngine } from '../support/engine.ts'
import { newWorld, pushWork, type Push, type Reply, type World, type WorldOptions } from '../support/worker.ts'

let engine: Awaited<ReturnType<typeof testEngine>>
beforeAll(async () => {
  engine = await testEngine()
})
afterAll(() => engine.stop())
afterEach(() => vi.restoreAllMocks())

/** A world in which whatever is started or woken runs. */
const given = (options: WorldOptions = {}) => newWorld(engine.endpoint, { isLive: true, isQuick: true, ...options })

const failing = { answer: (): Reply => ({ status: 500 }) }
const DAY = 86_400_000
const HOUR = 3_600_000

/** The waits between the end of each attempt and the beginning of the next one. */
const gaps = (pushes: readonly Push[]) =>
  pushes.slice(1).map(({ begunAt }, index) => begunAt - (pushes[index]?.endedAt ?? NaN))

const of = ({ pushes }: World, text: string) => pushes.filter((push) => push.text === text)
const delivered = ({ pushes }: World) => pushes.filter(({ outcome }) => outcome === '200').map(({ text }) => text)
const names = (count: number, prefix = 'm') => Array.from({ length: count }, (_, index) => `${prefix}${index}`)

/** What is logged from now on, by the text of each line. */
function logged(level: 'info' | 'warn' | 'error') {
  const spy = vi.spyOn(logger, level).mockImplementation(() => undefined)
  return (text: string) => spy.mock.calls.flatMap(([line, details]) => (line === text ? [details as object] : []))
}

describe('given a web server that is well', () => {
  it('when a message is published, then it is pushed at once, with all that CMQ tells of it', async () => {
    const world = await given()
    await world.subscribe('mail', { endpoint: 'https://example.com/hook?a=1' })
    const { msgId } = await world.publish('hello', { 'msgTag.1': 'urgent', 'msgTag.2': 'blue' })
    await world.clock.advance(0)
    expect(world.pushes).toHaveLength(1)
    const [{ endpoint, headers, body }] = world.pushes as [Push]
    expect(endpoint).toBe('https://example.com/hook?a=1')
    expect(headers).toMatchObject({ 'x-cmq-message-id': msgId, 'x-cmq-message-tag': 'urgent, blue' })
    expect(headers['x-cmq-request-id']).toMatch(/^\d+$/)
    expect(JSON.parse(body)).toEqual({
      TopicOwner: 1250000000,
      topicName: 'news',
      subscriptionName: 'mail',
      msgId,
      msgBody: 'hello',
      publishTime: Math.floor(world.clock.now() / 1_000),
    })
  })

  it('when a body is large, then it is pushed whole, in the form that the subscription wants', async () => {
    const world = await given()
    await world.subscribe('mail', { notifyContentFormat: 'SIMPLIFIED' })
    const text = '中'.repeat(20_000)
    await world.publish(text)
    await world.clock.advance(0)
    expect(world.pushes.map(({ body }) => body)).toEqual([text])
  })

  it('when it is slow, then another one of the topic is not held up', async () => {
    const world = await given({
      answer: ({ endpoint }) => ({ status: 200, after: endpoint.endsWith('slow') ? 14_000 : 5 }),
    })
    await world.subscribe('slow')
    await world.subscribe('quick')
    for (const text of names(40)) await world.publish(text)
    await world.clock.advance(1_000)
    const quick = world.pushes.filter(({ endpoint }) => endpoint.endsWith('quick'))
    expect(quick).toHaveLength(40)
    expect(Math.max(...quick.map(({ endedAt = Infinity }) => endedAt))).toBeLessThan(world.clock.now() - 900)
  })

  it('when a run is started without a subscription, then it fails', async () => {
    const errors = logged('error')
    const world = await given()
    await world.run({}, { handler: push })
    expect(world.failures).toEqual([new Error('nobody said to which subscription to push')])
    expect(errors('unexpected failure')).toMatchObject([{ run: 'push' }])
  })
})

describe('given a message that a web server never takes', () => {
  const waits = [...Array.from({ length: 10 }, (_, retry) => 2 ** retry), ...Array<number>(166).fill(512)]

  function expectWaits(pushes: readonly Push[]): void {
    for (const [retry, gap] of gaps(pushes).entries()) {
      const wait = (waits[retry] ?? NaN) * 1_000
      expect(gap, `retry ${retry + 1}`).toBeGreaterThanOrEqual(wait)
      expect(gap, `retry ${retry + 1}`).toBeLessThanOrEqual(wait + 1_000)
    }
  }

  it('when its strategy is EXPONENTIAL_DECAY_RETRY, then 176 retries follow, each after the wait of its place', async () => {
    const warnings = logged('warn')
    const world = await given({ answer: () => ({ status: 503, after: 900 }), wakeUps: 'timers' })
    const subscription = await world.subscribe()
    await world.publish('hello')
    await world.clock.advance(DAY)
    expect(world.pushes).toHaveLength(177)
    expectWaits(world.pushes)
    expect(warnings('message dropped')).toMatchObject([{ subscription: subscription.id, lastFailure: '503' }])
    expect(await world.left(subscription)).toEqual([])
    expect([world.starts.length, world.running, world.failures]).toEqual([1, 0, []])
  })

  it('when its runs are woken by schedules, exact to the minute, then its retries are as exact', async () => {
    const world = await given({ answer: () => ({ status: 503, after: 1_500 }) })
    await world.subscribe()
    await world.publish('hello')
    await world.clock.advance(HOUR)
    expect(world.pushes.length).toBeGreaterThan(14)
    expectWaits(world.pushes)
    // What could not be waited for inside was woken for, once each; the last one is still to come.
    const ended = world.pushes.filter(({ endedAt }) => endedAt !== undefined)
    expect(world.schedules).toHaveLength(ended.length - 7)
    expect(new Set(world.schedules.map(({ name }) => name)).size).toBe(world.schedules.length)
    expect([world.starts.length, world.failures]).toEqual([1, []])
  })

  it('when each attempt takes its 15 s, then its day ends first, and it is dropped then', async () => {
    const warnings = logged('warn')
    const world = await given()
    const subscription = await world.subscribe()
    world.luck.starts = 'lost'
    await world.publish('hello')
    world.luck.starts = 'made'
    const [delivery] = await world.left(subscription)
    if (!delivery) throw new Error('nothing was stored')
    const { clock } = world
    const late = { ...delivery, attempt: 170, dueAt: delivery.endsAt - 520_000, failure: 'timeout' }
    await world.admin.services.deliveries.postpone(subscription.id, delivery, late)
    clock.set(delivery.endsAt - 521_000)
    world.answer = () => ({ status: 200, after: 20_000 })
    void world.run({ work: pushWork(subscription) })
    await clock.advance(30_000)
    expect(world.pushes.map(({ outcome }) => outcome)).toEqual(['timeout'])
    expect(warnings('message dropped')).toMatchObject([{ lastFailure: 'timeout' }])
    expect(await world.left(subscription)).toEqual([])
  })

  it('when its strategy is BACKOFF_RETRY, then 3 retries follow, 10 to 20 s apart, and it is dropped', async () => {
    const warnings = logged('warn')
    const world = await given({ answer: () => ({ status: 404, after: 300 }) })
    const subscription = await world.subscribe('mail', { notifyStrategy: 'BACKOFF_RETRY' })
    for (const text of names(12)) await world.publish(text)
    await world.clock.advance(65_000)
    const all = names(12).map((text) => gaps(of(world, text)))
    for (const waits of all) {
      expect(waits).toHaveLength(3)
      for (const wait of waits) {
        expect(wait).toBeGreaterThanOrEqual(10_000)
        expect(wait).toBeLessThanOrEqual(21_000)
      }
    }
    expect(new Set(all.flat()).size).toBeGreaterThan(20)
    expect(warnings('message dropped')).toHaveLength(12)
    expect([await world.left(subscription), world.running]).toEqual([[], 0])
  })

  it('when it is tried, then each attempt is a line in the log, and its end another, without its body', async () => {
    const [infos, warnings] = [logged('info'), logged('warn')]
    const world = await given({ ...failing, settings: { pushWindow: 1 } })
    const { id } = await world.subscribe('mail', { notifyStrategy: 'BACKOFF_RETRY' })
    const { msgId } = await world.publish('secret')
    await world.clock.advance(65_000)
    const about = { subscription: id, topic: 'news', name: 'mail', messageId: msgId }
    // The first failure is a warning, so that somebody hears of it long before the message is dropped.
    const lines = [...warnings('attempt'), ...infos('attempt')] as { attempt: number; nextDueAt?: string }[]
    expect(lines).toHaveLength(4)
    for (const [index, line] of lines.entries())
      expect(line).toMatchObject({ ...about, attempt: index + 1, status: '500', milliseconds: 0 })
    expect(lines.map(({ nextDueAt = '' }) => Date.parse(nextDueAt))).toEqual([
      ...world.pushes.slice(1).map(({ begunAt }) => begunAt),
      NaN,
    ])
    expect(warnings('message dropped')).toMatchObject([{ ...about, attempts: 4, lastFailure: '500' }])
    expect(JSON.stringify([lines, warnings('message dropped')])).not.toContain('secret')
  })
})

describe('given a web server that is dead', () => {
  it('when 200 messages wait for it, then it is asked 16 times a wait, and for nothing else', async () => {
    const world = await given(failing)
    const subscription = await world.subscribe()
    const batch = Object.fromEntries(names(16).map((text, index) => [`msgBody.${index}`, text]))
    for (let round = 0; round < 12; round++)
      await world.publisher.ask('BatchPublishMessage', { topicName: 'news', ...batch })
    for (const text of names(8)) await world.publish(text)
    await world.clock.advance(HOUR / 2)
    const waves = new Map<number, number>()
    for (const { begunAt } of world.pushes) waves.set(begunAt, (waves.get(begunAt) ?? 0) + 1)
    expect(new Set(waves.values())).toEqual(new Set([16]))
    // The waits 1, 2, 4 … 256 take 511 s, and then there is one each 512 s.
    expect(waves.size).toBe(1 + 9 + Math.floor((1_800 - 511) / 512))
    expect(new Set(world.pushes.map(({ messageId }) => messageId)).size).toBe(16)
    expect([world.starts.length, (await world.left(subscription)).length]).toEqual([1, 200])
  })

  it('when it lives again, then everything is pushed within its next wait and a few seconds', async () => {
    const world = await given(failing)
    const subscription = await world.subscribe()
    for (const text of names(60)) await world.publish(text)
    await world.clock.advance(10 * 60_000)
    world.answer = () => ({ status: 200, after: 50 })
    await world.clock.advance(513_000)
    expect(delivered(world).toSorted()).toEqual(names(60).toSorted())
    expect([await world.left(subscription), world.sideBySide, world.running]).toEqual([[], [], 0])
  })

  it('when a message was never tried and its day is over, then it is dropped, and that is said', async () => {
    const warnings = logged('warn')
    const world = await given()
    const subscription = await world.subscribe()
    world.luck.starts = 'lost'
    const { msgId } = await world.publish('hello')
    world.clock.set(world.clock.now() + DAY)
    world.luck.starts = 'made'
    await world.castNets()
    await world.clock.advance(0)
    expect(warnings('message dropped')).toMatchObject([{ messageId: msgId, attempts: 0, lastFailure: 'never tried' }])
    expect([world.pushes, await world.left(subscription)]).toEqual([[], []])
  })
})

describe('given one bad message among good ones', () => {
  const answer = ({ text }: Push): Reply => ({ status: text === 'bad' ? 500 : 200 })

  it('when it fails, then the others go on beside it', async () => {
    const world = await given({ answer })
    await world.subscribe()
    for (const text of ['a', 'bad', 'b', 'c']) await world.publish(text)
    await world.clock.advance(500)
    expect(delivered(world)).toEqual(['a', 'b', 'c'])
  })

  it('when the window is 1, then all later ones wait until it is made, and come in order', async () => {
    let isBad = true
    const world = await given({ settings: { pushWindow: 1 } })
    world.answer = ({ text }) => ({ status: text === 'bad' && isBad ? 500 : 200, after: 20 })
    await world.subscribe()
    const order = ['a', 'bad', ...names(30)]
    for (const text of order) await world.publish(text)
    await world.clock.advance(400_000)
    expect([delivered(world), world.mostAtOnce]).toEqual([['a'], 1])
    isBad = false
    await world.clock.advance(300_000)
    expect([delivered(world), world.mostAtOnce]).toEqual([order, 1])
  })
})

describe('given a subscription that ends', () => {
  it('when that is in the middle of retries, then no other attempt is made, whoever looks after the lane', async () => {
    const world = await given(failing)
    const subscription = await world.subscribe()
    for (const text of names(20)) await world.publish(text)
    await world.clock.advance(10_000)
    expect(world.running).toBe(1)
    await world.admin.ask('Unsubscribe', { topicName: 'news', subscriptionName: 'mail' })
    await world.clock.advance(1_000)
    const before = world.pushes.length
    expect(world.running).toBe(0)
    expect(await world.admin.services.workList.left('push')).toEqual([])
    world.keepCasting()
    await world.clock.advance(HOUR / 4)
    expect(world.pushes).toHaveLength(before)
    expect(await world.left(subscription)).toHaveLength(20)
  })

  it('when it is made again under its name, then the new one gets what is published from then on, and nothing before', async () => {
    const world = await given(failing)
    await world.subscribe()
    await world.publish('old')
    await world.clock.advance(200_000)
    await world.admin.ask('Unsubscribe', { topicName: 'news', subscriptionName: 'mail' })
    await world.subscribe()
    const before = world.pushes.length
    world.answer = () => ({ status: 200 })
    await world.clock.advance(1_100)
    await world.publish('new')
    world.keepCasting()
    await world.clock.advance(HOUR / 4)
    expect(world.pushes.slice(before).map(({ text }) => text)).toEqual(['new'])
  })

  it('when an attempt is under way, then it ends, and what it delivers is not pushed again', async () => {
    const world = await given({ answer: () => ({ status: 200, after: 10_000 }) })
    const subscription = await world.subscribe()
    await world.publish('hello')
    await world.clock.advance(2_000)
    await world.admin.ask('Unsubscribe', { topicName: 'news', subscriptionName: 'mail' })
    await world.clock.advance(20_000)
    expect(world.pushes.map(({ outcome }) => outcome)).toEqual(['200'])
    expect([await world.left(subscription), world.running]).toEqual([[], 0])
  })
})

describe('given a subscription that is changed', () => {
  const change = (world: World, sent: Record<string, string>) =>
    world.admin.ask('SetSubscriptionAttributes', { topicName: 'news', subscriptionName: 'mail', ...sent })

  it('when its strategy becomes BACKOFF_RETRY, then a message that has failed often is dropped by its next failure', async () => {
    const warnings = logged('warn')
    const world = await given(failing)
    const subscription = await world.subscribe()
    await world.publish('often')
    await world.clock.advance(40_000)
    await world.publish('seldom')
    await world.clock.advance(1_500)
    await change(world, { notifyStrategy: 'BACKOFF_RETRY' })
    const [often, seldom] = [of(world, 'often').length, of(world, 'seldom').length]
    await world.clock.advance(120_000)
    // What was due already comes as it was due, and the wait after it is another.
    expect([of(world, 'often').length - often, of(world, 'seldom').length - seldom]).toEqual([1, 2])
    expect(gaps(of(world, 'seldom'))[2]).toBeGreaterThanOrEqual(10_000)
    expect(warnings('message dropped')).toHaveLength(2)
    expect(await world.left(subscription)).toEqual([])
  })

  it('when its strategy becomes EXPONENTIAL_DECAY_RETRY, then the waits go on where that is after so many', async () => {
    const world = await given(failing)
    await world.subscribe('mail', { notifyStrategy: 'BACKOFF_RETRY' })
    await world.publish('hello')
    await world.clock.advance(1_000)
    await change(world, { notifyStrategy: 'EXPONENTIAL_DECAY_RETRY' })
    await world.clock.advance(90_000)
    const [first, ...others] = gaps(world.pushes)
    expect(first).toBeGreaterThanOrEqual(10_000)
    expect(others).toEqual([2_000, 4_000, 8_000, 16_000, 32_000])
  })

  it('when its format becomes another, then the next attempt has it', async () => {
    const world = await given(failing)
    await world.subscribe()
    await world.publish('hello')
    await world.clock.advance(100)
    await change(world, { notifyContentFormat: 'SIMPLIFIED' })
    await world.clock.advance(2_000)
    expect(world.pushes.map(({ body }) => body === 'hello')).toEqual([false, true])
  })
})

describe('given a large body that is missing', () => {
  it('when its message is to be pushed, then it is dropped at once, and that is said; others are pushed', async () => {
    const [infos, warnings] = [logged('info'), logged('warn')]
    const world = await given()
    const subscription = await world.subscribe()
    world.luck.starts = 'lost'
    const { msgId } = await world.publish('x'.repeat(5_000))
    await world.publish('small')
    const client = patientClient(engine.endpoint)
    const { Items = [] } = await client.send(new ScanCommand({ TableName: world.tableNames.bodies }))
    for (const { pk, sk } of Items)
      if (pk && sk) await client.send(new DeleteItemCommand({ TableName: world.tableNames.bodies, Key: { pk, sk } }))
    world.luck.starts = 'made'
    await world.clock.advance(2_000)
    await world.castNets()
    await world.clock.advance(0)
    expect(delivered(world)).toEqual(['small'])
    expect(warnings('message dropped')).toMatchObject([{ messageId: msgId, lastFailure: 'body missing' }])
    expect(infos('push').at(-1)).toMatchObject({ subscription: subscription.id, delivered: 1, failed: 0, dropped: 1 })
    expect(await world.left(subscription)).toEqual([])
  })
})

describe('given a queue that cannot take what is published', () => {
  async function received({ admin }: World): Promise<string[]> {
    const { code, msgInfoList } = await admin.ask('BatchReceiveMessage', { queueName: 'later', numOfMsg: 16 })
    return code === 0 ? msgInfoList.map(({ msgBody }: { msgBody: string }) => msgBody) : []
  }

  it('when it is made later, then it gets all of it within a minute of being there, once each', async () => {
    const world = await given()
    const subscription = await world.subscribe('queue', { protocol: 'queue', endpoint: 'later' })
    for (const text of names(10)) await world.publish(text)
    await world.clock.advance(40_000)
    await world.admin.ask('CreateQueue', { queueName: 'later' })
    await world.clock.advance(33_000)
    expect((await received(world)).toSorted()).toEqual(names(10))
    expect([await world.left(subscription), world.pushes]).toEqual([[], []])
  })

  it('when it was too small and grows, then it gets what was too large for it', async () => {
    const [infos, warnings] = [logged('info'), logged('warn')]
    const world = await given()
    await world.admin.ask('CreateQueue', { queueName: 'later', maxMsgSize: 1_024 })
    const subscription = await world.subscribe('queue', { protocol: 'queue', endpoint: 'later' })
    const large = 'x'.repeat(2_000)
    await world.publish(large)
    await world.publish('small')
    expect(await received(world)).toEqual(['small'])
    await world.clock.advance(1_000)
    expect([...warnings('attempt'), ...infos('attempt')]).toMatchObject(Array(2).fill({ status: '4400 (10230)' }))
    await world.admin.ask('SetQueueAttributes', { queueName: 'later', maxMsgSize: 65_536 })
    await world.clock.advance(5_000)
    expect(await received(world)).toEqual([large])
    expect(await world.left(subscription)).toEqual([])
  })

  it('when it never comes, then the message is dropped by the strategy, like any other', async () => {
    const warnings = logged('warn')
    const world = await given()
    await world.subscribe('queue', { protocol: 'queue', endpoint: 'later', notifyStrategy: 'BACKOFF_RETRY' })
    await world.publish('hello')
    await world.clock.advance(65_000)
    expect(warnings('message dropped')).toMatchObject([{ lastFailure: '4440 (10100)' }])
  })
})
