import { afterAll, beforeAll, describe, expect, it } from 'vitest'
// The products' own folders: the package as a whole loads hundreds of them.
import { v20190304 as cmqProduct } from 'tencentcloud-sdk-nodejs/tencentcloud/services/cmq/v20190304/index.js'
import { v20200217 as tdmqProduct } from 'tencentcloud-sdk-nodejs/tencentcloud/services/tdmq/v20200217/index.js'
import { keyPair, type LocalServer, startLocalServer } from './local-server.ts'

/** The cloud's SDK for Node, as it is but for its endpoint, against the server that `npm start` runs. */

let server: LocalServer

beforeAll(async () => {
  server = await startLocalServer()
})
afterAll(() => server?.stop())

interface Habits {
  readonly signMethod: 'TC3-HMAC-SHA256' | 'HmacSHA1' | 'HmacSHA256'
  readonly reqMethod: 'GET' | 'POST'
}

const config = ({ signMethod, reqMethod }: Habits, secretKey = keyPair.secretKey) => ({
  credential: { ...keyPair, secretKey },
  region: 'ap-guangzhou',
  profile: {
    signMethod,
    httpProfile: { protocol: 'http://', endpoint: new URL(server.url).host, reqMethod },
  },
})

const usual: Habits = { signMethod: 'TC3-HMAC-SHA256', reqMethod: 'POST' }
const cmqOf = (habits = usual) => new cmqProduct.Client(config(habits))
const tdmqOf = (habits = usual) => new tdmqProduct.Client(config(habits))

let names = 0
/** No such name is a part of another. */
const newName = (kind: string) => `${kind}-${++names}-`

const RequestId: unknown = expect.stringMatching(/^[0-9a-f-]{36}$/)
const aQueueId: unknown = expect.stringMatching(/^queue-[a-z0-9]{8}$/)
const aTopicId: unknown = expect.stringMatching(/^topic-[a-z0-9]{8}$/)
const aSubscriptionId: unknown = expect.stringMatching(/^subsc-[a-z0-9]{8}$/)

const habits = (['TC3-HMAC-SHA256', 'HmacSHA1', 'HmacSHA256'] as const).flatMap((signMethod) =>
  (['POST', 'GET'] as const).map((reqMethod): [string, Habits] => [
    `${signMethod}, ${reqMethod}`,
    { signMethod, reqMethod },
  ]),
)

describe.each(habits)('given a client of tdmq by %s', (_, habits) => {
  it('when it goes through the life of a queue, then each call is answered', async () => {
    const client = tdmqOf(habits)
    const QueueName = newName('orders')
    const Tags = [{ TagKey: 'team', TagValue: '中 & +' }]
    expect(await client.CreateCmqQueue({ QueueName, VisibilityTimeout: 60, Trace: true, Tags })).toEqual({
      QueueId: aQueueId,
      RequestId,
    })
    expect(await client.ModifyCmqQueueAttribute({ QueueName, PollingWaitSeconds: 3 })).toEqual({ RequestId })
    expect(await client.SendCmqMsg({ QueueName, MsgContent: '@ a+b&c=d/~中', DelaySeconds: 0 })).toEqual({
      Result: true,
      MsgId: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
      RequestId,
    })
    const { QueueDescribe } = await client.DescribeCmqQueueDetail({ QueueName })
    expect(QueueDescribe).toMatchObject({ QueueName, VisibilityTimeout: 60, PollingWaitSeconds: 3, Trace: true, Tags })
    expect(QueueDescribe).toMatchObject({ ActiveMsgNum: 1, DeadLetterPolicy: null, Transaction: null })
    expect(Math.abs((QueueDescribe?.CreateTime ?? 0) - Date.now())).toBeLessThan(60_000)
    const filtered = { Limit: 1, QueueNameList: [QueueName], IsTagFilter: true }
    const { TotalCount, QueueList } = await client.DescribeCmqQueues({
      ...filtered,
      Filters: [{ Name: 'tag:team', Values: ['中 & +'] }],
    })
    expect([TotalCount, QueueList]).toEqual([1, [QueueDescribe]])
    const dead = newName('dead')
    await client.CreateCmqQueue({ QueueName: dead })
    const policy = { DeadLetterQueueName: dead, Policy: 0, MaxReceiveCount: 5 }
    expect(await client.ModifyCmqQueueAttribute({ QueueName, ...policy })).toEqual({ RequestId })
    expect((await client.DescribeCmqQueueDetail({ QueueName })).QueueDescribe).toMatchObject({
      DeadLetterPolicy: { DeadLetterQueue: dead, Policy: 0, MaxReceiveCount: 5, MaxTimeToLive: null },
    })
    expect(await client.UnbindCmqDeadLetter({ SourceQueueName: QueueName })).toEqual({ RequestId })
    await client.ModifyCmqQueueAttribute({ QueueName, RewindSeconds: 3_600 })
    expect(await client.RewindCmqQueue({ QueueName, StartConsumeTime: Date.now() })).toEqual({ RequestId })
    expect(await client.ClearCmqQueue({ QueueName })).toEqual({ RequestId })
    expect((await client.DescribeCmqQueueDetail({ QueueName })).QueueDescribe).toMatchObject({ ActiveMsgNum: 0 })
    expect(await client.DeleteCmqQueue({ QueueName })).toEqual({ RequestId })
    await expect(client.DescribeCmqQueueDetail({ QueueName })).rejects.toMatchObject({
      code: 'ResourceNotFound',
      message: 'queue is not existed, or deleted',
      requestId: RequestId,
    })
  })

  it('when it goes through the life of a topic, then each call is answered', async () => {
    const client = tdmqOf(habits)
    const TopicName = newName('news')
    const QueueName = newName('archive')
    const SubscriptionName = 'archive'
    await client.CreateCmqQueue({ QueueName })
    expect(await client.CreateCmqTopic({ TopicName, FilterType: 1 })).toEqual({ TopicId: aTopicId, RequestId })
    expect(await client.ModifyCmqTopicAttribute({ TopicName, MaxMsgSize: 2048 })).toEqual({ RequestId })
    const Endpoint = { Protocol: 'queue', Endpoint: QueueName }
    expect(await client.CreateCmqSubscribe({ TopicName, SubscriptionName, ...Endpoint, FilterTag: ['red'] })).toEqual({
      SubscriptionId: aSubscriptionId,
      RequestId,
    })
    const changes = { NotifyStrategy: 'BACKOFF_RETRY', FilterTags: ['red', 'blue'] }
    expect(await client.ModifyCmqSubscriptionAttribute({ TopicName, SubscriptionName, ...changes })).toEqual({
      RequestId,
    })
    expect(await client.PublishCmqMsg({ TopicName, MsgContent: 'hello', MsgTag: ['blue'] })).toMatchObject({
      Result: true,
    })
    const { SubscriptionSet } = await client.DescribeCmqSubscriptionDetail({ TopicName })
    expect(SubscriptionSet).toMatchObject([{ TopicName, SubscriptionName, ...Endpoint, ...changes, BindingKey: null }])
    expect(await client.DescribeCmqSubscriptionDetail({ QueryType: 'queue', QueueName })).toMatchObject({
      TotalCount: 1,
      SubscriptionSet,
    })
    expect(await client.ClearCmqSubscriptionFilterTags({ TopicName, SubscriptionName })).toEqual({ RequestId })
    const { TopicDescribe } = await client.DescribeCmqTopicDetail({ TopicName })
    expect(TopicDescribe).toMatchObject({
      TopicName,
      MaxMsgSize: 2048,
      SubscriptionCount: 1,
      MsgRetentionSeconds: 86_400,
    })
    expect(await client.DescribeCmqTopics({ TopicName, Offset: 0, Limit: 50 })).toMatchObject({
      TopicList: [TopicDescribe],
    })
    expect(await client.DeleteCmqSubscribe({ TopicName, SubscriptionName })).toEqual({ RequestId })
    expect(await client.DeleteCmqTopic({ TopicName })).toEqual({ RequestId })
    const { QueueDescribe } = await client.DescribeCmqQueueDetail({ QueueName })
    expect(QueueDescribe).toMatchObject({ ActiveMsgNum: 1 })
  })
})

describe.each(habits)('given a client of cmq by %s', (_, habits) => {
  it('when it goes through the life of a queue, then each call is answered', async () => {
    const client = cmqOf(habits)
    const QueueName = newName('orders')
    expect(await client.request('CreateQueue', { QueueName, Trace: false })).toEqual({ QueueId: aQueueId, RequestId })
    expect(await client.request('ModifyQueueAttribute', { QueueName, MaxMsgSize: 2048 })).toEqual({ RequestId })
    const { TotalCount, QueueSet } = await client.DescribeQueueDetail({ QueueName })
    expect([TotalCount, QueueSet]).toMatchObject([
      1,
      [{ QueueName, MaxMsgSize: 2048, Trace: false, Tags: [], Migrate: 4 }],
    ])
    const Filters = [{ Name: 'QueueName', Values: [QueueName.slice(2)] }]
    // Of a queue without messages it is the time at which it is asked.
    const same = QueueSet?.map((queue) => ({ ...queue, MinMsgTime: expect.any(Number) as number }))
    expect(await client.DescribeQueueDetail({ Filters, Limit: 5, Offset: 0 })).toMatchObject({ QueueSet: same })
    const dead = newName('dead')
    const policy = { DeadLetterQueueName: dead, Policy: 1, MaxTimeToLive: 300 }
    await client.request('CreateQueue', { QueueName: dead })
    expect(await client.request('ModifyQueueAttribute', { QueueName, ...policy })).toEqual({ RequestId })
    expect(await client.request('DescribeDeadLetterSourceQueues', { DeadLetterQueueName: dead })).toMatchObject({
      TotalCount: 1,
      QueueSet: [{ QueueName }],
    })
    expect(await client.request('UnbindDeadLetter', { QueueName })).toEqual({ RequestId })
    await client.request('ModifyQueueAttribute', { QueueName, RewindSeconds: 3_600 })
    const StartConsumeTime = Math.floor(Date.now() / 1_000)
    expect(await client.request('RewindQueue', { QueueName, StartConsumeTime })).toEqual({ RequestId })
    expect(await client.request('ClearQueue', { QueueName })).toEqual({ RequestId })
    expect(await client.request('DeleteQueue', { QueueName })).toEqual({ RequestId })
  })

  it('when it goes through the life of a topic, then each call is answered', async () => {
    const client = cmqOf(habits)
    const TopicName = newName('news')
    const named = { TopicName, SubscriptionName: 'mail' }
    expect(await client.request('CreateTopic', { TopicName, FilterType: 2 })).toEqual({ TopicId: aTopicId, RequestId })
    expect(await client.request('ModifyTopicAttribute', { TopicName, MaxMsgSize: 2048 })).toEqual({ RequestId })
    const wanted = { Protocol: 'http', Endpoint: 'http://127.0.0.1:9/hook', BindingKey: ['a.*', '#'] }
    expect(await client.request('CreateSubscribe', { ...named, ...wanted })).toEqual({
      SubscriptionId: aSubscriptionId,
      RequestId,
    })
    const changes = { NotifyContentFormat: 'SIMPLIFIED', BindingKey: ['b'] }
    expect(await client.request('ModifySubscriptionAttribute', { ...named, ...changes })).toEqual({ RequestId })
    expect(await client.request('ClearSubscriptionFilterTags', named)).toEqual({ RequestId })
    expect(await client.request('DescribeSubscriptionDetail', { TopicName })).toMatchObject({
      TotalCount: 1,
      SubscriptionSet: [{ SubscriptionName: 'mail', ...wanted, ...changes, FilterTags: [] }],
    })
    expect(await client.DescribeTopicDetail({ TopicName })).toMatchObject({
      TotalCount: 1,
      TopicSet: [{ TopicName, FilterType: 2, MaxMsgSize: 2048, Migrate: 0 }],
    })
    await expect(client.request('DeleteTopic', { TopicName })).rejects.toMatchObject({ code: 'ResourceInUse' })
    expect(await client.request('DeleteSubscribe', named)).toEqual({ RequestId })
    expect(await client.request('DeleteTopic', { TopicName })).toEqual({ RequestId })
  })

  it('when its key is wrong, then it is told so', async () => {
    const client = new cmqProduct.Client(config(habits, 'wrong'))
    await expect(client.DescribeQueueDetail({})).rejects.toMatchObject({ code: 'AuthFailure.SignatureFailure' })
  })
})
