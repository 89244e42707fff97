import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { endServers, startServer, type LocalServer } from '../support/local-server.ts'
import type { Answer } from '../support/service.ts'
import { signedEvent } from '../support/signed-request.ts'
import { subscriberThat, type Push, type Subscriber } from '../support/subscriber.ts'

/** What `npm start` runs pushes over real sockets, in real time, and goes on with it after a restart or a kill. */

// They wait far more than they work, so all of them wait at once.
vi.setConfig({ maxConcurrency: 50 })

/** Bounds in milliseconds for a busy machine; alone on one, a push comes within 50 ms and an end takes some 30 ms. */
const LATE = 15_000
const END_TAKES = 10_000

/** How far the clocks of two processes may drift apart in a minute. */
const DRIFT = 20

let parent = ''
let shared: LocalServer

beforeAll(async () => {
  parent = await realpath(await mkdtemp(join(tmpdir(), 'local-push-')))
  shared = await start(newDirectory())
})
afterAll(async () => {
  await endServers()
  // An engine that was killed may write for a moment more.
  await rm(parent, { recursive: true, maxRetries: 5 })
})

let names = 0
const newName = (kind: string) => `${kind}-${++names}`
const newDirectory = () => join(parent, newName('data'))
const start = (directory: string) => startServer(['--port', '0', '--data', directory])

type Fields = Readonly<Record<string, string | number>>

/** Calls the server as a client does. */
async function ask({ url }: LocalServer, Action: string, parameters: Fields): Promise<Answer> {
  const texts = Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, String(value)]))
  const { body = '' } = signedEvent({ Action, ...texts }, { host: new URL(url).host })
  const answer = await fetch(`${url}/v2/index.php`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: Buffer.from(body, 'base64').toString(),
  })
  return (await answer.json()) as Answer
}

/** Asks, and is answered with success. */
async function done(...call: Parameters<typeof ask>): Promise<Answer> {
  const answer = await ask(...call)
  expect(answer).toMatchObject({ code: 0 })
  return answer
}

async function newTopic(server: LocalServer): Promise<string> {
  const topicName = newName('news')
  await done(server, 'CreateTopic', { topicName })
  return topicName
}

async function newQueue(server: LocalServer): Promise<string> {
  const queueName = newName('orders')
  await done(server, 'CreateQueue', { queueName })
  return queueName
}

/** Subscribes a web server, and returns the names of topic and subscription. */
async function subscribe(server: LocalServer, topicName: string, endpoint: string, more: Fields = {}) {
  const names = { topicName, subscriptionName: newName('mail') }
  await done(server, 'Subscribe', { ...names, protocol: 'http', endpoint, ...more })
  return names
}

const fill = (server: LocalServer, topicName: string, queueName: string) =>
  subscribe(server, topicName, queueName, { protocol: 'queue' })

async function publish(server: LocalServer, topicName: string, msgBody: string, more: Fields = {}): Promise<string> {
  const { msgId } = await done(server, 'PublishMessage', { topicName, msgBody, ...more })
  return String(msgId)
}

const receive = (server: LocalServer, queueName: string) =>
  ask(server, 'ReceiveMessage', { queueName, pollingWaitSeconds: 30 })

/** Resolves once the attributes tell of no message that waits; the test's own time limit is the bound. */
async function untilNothingWaits(server: LocalServer, action: string, fields: Fields) {
  while ((await done(server, action, fields)).msgCount !== 0) await new Promise((resolve) => setTimeout(resolve, 20))
}

/** Resolves once nothing waits for a subscription any more. */
const untilNothingIsLeft = (server: LocalServer, subscription: Fields) =>
  untilNothingWaits(server, 'GetSubscriptionAttributes', subscription)

const headersOf = ({ headers }: Push) => Object.fromEntries(headers)
const idOf = (push: Push) => headersOf(push)['x-cmq-message-id']
const bodiesOf = ({ pushes }: Subscriber) => pushes.map(({ body }) => body)

/** Milliseconds between one push and the next. */
const gapsOf = ({ pushes }: Subscriber) => pushes.slice(1).map(({ at }, index) => at - (pushes[index]?.at ?? 0))

/** It took at least so many milliseconds and, if the machine is not too busy, hardly more. */
function expectWait(actual: number, least: number, most = least) {
  expect(actual).toBeGreaterThan(least - DRIFT)
  expect(actual).toBeLessThan(most + LATE)
}

/** Ends the server as Ctrl-C does, without a word. */
async function stop(server: LocalServer) {
  const from = performance.now()
  server.kill('SIGINT')
  const { at, ...how } = await server.ended
  expect(how).toEqual({ code: 0, signal: null })
  expect(at - from).toBeLessThan(END_TAKES)
  expect(unexpected(server.errors())).toEqual([])
}

async function kill(server: LocalServer) {
  server.kill('SIGKILL')
  await server.ended
  expect(unexpected(server.errors())).toEqual([])
}

describe.concurrent('given a web server that accepts what is pushed to it', () => {
  it('when a message is published, then it gets the headers and the JSON of CMQ, in their order', async () => {
    await using subscriber = await subscriberThat(200)
    const topicName = await newTopic(shared)
    const endpoint = `${subscriber.url}hook?a=1&b=%20`
    const { subscriptionName } = await subscribe(shared, topicName, endpoint)
    const from = Math.floor(Date.now() / 1000)
    const tags = { 'msgTag.1': 'a', 'msgTag.2': 'b' }
    const msgId = await publish(shared, topicName, 'say "hello"', tags)

    const push = await subscriber.push(1)
    expect(push).toMatchObject({ method: 'POST', path: '/hook?a=1&b=%20' })
    expect(push.headers).toEqual([
      ['Content-Type', 'text/plain'],
      ['User-Agent', 'Qcloud Notification Service Agent'],
      ['x-cmq-request-id', expect.stringMatching(/^\d{1,19}$/)],
      ['x-cmq-message-id', msgId],
      ['x-cmq-message-tag', 'a, b'],
      ['Content-Length', String(Buffer.byteLength(push.body))],
      ['Host', `127.0.0.1:${subscriber.port}`],
      ['Connection', 'keep-alive'],
    ])
    const [, publishTime] = /"publishTime":(\d+)}$/.exec(push.body) ?? []
    expect(push.body).toBe(
      `{"TopicOwner":1250000000,"topicName":"${topicName}","subscriptionName":"${subscriptionName}",` +
        `"msgId":"${msgId}","msgBody":"say \\"hello\\"","publishTime":${publishTime}}`,
    )
    expect(Number(publishTime)).toBeGreaterThanOrEqual(from)
    expect(Number(publishTime)).toBeLessThanOrEqual(Math.floor(Date.now() / 1000))
    await untilNothingIsLeft(shared, { topicName, subscriptionName })
    expect(subscriber.pushes).toHaveLength(1)
  })

  it('when it wants SIMPLIFIED, then it gets the body alone, under a request id of each push', async () => {
    await using subscriber = await subscriberThat(204)
    const topicName = await newTopic(shared)
    await subscribe(shared, topicName, subscriber.url, { notifyContentFormat: 'SIMPLIFIED' })
    const ids = [await publish(shared, topicName, '{"a":1}'), await publish(shared, topicName, ' 消息 😀\r\n')]

    await subscriber.push(2)
    const pushes = subscriber.pushes.toSorted((a, b) => ids.indexOf(idOf(a) ?? '') - ids.indexOf(idOf(b) ?? ''))
    expect(pushes.map(idOf)).toEqual(ids)
    expect(pushes.map(({ body }) => body)).toEqual(['{"a":1}', ' 消息 😀\r\n'])
    const headers = pushes.map(headersOf)
    expect(headers).toMatchObject(pushes.map(() => ({ 'Content-Type': 'text/plain', 'x-cmq-message-tag': '' })))
    expect(new Set(headers.map((each) => each['x-cmq-request-id'])).size).toBe(2)
  })

  it('when tags are in Chinese, then they come as UTF-8, and choose who gets the message', async () => {
    await using wanting = await subscriberThat(200)
    await using other = await subscriberThat(200)
    const topicName = await newTopic(shared)
    await subscribe(shared, topicName, wanting.url, { 'filterTag.1': '优惠' })
    await subscribe(shared, topicName, other.url, { 'filterTag.1': '退货', 'filterTag.2': 'all' })
    await publish(shared, topicName, 'first', { 'msgTag.1': '订单', 'msgTag.2': '优惠' })
    await publish(shared, topicName, 'second', { 'msgTag.1': 'all' })

    expect(headersOf(await wanting.push(1))['x-cmq-message-tag']).toBe('订单, 优惠')
    expect(JSON.parse((await other.push(1)).body)).toMatchObject({ msgBody: 'second' })
    expect([wanting.pushes, other.pushes]).toMatchObject([{ length: 1 }, { length: 1 }])
  })

  it('when a queue has subscribed too, then both get 64 KB as they were published', async () => {
    const msgBody = `"\\\n\u0001${'消'.repeat(21_840)}${'a'.repeat(12)}`
    expect(Buffer.byteLength(msgBody)).toBe(65_536)
    await using asJson = await subscriberThat(200)
    await using asItIs = await subscriberThat(200)
    const topicName = await newTopic(shared)
    const queueName = await newQueue(shared)
    await subscribe(shared, topicName, asJson.url)
    await subscribe(shared, topicName, asItIs.url, { notifyContentFormat: 'SIMPLIFIED' })
    await fill(shared, topicName, queueName)
    const msgId = await publish(shared, topicName, msgBody)

    expect(JSON.parse((await asJson.push(1)).body)).toMatchObject({ msgId, msgBody })
    expect(await asItIs.push(1)).toMatchObject({ body: msgBody })
    expect(await receive(shared, queueName)).toMatchObject({ code: 0, msgBody, dequeueCount: 1 })
  })

  it('when sixteen messages are published at once, then it gets each of them once', async () => {
    await using subscriber = await subscriberThat(200)
    const topicName = await newTopic(shared)
    const subscription = await subscribe(shared, topicName, subscriber.url, { notifyContentFormat: 'SIMPLIFIED' })
    const bodies = Array.from({ length: 16 }, (_, index) => `message ${index + 10}`)
    const numbered = Object.fromEntries(bodies.map((body, index) => [`msgBody.${index}`, body]))
    await done(shared, 'BatchPublishMessage', { topicName, ...numbered })

    await subscriber.push(16)
    await untilNothingIsLeft(shared, subscription)
    expect(bodiesOf(subscriber).toSorted()).toEqual(bodies)
  })
})

describe.concurrent('given endpoints in this machine and in private networks', () => {
  it.each(['127.0.0.1', 'localhost', 'LocalHost'])('when %s subscribes, then it is pushed to', async (host) => {
    await using subscriber = await subscriberThat(200)
    const topicName = await newTopic(shared)
    await subscribe(shared, topicName, `http://${host}:${subscriber.port}/`)
    await publish(shared, topicName, 'hello')
    expect(headersOf(await subscriber.push(1))['Host']).toBe(`${host.toLowerCase()}:${subscriber.port}`)
  })

  it('when one of https subscribes on loopback, then it may', async () => {
    await subscribe(shared, await newTopic(shared), 'https://127.0.0.1:1/')
  })

  it.each(['10.0.0.1', '192.168.1.1', '169.254.169.254', '0.0.0.0', '[fd00::1]', '[::ffff:10.0.0.1]', '0xa000001'])(
    'when %s wants to subscribe, then it is refused, over http and https',
    async (host) => {
      const topicName = await newTopic(shared)
      for (const scheme of ['http', 'https']) {
        const endpoint = `${scheme}://${host}/`
        const wanted = { topicName, subscriptionName: 'mail', protocol: 'http', endpoint }
        expect(await ask(shared, 'Subscribe', wanted)).toMatchObject({ code: 4000, message: '(10630)illegal endpoint' })
      }
    },
  )
})

describe.concurrent('given a web server that fails', () => {
  it('when it has failed, then it is tried again after 1 s, 2 s and so on, until it accepts', async () => {
    await using subscriber = await subscriberThat('reset', 500, 200)
    const topicName = await newTopic(shared)
    const subscription = await subscribe(shared, topicName, subscriber.url)
    const msgId = await publish(shared, topicName, 'hello')

    await subscriber.push(3)
    const [first = 0, second = 0] = gapsOf(subscriber)
    expectWait(first, 1_000)
    expectWait(second, 2_000)
    expect(subscriber.pushes.map(idOf)).toEqual([msgId, msgId, msgId])
    expect(new Set(bodiesOf(subscriber)).size).toBe(1)
    await untilNothingIsLeft(shared, subscription)
    expect(subscriber.pushes).toHaveLength(3)
  })

  it('when it is to be tried again by BACKOFF_RETRY, then after 10 to 20 s, and others are pushed meanwhile', async () => {
    await using subscriber = await subscriberThat(404, 200)
    const topicName = await newTopic(shared)
    const more = { notifyStrategy: 'BACKOFF_RETRY', notifyContentFormat: 'SIMPLIFIED' }
    const subscription = await subscribe(shared, topicName, subscriber.url, more)
    await publish(shared, topicName, 'first')
    const { at } = await subscriber.push(1)
    await publish(shared, topicName, 'second')
    expect(await subscriber.push(2)).toMatchObject({ body: 'second' })

    const again = await subscriber.push(3)
    expect(again).toMatchObject({ body: 'first' })
    expectWait(again.at - at, 10_000, 20_000)
    await untilNothingIsLeft(shared, subscription)
  })

  it('when it unsubscribes, then it is not tried again, not even under its name', async () => {
    await using leaving = await subscriberThat(500)
    await using staying = await subscriberThat(500)
    const topicName = await newTopic(shared)
    const subscription = await subscribe(shared, topicName, leaving.url)
    await subscribe(shared, topicName, staying.url)
    await publish(shared, topicName, 'old')
    await Promise.all([leaving.push(2), staying.push(2)])
    await done(shared, 'Unsubscribe', subscription)
    const tries = leaving.pushes.length
    expect(await ask(shared, 'GetSubscriptionAttributes', subscription)).toMatchObject({ code: 4440 })

    await done(shared, 'Subscribe', { ...subscription, protocol: 'http', endpoint: leaving.url })
    await staying.push(4)
    expect(leaving.pushes).toHaveLength(tries)
    leaving.answer(200)
    await publish(shared, topicName, 'new')
    await leaving.push(tries + 1)
    await untilNothingIsLeft(shared, subscription)
    expect(leaving.pushes.slice(tries).map(({ body }) => JSON.parse(body))).toMatchObject([{ msgBody: 'new' }])
  })
})

describe.concurrent('given a web server that never answers', () => {
  it('when others have subscribed too, then they do not wait for it, and it is tried again when its 15 s are over', async () => {
    await using hanging = await subscriberThat('hang', 200)
    await using other = await subscriberThat(200)
    const topicName = await newTopic(shared)
    const queueName = await newQueue(shared)
    const subscription = await subscribe(shared, topicName, hanging.url)
    await subscribe(shared, topicName, other.url)
    await fill(shared, topicName, queueName)
    const from = performance.now()
    await publish(shared, topicName, 'hello')
    await hanging.push(1)
    expectWait((await other.push(1)).at - from, 0)
    expect(await receive(shared, queueName)).toMatchObject({ msgBody: 'hello' })

    // The 15 s begin before a connection is there, and so before the push arrives.
    expectWait((await hanging.push(2)).at - from, 16_000)
    await untilNothingIsLeft(shared, subscription)
  })
})

describe.concurrent('given a queue that is not there yet', () => {
  it('when it is created, then it gets what was published before', async () => {
    const topicName = await newTopic(shared)
    const queueName = newName('later')
    const subscription = await fill(shared, topicName, queueName)
    await publish(shared, topicName, 'hello')
    expect(await done(shared, 'GetSubscriptionAttributes', subscription)).toMatchObject({ msgCount: 1 })
    await done(shared, 'CreateQueue', { queueName })
    expect(await receive(shared, queueName)).toMatchObject({ code: 0, msgBody: 'hello' })
    await untilNothingIsLeft(shared, subscription)
  })
})

describe.concurrent('given a publication with a delay', () => {
  it('when it is due, then web servers and queues get it, and not before', async () => {
    await using subscriber = await subscriberThat(200)
    const topicName = await newTopic(shared)
    const queueName = await newQueue(shared)
    await subscribe(shared, topicName, subscriber.url)
    await fill(shared, topicName, queueName)
    const from = performance.now()
    const msgId = await publish(shared, topicName, 'later', { delaySeconds: 10, 'msgTag.1': 'a' })
    expect(await done(shared, 'GetTopicAttributes', { topicName })).toMatchObject({ msgCount: 1 })

    const inQueue = receive(shared, queueName).then((answer) => ({ answer, at: performance.now() }))
    const push = await subscriber.push(1)
    const { answer, at } = await inQueue
    expectWait(push.at - from, 10_000)
    expectWait(at - from, 10_000)
    expect(headersOf(push)).toMatchObject({ 'x-cmq-message-id': msgId, 'x-cmq-message-tag': 'a' })
    expect(JSON.parse(push.body)).toMatchObject({ msgBody: 'later' })
    expect(answer).toMatchObject({ msgBody: 'later' })
    await untilNothingWaits(shared, 'GetTopicAttributes', { topicName })
  })

  it.each([0, 2_500])(
    'when the server is killed and is back %d ms later, then it arrives, and not early',
    async (pause) => {
      await using subscriber = await subscriberThat('hang')
      const directory = newDirectory()
      const killed = await start(directory)
      const topicName = await newTopic(killed)
      const queueName = await newQueue(killed)
      const subscription = await subscribe(killed, topicName, subscriber.url)
      await fill(killed, topicName, queueName)
      const from = performance.now()
      const msgId = await publish(killed, topicName, 'later', { delaySeconds: 2 })
      await kill(killed)
      await subscriber.deserted()
      const before = subscriber.pushes.length
      subscriber.answer(200)
      await new Promise((resolve) => setTimeout(resolve, pause))

      const server = await start(directory)
      const push = await subscriber.push(before + 1)
      expectWait(push.at - from, 2_000, Math.max(2_000, pause))
      expect(await receive(server, queueName)).toMatchObject({ code: 0, msgBody: 'later' })
      await untilNothingIsLeft(server, subscription)
      expect(subscriber.pushes.slice(before).map(idOf)).toEqual([msgId])
      await stop(server)
    },
  )
})

describe.concurrent('given kill -9 of the server', () => {
  it('when a delivery has failed twice, then it is tried where it was: neither from the start nor twice at a time', async () => {
    await using subscriber = await subscriberThat(500)
    const directory = newDirectory()
    const killed = await start(directory)
    const topicName = await newTopic(killed)
    const subscription = await subscribe(killed, topicName, subscriber.url)
    const msgId = await publish(killed, topicName, 'hello')
    await subscriber.push(2)
    await kill(killed)
    await subscriber.deserted()
    const triedBefore = subscriber.pushes.length

    const server = await start(directory)
    const startedAt = performance.now()
    const third = await subscriber.push(triedBefore + 1)
    expect(third.at - startedAt).toBeLessThan(2_000 + LATE)
    subscriber.answer(200)
    await subscriber.push(triedBefore + 2)
    // The failure that was the last before the kill may have been lost with it, but none before.
    expectWait(gapsOf(subscriber)[triedBefore] ?? 0, 2_000, 4_000)
    await untilNothingIsLeft(server, subscription)
    expect(subscriber.pushes.map(idOf)).toEqual(Array(triedBefore + 2).fill(msgId))
    await stop(server)
  })

  it('when messages were acknowledged, then each arrives, be it under way, published just before or just after', async () => {
    await using subscriber = await subscriberThat('hang')
    const directory = newDirectory()
    const killed = await start(directory)
    const topicName = await newTopic(killed)
    const more = { notifyContentFormat: 'SIMPLIFIED' }
    const subscription = await subscribe(killed, topicName, subscriber.url, more)
    for (const body of ['1', '2', '3']) await publish(killed, topicName, body)
    await subscriber.push(3)
    for (const body of ['4', '5', '6']) await publish(killed, topicName, body)
    await kill(killed)
    await subscriber.deserted()
    const before = subscriber.pushes.length
    subscriber.answer(200)

    const server = await start(directory)
    const startedAt = performance.now()
    await publish(server, topicName, '7')
    expect((await subscriber.push(before + 7)).at - startedAt).toBeLessThan(LATE)
    await untilNothingIsLeft(server, subscription)
    expect(bodiesOf(subscriber).slice(before).toSorted()).toEqual(['1', '2', '3', '4', '5', '6', '7'])
    await stop(server)
  })
})

/** Publishes until the server is gone. */
async function publishUntilGone(server: LocalServer, topicName: string, acknowledged: (body: string) => void) {
  try {
    for (;;) {
      const msgBody = newName('message')
      const { code } = await ask(server, 'PublishMessage', { topicName, msgBody })
      if (code === 0) acknowledged(msgBody)
    }
  } catch {
    // With the server went the answer to the last call.
  }
}

describe.concurrent.each([
  ['a server alone', ({ kill }: LocalServer) => void kill('SIGKILL')],
  [
    'a server and its engine together',
    ({ kill, engine }: LocalServer) => {
      process.kill(engine, 'SIGKILL')
      kill('SIGKILL')
    },
  ],
])('given kill -9 of %s amid publishing', (_what, end) => {
  it('when it starts again, then all that was acknowledged arrives, at web servers and in queues', async () => {
    await using subscriber = await subscriberThat(200)
    const directory = newDirectory()
    let server = await start(directory)
    const topicName = await newTopic(server)
    const queueName = newName('orders')
    await done(server, 'CreateQueue', { queueName, visibilityTimeout: 3_600 })
    const web = await subscribe(server, topicName, subscriber.url, { notifyContentFormat: 'SIMPLIFIED' })
    await fill(server, topicName, queueName)

    const published = new Set<string>()
    for (const moment of [1, 9, 25]) {
      const killed = server
      let acknowledgements = 0
      const acknowledged = (body: string) => {
        published.add(body)
        if (++acknowledgements === moment) end(killed)
      }
      await Promise.all(Array.from({ length: 4 }, () => publishUntilGone(killed, topicName, acknowledged)))
      await killed.ended
      server = await start(directory)
    }

    await untilNothingIsLeft(server, web)
    const pushed = new Set(bodiesOf(subscriber))
    const received = new Set<string>()
    for (;;) {
      const wanted = { queueName, numOfMsg: 16, pollingWaitSeconds: 0 }
      const { code, msgInfoList } = await ask(server, 'BatchReceiveMessage', wanted)
      if (code !== 0) break
      for (const { msgBody } of msgInfoList as { msgBody: string }[]) received.add(msgBody)
    }
    expect(published.size).toBeGreaterThan(30)
    expect([...published].filter((body) => !pushed.has(body) || !received.has(body))).toEqual([])
    await stop(server)
  })
})

describe.concurrent('given Ctrl-C during a push to a web server that never answers, and during a delay', () => {
  it('when the server starts again, then the push is made again at once, and the other when it is due', async () => {
    await using subscriber = await subscriberThat('hang', 200)
    const directory = newDirectory()
    const ended = await start(directory)
    const topicName = await newTopic(ended)
    const subscription = await subscribe(ended, topicName, subscriber.url)
    const first = await publish(ended, topicName, 'hello')
    await subscriber.push(1)
    const from = performance.now()
    const later = await publish(ended, topicName, 'later', { delaySeconds: 3 })
    await stop(ended)

    const server = await start(directory)
    const startedAt = performance.now()
    const pushes = [await subscriber.push(2), await subscriber.push(3)]
    const arrivalOf = (msgId: string) => pushes.find((push) => idOf(push) === msgId)?.at ?? Infinity
    expect(arrivalOf(first) - startedAt).toBeLessThan(LATE)
    expectWait(arrivalOf(later) - from, 3_000)
    await untilNothingIsLeft(server, subscription)
    expect(subscriber.pushes).toHaveLength(3)
    await stop(server)
  })
})

/** What a server says beside the warnings of pushes that fail, which are meant to. */
const unexpected = (errors: string): readonly string[] =>
  errors.split('\n').filter((line) => line !== '' && !line.includes('"level":"WARN"'))
