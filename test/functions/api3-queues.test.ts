import { beforeEach, describe, expect, it } from 'vitest'
import { metered, noUsage } from '../../lib/store/meter.ts'
import { START } from '../support/clock.ts'
import { api3Asker, ofCmq, ofTdmq, refused, response } from './support/api3.ts'
import { accountForEachTest, aQueueId } from './support/cmq.ts'

const cmq = accountForEachTest()
const ask = api3Asker(cmq, ofCmq)
const askTdmq = api3Asker(cmq, ofTdmq)

const started = Math.floor(START / 1000)
const missing = refused('ResourceNotFound', 'queue is not existed, or deleted')
const QueueName = 'test-queue'

/** A queue that nothing was set of, as both products tell it. */
const plain = () => ({
  QueueId: aQueueId,
  QueueName,
  Qps: 5_000,
  Bps: 52_428_800,
  MaxDelaySeconds: 3_600,
  MaxMsgHeapNum: 100_000_000,
  PollingWaitSeconds: 0,
  MsgRetentionSeconds: 345_600,
  VisibilityTimeout: 30,
  MaxMsgSize: 65_536,
  RewindSeconds: 0,
  CreateTime: started,
  LastModifyTime: started,
  ActiveMsgNum: 0,
  InactiveMsgNum: 0,
  DelayMsgNum: 0,
  RewindMsgNum: 0,
  MinMsgTime: started,
  Transaction: null,
  DeadLetterSource: [],
  DeadLetterPolicy: null,
  TransactionPolicy: null,
  CreateUin: Number(cmq.account),
  Tags: [],
  Trace: false,
})

/** The same as product tdmq tells it. */
const plainOfTdmq = () => ({
  ...plain(),
  CreateTime: START + 137,
  LastModifyTime: START + 137,
  TenantId: cmq.account,
  NamespaceName: '',
  Status: 1,
  MaxUnackedMsgNum: 50_000,
  MaxMsgBacklogSize: 6_553_600_000_000,
  RetentionSizeInMB: 0,
})

const detail = async (name = QueueName) => (await ask('DescribeQueueDetail', { QueueName: name }))['QueueSet'][0]
const described = async (name = QueueName) =>
  (await askTdmq('DescribeCmqQueueDetail', { QueueName: name }))['QueueDescribe']

describe('given no queue', () => {
  it("when one is created as in the documents' example, then its id is answered", async () => {
    expect(await ask('CreateQueue', { QueueName })).toEqual(response({ QueueId: aQueueId }))
    expect(await detail()).toEqual({ ...plain(), Migrate: 4 })
  })

  it('when one is created as in the example of tdmq, then its id is answered', async () => {
    expect(await askTdmq('CreateCmqQueue', { QueueName })).toEqual(response({ QueueId: aQueueId }))
    expect(await described()).toEqual(plainOfTdmq())
  })

  it('when one is created with everything, then everything is told again', async () => {
    const attributes = {
      MaxMsgHeapNum: 1_000_000,
      PollingWaitSeconds: 10,
      VisibilityTimeout: 60,
      MaxMsgSize: 1_024,
      MsgRetentionSeconds: 3_600,
      RewindSeconds: 1_800,
      Trace: true,
    }
    const Tags = [
      { TagKey: 'team', TagValue: 'blue' },
      { TagKey: 'stage', TagValue: '' },
    ]
    const transaction = { Transaction: 1, FirstQueryInterval: 5, MaxQueryCount: 7 }
    await askTdmq('CreateCmqQueue', { QueueName, ...attributes, ...transaction, Tags, RetentionSizeInMB: 10_240 })
    const told = {
      ...attributes,
      Tags,
      Transaction: true,
      TransactionPolicy: { FirstQueryInterval: 5, MaxQueryCount: 7 },
    }
    expect(await detail()).toEqual({ ...plain(), ...told, Migrate: 4 })
    const size = { MaxMsgBacklogSize: 1_024_000_000, RetentionSizeInMB: 10_240 }
    expect(await described()).toEqual({ ...plainOfTdmq(), ...told, ...size })
    expect(await cmq.ask('GetQueueAttributes', { queueName: QueueName })).toMatchObject({ visibilityTimeout: 60 })
  })

  it.each([
    ['DeleteQueue', ofCmq],
    ['ModifyQueueAttribute', ofCmq],
    ['DescribeQueueDetail', ofCmq],
    ['DeleteCmqQueue', ofTdmq],
    ['ModifyCmqQueueAttribute', ofTdmq],
    ['DescribeCmqQueueDetail', ofTdmq],
  ])('when %s names one, then it is missing', async (action, version) => {
    expect(await ask(action, { QueueName }, { version })).toEqual(missing)
  })

  it('when a message is sent to one, then it is missing', async () => {
    expect(await askTdmq('SendCmqMsg', { QueueName, MsgContent: 'x', DelaySeconds: 0 })).toEqual(missing)
  })

  it('when all are asked for, then there are none', async () => {
    expect(await ask('DescribeQueueDetail')).toEqual(response({ TotalCount: 0, QueueSet: [] }))
    expect(await askTdmq('DescribeCmqQueues')).toEqual(response({ TotalCount: 0, QueueList: [] }))
  })
})

describe('given a queue', () => {
  beforeEach(() => ask('CreateQueue', { QueueName }))

  it('when its name is used again, in whatever case, then it is in use', async () => {
    const inUse = refused('ResourceInUse', 'queue is already existed')
    expect(await ask('CreateQueue', { QueueName })).toEqual(inUse)
    expect(await askTdmq('CreateCmqQueue', { QueueName: 'TEST-Queue' })).toEqual(inUse)
  })

  it('when no more are allowed, then the limit is named', async () => {
    expect(await ask('CreateQueue', { QueueName: 'b' }, { settings: { maxQueues: 1 } })).toEqual(
      refused('LimitExceeded', 'number of queues has reached the limit'),
    )
  })

  it('when the deployment has limits of its own, then those are told', async () => {
    const limited = (maxRate: number, maxInFlight: number) =>
      askTdmq('DescribeCmqQueueDetail', { QueueName }, { settings: { maxRate, maxInFlight } })
    expect(await limited(100, 20_000)).toMatchObject({ QueueDescribe: { Qps: 100, MaxUnackedMsgNum: 20_000 } })
    expect(await limited(0, 200_000)).toMatchObject({ QueueDescribe: { Qps: 5_000, MaxUnackedMsgNum: 50_000 } })
  })

  it('when it was deleted a moment ago, then its name is to be tried later', async () => {
    expect(await ask('DeleteQueue', { QueueName }, { settings: { recreateWait: 10 } })).toEqual(response())
    expect(await ask('CreateQueue', { QueueName })).toEqual(refused('FailedOperation.TryLater'))
  })

  it.each([
    ['ModifyQueueAttribute', ofCmq],
    ['ModifyCmqQueueAttribute', ofTdmq],
  ])('when %s changes some of it, then the rest stays', async (action, version) => {
    await cmq.clock.advance(5_000)
    const changes = { PollingWaitSeconds: 3, Trace: true, FirstQueryInterval: 9 }
    expect(await ask(action, { QueueName, ...changes }, { version })).toEqual(response())
    const { FirstQueryInterval: _, ...shown } = changes
    expect(await detail()).toEqual({
      ...plain(),
      ...shown,
      LastModifyTime: started + 5,
      MinMsgTime: started + 5,
      Migrate: 4,
    })
  })

  it('when it is made transactional, then nothing is sent to it, and again when it is no more', async () => {
    await askTdmq('ModifyCmqQueueAttribute', { QueueName, Transaction: 1, FirstQueryInterval: 5, MaxQueryCount: 2 })
    expect(await described()).toMatchObject({
      Transaction: true,
      TransactionPolicy: { FirstQueryInterval: 5, MaxQueryCount: 2 },
    })
    const message = { QueueName, MsgContent: 'x', DelaySeconds: 0 }
    expect(await askTdmq('SendCmqMsg', message)).toEqual(
      refused('UnsupportedOperation', 'transaction message is not supported'),
    )
    expect(await cmq.ask('SendMessage', { queueName: QueueName, msgBody: 'x' })).toMatchObject({
      code: 4490,
      message: '(10790)transaction message is not supported',
    })
    await askTdmq('ModifyCmqQueueAttribute', { QueueName, Transaction: 0 })
    expect(await described()).toMatchObject({ Transaction: null, TransactionPolicy: null })
    expect(await askTdmq('SendCmqMsg', message)).toHaveProperty('Result', true)
  })

  it('when a message is sent, then its id is answered, and API 2.0 receives it', async () => {
    const sent = await askTdmq('SendCmqMsg', { QueueName, MsgContent: 'hello 中', DelaySeconds: 0 })
    expect(sent).toEqual(response({ Result: true, MsgId: expect.stringMatching(/^[0-9a-f]{32}$/) as string }))
    expect(await cmq.ask('ReceiveMessage', { queueName: QueueName })).toMatchObject({
      msgBody: 'hello 中',
      msgId: sent['MsgId'] as string,
    })
  })

  it('when messages are in every state, then each is counted where it is', async () => {
    for (const DelaySeconds of [0, 0, 60]) await askTdmq('SendCmqMsg', { QueueName, MsgContent: 'x', DelaySeconds })
    await cmq.ask('ReceiveMessage', { queueName: QueueName })
    expect(await detail()).toMatchObject({ ActiveMsgNum: 1, InactiveMsgNum: 1, DelayMsgNum: 1 })
  })

  it.each<[string, object, string]>([
    ['delayed beyond the limit', { DelaySeconds: 3_601 }, 'InvalidParameterValue'],
    ['empty', { MsgContent: '' }, 'InvalidParameterValue'],
    ['larger than the queue takes', { MsgContent: 'x'.repeat(65_537) }, 'InvalidParameterValue'],
  ])('when a message is %s, then it is refused', async (_, wrong, code) => {
    expect(await askTdmq('SendCmqMsg', { QueueName, MsgContent: 'x', DelaySeconds: 0, ...wrong })).toEqual(
      refused(code),
    )
  })

  it.each([
    ['ClearQueue', ofCmq],
    ['ClearCmqQueue', ofTdmq],
  ])('when %s clears it, then it is empty', async (action, version) => {
    await askTdmq('SendCmqMsg', { QueueName, MsgContent: 'x', DelaySeconds: 0 })
    expect(await ask(action, { QueueName }, { version })).toEqual(response())
    expect(await detail()).toHaveProperty('ActiveMsgNum', 0)
  })

  it.each([
    ['RewindQueue', ofCmq, 1],
    ['RewindCmqQueue', ofTdmq, 1],
    ['RewindCmqQueue', ofTdmq, 1_000],
  ])(
    'when %s of version %s rewinds it, in units of which a second has %d, then it comes again',
    async (action, version, unit) => {
      const from = Math.floor(cmq.clock.now() / 1_000)
      const rewind = () => ask(action, { QueueName, StartConsumeTime: from * unit }, { version })
      expect(await rewind()).toEqual(refused('FailedOperation', 'your queue cannot be rewinded'))
      await ask('ModifyQueueAttribute', { QueueName, RewindSeconds: 3_600 })
      await cmq.clock.advance(2_000)
      await askTdmq('SendCmqMsg', { QueueName, MsgContent: 'again', DelaySeconds: 0 })
      const { receiptHandle } = await cmq.ask('ReceiveMessage', { queueName: QueueName })
      await cmq.ask('DeleteMessage', { queueName: QueueName, receiptHandle })
      expect(await detail()).toMatchObject({ ActiveMsgNum: 0, RewindMsgNum: 1 })
      expect(await ask(action, { QueueName, StartConsumeTime: (from + 1) * unit }, { version })).toEqual(response())
      expect(await cmq.ask('ReceiveMessage', { queueName: QueueName })).toHaveProperty('msgBody', 'again')
      expect(await ask(action, { QueueName, StartConsumeTime: (from - 9_000) * unit }, { version })).toEqual(
        refused('InvalidParameterValue'),
      )
    },
  )

  it.each([
    ['DeleteQueue', ofCmq],
    ['DeleteCmqQueue', ofTdmq],
  ])('when %s deletes it, then it is gone', async (action, version) => {
    expect(await ask(action, { QueueName }, { version })).toEqual(response())
    expect(await ask('DescribeQueueDetail', { QueueName })).toEqual(missing)
  })
})

describe('given a queue and its dead-letter queue', () => {
  const bound = { DeadLetterQueueName: 'dead', Policy: 0, MaxReceiveCount: 3 }
  beforeEach(async () => {
    await ask('CreateQueue', { QueueName: 'dead' })
    await ask('CreateQueue', { QueueName, ...bound })
  })

  it('when it is described, then its policy is told, and the other names its source', async () => {
    const policy = { DeadLetterQueue: 'dead', MaxTimeToLive: null, Policy: 0, MaxReceiveCount: 3 }
    expect(await detail()).toEqual({
      ...plain(),
      DeadLetterPolicy: { ...policy, DeadLetterQueueName: 'dead' },
      Migrate: 4,
    })
    expect(await described()).toEqual({ ...plainOfTdmq(), DeadLetterPolicy: policy })
    const { QueueId } = await detail()
    expect(await detail('dead')).toMatchObject({
      DeadLetterPolicy: null,
      DeadLetterSource: [{ QueueId, QueueName }],
    })
  })

  it('when both are described, then the records of the account are read once', async () => {
    const usage = noUsage()
    await metered(usage, () => ask('DescribeQueueDetail'))
    // And each lane is counted.
    expect(usage.calls).toBe(3)
  })

  it('when the sources of the other are asked for, then it is one, by name or by page', async () => {
    const sources = (sent: object) => ask('DescribeDeadLetterSourceQueues', { DeadLetterQueueName: 'dead', ...sent })
    const { QueueId } = await detail()
    const one = response({ TotalCount: 1, QueueSet: [{ QueueId, QueueName }] })
    expect(await sources({})).toEqual(one)
    expect(await sources({ Filters: [{ Name: 'SourceQueueName', Values: ['test'] }] })).toEqual(one)
    expect(await sources({ Filters: [{ Name: 'SourceQueueName', Values: ['other'] }] })).toHaveProperty('TotalCount', 0)
    expect(await sources({ Offset: 1 })).toMatchObject({ TotalCount: 1, QueueSet: [] })
    expect(await sources({ DeadLetterQueueName: 'nobody' })).toEqual(missing)
  })

  it('when its policy is changed to one by age, then that is told', async () => {
    await ask('ModifyQueueAttribute', { QueueName, Policy: 1, MaxTimeToLive: 300 })
    expect(await detail()).toHaveProperty('DeadLetterPolicy', {
      DeadLetterQueue: 'dead',
      DeadLetterQueueName: 'dead',
      MaxTimeToLive: 300,
      Policy: 1,
      MaxReceiveCount: null,
    })
  })

  it.each([
    ['UnbindDeadLetter', ofCmq, { QueueName }],
    ['UnbindCmqDeadLetter', ofTdmq, { SourceQueueName: QueueName }],
  ])('when %s parts them, then the other can be deleted', async (action, version, sent) => {
    expect(await ask('DeleteQueue', { QueueName: 'dead' })).toEqual(refused('ResourceInUse'))
    expect(await ask(action, sent, { version })).toEqual(response())
    expect(await detail()).toMatchObject({ DeadLetterPolicy: null })
    expect(await ask('DescribeDeadLetterSourceQueues', { DeadLetterQueueName: 'dead' })).toEqual(
      response({ TotalCount: 0, QueueSet: [] }),
    )
    expect(await ask('DeleteQueue', { QueueName: 'dead' })).toEqual(response())
  })

  it.each<[string, object, string]>([
    ['a seventh source', { DeadLetterQueueName: 'dead' }, 'LimitExceeded'],
    ['a queue that has one itself', { DeadLetterQueueName: QueueName }, 'InvalidParameterValue'],
    ['a queue that is missing', { DeadLetterQueueName: 'nobody' }, 'ResourceNotFound'],
    ['a policy that nobody knows', { Policy: 2 }, 'InvalidParameterValue'],
    ['no count', { MaxReceiveCount: null }, 'MissingParameter'],
  ])('when another is bound by %s, then it is refused', async (_, wrong, code) => {
    for (let source = 1; source < 6; source++) await ask('CreateQueue', { QueueName: `source-${source}`, ...bound })
    expect(await ask('CreateQueue', { QueueName: 'another', ...bound, ...wrong })).toEqual(refused(code))
  })
})

describe('given queues with names and tags', () => {
  const tagged = (QueueName: string, ...tags: (readonly [TagKey: string, TagValue: string])[]) =>
    askTdmq('CreateCmqQueue', { QueueName, Tags: tags.map(([TagKey, TagValue]) => ({ TagKey, TagValue })) })

  beforeEach(() =>
    Promise.all([
      tagged('Orders-east', ['team', 'blue']),
      tagged('orders-west', ['team', 'red'], ['stage', 'test']),
      tagged('mail'),
    ]),
  )

  const names = async (version: string, sent: object) => {
    const isCmq = version === ofCmq
    const answer = await ask(isCmq ? 'DescribeQueueDetail' : 'DescribeCmqQueues', { ...sent }, { version })
    const listed = answer[isCmq ? 'QueueSet' : 'QueueList'] as { QueueName: string }[] | undefined
    return listed?.map(({ QueueName }) => QueueName) ?? answer['Error']
  }
  const all = ['mail', 'Orders-east', 'orders-west']
  const byName = (word: string) => ({ Filters: [{ Name: 'QueueName', Values: [word] }] })

  it.each<[string, string, object, string[]]>([
    ['nothing', ofCmq, {}, all],
    ['a name', ofCmq, { QueueName: 'orders-EAST' }, ['Orders-east']],
    ['a filter by name', ofCmq, byName('orders'), ['Orders-east', 'orders-west']],
    ['the key of a tag', ofCmq, { TagKey: 'stage' }, ['orders-west']],
    ['nothing', ofTdmq, {}, all],
    ['part of a name', ofTdmq, { QueueName: 'ORDERS' }, ['Orders-east', 'orders-west']],
    ['a list of names', ofTdmq, { QueueNameList: ['MAIL', 'orders-west', 'nobody'] }, ['mail', 'orders-west']],
    [
      'a tag',
      ofTdmq,
      { IsTagFilter: true, Filters: [{ Name: 'tag:team', Values: ['red', 'green'] }] },
      ['orders-west'],
    ],
    [
      'two tags',
      ofTdmq,
      {
        Filters: [
          { Name: 'tag:team', Values: ['blue'] },
          { Name: 'tag:stage', Values: ['test'] },
        ],
      },
      [],
    ],
  ])('when they are asked for by %s of version %s, then those are told', async (_, version, sent, expected) => {
    expect(await names(version, sent)).toEqual(expected)
  })

  it('when pages are asked for, then each has its part and the whole number', async () => {
    const page = (sent: object) => ask('DescribeQueueDetail', { ...sent })
    expect(await page({ Limit: 2 })).toMatchObject({ TotalCount: 3, QueueSet: { length: 2 } })
    expect(await names(ofCmq, { Limit: 2, Offset: 2 })).toEqual(['orders-west'])
    expect(await page({ Offset: 5 })).toMatchObject({ TotalCount: 3, QueueSet: [] })
    expect(await page({ Limit: 51 })).toEqual(
      refused('InvalidParameterValue', 'parameter Limit value or length is out of range'),
    )
    expect(await page({ Limit: 0 })).toEqual(refused('InvalidParameterValue'))
    expect(await page({ Offset: -1 })).toEqual(refused('InvalidParameterValue'))
  })

  it('when a filter is by something else, then it is refused', async () => {
    expect(await ask('DescribeQueueDetail', { Filters: [{ Name: 'QueueId', Values: ['x'] }] })).toEqual(
      refused('InvalidParameterValue', 'parameter Filters value or length is out of range'),
    )
    expect(await ask('DescribeQueueDetail', { Filters: [{ Name: 'QueueName' }] })).toEqual(refused('MissingParameter'))
  })
})
