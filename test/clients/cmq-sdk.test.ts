import { CMQ } from 'cmq-sdk'
import http from 'node:http'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { subscriberThat, type Push } from '../support/subscriber.ts'
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

let names = 0

/** The name of a new queue, empty and of this test alone. */
async function newQueue(attributes: object = {}): Promise<string> {
  const queueName = `orders-${++names}`
  expect(await client.createQueue({ queueName, ...attributes })).toMatchObject({ code: 0 })
  return queueName
}

/** The name of a new topic of this test alone. */
async function newTopic(attributes: object = {}): Promise<string> {
  const topicName = `news-${++names}`
  expect(await client.createTopic({ topicName, ...attributes })).toMatchObject({ code: 0 })
  return topicName
}

/** A new queue that gets what such a subscription lets through, under the queue's own name. */
async function newQueueOf(topicName: string, filter: { filterTag?: string[]; bindingKey?: string[] } = {}) {
  const queueName = await newQueue()
  const wanted = { topicName, subscriptionName: queueName, protocol: 'queue', endpoint: queueName, ...filter }
  expect(await client.subscribe(wanted)).toMatchObject({ code: 0 })
  return queueName
}

/** What lies in a queue: so many bodies, and no others. */
async function bodiesIn(queueName: string, count: number): Promise<string[]> {
  const messages = await receiveAll(queueName, count)
  expect(await client.receiveMessage({ queueName })).toMatchObject(noMessage)
  return messages.map(({ msgBody }) => msgBody).sort()
}

const tagsOf = ({ headers }: Push) => Object.fromEntries(headers)['x-cmq-message-tag']

/** Receives until that many messages are there, since a batch may bring fewer than were asked for (406/5924). */
async function receiveAll(queueName: string, count: number) {
  const messages = []
  while (messages.length < count) {
    const numOfMsg = count - messages.length
    const { code, msgInfoList } = await client.batchReceiveMessage({ queueName, numOfMsg, pollingWaitSeconds: 20 })
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
const topicIsMissing = { code: 4440, message: '(10600)topic is not existed, or deleted' }
const subscriptionIsMissing = { code: 4440, message: '(10600)subscription is not existed, or deleted' }

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

  it('when it goes through the life of a topic, then each call is answered', async () => {
    await using subscriber = await subscriberThat(200)
    const topicName = `life-${signatureMethod}`
    const subscriptionName = 'mail'
    expect(await client.createTopic({ topicName })).toEqual({
      ...success,
      topicId: expect.stringMatching(/^topic-[a-z0-9]{8}$/) as string,
    })
    const wanted = { topicName, subscriptionName, protocol: 'http', endpoint: subscriber.url }
    expect(await client.subscribe(wanted)).toEqual({
      ...success,
      subscriptionId: expect.stringMatching(/^subsc-[a-z0-9]{8}$/) as string,
    })
    const published = await client.publishMessage({ topicName, msgBody: 'hello world', msgTag: ['red', '蓝'] })
    expect(published).toEqual({ ...success, msgId: expect.any(String) as string })

    const push = await subscriber.push(1)
    expect(JSON.parse(push.body)).toEqual({
      TopicOwner: 1_250_000_000,
      topicName,
      subscriptionName,
      msgId: published.msgId,
      msgBody: 'hello world',
      publishTime: expect.any(Number) as number,
    })
    expect(tagsOf(push)).toBe('red, 蓝')

    expect(await client.deleteTopic({ topicName })).toMatchObject({
      code: 4000,
      message: '(10540)there exists subscriptions under this topic, please unsubscribe all of them before DeleteTopic',
    })
    expect(await client.unsubscribe({ topicName, subscriptionName })).toEqual(success)
    expect(await client.deleteTopic({ topicName })).toMatchObject(success)
    expect(await client.publishMessage({ topicName, msgBody: 'a' })).toMatchObject(topicIsMissing)
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

describe('given a queue that is bound to a dead-letter queue', () => {
  it('when a message was received too often, then the client gets it from there, and sees where it came from', async () => {
    const dead = await newQueue()
    const policy = { deadLetterQueueName: dead, policy: 0, maxReceiveCount: 1 }
    const queueName = await newQueue({ visibilityTimeout: 1, ...policy })
    expect(await client.getQueueAttributes({ queueName })).toMatchObject({ ...success, ...policy })
    const { msgId } = await client.sendMessage({ queueName, msgBody: 'poison' })
    expect(await client.receiveMessage({ queueName, pollingWaitSeconds: 5 })).toMatchObject({ msgBody: 'poison' })
    // Not by a long poll: of one that gets nothing the client does not bear that its answer is a second late.
    await sleep(1_100)
    expect(await client.receiveMessage({ queueName })).toMatchObject(noMessage)
    const received = await client.receiveMessage({ queueName: dead, pollingWaitSeconds: 5 })
    expect(received).toMatchObject({ ...success, msgId, msgBody: 'poison', dequeueCount: 1 })
    expect(received).toMatchObject({ deadLetter: { sourceQueueName: queueName, policy: 0, dequeueCount: 1 } })
    const { receiptHandle } = received
    expect(await client.deleteMessage({ queueName: dead, receiptHandle })).toEqual(success)
    expect(await client.deleteQueue({ queueName: dead })).toMatchObject({ code: 4000 })
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
    await client.sendMessage({ queueName, msgBody: 'a', delaySeconds: 4 })
    await client.batchSendMessage({ queueName, msgBody: ['b', 'c'], delaySeconds: 4 })
    expect(await client.getQueueAttributes({ queueName })).toMatchObject({ delayMsgNum: 3, activeMsgNum: 0 })
    expect(await client.receiveMessage({ queueName })).toMatchObject(noMessage)

    const received = await receiveAll(queueName, 3)
    expect(secondsSince(start)).toBeGreaterThan(3.9)
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

describe('given a queue that can be rewound', () => {
  it('when it is rewound, then what was deleted comes again, in order', async () => {
    const queueName = await newQueue({ rewindSeconds: 600 })
    const startConsumeTime = unixNow()
    for (const msgBody of ['a', 'b']) await client.sendMessage({ queueName, msgBody })
    for (let received = 0; received < 2; received++) {
      const { receiptHandle } = await client.receiveMessage({ queueName, pollingWaitSeconds: 5 })
      expect(await client.deleteMessage({ queueName, receiptHandle })).toMatchObject({ code: 0 })
    }
    expect(await client.getQueueAttributes({ queueName })).toMatchObject({ activeMsgNum: 0, rewindMsgNum: 2 })
    expect(await client.rewindQueue({ queueName, startConsumeTime })).toMatchObject(success)
    for (const msgBody of ['a', 'b'])
      expect(await client.receiveMessage({ queueName, pollingWaitSeconds: 5 })).toMatchObject({ msgBody })
    const tooEarly = await client.rewindQueue({ queueName, startConsumeTime: startConsumeTime - 700 })
    expect(tooEarly).toMatchObject({ code: 4000, message: expect.stringContaining('(10680)invalid rewind time') })
  })

  it('when rewinding is off, then that is refused', async () => {
    const answer = await client.rewindQueue({ queueName: await newQueue(), startConsumeTime: unixNow() })
    expect(answer).toMatchObject({ code: 6050, message: '(10670)your queue cannot be rewinded' })
  })
})

describe('given a long poll', () => {
  // The client gives up a second later: a machine that pauses just then has it try again.
  it('when nothing comes, then the answer comes at its end, before the client gives up', { retry: 1 }, async () => {
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

describe('given topics', () => {
  it('when one is created without attributes, then it has the defaults of CMQ', async () => {
    const topicName = await newTopic()
    const attributes = await client.getTopicAttributes({ topicName })
    expect(attributes).toMatchObject({
      ...success,
      msgCount: 0,
      maxMsgSize: 65_536,
      msgRetentionSeconds: 86_400,
      filterType: 1,
    })
    for (const time of ['createTime', 'lastModifyTime']) expect(Math.abs(attributes[time] - unixNow())).toBeLessThan(10)
  })

  it('when its largest message is set, then that counts, and its filter type stays', async () => {
    const topicName = await newTopic({ maxMsgSize: 2048, filterType: 2 })
    await newQueueOf(topicName, { bindingKey: ['#'] })
    expect(await client.setTopicAttributes({ topicName, maxMsgSize: 1024 })).toMatchObject(success)
    expect(await client.getTopicAttributes({ topicName })).toMatchObject({ maxMsgSize: 1024, filterType: 2 })
    const tooLarge = { topicName, msgBody: 'a'.repeat(1025), routingKey: 'a' }
    expect(await client.publishMessage(tooLarge)).toMatchObject({
      code: 4400,
      message: '(10230)exceed maximum message size',
    })
  })

  it('when they are listed in pages, then each is there once', async () => {
    for (const topicName of ['page-1', 'page-2', 'page-3']) await client.createTopic({ topicName })
    const first = await client.listTopic({ searchWord: 'page', offset: 0, limit: 2 })
    const second = await client.listTopic({ searchWord: 'page', offset: 2, limit: 2 })
    expect([first, second]).toMatchObject([
      { ...success, totalCount: 3 },
      { ...success, totalCount: 3 },
    ])
    const names = [...first.topicList, ...second.topicList].map(({ topicName }) => topicName)
    expect(names.sort()).toEqual(['page-1', 'page-2', 'page-3'])
    expect(await client.listTopic({ searchWord: 'nobody' })).toEqual({ ...success, totalCount: 0, topicList: [] })
  })

  it('when one is created again, or under a name that is none, then it is refused', async () => {
    const topicName = await newTopic()
    expect(await client.createTopic({ topicName })).toMatchObject({
      code: 4460,
      message: '(10550)topic is already existed',
    })
    expect(await client.createTopic({ topicName: '1st' })).toMatchObject({
      code: 4000,
      message: '(10590)topic name format error',
    })
  })

  it('when there is none of a name, then every action says so', async () => {
    const topicName = 'nobody'
    const subscriptionName = 'mail'
    const answers = [
      await client.getTopicAttributes({ topicName }),
      await client.setTopicAttributes({ topicName, maxMsgSize: 1024 }),
      await client.deleteTopic({ topicName }),
      await client.publishMessage({ topicName, msgBody: 'a' }),
      await client.batchPublishMessage({ topicName, msgBody: ['a'] }),
      await client.subscribe({ topicName, subscriptionName, protocol: 'queue', endpoint: 'orders' }),
      await client.listSubscriptionByTopic({ topicName }),
      await client.getSubscriptionAttributes({ topicName, subscriptionName }),
      await client.setSubscriptionAttributes({ topicName, subscriptionName, notifyStrategy: 'BACKOFF_RETRY' }),
      await client.clearSubscriptionFilterTags({ topicName, subscriptionName }),
      await client.unsubscribe({ topicName, subscriptionName }),
    ]
    expect(answers).toMatchObject(answers.map(() => topicIsMissing))
  })
})

describe('given subscriptions', () => {
  it('when one is made with everything, then its attributes are those, and can be set', async () => {
    const topicName = await newTopic()
    const subscriptionName = 'mail'
    const endpoint = 'http://127.0.0.1:1/hook?a=b+c'
    const { subscriptionId } = await client.subscribe({
      topicName,
      subscriptionName,
      protocol: 'http',
      endpoint,
      notifyStrategy: 'BACKOFF_RETRY',
      notifyContentFormat: 'SIMPLIFIED',
      filterTag: ['red', '蓝'],
    })
    const attributes = await client.getSubscriptionAttributes({ topicName, subscriptionName })
    expect(attributes).toMatchObject({
      ...success,
      topicOwner: '1250000000',
      msgCount: 0,
      protocol: 'http',
      endpoint,
      notifyStrategy: 'BACKOFF_RETRY',
      notifyContentFormat: 'SIMPLIFIED',
      bindingKey: [],
      filterTag: ['red', '蓝'],
      filterTags: ['red', '蓝'],
      subscriptionId,
    })
    for (const time of ['createTime', 'lastModifyTime']) expect(Math.abs(attributes[time] - unixNow())).toBeLessThan(10)

    const set = { notifyStrategy: 'EXPONENTIAL_DECAY_RETRY', notifyContentFormat: 'JSON' }
    expect(await client.setSubscriptionAttributes({ topicName, subscriptionName, ...set })).toEqual(success)
    expect(await client.getSubscriptionAttributes({ topicName, subscriptionName })).toMatchObject({
      ...set,
      endpoint,
      filterTag: ['red', '蓝'],
    })
    await client.setSubscriptionAttributes({ topicName, subscriptionName, filterTag: ['green'] })
    expect(await client.getSubscriptionAttributes({ topicName, subscriptionName })).toMatchObject({
      ...set,
      filterTag: ['green'],
    })
    expect(await client.clearSubscriptionFilterTags({ topicName, subscriptionName })).toEqual(success)
    expect(await client.getSubscriptionAttributes({ topicName, subscriptionName })).toMatchObject({ filterTag: [] })
  })

  it('when they are listed in pages, then each is there once', async () => {
    const topicName = await newTopic()
    const queueNames = [await newQueueOf(topicName), await newQueueOf(topicName), await newQueueOf(topicName)]
    const first = await client.listSubscriptionByTopic({ topicName, searchWord: 'orders', offset: 0, limit: 2 })
    const second = await client.listSubscriptionByTopic({ topicName, searchWord: 'orders', offset: 2, limit: 2 })
    expect([first, second]).toMatchObject([
      { ...success, totalCount: 3 },
      { ...success, totalCount: 3 },
    ])
    const listed = [...first.subscriptionList, ...second.subscriptionList]
    expect(listed.map(({ subscriptionName }) => subscriptionName).sort()).toEqual(queueNames.toSorted())
    for (const { subscriptionId, subscriptionName, protocol, endpoint } of listed)
      expect({ subscriptionId, protocol, endpoint }).toEqual({
        subscriptionId: expect.stringMatching(/^subsc-[a-z0-9]{8}$/) as string,
        protocol: 'queue',
        endpoint: subscriptionName,
      })
    const none = await client.listSubscriptionByTopic({ topicName, searchWord: 'nobody' })
    expect(none).toEqual({ ...success, totalCount: 0, subscriptionList: [] })
  })

  it('when one is made that cannot be, then it is refused', async () => {
    const topicName = await newTopic()
    const routed = await newTopic({ filterType: 2 })
    const subscriptionName = await newQueueOf(topicName)
    const queue = { topicName, protocol: 'queue', endpoint: 'orders' }
    const web = { topicName, subscriptionName: 'web', protocol: 'http' }
    const answers = [
      await client.subscribe({ ...queue, subscriptionName }),
      await client.subscribe({ ...queue, subscriptionName: '1st' }),
      await client.subscribe({ ...queue, subscriptionName: 'mail', protocol: 'smtp' }),
      await client.subscribe({ ...queue, subscriptionName: 'mail', filterTag: ['1', '2', '3', '4', '5', '6'] }),
      await client.subscribe({ ...queue, subscriptionName: 'mail', topicName: routed }),
      await client.subscribe({ ...web, endpoint: 'ftp://127.0.0.1/' }),
      await client.subscribe({ ...web, endpoint: 'http://127.0.0.1/ a' }),
      await client.subscribe({ ...web, endpoint: 'http://10.0.0.1/' }),
      await client.subscribe({ ...web, endpoint: 'http://127.0.0.1/', notifyStrategy: 'NEVER' }),
      await client.subscribe({ ...web, endpoint: 'http://127.0.0.1/', notifyContentFormat: 'XML' }),
    ]
    expect(answers.map(({ code, message }) => [code, message])).toEqual([
      [4490, '(10470)subscribtion is already existed'],
      [4000, '(10580)subscription name format error'],
      [4000, '(10510)undefined protocol'],
      [4000, '(10670)too many filterTag'],
      [4000, '(10710)parameters lack of bindingKey'],
      [4000, '(10500)endpoint format error'],
      [4510, '(10570)url connot contain any blank characters'],
      [4000, '(10630)illegal endpoint'],
      [4000, '(10520)undefined notify retry stragety'],
      [4000, '(10530)undefined notify content format'],
    ])
    const { totalCount } = await client.listSubscriptionByTopic({ topicName })
    expect(totalCount).toBe(1)
  })

  it('when there is none of a name, then every action says so', async () => {
    const topicName = await newTopic()
    const subscriptionName = 'nobody'
    const answers = [
      await client.getSubscriptionAttributes({ topicName, subscriptionName }),
      await client.setSubscriptionAttributes({ topicName, subscriptionName, notifyStrategy: 'BACKOFF_RETRY' }),
      await client.clearSubscriptionFilterTags({ topicName, subscriptionName }),
      await client.unsubscribe({ topicName, subscriptionName }),
    ]
    expect(answers).toMatchObject(answers.map(() => subscriptionIsMissing))
  })
})

describe('given published messages', () => {
  it('when they have tags, then each queue and each web server gets what its filter lets through', async () => {
    await using green = await subscriberThat(200)
    const topicName = await newTopic()
    const coloured = await newQueueOf(topicName, { filterTag: ['red', 'green'] })
    const all = await newQueueOf(topicName)
    const web = { topicName, subscriptionName: 'green', protocol: 'http', endpoint: green.url }
    await client.subscribe({ ...web, notifyContentFormat: 'SIMPLIFIED', filterTag: ['green'] })

    const messages: [msgBody: string, msgTag: string[]][] = [
      ['1', ['red']],
      ['2', ['green', 'red']],
      ['3', []],
      ['4', ['Green']],
    ]
    for (const [msgBody, msgTag] of messages)
      expect(await client.publishMessage({ topicName, msgBody, msgTag })).toMatchObject(success)
    const batch = await client.batchPublishMessage({ topicName, msgBody: ['5', '6'], msgTag: ['green'] })
    expect(new Set(batch.msgList.map(({ msgId }) => msgId)).size).toBe(2)

    expect(await bodiesIn(coloured, 4)).toEqual(['1', '2', '5', '6'])
    expect(await bodiesIn(all, 6)).toEqual(['1', '2', '3', '4', '5', '6'])
    await green.push(3)
    const pushed = green.pushes.map((push) => [push.body, tagsOf(push)]).sort()
    expect(pushed).toEqual([
      ['2', 'green, red'],
      ['5', 'green'],
      ['6', 'green'],
    ])
  })

  it('when they have routing keys, then each queue and each web server gets what its binding keys let through', async () => {
    await using europe = await subscriberThat(200)
    const topicName = await newTopic({ filterType: 2 })
    const orders = await newQueueOf(topicName, { bindingKey: ['order.*', 'payment'] })
    const all = await newQueueOf(topicName, { bindingKey: ['#'] })
    const web = { topicName, subscriptionName: 'europe', protocol: 'http', endpoint: europe.url }
    await client.subscribe({ ...web, notifyContentFormat: 'SIMPLIFIED', bindingKey: ['#.eu'] })

    for (const routingKey of ['order.eu', 'order', 'payment', 'order.x.eu', 'eu'])
      expect(await client.publishMessage({ topicName, msgBody: routingKey, routingKey })).toMatchObject(success)
    await client.batchPublishMessage({ topicName, msgBody: ['a', 'b'], routingKey: 'order.new' })

    expect(await bodiesIn(orders, 4)).toEqual(['a', 'b', 'order.eu', 'payment'])
    expect(await bodiesIn(all, 7)).toEqual(['a', 'b', 'eu', 'order', 'order.eu', 'order.x.eu', 'payment'])
    await europe.push(3)
    expect(europe.pushes.map(({ body }) => body).sort()).toEqual(['eu', 'order.eu', 'order.x.eu'])

    const keyless = await client.publishMessage({ topicName, msgBody: 'a' })
    expect(keyless).toMatchObject({ code: 4000, message: '(10700)parameters lack of routingKey' })
  })

  it('when a filter is set or cleared, then it counts from the next message on', async () => {
    const topicName = await newTopic()
    const queueName = await newQueueOf(topicName, { filterTag: ['red'] })
    const subscriptionName = queueName
    const nobody = { code: 6030, message: '(10730)no bindingKey or filterTag matches the routingKey or msgTag' }
    expect(await client.publishMessage({ topicName, msgBody: '1', msgTag: ['blue'] })).toMatchObject(nobody)
    await client.setSubscriptionAttributes({ topicName, subscriptionName, filterTag: ['blue'] })
    await client.publishMessage({ topicName, msgBody: '2', msgTag: ['blue'] })
    expect(await client.publishMessage({ topicName, msgBody: '3', msgTag: ['red'] })).toMatchObject(nobody)
    await client.clearSubscriptionFilterTags({ topicName, subscriptionName })
    await client.publishMessage({ topicName, msgBody: '4' })
    expect(await bodiesIn(queueName, 2)).toEqual(['2', '4'])
  })

  it('when nobody has subscribed, or one is empty or has too many tags, then it is refused', async () => {
    const topicName = await newTopic()
    const unheard = await client.publishMessage({ topicName, msgBody: 'a' })
    await newQueueOf(topicName)
    const answers = [
      unheard,
      await client.publishMessage({ topicName, msgBody: '' }),
      await client.publishMessage({ topicName, msgBody: 'a', msgTag: ['1', '2', '3', '4', '5', '6'] }),
      await client.batchPublishMessage({ topicName, msgBody: Array.from({ length: 17 }, () => 'a') }),
    ]
    expect(answers.map(({ code, message }) => [code, message])).toEqual([
      [6030, '(10650)topic has no subscription, please create a subscription before publishing message'],
      [4000, "(10120)message body can't be empty"],
      [4000, '(10720)too many msgTag'],
      [4000, '(10370)msgBody parameter batch size is out of range'],
    ])
  })

  it('when sixteen are published in one batch, then their ids come in order, and all arrive', async () => {
    await using subscriber = await subscriberThat(200)
    const topicName = await newTopic()
    const queueName = await newQueueOf(topicName)
    await client.subscribe({ topicName, subscriptionName: 'web', protocol: 'http', endpoint: subscriber.url })
    const msgBody = Array.from({ length: 16 }, (_, index) => `message ${index + 10}`)
    const { code, msgList } = await client.batchPublishMessage({ topicName, msgBody })
    expect(code).toBe(0)

    expect(await bodiesIn(queueName, 16)).toEqual(msgBody)
    await subscriber.push(16)
    const pushed = new Map(
      subscriber.pushes.map(({ body }) => {
        const message = JSON.parse(body) as { msgId: string; msgBody: string }
        return [message.msgId, message.msgBody]
      }),
    )
    expect(msgList.map(({ msgId }) => pushed.get(msgId))).toEqual(msgBody)
  })
})
