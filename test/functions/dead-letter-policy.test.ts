import { beforeEach, describe, expect, it } from 'vitest'
import { handler as create } from '../../functions/actions/create-queue.ts'
import { handler as set } from '../../functions/actions/set-queue-attributes.ts'
import { whilePassing } from '../support/clock.ts'
import { faultsOf, injectFaults, type Fault } from '../support/faults.ts'
import { asker, type Client } from '../support/service.ts'
import {
  accountForEachTest,
  aQueueId,
  describeNumber,
  missing,
  outOfRange,
  queueIsMissing,
  refusal,
  success,
  type Sent,
} from './support/cmq.ts'

/** How CreateQueue and SetQueueAttributes bind a queue to a dead-letter queue, and what follows for others. */

const cmq = accountForEachTest()
const ask = (action: string, queueName: string, sent: Sent = {}) => cmq.ask(action, { queueName, ...sent })
const attributes = (queueName: string) => ask('GetQueueAttributes', queueName)
const byReceives = { deadLetterQueueName: 'dead', policy: 0, maxReceiveCount: 3 }
const byAge = { deadLetterQueueName: 'dead', policy: 1, maxTimeToLive: 600 }

const isChained = refusal(4000, '(10110)request parameters error: a dead letter queue cannot have a dead letter queue')
const isFull = refusal(4000, '(10110)request parameters error: a dead letter queue serves 6 queues at most')
const isInUse = refusal(4000, '(10110)request parameters error: the queue is the dead letter queue of others')

beforeEach(() => ask('CreateQueue', 'dead'))

describe.each([
  ['CreateQueue', cmq.caller(create, 'CreateQueue', { queueName: 'orders' })],
  ['SetQueueAttributes', cmq.caller(set, 'SetQueueAttributes', { queueName: 'orders' })],
] as const)('given %s', (action, bind) => {
  if (action === 'SetQueueAttributes') beforeEach(() => ask('CreateQueue', 'orders'))

  it.each([byReceives, byAge])('when %j is sent, then the queue has it, and tells it', async (policy) => {
    expect(await bind(policy)).toEqual(success({ queueId: aQueueId }))
    const { queueId, ...told } = await attributes('orders')
    expect(told).toMatchObject(policy)
    const names = ['deadLetterQueueName', 'policy', 'maxReceiveCount', 'maxTimeToLive']
    expect(names.filter((name) => name in told)).toEqual(Object.keys(policy))
    expect((await attributes('dead'))['deadLetterSource']).toEqual([{ queueId, queueName: 'orders' }])
  })

  it('when it is sent beside other attributes, then all are set', async () => {
    expect(await bind({ visibilityTimeout: 7, shards: 2, ...byReceives })).toHaveProperty('code', 0)
    expect(await attributes('orders')).toMatchObject({ visibilityTimeout: 7, shards: 2, ...byReceives })
  })

  it('when something of it is missing, then that is asked for', async () => {
    expect(await bind({ policy: 0, maxReceiveCount: 3 })).toEqual(missing('deadLetterQueueName'))
    expect(await bind({ deadLetterQueueName: 'dead' })).toEqual(missing('policy'))
    expect(await bind({ deadLetterQueueName: 'dead', policy: 0 })).toEqual(missing('maxReceiveCount'))
    expect(await bind({ deadLetterQueueName: 'dead', policy: 1 })).toEqual(missing('maxTimeToLive'))
  })

  it('when there is no such queue, or it can be none, then that is said', async () => {
    expect(await bind({ ...byReceives, deadLetterQueueName: 'nobody' })).toEqual(queueIsMissing)
    expect(await bind({ ...byReceives, deadLetterQueueName: '1dead' })).toEqual(
      refusal(4000, '(10020)queue name format error'),
    )
    expect(await bind({ ...byReceives, deadLetterQueueName: '' })).toEqual(
      refusal(4000, '(10020)queue name format error'),
    )
  })

  it('when the dead-letter queue is the queue itself, then that is a chain', async () => {
    expect(await bind({ ...byReceives, deadLetterQueueName: 'ORDERS' })).toEqual(isChained)
  })

  it('when the dead-letter queue has one itself, then that is a chain', async () => {
    await ask('CreateQueue', 'bound', byReceives)
    expect(await bind({ ...byReceives, deadLetterQueueName: 'bound' })).toEqual(isChained)
  })

  it('when six queues go there already, then it serves no other, until one is deleted', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) await ask('CreateQueue', name, byReceives)
    expect(await bind(byReceives)).toEqual(isFull)
    await ask('DeleteQueue', 'c')
    expect(await bind(byReceives)).toHaveProperty('code', 0)
  })

  it('when the time to live is not shorter than the retention, then it is out of range', async () => {
    expect(await bind({ ...byAge, msgRetentionSeconds: 600 })).toEqual(outOfRange('maxTimeToLive'))
    expect(await bind({ ...byAge, msgRetentionSeconds: 601 })).toHaveProperty('code', 0)
  })

  describeNumber((sent, options) => bind({ ...byReceives, maxTimeToLive: 300, ...sent }, options), 'policy', {
    min: 0,
    max: 1,
  })
  describeNumber((sent, options) => bind({ ...byReceives, ...sent }, options), 'maxReceiveCount', {
    min: 1,
    max: 1_000,
  })
  describeNumber((sent, options) => bind({ ...byAge, ...sent }, options), 'maxTimeToLive', { min: 300, max: 43_200 })
})

describe('given a queue that is bound', () => {
  beforeEach(() => ask('CreateQueue', 'orders', byReceives))

  it('when only its limit is set, then the rest of the policy stays', async () => {
    expect(await ask('SetQueueAttributes', 'orders', { maxReceiveCount: 9 })).toHaveProperty('code', 0)
    expect(await attributes('orders')).toMatchObject({ ...byReceives, maxReceiveCount: 9 })
  })

  it('when another attribute is set, then the policy stays', async () => {
    await ask('SetQueueAttributes', 'orders', { visibilityTimeout: 9 })
    expect(await attributes('orders')).toMatchObject({ ...byReceives, visibilityTimeout: 9 })
  })

  it('when its dead-letter queue would have one itself, then that is a chain', async () => {
    await ask('CreateQueue', 'other')
    expect(await ask('SetQueueAttributes', 'dead', { ...byReceives, deadLetterQueueName: 'other' })).toEqual(isChained)
  })

  it('when its dead-letter queue is deleted, then that is refused, until it is unbound, turned away or deleted', async () => {
    expect(await ask('DeleteQueue', 'dead')).toEqual(isInUse)
    expect(await attributes('dead')).toHaveProperty('code', 0)
    await ask('CreateQueue', 'other')
    await ask('SetQueueAttributes', 'orders', { deadLetterQueueName: 'OTHER' })
    expect(await ask('DeleteQueue', 'dead')).toEqual(success({ queueId: aQueueId }))
    expect(await ask('DeleteQueue', 'other')).toEqual(isInUse)
    await ask('DeleteQueue', 'orders')
    expect(await ask('DeleteQueue', 'other')).toEqual(success({ queueId: aQueueId }))
  })

  it('when its retention is to be no longer than its time to live, then that is refused', async () => {
    await ask('SetQueueAttributes', 'orders', { policy: 1, maxTimeToLive: 600 })
    expect(await ask('SetQueueAttributes', 'orders', { msgRetentionSeconds: 600 })).toEqual(outOfRange('maxTimeToLive'))
  })

  it('when another account has a queue of that name, then that is none of its business', async () => {
    const { keys } = cmq.services
    const find = async (secretId: string) => {
      const found = await keys.find(secretId)
      return found && { ...found, account: `9${found.account}` }
    }
    const stranger = asker({ ...cmq.services, keys: { find } })
    expect(await stranger('CreateQueue', { queueName: 'orders', ...byReceives })).toEqual(queueIsMissing)
    await stranger('CreateQueue', { queueName: 'dead' })
    expect(await stranger('DeleteQueue', { queueName: 'dead' })).toHaveProperty('code', 0)
  })
})

/** A process whose first such call is halted on its way. */
async function haltedAt(command: string) {
  const reached = Promise.withResolvers<void>()
  const halt = Promise.withResolvers<void>()
  const prepare = (client: Client) =>
    client.middlewareStack.add(
      (next, context) => async (args) => {
        if (context.commandName === command) {
          reached.resolve()
          await halt.promise
        }
        return next(args)
      },
      { step: 'initialize' },
    )
  const process = await cmq.anotherProcess({ prepare })
  return { process, isReached: reached.promise, goOn: halt.resolve }
}

describe('given changes that meet', () => {
  it('when two bind the last place at once, then one of them does', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) await ask('CreateQueue', name, byReceives)
    await ask('CreateQueue', 'x')
    const answers = await Promise.all([ask('SetQueueAttributes', 'x', byReceives), ask('CreateQueue', 'y', byReceives)])
    expect(answers).toContainEqual(success({ queueId: aQueueId }))
    expect(answers).toContainEqual(isFull)
    expect((await attributes('dead'))['deadLetterSource']).toHaveLength(6)
  })

  it('when six are bound at once, then all are', async () => {
    const answers = await Promise.all(
      ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => ask('CreateQueue', name, byReceives)),
    )
    expect(answers).toEqual(Array.from({ length: 6 }, () => success({ queueId: aQueueId })))
  })

  it('when one binds what another deletes, then it is one of the two', async () => {
    const [bound, deleted] = await Promise.all([ask('CreateQueue', 'orders', byReceives), ask('DeleteQueue', 'dead')])
    const isBound = bound.code === 0
    expect([bound, deleted]).toEqual(
      isBound ? [success({ queueId: aQueueId }), isInUse] : [queueIsMissing, success({ queueId: aQueueId })],
    )
  })

  it('when a queue is bound to between the check and the deletion, then it is not deleted', async () => {
    const { process, isReached, goOn } = await haltedAt('PutItemCommand')
    const deleting = asker(process)('DeleteQueue', { queueName: 'dead' })
    await isReached
    expect(await ask('CreateQueue', 'orders', byReceives)).toHaveProperty('code', 0)
    goOn()
    expect(await deleting).toEqual(isInUse)
  })

  it('when the dead-letter queue is bound itself between the check and the binding, then there is no chain', async () => {
    await ask('CreateQueue', 'other')
    const { process, isReached, goOn } = await haltedAt('TransactWriteItemsCommand')
    const binding = asker(process)('CreateQueue', { queueName: 'orders', ...byReceives })
    await isReached
    const bound = await ask('SetQueueAttributes', 'dead', { ...byReceives, deadLetterQueueName: 'other' })
    expect(bound).toHaveProperty('code', 0)
    goOn()
    expect(await binding).toEqual(isChained)
    expect(await attributes('orders')).toEqual(queueIsMissing)
  })

  it('when the dead-letter queue is deleted between the check and the binding, then that is said', async () => {
    await ask('CreateQueue', 'orders')
    const { process, isReached, goOn } = await haltedAt('TransactWriteItemsCommand')
    const binding = asker(process)('SetQueueAttributes', { queueName: 'orders', ...byReceives })
    await isReached
    expect(await ask('DeleteQueue', 'dead')).toHaveProperty('code', 0)
    goOn()
    expect(await binding).toEqual(queueIsMissing)
  })

  it.each<Fault>(['throttled', 'lost before', 'lost after'])(
    'when the binding is %s, then it is made once',
    async (fault) => {
      const prepare = (client: Client) => injectFaults(client, faultsOf('TransactWriteItemsCommand', fault))
      const unlucky = asker(await cmq.anotherProcess({ prepare }))
      const creating = unlucky('CreateQueue', { queueName: 'orders', ...byReceives })
      expect(await whilePassing(cmq.clock, creating)).toEqual(success({ queueId: aQueueId }))
      expect(await attributes('orders')).toMatchObject(byReceives)
    },
  )

  it('when two bind each other, then there is no chain', async () => {
    await ask('CreateQueue', 'orders')
    const answers = await Promise.all([
      ask('SetQueueAttributes', 'orders', byReceives),
      ask('SetQueueAttributes', 'dead', { ...byReceives, deadLetterQueueName: 'orders' }),
    ])
    expect(answers).toContainEqual(success({ queueId: aQueueId }))
    expect(answers).toContainEqual(isChained)
  })
})
