import { createHmac, randomInt } from 'node:crypto'
import { Agent, type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { subscriberThat } from '../support/subscriber.ts'
import { keyPair, type LocalServer, startLocalServer } from './local-server.ts'

/** What CMQ's SDKs of other languages put on the wire, each with its own habits, against the server of `npm start`. */

let server: LocalServer
const agent = new Agent({ keepAlive: true })

beforeAll(async () => {
  server = await startLocalServer()
})

afterAll(async () => {
  agent.destroy()
  await server?.stop()
})

type Parameters = Readonly<Record<string, string | number>>

/** How an SDK speaks. What it leaves out is as the documents have it (406/5906). */
interface Habits {
  readonly method?: 'GET' | 'POST'
  readonly path?: string
  /** The path that is signed, where it is another than the one that is called. */
  readonly signedPath?: string
  readonly hash?: 'sha1' | 'sha256'
  /** Whether a value that begins with @ is left out of the signature. */
  readonly leavesOutAt?: boolean
  /** Whether the tags of a message are signed as one parameter, although they are sent as a list. */
  readonly joinsTags?: boolean
  readonly headers?: Readonly<Record<string, string>>
  readonly escape?: (value: string) => string
}

const php: Habits = { leavesOutAt: true, headers: { 'Content-Type': 'application/x-www-form-urlencoded' } }
const phpByGet: Habits = {
  method: 'GET',
  path: '/v2/index.php/v2/index.php',
  signedPath: '/v2/index.php',
}
const java: Habits = {
  headers: { 'Content-Type': '*/*;charset=utf-8', 'Accept-Encoding': 'gzip', 'User-Agent': 'okhttp/3.2.0' },
}
const goNetkiddy: Habits = {}
const goTencent: Habits = { path: '/', headers: { 'Content-Type': 'application/x-www-form-urlencoded' } }
const cpp: Habits = {
  hash: 'sha256',
  headers: { 'Accept-Encoding': 'UTF-8', 'Content-Type': 'application/x-www-form-urlencoded' },
  escape: (value) => encodeURIComponent(value).replaceAll('%2F', '/'),
}

const node: Habits = { hash: 'sha256', joinsTags: true }

const asPlus = (value: string) => encodeURIComponent(value).replaceAll('%20', '+')

interface Wire {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The bytes of a call. Names are never escaped, as none of the SDKs escapes them. */
function wire(Action: string, given: Parameters, habits: Habits): Wire {
  const { method = 'POST', path = '/v2/index.php', signedPath = path, hash = 'sha1' } = habits
  const common = { SignatureMethod: hash === 'sha1' ? 'HmacSHA1' : 'HmacSHA256', SecretId: keyPair.secretId }
  const when = { Nonce: randomInt(1, 65_536), Timestamp: Math.floor(Date.now() / 1000) }
  const parameters: Parameters = { ...given, Action, ...common, ...when }
  const signedParameters = habits.joinsTags ? withTagsJoined(parameters) : parameters
  const signed = Object.keys(signedParameters)
    .filter((name) => !(habits.leavesOutAt && String(parameters[name]).startsWith('@')))
    .sort()
    .map((name) => `${name}=${signedParameters[name]}`)
  const source = `${method}${new URL(server.url).host}${signedPath}?${signed.join('&')}`
  const Signature = createHmac(hash, keyPair.secretKey).update(source).digest('base64')
  const form = Object.entries({ ...parameters, Signature })
    .map(([name, value]) => `${name}=${(habits.escape ?? asPlus)(String(value))}`)
    .join('&')
  const { headers = {} } = habits
  return method === 'GET'
    ? { method, url: `${path}?${form}`, headers, body: '' }
    : { method, url: path, headers: { ...headers, 'Content-Length': String(Buffer.byteLength(form)) }, body: form }
}

function withTagsJoined(parameters: Parameters): Parameters {
  const [tags, others] = [[], []] as [(string | number)[], [string, string | number][]]
  for (const [name, value] of Object.entries(parameters))
    if (name.startsWith('msgTag.')) tags.push(value)
    else others.push([name, value])
  return Object.fromEntries([...others, ['msgTag', tags.join()]])
}

async function send({ method, url, headers, body }: Wire, on = agent) {
  const response = await new Promise<IncomingMessage>((answered, failed) => {
    const sent = request({ host: '127.0.0.1', port: server.port, agent: on, method, path: url, headers }, answered)
    sent.on('error', failed)
    sent.flushHeaders()
    if (headers.Expect) sent.once('continue', () => sent.end(body))
    else sent.end(body)
  })
  expect(response.statusCode).toBe(200)
  expect(response.headers['content-encoding']).toBeUndefined()
  return JSON.parse(await text(response))
}

const call = (Action: string, parameters: Parameters, habits: Habits) => send(wire(Action, parameters, habits))

let names = 0

async function newQueue(habits: Habits, attributes: Parameters = {}): Promise<string> {
  const queueName = `orders-${++names}`
  expect(await call('CreateQueue', { queueName, ...attributes }, habits)).toMatchObject(success)
  return queueName
}

async function newTopic(habits: Habits, attributes: Parameters = {}): Promise<string> {
  const topicName = `news-${++names}`
  expect(await call('CreateTopic', { topicName, ...attributes }, habits)).toMatchObject(success)
  return topicName
}

/** A new queue, and the subscription of its name that fills it. */
async function newQueueOf(topicName: string, habits: Habits, more: Parameters = {}) {
  const queueName = await newQueue(habits)
  const subscription = { topicName, subscriptionName: queueName }
  const wanted = { ...subscription, protocol: 'queue', endpoint: queueName, ...more }
  expect(await call('Subscribe', wanted, habits)).toMatchObject(success)
  return { queueName, subscription }
}

/** What lies in a queue, in the order in which it is received. */
async function bodiesIn(queueName: string, habits: Habits): Promise<string[]> {
  const bodies: string[] = []
  for (;;) {
    const { code, msgBody } = await call('ReceiveMessage', { queueName, pollingWaitSeconds: 0 }, habits)
    if (code !== 0) return bodies
    bodies.push(msgBody)
  }
}

/** The names of a list's elements, as they are sent. */
const numbered = (name: string, base: number, values: readonly string[]): Parameters =>
  Object.fromEntries(values.map((value, index) => [`${name}.${base + index}`, value]))

/** What an SDK asks for by itself, be it for a queue. */
const asJson = { notifyStrategy: 'BACKOFF_RETRY', notifyContentFormat: 'JSON' }

const success = { code: 0, message: '', requestId: expect.any(String) as string }
const noMessage = { code: 7000, message: '(10200)no message' }
const odd = "@a b+c&d=e/~!*'()%20 消息 😀"

describe.each(Object.entries({ php, phpByGet, java, goNetkiddy, goTencent, cpp }))(
  'given a client that speaks as %s',
  (_sdk, habits) => {
    it('when it sends, receives and deletes, then the message goes through unharmed', async () => {
      const queueName = await newQueue(habits)
      const { msgId } = await call('SendMessage', { queueName, msgBody: odd, delaySeconds: 0 }, habits)
      const waits = { pollingWaitSeconds: 5, UserpollingWaitSeconds: 5 }
      const received = await call('ReceiveMessage', { queueName, ...waits }, habits)
      expect(received).toMatchObject({ ...success, msgId, msgBody: odd, dequeueCount: 1 })
      const { receiptHandle } = received
      expect(await call('DeleteMessage', { queueName, receiptHandle }, habits)).toMatchObject(success)
      expect(await call('DeleteMessage', { queueName, receiptHandle }, habits)).toMatchObject({ code: 4430 })
    })

    it.each([0, 1])('when it numbers a list from %d, then the order is that of the numbers', async (base) => {
      const queueName = await newQueue(habits)
      const bodies = Array.from({ length: 12 }, (_, index) => `message ${index}`)
      const list = Object.entries(numbered('msgBody', base, bodies))
      const shuffled = Object.fromEntries(list.toSorted(([a], [b]) => (a < b ? 1 : -1)))
      const { msgList } = await call('BatchSendMessage', { queueName, ...shuffled }, habits)
      const found = new Map<string, string>()
      while (found.size < bodies.length) {
        const waits = { numOfMsg: 16, pollingWaitSeconds: 5 }
        const { code, msgInfoList } = await call('BatchReceiveMessage', { queueName, ...waits }, habits)
        expect(code).toBe(0)
        for (const { msgId, msgBody } of msgInfoList) found.set(msgId, msgBody)
      }
      expect(msgList.map(({ msgId }: { msgId: string }) => found.get(msgId))).toEqual(bodies)
    })

    it('when it goes through the life of a topic, then queues and web servers get what it publishes', async () => {
      await using subscriber = await subscriberThat(200)
      const topicName = await newTopic(habits)
      const { queueName, subscription } = await newQueueOf(topicName, habits, asJson)
      const web = { topicName, subscriptionName: 'web' }
      const wanted = { ...web, protocol: 'http', endpoint: `${subscriber.url}hook?a=b+c%20d&e`, ...asJson }
      expect(await call('Subscribe', wanted, habits)).toMatchObject(success)
      const { msgId } = await call('PublishMessage', { topicName, msgBody: odd, routingKey: '' }, habits)

      const { path, body } = await subscriber.push(1)
      expect(path).toBe('/hook?a=b+c%20d&e')
      expect(JSON.parse(body)).toMatchObject({ topicName, subscriptionName: 'web', msgId, msgBody: odd })
      expect(await bodiesIn(queueName, habits)).toEqual([odd])
      for (const names of [subscription, web]) expect(await call('Unsubscribe', names, habits)).toMatchObject(success)
      expect(await call('DeleteTopic', { topicName }, habits)).toMatchObject(success)
      expect(await call('GetTopicAttributes', { topicName }, habits)).toMatchObject({ code: 4440 })
    })

    it.each([0, 1])('when it numbers tags from %d, then they choose who gets a message', async (base) => {
      const topicName = await newTopic(habits)
      const red = await newQueueOf(topicName, habits, numbered('filterTag', base, ['red', '蓝 色']))
      const all = await newQueueOf(topicName, habits)
      for (const tags of [['red'], ['green', '蓝 色'], ['green'], []]) {
        const message = { topicName, msgBody: tags.join() || 'none', routingKey: '' }
        expect(await call('PublishMessage', { ...message, ...numbered('msgTag', base, tags) }, habits)).toMatchObject(
          success,
        )
      }
      const batch = { ...numbered('msgBody', base, ['a', 'b']), ...numbered('msgTag', base, ['red']) }
      await call('BatchPublishMessage', { topicName, ...batch, routingKey: '' }, habits)
      const green = numbered('filterTag', base, ['green'])
      await call('SetSubscriptionAttributes', { ...red.subscription, ...green }, habits)
      await call('PublishMessage', { topicName, msgBody: 'last', ...numbered('msgTag', base, ['green']) }, habits)
      expect(await bodiesIn(red.queueName, habits)).toEqual(['red', 'green,蓝 色', 'a', 'b', 'last'])
      expect(await bodiesIn(all.queueName, habits)).toEqual(['red', 'green,蓝 色', 'green', 'none', 'a', 'b', 'last'])
    })

    it.each([0, 1])('when it numbers binding keys from %d, then they choose who gets a message', async (base) => {
      const topicName = await newTopic(habits, { filterType: 2 })
      const keys = numbered('bindingKey', base, ['order.*', '#.eu'])
      const { queueName } = await newQueueOf(topicName, habits, keys)
      await newQueueOf(topicName, habits, numbered('bindingKey', base, ['#']))
      for (const routingKey of ['order.new', 'order', 'eu', 'order.new.eu', 'order.new.cn'])
        expect(await call('PublishMessage', { topicName, msgBody: routingKey, routingKey }, habits)).toMatchObject(
          success,
        )
      expect(await bodiesIn(queueName, habits)).toEqual(['order.new', 'eu', 'order.new.eu'])
    })
  },
)

describe('given the Java SDK', () => {
  it('when its endpoint ends in a slash, then it signs the doubled one, and is answered', async () => {
    expect(await call('ListQueue', {}, { ...java, path: '//v2/index.php' })).toMatchObject(success)
  })

  it('when it creates a queue by its defaults, then 1 MB may be sent', async () => {
    const queueName = await newQueue(java, { maxMsgSize: 1_048_576 })
    expect(await call('GetQueueAttributes', { queueName }, java)).toMatchObject({ maxMsgSize: 1_048_576 })
  })

  it('when it tells its waits in milliseconds, then a message is received all the same', async () => {
    const queueName = await newQueue(java)
    await call('SendMessage', { queueName, msgBody: 'a' }, java)
    const waits = { pollingWaitSeconds: 30_000, UserpollingWaitSeconds: 30_000 }
    expect(await call('ReceiveMessage', { queueName, ...waits }, java)).toMatchObject({ ...success, msgBody: 'a' })
  })

  it('when it misspells the name of an action, then the filter tags are cleared', async () => {
    const topicName = await newTopic(java)
    const { queueName, subscription } = await newQueueOf(topicName, java, { ...asJson, 'filterTag.1': 'red' })
    expect(await call('ClearSUbscriptionFIlterTags', subscription, java)).toMatchObject(success)
    await call('PublishMessage', { topicName, msgBody: 'a', 'msgTag.1': 'blue', routingKey: '' }, java)
    expect(await bodiesIn(queueName, java)).toEqual(['a'])
  })

  it('when it reads attributes and lists, then each field is there and of its type', async () => {
    const topicName = await newTopic(java)
    const { queueName, subscription } = await newQueueOf(topicName, java, asJson)
    expect(await call('GetTopicAttributes', { topicName }, java)).toMatchObject({
      msgCount: 0,
      maxMsgSize: 65_536,
      msgRetentionSeconds: 86_400,
      createTime: expect.any(Number) as number,
      lastModifyTime: expect.any(Number) as number,
      filterType: 1,
    })
    expect(await call('ListTopic', { searchWord: topicName, limit: 50 }, java)).toMatchObject({
      totalCount: 1,
      topicList: [{ topicName }],
    })
    expect(await call('ListSubscriptionByTopic', { topicName, limit: 100 }, java)).toMatchObject({
      totalCount: 1,
      subscriptionList: [{ subscriptionName: queueName, protocol: 'queue', endpoint: queueName }],
    })
    expect(await call('GetSubscriptionAttributes', subscription, java)).toMatchObject({
      topicOwner: '1250000000',
      msgCount: 0,
      protocol: 'queue',
      endpoint: queueName,
      notifyStrategy: 'BACKOFF_RETRY',
      notifyContentFormat: 'SIMPLIFIED',
      createTime: expect.any(Number) as number,
      lastModifyTime: expect.any(Number) as number,
      bindingKey: [],
      filterTag: [],
    })
  })
})

describe('given the PHP SDK', () => {
  it('when it misspells binding keys, then they are known, also in the answer', async () => {
    const topicName = await newTopic(php, { filterType: 2 })
    const keys = numbered('bindindKey', 1, ['order.*', 'payment'])
    const { queueName, subscription } = await newQueueOf(topicName, php, { ...asJson, ...keys })
    const publish = async (routingKey: string) =>
      (await call('PublishMessage', { topicName, msgBody: routingKey, routingKey }, php)).code as number
    expect([await publish('order.new'), await publish('eu')]).toEqual([0, 6030])
    expect(await call('SetSubscriptionAttributes', { ...subscription, 'bindindKey.1': '#.eu' }, php)).toMatchObject(
      success,
    )
    expect(await call('GetSubscriptionAttributes', subscription, php)).toMatchObject({ bindindKey: ['#.eu'] })
    expect([await publish('order.new'), await publish('eu')]).toEqual([6030, 0])
    expect(await bodiesIn(queueName, php)).toEqual(['order.new', 'eu'])
  })

  it('when its endpoint ends in a slash, then it signs a single one, and is answered', async () => {
    const path = '//v2/index.php'
    expect(await call('ListQueue', {}, { ...php, path, signedPath: '/v2/index.php' })).toMatchObject(success)
  })

  it('when it only tells how long it waits itself, then the wait is that of the queue', async () => {
    const queueName = await newQueue(php, { pollingWaitSeconds: 1 })
    const start = performance.now()
    expect(await call('ReceiveMessage', { queueName, UserpollingWaitSeconds: 30 }, php)).toMatchObject(noMessage)
    expect(performance.now() - start).toBeGreaterThan(900)
    expect(performance.now() - start).toBeLessThan(10_000)
  })

  it('when curl asks before it sends a body, then it may go on', async () => {
    const queueName = await newQueue(php)
    const asking = { ...php, headers: { ...php.headers, Expect: '100-continue' } }
    expect(await call('SendMessage', { queueName, msgBody: 'a'.repeat(60_000) }, asking)).toMatchObject(success)
  })
})

describe('given the Go SDKs', () => {
  it('when keys end in a blank that is not escaped, then they are known and their signature holds', async () => {
    for (const name of ['blank-1', 'blank-2', 'blank-3']) await call('CreateQueue', { queueName: name }, goNetkiddy)
    const page = { 'searchWord ': 'blank', 'offset ': 1, 'limit ': 1 }
    const { totalCount, queueList } = await call('ListQueue', page, goNetkiddy)
    expect(totalCount).toBe(3)
    expect(queueList).toHaveLength(1)
  })

  it('when keys about subscriptions end in a blank, then they are known and their signature holds', async () => {
    const topicName = await newTopic(goNetkiddy)
    const { queueName } = await newQueueOf(topicName, goNetkiddy, { ...asJson, 'filterTag.1': 'red' })
    await newQueueOf(topicName, goNetkiddy, { 'filterTag.1': 'red' })
    const page = { 'searchWord ': queueName, 'offset ': 0, 'limit ': 10 }
    expect(await call('ListSubscriptionByTopic', { topicName, ...page }, goNetkiddy)).toMatchObject({
      totalCount: 1,
      subscriptionList: [{ subscriptionName: queueName }],
    })

    const blank = { topicName, 'subscriptionName ': queueName }
    const change = { notifyStrategy: 'EXPONENTIAL_DECAY_RETRY', notifyContentFormat: 'SIMPLIFIED' }
    const set = await call('SetSubscriptionAttributes', { ...blank, ...change, 'filterTag.1': 'blue' }, goNetkiddy)
    expect(set).toMatchObject(success)
    const attributes = { ...change, filterTag: ['blue'], topicOwner: '1250000000' }
    const names = { topicName, subscriptionName: queueName }
    expect(await call('GetSubscriptionAttributes', names, goNetkiddy)).toMatchObject(attributes)
    expect(await call('ClearSubscriptionFilterTags', blank, goNetkiddy)).toMatchObject(success)
    expect(await call('GetSubscriptionAttributes', names, goNetkiddy)).toMatchObject({ ...attributes, filterTag: [] })
  })

  it('when it asks for the route of a topic, then there is none, but for a topic that is missing a refusal', async () => {
    const topicName = await newTopic(goTencent)
    expect(await call('QueryTopicRoute', { topicName, clientRequestId: 1 }, goTencent)).toMatchObject({
      ...success,
      addr: [],
    })
    expect(await call('QueryTopicRoute', { topicName: 'nobody' }, goTencent)).toMatchObject({ code: 4440 })
  })

  it('when it numbers its requests, then the number is ignored', async () => {
    const extra = { clientRequestId: 4_294_967_295, RequestClient: 'SDK_GO_1.2.0' }
    expect(await call('ListQueue', { limit: 1, ...extra }, goTencent)).toMatchObject(success)
  })
})

describe('given the C++ SDK', () => {
  it('when it numbers filters from 0 at first and from 1 when it sets them, then both are known', async () => {
    const topicName = await newTopic(cpp)
    const both = { ...numbered('bindingKey', 0, ['#']), ...numbered('filterTag', 0, ['red', 'blue']) }
    const { subscription } = await newQueueOf(topicName, cpp, { ...asJson, ...both })
    expect(await call('GetSubscriptionAttributes', subscription, cpp)).toMatchObject({
      protocal: 'queue',
      bindingKey: ['#'],
      filterTag: ['red', 'blue'],
    })
    const other = { ...numbered('bindingKey', 1, ['a', 'b']), ...numbered('filterTag', 1, ['green']) }
    expect(await call('SetSubscriptionAttributes', { ...subscription, ...other }, cpp)).toMatchObject(success)
    expect(await call('GetSubscriptionAttributes', subscription, cpp)).toMatchObject({
      bindingKey: ['a', 'b'],
      filterTag: ['green'],
    })
  })

  it('when it publishes twice in one second, then two messages arrive, although the requests are the same', async () => {
    const topicName = await newTopic(cpp)
    const { queueName } = await newQueueOf(topicName, cpp)
    const message = wire('PublishMessage', { topicName, msgBody: 'a', routingKey: '' }, cpp)
    expect([await send(message), await send(message)]).toMatchObject([success, success])
    expect(await bodiesIn(queueName, cpp)).toEqual(['a', 'a'])
  })
})

describe('given the newest Node SDK', () => {
  it('when it signs the tags of a message as one, then the message arrives, and only as it was signed', async () => {
    const topicName = await newTopic({ hash: 'sha256' })
    const { queueName } = await newQueueOf(topicName, { hash: 'sha256' }, { 'filterTag.0': 'b' })
    const message = { topicName, msgBody: 'hello', ...numbered('msgTag', 0, ['a', 'b']) }
    expect(await call('PublishMessage', message, node)).toMatchObject(success)
    const sent = wire('PublishMessage', message, node)
    const changed = { ...sent, body: sent.body.replace('msgTag.1=b', 'msgTag.1=c') }
    expect(await send(changed)).toMatchObject({ code: 4100 })
    expect(await bodiesIn(queueName, { hash: 'sha256' })).toEqual(['hello'])
  })
})

describe('given a request that is repeated to the byte', () => {
  it('when both arrive on one connection, as those of one second do, then both are answered', async () => {
    const queueName = await newQueue(cpp)
    const message = wire('SendMessage', { queueName, msgBody: 'a' }, cpp)
    const [first, second] = [await send(message), await send(message)]
    expect([first, second]).toMatchObject([success, success])
    expect(first.msgId).not.toBe(second.msgId)
  })

  it('when the second arrives on a new connection, as after a broken one, then it is answered', async () => {
    const message = wire('ListQueue', {}, { headers: { Connection: 'Keep-Alive' } })
    const another = new Agent({ keepAlive: true })
    expect([await send(message), await send(message, another)]).toMatchObject([success, success])
    another.destroy()
  })
})
