import { describe, expect, it } from 'vitest'
import { handler } from '../../../functions/actions/create-queue.ts'
import { queueLimits } from '../../../lib/domain/queue.ts'
import { aQueueId, describeNumber, describeRequest, refusal, serviceForEachTest, success } from '../support/cmq.ts'

const cmq = serviceForEachTest()
const create = cmq.caller(handler, 'CreateQueue', { queueName: 'orders' })
const attributes = (queueName = 'orders') => cmq.ask('GetQueueAttributes', { queueName })

const exists = refusal(4460, '(10210)queue is already existed')

describeRequest(create)

describe('given a name that is free', () => {
  it("when a queue is created as in CMQ's example, then its id is answered", async () => {
    expect(await create({ pollingWaitSeconds: 10, visibilityTimeout: 60 })).toEqual(success({ queueId: aQueueId }))
    expect(await attributes()).toMatchObject({ pollingWaitSeconds: 10, visibilityTimeout: 60 })
  })

  it('when no attribute is sent, then each has its default', async () => {
    const { queueId } = await create()
    expect(await attributes()).toMatchObject({
      maxMsgHeapNum: 100_000_000,
      pollingWaitSeconds: 0,
      visibilityTimeout: 30,
      maxMsgSize: 65_536,
      msgRetentionSeconds: 345_600,
      rewindSeconds: 0,
      queueId,
      queueName: 'orders',
      shards: 1,
    })
  })

  it('when every attribute is sent, then each has its value', async () => {
    const sent = {
      maxMsgHeapNum: 1_000_000,
      pollingWaitSeconds: 0,
      visibilityTimeout: 43_200,
      maxMsgSize: 1_048_576,
      msgRetentionSeconds: 60,
      rewindSeconds: 0,
      shards: 64,
    }
    expect(await create(sent)).toHaveProperty('code', 0)
    expect(await attributes()).toMatchObject(sent)
  })

  it('when two create it at once, then one of them does', async () => {
    const answers = await Promise.all([create(), create()])
    expect(answers.map(({ code }) => code).sort()).toEqual([0, 4460])
  })
})

describe('given a name', () => {
  it.each(['a', 'Z', 'orders-2_x', 'a'.repeat(64)])('when it is %j, then it is kept as it is', async (queueName) => {
    expect(await create({ queueName })).toHaveProperty('code', 0)
    expect(await attributes(queueName)).toHaveProperty('queueName', queueName)
  })

  it.each(['', '1orders', '-orders', '_orders', 'or ders', 'or.ders', 'größe', 'orders\n', 'a'.repeat(65)])(
    'when it is %j, then it is refused',
    async (queueName) => {
      expect(await create({ queueName })).toEqual(refusal(4000, '(10020)queue name format error'))
    },
  )

  it('when it is absent, then it is asked for', async () => {
    expect(await create({ queueName: '-' })).toEqual(refusal(4000, '(10390)lacked of required parameter queueName'))
  })

  it('when its key has a trailing blank and other capitals, then it is found', async () => {
    expect(await create({ queueName: '-', 'QUEUENAME ': 'Orders' })).toHaveProperty('code', 0)
    expect(await attributes()).toHaveProperty('queueName', 'Orders')
  })

  it('when it is a list, then it is refused', async () => {
    expect(await create({ queueName: '-', 'queueName.0': 'orders' })).toEqual(
      refusal(4000, '(10330)parameter queueName is NOT a repeatable parameter'),
    )
  })
})

describe('given a queue', () => {
  it.each(['orders', 'ORDERS'])(
    'when one named %s is created with the same attributes, then it is refused',
    async (queueName) => {
      await create()
      expect(await create({ queueName })).toEqual(exists)
    },
  )

  it('when the newer form of refusals is set, then it is refused in that', async () => {
    await create()
    expect(await create({}, { settings: { layeredErrors: true } })).toEqual(
      refusal(4000, '(4460) (10210)queue is already existed'),
    )
  })

  it('when one is refused, then the first keeps its attributes', async () => {
    await create({ visibilityTimeout: 7 })
    await create({ visibilityTimeout: 8 })
    expect(await attributes()).toHaveProperty('visibilityTimeout', 7)
  })
})

describe('given its numbers', () => {
  const { rewindSeconds, ...others } = queueLimits
  for (const [name, limits] of Object.entries(others)) describeNumber(create, name, limits)
  describeNumber(
    (sent, options) => create({ msgRetentionSeconds: 1_296_000, ...sent }, options),
    'rewindSeconds',
    rewindSeconds,
  )

  it('when rewindSeconds is as long as the retention, then it is accepted', async () => {
    expect(await create({ rewindSeconds: 345_600 })).toHaveProperty('code', 0)
  })

  it.each([
    { rewindSeconds: 345_601 },
    { rewindSeconds: 61, msgRetentionSeconds: 60 },
    { rewindSeconds: 1_296_000, msgRetentionSeconds: 1_295_999 },
  ])('when they are %j, then the rewinding would be longer than the retention', async (sent) => {
    expect(await create(sent)).toEqual(refusal(4000, '(10700)rewindSeconds cannot be greater than msgRetentionSeconds'))
  })
})

describe('given at most two queues', () => {
  const settings = { maxQueues: 2 }

  it('when a third is created, then there are too many, until one is deleted', async () => {
    expect(await create({ queueName: 'a' }, { settings })).toHaveProperty('code', 0)
    expect(await create({ queueName: 'b' }, { settings })).toHaveProperty('code', 0)
    expect(await create({ queueName: 'c' }, { settings })).toEqual(
      refusal(4450, '(10220)number of queues has reached the limit'),
    )
    await cmq.ask('DeleteQueue', { queueName: 'a' })
    expect(await create({ queueName: 'c' }, { settings })).toHaveProperty('code', 0)
  })
})

describe('given a wait of 10 s before a name is free again', () => {
  const settings = { recreateWait: 10 }

  it('when it is over, then the queue is created, and not a millisecond before', async () => {
    await create()
    const { queues } = cmq.services
    await queues.remove(await queues.get('1250000000', 'orders'), 10)
    await cmq.clock.advance(9_999)
    expect(await create({}, { settings })).toEqual(
      refusal(
        6040,
        '(10660)it will take some time to release resources of previous queue before you create a new one with the ' +
          'same name, please try later',
      ),
    )
    await cmq.clock.advance(1)
    expect(await create({}, { settings })).toHaveProperty('code', 0)
  })
})
