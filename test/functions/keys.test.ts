import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { logger } from '../../functions/logger.ts'
import type { Services } from '../../functions/services.ts'
import type { Permission } from '../../lib/domain/key.ts'
import { randomIds } from '../../lib/domain/ids.ts'
import { database } from '../../lib/store/database.ts'
import { keyStore, type KeyStore, type StoredKey } from '../../lib/store/keys.ts'
import { KEY_LIFETIME, knownKeys } from '../../lib/store/known-keys.ts'
import { manualClock, type ManualClock } from '../support/clock.ts'
import { patientClient, testEngine } from '../support/engine.ts'
import { countCalls } from '../support/faults.ts'
import { ask, key as first, newTables, testServices, type Answer } from '../support/service.ts'
import { aRequestId, queueIsMissing, refusal, success, topicIsMissing, type Sent } from './support/cmq.ts'

/** Keys, accounts and permissions, through the whole chain. */

const notAllowed = refusal(4000, '(10461)no cam authentication')
const unauthenticated = refusal(4100, '(10030)authentication failed')
const unknown = refusal(4100, '(10270)secret id is not existed')
const disabled = refusal(4100, '(10080)secret id status error')

let engine: Awaited<ReturnType<typeof testEngine>>
let clock: ManualClock
let services: Services
let keys: KeyStore
let calls: Record<string, number>
beforeAll(async () => {
  engine = await testEngine()
})
afterAll(() => engine.stop())
beforeEach(async () => {
  clock = manualClock()
  const tableNames = await newTables(engine.endpoint)
  const client = patientClient(engine.endpoint)
  calls = countCalls(client)
  const origin = () => Promise.resolve({ first, root: 'root' })
  keys = keyStore(database(client, clock), tableNames.registry, { clock, ids: randomIds(), origin })
  services = {
    ...(await testServices({ endpoint: engine.endpoint, tableNames, clock })),
    keys: knownKeys(keys, clock),
  }
})

/** A key of that account, and how it asks. */
async function keyFor(account: string, allow?: readonly Permission[]) {
  const pair = { secretId: `AKID${account}${allow ? 'limited' : ''}`, secretKey: `secret of ${account}` }
  await keys.create(pair, account, allow)
  const stored = async (): Promise<StoredKey> => (await keys.read(pair.secretId)) ?? expect.fail('it is gone')
  const asked = (Action: string, sent: Sent = {}, secretKey = pair.secretKey): Promise<Answer> =>
    ask(services, { Action, ...sent }, { ...pair, secretKey })
  return { ...pair, stored, ask: asked }
}

const queueName = 'orders'

describe('given a key', () => {
  it('when it is the first pair, then it is good without anybody having made it', async () => {
    expect(await ask(services, { Action: 'ListQueue' })).toHaveProperty('code', 0)
    expect(await keys.list()).toMatchObject([{ secretId: first.secretId, account: '1250000000' }])
  })

  it('when nobody has it, then that is said, and costs one read a minute', async () => {
    for (let second = 0; second < 60; second++) {
      expect(await ask(services, { Action: 'ListQueue' }, { secretId: 'AKIDnobody' })).toEqual(unknown)
      await clock.advance(1_000)
    }
    expect(calls).toEqual({ GetItemCommand: 1 })
  })

  it('when it is used all the time, then it costs one read a minute', async () => {
    const key = await keyFor('1250000001')
    calls['GetItemCommand'] = 0
    for (let second = 0; second < 60; second++) {
      expect(await key.ask('ListQueue')).toHaveProperty('code', 0)
      await clock.advance(1_000)
    }
    expect(calls).toEqual({ PutItemCommand: 1, GetItemCommand: 1 })
  })

  it('when it is disabled, then within a minute that is said to who has its secret, and to nobody else', async () => {
    const key = await keyFor('1250000001')
    expect(await key.ask('ListQueue')).toHaveProperty('code', 0)
    await keys.setStatus(await key.stored(), 'disabled')
    await clock.advance(KEY_LIFETIME)
    expect(await key.ask('ListQueue')).toEqual(disabled)
    expect(await key.ask('ListQueue', {}, 'wrong')).toEqual(unauthenticated)
    await keys.setStatus(await key.stored(), 'enabled')
    await clock.advance(KEY_LIFETIME)
    expect(await key.ask('ListQueue')).toHaveProperty('code', 0)
  })

  it('when it is rotated, then both secrets are good until the former ends', async () => {
    const key = await keyFor('1250000001')
    await keys.rotate(await key.stored(), 'new', clock.now() + 3_600_000)
    expect(await key.ask('ListQueue')).toHaveProperty('code', 0)
    expect(await key.ask('ListQueue', {}, 'new')).toHaveProperty('code', 0)
    expect(await key.ask('ListQueue', {}, 'neither')).toEqual(unauthenticated)
    await clock.advance(3_600_000 - 1)
    expect(await key.ask('ListQueue')).toHaveProperty('code', 0)
    await clock.advance(1)
    expect(await key.ask('ListQueue')).toEqual(unauthenticated)
    expect(await key.ask('ListQueue', {}, 'new')).toHaveProperty('code', 0)
  })

  it('when its rotation is ended, then the former secret is good no more within a minute', async () => {
    const key = await keyFor('1250000001')
    await keys.rotate(await key.stored(), 'new', clock.now() + 3_600_000)
    expect(await key.ask('ListQueue')).toHaveProperty('code', 0)
    await keys.endRotation(await key.stored())
    await clock.advance(KEY_LIFETIME)
    expect(await key.ask('ListQueue')).toEqual(unauthenticated)
  })

  it('when it is deleted, then within a minute nobody has it, the first pair as well', async () => {
    const key = await keyFor('1250000001')
    expect(await key.ask('ListQueue')).toHaveProperty('code', 0)
    expect(await ask(services, { Action: 'ListQueue' })).toHaveProperty('code', 0)
    for (const stored of await keys.list()) await keys.remove(stored)
    await clock.advance(KEY_LIFETIME)
    expect(await key.ask('ListQueue')).toEqual(unknown)
    expect(await ask(services, { Action: 'ListQueue' })).toEqual(unknown)
  })
})

describe('given a key that is limited', () => {
  const limited = (actions: string[], ...resources: string[]) => keyFor('1250000000', [{ actions, resources }])
  beforeEach(async () => {
    for (const [Action, sent] of [
      ['CreateQueue', { queueName }],
      ['CreateQueue', { queueName: 'Orders-EU' }],
      ['CreateTopic', { topicName: 'news' }],
    ] as const)
      expect(await ask(services, { Action, ...sent })).toHaveProperty('code', 0)
  })

  it('when it is allowed to send to some queues, then it may do that and nothing else', async () => {
    const key = await limited(['SendMessage', 'BatchSendMessage'], 'queue/orders-*')
    const eu = { queueName: 'orders-eu' }
    expect(await key.ask('SendMessage', { ...eu, msgBody: 'x' })).toHaveProperty('code', 0)
    expect(await key.ask('sendmessage ', { queueName: 'ORDERS-EU', msgBody: 'x' })).toHaveProperty('code', 0)
    expect(await key.ask('BatchSendMessage', { ...eu, 'msgBody.0': 'x' })).toHaveProperty('code', 0)
    expect(await key.ask('SendMessage', { queueName, msgBody: 'x' })).toEqual(notAllowed)
    for (const action of ['ReceiveMessage', 'DeleteQueue', 'GetQueueAttributes', 'ListQueue', 'CreateTopic'])
      expect(await key.ask(action, eu), action).toEqual(notAllowed)
  })

  it('when there is no such queue, then it does not learn that where it may not send', async () => {
    const key = await limited(['SendMessage'], 'queue/orders-*')
    expect(await key.ask('SendMessage', { queueName: 'none', msgBody: 'x' })).toEqual(notAllowed)
    expect(await key.ask('SendMessage', { queueName: 'orders-none', msgBody: 'x' })).toEqual(queueIsMissing)
  })

  it('when parameters name what the action has no use for, then they help nobody', async () => {
    const key = await limited(['*'], 'queue/orders-*')
    expect(await key.ask('ListQueue', { queueName: 'orders-eu' })).toEqual(notAllowed)
    expect(await key.ask('GetTopicAttributes', { topicName: 'news', queueName: 'orders-eu' })).toEqual(notAllowed)
    expect(await key.ask('GetQueueAttributes', { queueName: 'orders-eu', topicName: 'news' })).toHaveProperty('code', 0)
  })

  it('when a parameter is sent under several spellings, then what is checked is what is used', async () => {
    const key = await limited(['*'], 'queue/orders-*')
    const [mine, other] = ['orders-eu', 'orders']
    // The last one counts.
    const allowed = await key.ask('GetQueueAttributes', { QueueName: other, queueName: mine })
    expect(allowed).toMatchObject({ code: 0, queueName: 'Orders-EU' })
    expect(await key.ask('GetQueueAttributes', { QueueName: mine, queueName: other })).toEqual(notAllowed)
  })

  it('when an action needs a name and none is sent, then it is not allowed', async () => {
    const key = await limited(['DeleteQueue'], 'queue/*', 'topic/*')
    expect(await key.ask('DeleteQueue')).toEqual(notAllowed)
  })

  it.each([
    ['ListQueue', 'queue/*', true],
    ['ListQueue', '*', true],
    ['ListQueue', 'topic/*', false],
    ['ListQueue', 'queue/o*', false],
    ['ListTopic', 'topic/*', true],
    ['ListTopic', 'queue/*', false],
  ])('when it asks for %s with %s, then that it is allowed is %s', async (action, resource, isAllowed) => {
    const key = await limited(['List*'], resource)
    const answer = await key.ask(action)
    if (isAllowed) expect(answer).toHaveProperty('code', 0)
    else expect(answer).toEqual(notAllowed)
  })

  it('when it subscribes a queue, then it needs that queue as well as the topic', async () => {
    const key = await limited(['Subscribe'], 'topic/news', 'queue/orders-*')
    const subscription = {
      topicName: 'news',
      subscriptionName: 'a',
      protocol: 'queue',
      notifyContentFormat: 'SIMPLIFIED',
    }
    expect(await key.ask('Subscribe', { ...subscription, endpoint: queueName })).toEqual(notAllowed)
    expect(await key.ask('Subscribe', { ...subscription, protocol: 'QUEUE', endpoint: queueName })).toEqual(notAllowed)
    expect(await key.ask('Subscribe', { ...subscription, endpoint: 'orders-eu' })).toHaveProperty('code', 0)
    const web = { ...subscription, subscriptionName: 'b', protocol: 'http', endpoint: 'http://example.com/' }
    expect(await key.ask('Subscribe', { ...web, notifyContentFormat: 'JSON' })).toHaveProperty('code', 0)
  })

  it('when it may publish, then the queues that get it need no permission of theirs', async () => {
    const subscription = { topicName: 'news', subscriptionName: 'a', protocol: 'queue', endpoint: queueName }
    await ask(services, { Action: 'Subscribe', ...subscription, notifyContentFormat: 'SIMPLIFIED' })
    const key = await limited(['PublishMessage'], 'topic/news')
    expect(await key.ask('PublishMessage', { topicName: 'news', msgBody: 'hello' })).toHaveProperty('code', 0)
    const received = await ask(services, { Action: 'ReceiveMessage', queueName })
    expect(received).toHaveProperty('msgBody', 'hello')
  })

  it('when the action does not exist, then that is said', async () => {
    const key = await limited(['SendMessage'], 'queue/orders')
    expect(await key.ask('Fly')).toEqual(refusal(4000, '(10430)action name Fly is not existed'))
  })

  it('when its signature is wrong, then that comes first', async () => {
    const key = await limited(['SendMessage'], 'queue/orders')
    expect(await key.ask('DeleteQueue', { queueName }, 'wrong')).toEqual(unauthenticated)
  })
})

describe('given two accounts', () => {
  let one: Awaited<ReturnType<typeof keyFor>>
  let two: Awaited<ReturnType<typeof keyFor>>
  const topicName = 'news'
  beforeEach(async () => {
    ;[one, two] = await Promise.all([keyFor('1250000001'), keyFor('1250000002')])
    await one.ask('CreateQueue', { queueName })
    await one.ask('CreateTopic', { topicName })
    await one.ask('Subscribe', {
      topicName,
      subscriptionName: 'web',
      protocol: 'http',
      endpoint: 'http://example.com/',
    })
  })

  it.each([
    ['GetQueueAttributes', {}],
    ['SetQueueAttributes', { maxMsgSize: 1024 }],
    ['DeleteQueue', {}],
    ['SendMessage', { msgBody: 'x' }],
    ['BatchSendMessage', { 'msgBody.0': 'x' }],
    ['ReceiveMessage', {}],
    ['BatchReceiveMessage', { numOfMsg: 16 }],
    ['QueryQueueRoute', {}],
  ])('when one asks for %s of the other, then there is no such queue', async (action, sent) => {
    expect(await two.ask(action, { queueName, ...sent })).toEqual(queueIsMissing)
    expect(await one.ask(action, { queueName, ...sent })).not.toEqual(queueIsMissing)
  })

  it.each([
    ['GetTopicAttributes', {}],
    ['SetTopicAttributes', { maxMsgSize: 1024 }],
    ['DeleteTopic', {}],
    ['PublishMessage', { msgBody: 'x' }],
    ['BatchPublishMessage', { 'msgBody.0': 'x' }],
    ['PublishMessage', { msgBody: 'x', delaySeconds: 1 }],
    ['QueryTopicRoute', {}],
    ['ListSubscriptionByTopic', {}],
    ['GetSubscriptionAttributes', { subscriptionName: 'web' }],
    ['SetSubscriptionAttributes', { subscriptionName: 'web', notifyStrategy: 'BACKOFF_RETRY' }],
    ['ClearSubscriptionFilterTags', { subscriptionName: 'web' }],
    ['Unsubscribe', { subscriptionName: 'web' }],
    ['Subscribe', { subscriptionName: 'own', protocol: 'http', endpoint: 'http://example.com/' }],
  ])('when one asks for %s of the other, then there is no such topic', async (action, sent) => {
    expect(await two.ask(action, { topicName, ...sent })).toEqual(topicIsMissing)
    expect(await one.ask(action, { topicName, ...sent })).not.toEqual(topicIsMissing)
  })

  it('when each lists what it has, then it sees its own alone', async () => {
    expect(await two.ask('ListQueue')).toEqual(success({ totalCount: 0, queueList: [] }))
    expect(await two.ask('ListTopic')).toEqual(success({ totalCount: 0, topicList: [] }))
    expect(await one.ask('ListQueue')).toMatchObject({ totalCount: 1 })
  })

  it('when both have a queue of one name, then handles and messages of one are nothing to the other', async () => {
    await two.ask('CreateQueue', { queueName })
    await one.ask('SendMessage', { queueName, msgBody: 'mine' })
    const { receiptHandle } = await one.ask('ReceiveMessage', { queueName })
    const deletion = { queueName, receiptHandle: receiptHandle as string }
    expect(await two.ask('ReceiveMessage', { queueName })).toHaveProperty('code', 7000)
    expect(await two.ask('DeleteMessage', deletion)).toEqual(refusal(4430, '(10260)receipt handle is invalid'))
    const batch = { queueName, 'receiptHandle.0': receiptHandle as string }
    expect(await two.ask('BatchDeleteMessage', batch)).toHaveProperty('code', 6020)
    expect(await one.ask('DeleteMessage', deletion)).toEqual(success())
  })

  it('when a topic fills a queue, then it is the queue of its own account', async () => {
    await two.ask('CreateQueue', { queueName })
    await two.ask('CreateTopic', { topicName })
    const subscription = { topicName, subscriptionName: 'copy', protocol: 'queue', endpoint: queueName }
    await two.ask('Subscribe', { ...subscription, notifyContentFormat: 'SIMPLIFIED' })
    await two.ask('PublishMessage', { topicName, msgBody: 'for two' })
    expect(await one.ask('ReceiveMessage', { queueName })).toHaveProperty('code', 7000)
    expect(await two.ask('ReceiveMessage', { queueName })).toHaveProperty('msgBody', 'for two')
    expect(await two.ask('GetSubscriptionAttributes', { topicName, subscriptionName: 'copy' })).toHaveProperty(
      'topicOwner',
      '1250000002',
    )
  })

  it('when one has as many queues as it may, then the other may have its own', async () => {
    services = { ...services, settings: { ...services.settings, maxQueues: 1 } }
    expect(await one.ask('CreateQueue', { queueName: 'more' })).toHaveProperty('code', 4450)
    expect(await two.ask('CreateQueue', { queueName: 'more' })).toHaveProperty('code', 0)
  })
})

describe('given the log', () => {
  const auditLines = (logged: { mock: { calls: unknown[][] } }) =>
    logged.mock.calls.filter(([message]) => message === 'audit').map(([, line]) => line)

  it('when what there is changes, then a line says who did what to what, and never a secret', async () => {
    const key = await keyFor('1250000001')
    const logged = vi.spyOn(logger, 'info')
    await key.ask(' CreateQueue ', { queueName: 'Orders' })
    await key.ask('SendMessage', { queueName, msgBody: 'x' })
    await key.ask('ListQueue')
    await key.ask('SetQueueAttributes', { queueName, maxMsgSize: 1024 })
    await key.ask('DeleteQueue', { queueName: 'none' })
    const subscription = { topicName: 'news', subscriptionName: 'a', protocol: 'queue', endpoint: queueName }
    await key.ask('Subscribe', subscription)
    await key.ask('DeleteQueue', { queueName }, 'wrong')
    const line = (action: string, resources: string[], code: number, more: object = {}) => ({
      requestId: aRequestId,
      secretId: key.secretId,
      account: '1250000001',
      action,
      resources,
      code,
      ...more,
    })
    expect(auditLines(logged)).toEqual([
      line('CreateQueue', ['queue/orders'], 0),
      line('SetQueueAttributes', ['queue/orders'], 0),
      line('DeleteQueue', ['queue/none'], 4440),
      line('Subscribe', ['topic/news', 'queue/orders'], 4440, { subscription: 'a' }),
    ])
    expect(JSON.stringify(logged.mock.calls)).not.toContain(key.secretKey)
    logged.mockRestore()
  })

  it('when names are megabytes long, then no line is', async () => {
    const key = await keyFor('1250000001')
    const logged = vi.spyOn(logger, 'info')
    const long = 'x'.repeat(1_000_000)
    await key.ask('DeleteQueue', { queueName: long })
    await key.ask('Unsubscribe', { topicName: long, subscriptionName: long })
    await key.ask(`Delete${long}`)
    expect(auditLines(logged)).toHaveLength(3)
    for (const line of logged.mock.calls) expect(JSON.stringify(line).length).toBeLessThan(1_000)
    logged.mockRestore()
  })

  it('when a key tries what it may not do, then the line says that', async () => {
    const key = await keyFor('1250000001', [{ actions: ['SendMessage'], resources: ['*'] }])
    const logged = vi.spyOn(logger, 'info')
    expect(await key.ask('DeleteQueue', { queueName })).toEqual(notAllowed)
    expect(auditLines(logged)).toEqual([expect.objectContaining({ action: 'DeleteQueue', code: 4000 })])
    logged.mockRestore()
  })
})
