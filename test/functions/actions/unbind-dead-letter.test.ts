import { beforeEach, describe, expect, it } from 'vitest'
import { handler } from '../../../functions/actions/unbind-dead-letter.ts'
import { accountForEachTest, aQueueId, describeQueue, describeRequest, success } from '../support/cmq.ts'

const cmq = accountForEachTest()
const unbind = cmq.caller(handler, 'UnbindDeadLetter', { queueName: 'orders' })
const attributes = (queueName: string) => cmq.ask('GetQueueAttributes', { queueName })
const policy = { deadLetterQueueName: 'dead', policy: 0, maxReceiveCount: 3 }

beforeEach(async () => {
  await cmq.ask('CreateQueue', { queueName: 'dead' })
  await cmq.ask('CreateQueue', { queueName: 'orders', visibilityTimeout: 7, ...policy })
})

describeRequest(unbind)
describeQueue(unbind)

describe('given a queue that is bound', () => {
  it('when it is unbound, then its id is answered, nothing of the policy is left, and its attributes stay', async () => {
    expect(await unbind()).toEqual(success({ queueId: aQueueId }))
    const after = await attributes('orders')
    expect(after).toMatchObject({ code: 0, visibilityTimeout: 7 })
    for (const name of Object.keys(policy)) expect(after).not.toHaveProperty(name)
    expect(await attributes('dead')).not.toHaveProperty('deadLetterSource')
  })

  it('when it is unbound, then the dead-letter queue may be deleted, or bound itself', async () => {
    await unbind()
    const chained = { queueName: 'dead', ...policy, deadLetterQueueName: 'orders' }
    expect(await cmq.ask('SetQueueAttributes', chained)).toHaveProperty('code', 0)
    await cmq.ask('UnbindDeadLetter', { queueName: 'dead' })
    expect(await cmq.ask('DeleteQueue', { queueName: 'dead' })).toHaveProperty('code', 0)
  })

  it('when it is unbound and bound again, then nothing of the first policy is left', async () => {
    await unbind()
    const limit = { queueName: 'orders', deadLetterQueueName: 'dead', policy: 1, maxTimeToLive: 300 }
    expect(await cmq.ask('SetQueueAttributes', limit)).toHaveProperty('code', 0)
    expect(await attributes('orders')).toMatchObject({ policy: 1, maxTimeToLive: 300 })
    expect(await attributes('orders')).not.toHaveProperty('maxReceiveCount')
  })

  it('when it is unbound twice, or was never bound, then that is as good', async () => {
    await unbind()
    expect(await unbind()).toEqual(success({ queueId: aQueueId }))
    expect(await unbind({ queueName: 'dead' })).toEqual(success({ queueId: aQueueId }))
  })
})
