import { createHmac, randomInt } from 'node:crypto'
import { Agent, type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
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
  const signed = Object.keys(parameters)
    .filter((name) => !(habits.leavesOutAt && String(parameters[name]).startsWith('@')))
    .sort()
    .map((name) => `${name}=${parameters[name]}`)
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

let queues = 0

async function newQueue(habits: Habits, attributes: Parameters = {}): Promise<string> {
  const queueName = `orders-${++queues}`
  expect(await call('CreateQueue', { queueName, ...attributes }, habits)).toMatchObject(success)
  return queueName
}

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
      const numbered = bodies.map((body, index) => [`msgBody.${base + index}`, body] as const)
      const shuffled = Object.fromEntries(numbered.toSorted(([a], [b]) => (a < b ? 1 : -1)))
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
})

describe('given the PHP SDK', () => {
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

  it('when it numbers its requests, then the number is ignored', async () => {
    const extra = { clientRequestId: 4_294_967_295, RequestClient: 'SDK_GO_1.2.0' }
    expect(await call('ListQueue', { limit: 1, ...extra }, goTencent)).toMatchObject(success)
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
