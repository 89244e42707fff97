import { CMQ } from 'cmq-sdk'
import http from 'node:http'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { keyPair, type LocalServer, startLocalServer } from './local-server.ts'

/**
 * The npm package `cmq-sdk`, as it is, against the server that `npm start` runs. It calls, and signs, the host names of
 * CMQ's regions. So this process's HTTP connections, whatever their host, are brought to the local server; the server
 * sees the Host header of the region and verifies the signature by it.
 */

let server: LocalServer
const ownAgent = http.globalAgent
const agent = new http.Agent({ keepAlive: true })

beforeAll(async () => {
  server = await startLocalServer()
  agent.createConnection = () => connect(server.port, '127.0.0.1')
  http.globalAgent = agent
})

afterAll(async () => {
  http.globalAgent = ownAgent
  agent.destroy()
  await server?.stop()
})

type SignatureMethod = 'HmacSHA1' | 'HmacSHA256'

const clientOf = (signatureMethod: SignatureMethod, options = {}) =>
  CMQ.NEW({ path: '/v2/index.php', extranet: false, region: 'gz', signatureMethod, ...keyPair, ...options })

const client = clientOf('HmacSHA256')

let queues = 0

/** The name of a new queue, empty and of this test alone. */
async function newQueue(attributes: object = {}): Promise<string> {
  const queueName = `orders-${++queues}`
  expect(await client.createQueue({ queueName, ...attributes })).toMatchObject({ code: 0 })
  return queueName
}

/** Receives until that many messages are there, since a batch may bring fewer than were asked for (406/5924). */
async function receiveAll(queueName: string, count: number) {
  const messages = []
  while (messages.length < count) {
    const numOfMsg = count - messages.length
    const { code, msgInfoList } = await client.batchReceiveMessage({ queueName, numOfMsg, pollingWaitSeconds: 5 })
    expect(code).toBe(0)
    messages.push(...msgInfoList)
  }
  return messages
}

const secondsSince = (start: number) => (performance.now() - start) / 1000
const unixNow = () => Math.floor(Date.now() / 1000)
const success = { code: 0, message: '', requestId: expect.any(String) as string }
const noMessage = { code: 7000, message: '(10200)no message' }
const queueIsMissing = { code: 4440, message: '(10100)queue is not existed, or deleted' }

describe.each(['HmacSHA1', 'HmacSHA256'] as const)('given a client that signs by %s', (signatureMethod) => {
  const client = clientOf(signatureMethod)

  it('when it goes through the life of a queue, then each call is answered', async () => {
    const queueName = `life-${signatureMethod}`
    expect(await client.createQueue({ queueName, visibilityTimeout: 60 })).toEqual({
      ...success,
      queueId: expect.stringMatching(/^queue-[a-z0-9]{8}$/) as string,
    })
    const sent = await client.sendMessage({ queueName, msgBody: 'hello world' })
    expect(sent).toEqual({ ...success, msgId: expect.any(String) as string })

    const received = await client.receiveMessage({ queueName, pollingWaitSeconds: 5 })
    expect(received).toMatchObject({ ...success, msgBody: 'hello world', msgId: sent.msgId, dequeueCount: 1 })
    expect(received.nextVisibleTime - received.firstDequeueTime).toBe(60)
    expect(Math.abs(received.enqueueTime - unixNow())).toBeLessThan(10)

    const { receiptHandle } = received
    expect(await client.deleteMessage({ queueName, receiptHandle })).toEqual(success)
    expect(await client.receiveMessage({ queueName })).toMatchObject(noMessage)
    expect(await client.deleteQueue({ queueName })).toMatchObject(success)
    expect(await client.receiveMessage({ queueName })).toMatchObject(queueIsMissing)
  })

  it.each(['@home', 'a b+c&d=e%20/~', '消息 😀', ' ', '0', '\r\n\t"\\'])(
    'when the body is %j, then it comes back as it was',
    async (msgBody) => {
      const queueName = await newQueue()
      expect(await client.sendMessage({ queueName, msgBody })).toMatchObject(success)
      expect(await client.receiveMessage({ queueName, pollingWaitSeconds: 5 })).toMatchObject({ msgBody })
    },
  )

  it('when its key is wrong, then the signature is refused', async () => {
    const stranger = clientOf(signatureMethod, { secretKey: 'another' })
    expect(await stranger.listQueue({})).toMatchObject({ code: 4100, message: '(10030)authentication failed' })
  })

  it('when nobody knows its key, then that is said', async () => {
    const stranger = clientOf(signatureMethod, { secretId: 'AKIDnobody' })
    expect(await stranger.listQueue({})).toMatchObject({ code: 4100, message: '(10270)secret id is not existed' })
  })
})

describe('given queues', () => {
  it('when one is created without attributes, then it has the defaults of CMQ', async () => {
    const queueName = await newQueue()
    const attributes = await client.getQueueAttributes({ queueName })
    expect(attributes).toMatchObject({
      ...success,
      maxMsgHeapNum: 100_000_000,
      pollingWaitSeconds: 0,
      visibilityTimeout: 30,
      maxMsgSize: 65_536,
      msgRetentionSeconds: 345_600,
      rewindSeconds: 0,
      activeMsgNum: 0,
      inactiveMsgNum: 0,
      delayMsgNum: 0,
      rewindMsgNum: 0,
      rewindmsgNum: 0,
    })
    for (const time of ['createTime', 'lastModifyTime', 'minMsgTime'])
      expect(Math.abs(attributes[time] - unixNow())).toBeLessThan(10)
  })

  it('when some attributes are set, then the others stay', async () => {
    const queueName = await newQueue({ pollingWaitSeconds: 10, maxMsgSize: 1024, msgRetentionSeconds: 3600 })
    expect(await client.setQueueAttributes({ queueName, pollingWaitSeconds: 0, visibilityTimeout: 45 })).toMatchObject(
      success,
    )
    expect(await client.getQueueAttributes({ queueName })).toMatchObject({
      pollingWaitSeconds: 0,
      visibilityTimeout: 45,
      maxMsgSize: 1024,
      msgRetentionSeconds: 3600,
    })
  })

  it('when they are listed in pages, then each is there once', async () => {
    for (const queueName of ['page-1', 'page-2', 'page-3']) await client.createQueue({ queueName })
    const first = await client.listQueue({ searchWord: 'page', offset: 0, limit: 2 })
    const second = await client.listQueue({ searchWord: 'page', offset: 2, limit: 2 })
    expect([first, second]).toMatchObject([
      { ...success, totalCount: 3 },
      { ...success, totalCount: 3 },
    ])
    const names = [...first.queueList, ...second.queueList].map(({ queueName }) => queueName)
    expect(names.sort()).toEqual(['page-1', 'page-2', 'page-3'])
  })

  it('when none matches, then the list is empty', async () => {
    expect(await client.listQueue({ searchWord: 'nobody' })).toEqual({ ...success, totalCount: 0, queueList: [] })
  })

  it('when one is created again, then it is refused', async () => {
    const queueName = await newQueue()
    expect(await client.createQueue({ queueName })).toMatchObject({
      code: 4460,
      message: '(10210)queue is already existed',
    })
  })

  it('when its name or an attribute is wrong, then it is refused', async () => {
    expect(await client.createQueue({ queueName: '1st' })).toMatchObject({
      code: 4000,
      message: '(10020)queue name format error',
    })
    expect(await client.createQueue({ queueName: 'first', visibilityTimeout: 43_201 })).toMatchObject({
      code: 4000,
      message: '(10350)parameter visibilityTimeout value or length is out of range',
    })
  })

  it('when there is none of a name, then every action says so', async () => {
    const queueName = 'nobody'
    const answers = [
      await client.getQueueAttributes({ queueName }),
      await client.setQueueAttributes({ queueName, visibilityTimeout: 1 }),
      await client.deleteQueue({ queueName }),
      await client.sendMessage({ queueName, msgBody: 'a' }),
      await client.batchSendMessage({ queueName, msgBody: ['a'] }),
      await client.receiveMessage({ queueName, pollingWaitSeconds: 5 }),
      await client.batchReceiveMessage({ queueName, numOfMsg: 16, pollingWaitSeconds: 5 }),
    ]
    expect(answers).toMatchObject(answers.map(() => queueIsMissing))
  })
})

describe('given messages', () => {
  it('when sixteen are sent in one batch, then their ids come in order, and all are received and deleted', async () => {
    const queueName = await newQueue()
    const msgBody = Array.from({ length: 16 }, (_, index) => `message ${index}`)
    const { code, msgList } = await client.batchSendMessage({ queueName, msgBody })
    expect(code).toBe(0)
    expect(msgList).toHaveLength(16)

    const received = await receiveAll(queueName, 16)
    const bodies = new Map(received.map((message) => [message.msgId, message.msgBody]))
    expect(msgList.map(({ msgId }) => bodies.get(msgId))).toEqual(msgBody)

    const receiptHandle = received.map((message) => message.receiptHandle)
    expect(await client.batchDeleteMessage({ queueName, receiptHandle })).toMatchObject(success)
    expect(await client.getQueueAttributes({ queueName })).toMatchObject({ activeMsgNum: 0, inactiveMsgNum: 0 })
  })

  it('when some or all handles of a batch are void, then those are listed', async () => {
    const queueName = await newQueue()
    await client.batchSendMessage({ queueName, msgBody: ['a', 'b'] })
    const [a, b] = await receiveAll(queueName, 2)
    const [held, gone] = [a!.receiptHandle, b!.receiptHandle]
    await client.deleteMessage({ queueName, receiptHandle: gone })

    const errorList = [{ code: 4430, message: '(10260)receipt handle is invalid', receiptHandle: gone }]
    expect(await client.batchDeleteMessage({ queueName, receiptHandle: [held, gone] })).toMatchObject({
      code: 6010,
      message: '(10150)delete message partially failed',
      errorList,
    })
    expect(await client.batchDeleteMessage({ queueName, receiptHandle: [gone] })).toMatchObject({
      code: 6020,
      message: '(10290)batch delete message failed',
      errorList,
    })
  })

  it('when one is received, then nobody else gets it before its visibility timeout, and its handle is void then', async () => {
    const queueName = await newQueue({ visibilityTimeout: 1 })
    await client.sendMessage({ queueName, msgBody: 'a' })
    const start = performance.now()
    const first = await client.receiveMessage({ queueName, pollingWaitSeconds: 5 })
    const second = await client.receiveMessage({ queueName, pollingWaitSeconds: 5 })
    expect(secondsSince(start)).toBeGreaterThan(0.9)
    expect(second).toMatchObject({ msgId: first.msgId, dequeueCount: 2, firstDequeueTime: first.firstDequeueTime })
    expect(second.receiptHandle).not.toBe(first.receiptHandle)

    const { receiptHandle } = first
    expect(await client.deleteMessage({ queueName, receiptHandle })).toMatchObject({
      code: 4430,
      message: '(10260)receipt handle is invalid',
    })
  })

  it('when they are delayed, then they are counted but not received before their time', async () => {
    const queueName = await newQueue()
    const start = performance.now()
    await client.sendMessage({ queueName, msgBody: 'a', delaySeconds: 2 })
    await client.batchSendMessage({ queueName, msgBody: ['b', 'c'], delaySeconds: 2 })
    expect(await client.getQueueAttributes({ queueName })).toMatchObject({ delayMsgNum: 3, activeMsgNum: 0 })
    expect(await client.receiveMessage({ queueName })).toMatchObject(noMessage)

    const received = await receiveAll(queueName, 3)
    expect(secondsSince(start)).toBeGreaterThan(1.9)
    expect(received.map(({ msgBody }) => msgBody).sort()).toEqual(['a', 'b', 'c'])
  })

  it('when one is empty, too large, or delayed too long, then it is refused', async () => {
    const queueName = await newQueue({ maxMsgSize: 1024 })
    const answers = [
      await client.sendMessage({ queueName, msgBody: '' }),
      await client.sendMessage({ queueName, msgBody: '消'.repeat(342) }),
      await client.sendMessage({ queueName, msgBody: 'a', delaySeconds: 3601 }),
      await client.batchSendMessage({ queueName, msgBody: Array.from({ length: 17 }, () => 'a') }),
      await client.batchReceiveMessage({ queueName, numOfMsg: 17 }),
      await client.deleteMessage({ queueName, receiptHandle: 'no handle' }),
    ]
    expect(answers.map(({ code, message }) => [code, message])).toEqual([
      [4000, "(10120)message body can't be empty"],
      [4400, '(10230)exceed maximum message size'],
      [4000, '(10692)delay seconds is out of range'],
      [4000, '(10370)msgBody parameter batch size is out of range'],
      [4000, '(10350)parameter numOfMsg value or length is out of range'],
      [4000, '(10470)receiptHandle error'],
    ])
  })

  it('when a batch of 1 MB is sent, then it arrives', async () => {
    const queueName = await newQueue({ maxMsgSize: 1_048_576 })
    const msgBody = ['消'.repeat(174_762), 'b'.repeat(524_290)]
    expect(await client.batchSendMessage({ queueName, msgBody })).toMatchObject(success)
    const bodies = (await receiveAll(queueName, 2)).map((message) => message.msgBody)
    expect(bodies.sort()).toEqual(msgBody.sort())
  })
})

describe('given a long poll', () => {
  it('when nothing comes, then the answer comes at its end, before the client gives up', async () => {
    const queueName = await newQueue()
    const start = performance.now()
    expect(await client.receiveMessage({ queueName, pollingWaitSeconds: 2 })).toMatchObject(noMessage)
    expect(secondsSince(start)).toBeGreaterThan(1.9)
  })

  it('when it does not say how long, then the queue does', async () => {
    const queueName = await newQueue({ pollingWaitSeconds: 1 })
    const start = performance.now()
    expect(await client.batchReceiveMessage({ queueName, numOfMsg: 16 })).toMatchObject(noMessage)
    expect(secondsSince(start)).toBeGreaterThan(0.9)
  })

  it('when a message comes, then it is answered at once', async () => {
    const queueName = await newQueue()
    const start = performance.now()
    const polling = client.receiveMessage({ queueName, pollingWaitSeconds: 20 })
    await sleep(300)
    await client.sendMessage({ queueName, msgBody: 'a' })
    expect(await polling).toMatchObject({ ...success, msgBody: 'a' })
    expect(secondsSince(start)).toBeLessThan(10)
  })
})
