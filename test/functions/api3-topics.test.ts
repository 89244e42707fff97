import { beforeEach, describe, expect, it } from 'vitest'
import { START } from '../support/clock.ts'
import { api3Asker, ofCmq, ofTdmq, refused, response } from './support/api3.ts'
import { accountForEachTest, aSubscriptionId, aTopicId } from './support/cmq.ts'

const cmq = accountForEachTest()
const ask = api3Asker(cmq, ofCmq)
const askTdmq = api3Asker(cmq, ofTdmq)

const started = Math.floor(START / 1000)
const TopicName = 'test-topic'
const named = { TopicName, SubscriptionName: 'test-subscription' }
const toQueue = { Protocol: 'queue', Endpoint: 'orders' }
const topicIsMissing = refused('ResourceNotFound', 'topic is not existed, or deleted')

/** A topic that nothing was set of, as both products tell it. */
const plain = () => ({
  TopicId: aTopicId,
  TopicName,
  MsgRetentionSeconds: 86_400,
  MaxMsgSize: 65_536,
  Qps: 5_000,
  FilterType: 1,
  CreateTime: started,
  LastModifyTime: started,
  MsgCount: 0,
  CreateUin: Number(cmq.account),
  Tags: [],
  Trace: false,
})

const ofTdmqToo = () => ({
  CreateTime: START + 137,
  LastModifyTime: START + 137,
  TenantId: cmq.account,
  NamespaceName: '',
  Status: 1,
  BrokerType: 0,
  SubscriptionCount: 0,
})

const detail = async () => (await ask('DescribeTopicDetail', { TopicName }))['TopicSet'][0]
const described = async () => (await askTdmq('DescribeCmqTopicDetail', { TopicName }))['TopicDescribe']

describe('given no topic', () => {
  it('when one is created as in the example, then its id is answered', async () => {
    expect(await ask('CreateTopic', { TopicName })).toEqual(response({ TopicId: aTopicId }))
    expect(await detail()).toEqual({ ...plain(), Migrate: 0 })
    expect(await described()).toEqual({ ...plain(), ...ofTdmqToo() })
  })

  it('when one is created with everything, then everything is told again but the fixed life', async () => {
    const Tags = [{ TagKey: 'team', TagValue: 'blue' }]
    const wanted = { MaxMsgSize: 2_048, FilterType: 2, Trace: true, Tags }
    await askTdmq('CreateCmqTopic', { TopicName, ...wanted, MsgRetentionSeconds: 60 })
    expect(await detail()).toEqual({ ...plain(), ...wanted, Migrate: 0 })
    expect(await ask('CreateTopic', { TopicName: 'b', MsgRetentionSeconds: 59 })).toEqual(
      refused('InvalidParameterValue'),
    )
  })

  it.each<[string, string, object]>([
    ['DeleteTopic', ofCmq, {}],
    ['ModifyTopicAttribute', ofCmq, {}],
    ['DescribeTopicDetail', ofCmq, {}],
    ['DescribeSubscriptionDetail', ofCmq, {}],
    ['CreateSubscribe', ofCmq, { ...named, ...toQueue }],
    ['DeleteSubscribe', ofCmq, named],
    ['ModifySubscriptionAttribute', ofCmq, named],
    ['ClearSubscriptionFilterTags', ofCmq, named],
    ['DeleteCmqTopic', ofTdmq, {}],
    ['ModifyCmqTopicAttribute', ofTdmq, {}],
    ['DescribeCmqTopicDetail', ofTdmq, {}],
    ['DescribeCmqSubscriptionDetail', ofTdmq, {}],
    ['CreateCmqSubscribe', ofTdmq, { ...named, ...toQueue }],
    ['DeleteCmqSubscribe', ofTdmq, named],
    ['ModifyCmqSubscriptionAttribute', ofTdmq, named],
    ['ClearCmqSubscriptionFilterTags', ofTdmq, named],
    ['PublishCmqMsg', ofTdmq, { MsgContent: 'x' }],
  ])('when %s of version %s names one, then it is missing', async (action, version, sent) => {
    expect(await ask(action, { TopicName, ...sent }, { version })).toEqual(topicIsMissing)
  })

  it('when all are asked for, then there are none', async () => {
    expect(await ask('DescribeTopicDetail')).toEqual(response({ TotalCount: 0, TopicSet: [] }))
    expect(await askTdmq('DescribeCmqTopics')).toEqual(response({ TotalCount: 0, TopicList: [] }))
    expect(await askTdmq('DescribeCmqTopicDetail')).toEqual(
      refused('MissingParameter', 'lacked of required parameter TopicName'),
    )
  })
})

describe('given a topic', () => {
  beforeEach(() => ask('CreateTopic', { TopicName }))

  it('when its name is used again, then it is in use', async () => {
    expect(await askTdmq('CreateCmqTopic', { TopicName: 'Test-Topic' })).toEqual(
      refused('ResourceInUse', 'topic is already existed'),
    )
  })

  it('when it is changed as in the example, which sets Qps too, then what can change changes', async () => {
    expect(await ask('ModifyTopicAttribute', { TopicName, MaxMsgSize: 1_024, Trace: true, Qps: 20_000 })).toEqual(
      response(),
    )
    expect(await detail()).toEqual({ ...plain(), MaxMsgSize: 1_024, Trace: true, Migrate: 0 })
    expect(await askTdmq('ModifyCmqTopicAttribute', { TopicName, MaxMsgSize: 2_048 })).toEqual(response())
    expect(await detail()).toEqual({ ...plain(), MaxMsgSize: 2_048, Trace: true, Migrate: 0 })
  })

  it('when the deployment limits messages a second, then that is told', async () => {
    const limited = await ask('DescribeTopicDetail', { TopicName }, { settings: { maxRate: 100 } })
    expect(limited).toMatchObject({ TopicSet: [{ Qps: 100 }] })
  })

  it('when topics are asked for by name, by tag or by page, then those are told', async () => {
    await askTdmq('CreateCmqTopic', { TopicName: 'news', Tags: [{ TagKey: 'team', TagValue: 'blue' }] })
    const isNews = { TotalCount: 1, TopicSet: [{ TopicName: 'news' }] }
    expect(await ask('DescribeTopicDetail', { TopicName: 'NEWS' })).toMatchObject(isNews)
    expect(await ask('DescribeTopicDetail', { TagKey: 'team' })).toMatchObject(isNews)
    expect(await ask('DescribeTopicDetail', { Filters: [{ Name: 'TopicName', Values: ['ew'] }] })).toMatchObject(isNews)
    expect(await ask('DescribeTopicDetail', { Limit: 1, Offset: 1 })).toMatchObject({
      TotalCount: 2,
      TopicSet: [{ TopicName }],
    })
    const ofTag = { IsTagFilter: true, Filters: [{ Name: 'tag:team', Values: ['blue'] }] }
    for (const sent of [{ TopicName: 'ew' }, { TopicNameList: ['News'] }, ofTag])
      expect(await askTdmq('DescribeCmqTopics', sent)).toMatchObject({
        TotalCount: 1,
        TopicList: [{ TopicName: 'news' }],
      })
  })

  it('when it has a subscription, then it is in use until that has ended', async () => {
    await cmq.ask('CreateQueue', { queueName: 'orders' })
    await ask('CreateSubscribe', { ...named, ...toQueue })
    expect(await described()).toHaveProperty('SubscriptionCount', 1)
    expect(await ask('DeleteTopic', { TopicName })).toEqual(refused('ResourceInUse'))
    expect(await ask('DeleteSubscribe', named)).toEqual(response())
    expect(await ask('DeleteTopic', { TopicName })).toEqual(response())
    expect(await ask('DescribeTopicDetail', { TopicName })).toEqual(topicIsMissing)
  })
})

describe('given a topic and a queue', () => {
  beforeEach(async () => {
    await cmq.ask('CreateQueue', { queueName: 'orders' })
    await ask('CreateTopic', { TopicName })
  })

  const all = async (version: string) =>
    await ask(
      version === ofCmq ? 'DescribeSubscriptionDetail' : 'DescribeCmqSubscriptionDetail',
      { TopicName },
      { version },
    )

  it.each([
    ['CreateSubscribe', ofCmq],
    ['CreateCmqSubscribe', ofTdmq],
  ])('when %s subscribes the queue, then its id is answered and it is told', async (action, version) => {
    const wanted = { ...named, ...toQueue, NotifyStrategy: 'BACKOFF_RETRY', FilterTag: ['red'] }
    expect(await ask(action, wanted, { version })).toEqual(response({ SubscriptionId: aSubscriptionId }))
    const told = {
      SubscriptionName: named.SubscriptionName,
      SubscriptionId: aSubscriptionId,
      TopicOwner: Number(cmq.account),
      MsgCount: 0,
      LastModifyTime: started,
      CreateTime: started,
      BindingKey: null,
      ...toQueue,
      FilterTags: ['red'],
      NotifyStrategy: 'BACKOFF_RETRY',
      NotifyContentFormat: 'SIMPLIFIED',
    }
    expect(await all(ofCmq)).toEqual(response({ TotalCount: 1, SubscriptionSet: [told] }))
    const inMilliseconds = { CreateTime: START + 137, LastModifyTime: START + 137 }
    expect(await all(ofTdmq)).toEqual(
      response({ TotalCount: 1, SubscriptionSet: [{ ...told, ...inMilliseconds, TopicName }] }),
    )
    expect(await ask(action, wanted, { version })).toEqual(refused('ResourceInUse', 'subscribtion is already existed'))
  })

  it.each([
    ['Modify', 'SubscriptionAttribute', ofCmq, ''],
    ['Modify', 'SubscriptionAttribute', ofTdmq, 'Cmq'],
  ])(
    'when %s%s of version %s changes it and its tags are cleared, then that is told',
    async (verb, noun, version, cmq) => {
      await ask('CreateSubscribe', { ...named, ...toQueue })
      const changes = { ...named, NotifyStrategy: 'BACKOFF_RETRY', FilterTags: ['red', 'blue'] }
      expect(await ask(`${verb}${cmq}${noun}`, changes, { version })).toEqual(response())
      expect(await all(version)).toMatchObject({
        SubscriptionSet: [changes.FilterTags].map((FilterTags) => ({ FilterTags })),
      })
      expect(await ask(`Clear${cmq}SubscriptionFilterTags`, named, { version })).toEqual(response())
      expect(await all(version)).toMatchObject({
        SubscriptionSet: [{ NotifyStrategy: 'BACKOFF_RETRY', FilterTags: [] }],
      })
      expect(await ask(`Delete${cmq}Subscribe`, named, { version })).toEqual(response())
      expect(await ask(`Delete${cmq}Subscribe`, named, { version })).toEqual(
        refused('ResourceNotFound', 'subscription is not existed, or deleted'),
      )
    },
  )

  it.each<[string, object, string]>([
    [
      'an endpoint that nobody may be pushed to',
      { Protocol: 'http', Endpoint: 'http://10.0.0.1/' },
      'InvalidParameterValue',
    ],
    ['a protocol that nobody knows', { Protocol: 'mail' }, 'InvalidParameterValue'],
    ['too many tags', { FilterTag: ['a', 'b', 'c', 'd', 'e', 'f'] }, 'InvalidParameterValue'],
    ['no endpoint', { Endpoint: null }, 'MissingParameter'],
  ])('when a subscription has %s, then it is refused', async (_, wrong, code) => {
    expect(await ask('CreateSubscribe', { ...named, ...toQueue, ...wrong })).toEqual(refused(code))
  })

  it('when no more subscriptions are allowed, then the limit is named', async () => {
    const wanted = { ...named, ...toQueue }
    expect(await ask('CreateSubscribe', wanted, { settings: { maxSubscriptions: 0 } })).toEqual(
      refused('LimitExceeded'),
    )
  })

  it('when subscriptions are asked for by name, by page or by their queue, then those are told', async () => {
    await askTdmq('CreateCmqTopic', { TopicName: 'news' })
    for (const SubscriptionName of ['east', 'west'])
      await ask('CreateSubscribe', { ...named, SubscriptionName, ...toQueue })
    await ask('CreateSubscribe', { TopicName: 'news', SubscriptionName: 'north', ...toQueue, Endpoint: 'Orders' })
    await ask('CreateSubscribe', { TopicName: 'news', SubscriptionName: 'south', ...toQueue, Endpoint: 'other' })
    const names = async (version: string, sent: object) => {
      const action = version === ofCmq ? 'DescribeSubscriptionDetail' : 'DescribeCmqSubscriptionDetail'
      const { SubscriptionSet } = await ask(action, { ...sent }, { version })
      return (SubscriptionSet as { SubscriptionName: string }[]).map(({ SubscriptionName }) => SubscriptionName)
    }
    const byName = { Filters: [{ Name: 'SubscriptionName', Values: ['EA'] }] }
    expect(await names(ofCmq, { TopicName, ...byName })).toEqual(['east'])
    expect(await names(ofCmq, { TopicName, Limit: 1, Offset: 1 })).toEqual(['west'])
    expect(await names(ofTdmq, { TopicName, SubscriptionName: 'WE' })).toEqual(['west'])
    expect(await names(ofTdmq, { QueryType: 'topic', TopicName: 'news' })).toEqual(['north', 'south'])
    const filling = await names(ofTdmq, { QueryType: 'queue', QueueName: 'orders' })
    expect(filling.toSorted()).toEqual(['east', 'north', 'west'])
    expect(await askTdmq('DescribeCmqSubscriptionDetail', { QueryType: 'queue' })).toEqual(
      refused('MissingParameter', 'lacked of required parameter QueueName'),
    )
    expect(await ask('DescribeSubscriptionDetail')).toEqual(
      refused('MissingParameter', 'lacked of required parameter TopicName'),
    )
  })

  it('when a message is published, then those get it whose tags it has, and its id is answered', async () => {
    const publish = (sent: object) => askTdmq('PublishCmqMsg', { TopicName, MsgContent: 'hello', ...sent })
    expect(await publish({})).toEqual(
      refused('FailedOperation', 'topic has no subscription, please create a subscription before publishing message'),
    )
    await ask('CreateSubscribe', { ...named, ...toQueue, FilterTag: ['red'] })
    expect(await publish({ MsgTag: ['blue'] })).toEqual(refused('FailedOperation'))
    expect(await publish({ MsgTag: ['blue', 'red'] })).toEqual(
      response({ Result: true, MsgId: expect.stringMatching(/^[0-9a-f]{32}$/) as string }),
    )
    expect(await cmq.ask('ReceiveMessage', { queueName: 'orders' })).toHaveProperty('msgBody', 'hello')
    expect(await publish({ MsgTag: ['a', 'b', 'c', 'd', 'e', 'f'] })).toEqual(refused('InvalidParameterValue'))
  })

  it('when the topic chooses by keys, then the one tag of a message is its routing key', async () => {
    await ask('CreateTopic', { TopicName: 'routed', FilterType: 2 })
    await ask('CreateSubscribe', { ...named, TopicName: 'routed', ...toQueue, BindingKey: ['orders.*.created'] })
    const publish = (sent: object) => askTdmq('PublishCmqMsg', { TopicName: 'routed', MsgContent: 'x', ...sent })
    expect(await publish({ MsgTag: ['orders.from-the-far-east.created'] })).toHaveProperty('Result', true)
    expect(await publish({ MsgTag: ['orders.created'] })).toEqual(refused('FailedOperation'))
    expect(await publish({})).toEqual(refused('MissingParameter', 'parameters lack of routingKey'))
  })

  it('when the queue is transactional, then what is published for it waits', async () => {
    await ask('CreateSubscribe', { ...named, ...toQueue })
    await askTdmq('ModifyCmqQueueAttribute', { QueueName: 'orders', Transaction: 1 })
    expect(await askTdmq('PublishCmqMsg', { TopicName, MsgContent: 'x' })).toHaveProperty('Result', true)
    expect(await all(ofCmq)).toMatchObject({ SubscriptionSet: [{ MsgCount: 1 }] })
    expect(await cmq.ask('ReceiveMessage', { queueName: 'orders' })).toHaveProperty('code', 7000)
  })
})
