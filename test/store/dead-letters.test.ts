import { ScanCommand, TransactionCanceledException } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Services } from '../../functions/services.ts'
import { ONLY_ACCOUNT } from '../../lib/names.ts'
import { database } from '../../lib/store/database.ts'
import { INLINE_BYTES } from '../../lib/store/message-item.ts'
import { metered, noUsage } from '../../lib/store/meter.ts'
import { sweep } from '../../lib/store/sweep.ts'
import { manualClock, whilePassing, type ManualClock } from '../support/clock.ts'
import { engineKinds, patientClient, testEngine } from '../support/engine.ts'
import { injectFaults, type Fault, type SeenCall } from '../support/faults.ts'
import { asker, newTables, testServices, type Answer, type Ask, type ServiceOptions } from '../support/service.ts'

interface Told {
  readonly message: string
  readonly details: Readonly<Record<string, unknown>>
}

interface Setting {
  readonly clock: ManualClock
  readonly services: Services
  readonly ask: Ask
  readonly told: Told[]
  /** The partitions of all messages that there are, in whatever state. */
  places(): Promise<string[]>
  /** Removes bodies whose time is over, as DynamoDB does. */
  sweepBodies(): Promise<number>
  /** Another process over the same tables. */
  another(options?: Partial<ServiceOptions>): Promise<Services>
}

const queueName = 'orders'
const byReceives = { deadLetterQueueName: 'dead', policy: 0, maxReceiveCount: 2 }
const byAge = { deadLetterQueueName: 'dead', policy: 1, maxTimeToLive: 300 }

let engine: Awaited<ReturnType<typeof testEngine>>
beforeAll(async () => {
  engine = await testEngine()
})
afterAll(() => engine.stop())

async function given(
  policy: Record<string, string | number>,
  attributes: Record<string, string | number> = {},
  endpoint = engine.endpoint,
): Promise<Setting> {
  const clock = manualClock()
  clock.set(clock.now() + 137)
  const tableNames = await newTables(endpoint)
  const told: Told[] = []
  const report: ServiceOptions['report'] = (message, details) => void told.push({ message, details })
  const another = (options: Partial<ServiceOptions> = {}) =>
    testServices({ endpoint, tableNames, clock, report, ...options })
  const services = await another()
  const ask = asker(services)
  await ask('CreateQueue', { queueName: 'dead', ...attributes })
  await ask('CreateQueue', { queueName, visibilityTimeout: 10, ...policy })
  const eyes = patientClient(endpoint)
  const places = async () => {
    const { Items = [] } = await eyes.send(new ScanCommand({ TableName: tableNames.messages, ConsistentRead: true }))
    return Items.filter(({ sk }) => sk?.S !== 'look').map(({ pk }) => pk?.S ?? '')
  }
  const sweepBodies = () =>
    whilePassing(clock, sweep(database(eyes, clock), tableNames.bodies, clock, new AbortController().signal))
  return { clock, services, ask, told, places, sweepBodies, another }
}

const send = (ask: Ask, msgBody = 'hello') => ask('SendMessage', { queueName, msgBody })
const receive = (ask: Ask, from = queueName) => ask('ReceiveMessage', { queueName: from })
const receiveAll = async (ask: Ask, from = queueName) => {
  const { msgInfoList } = await ask('BatchReceiveMessage', { queueName: from, numOfMsg: 16 })
  return (msgInfoList ?? []) as Answer[]
}
const bodiesIn = async (ask: Ask, from = queueName) => (await receiveAll(ask, from)).map(({ msgBody }) => msgBody)
const noMessage = { code: 7000 }

/** Receives the message so often without deleting it, until its last lease has ended. */
async function receiveInVain({ ask, clock }: Setting, times: number) {
  for (let time = 1; time <= times; time++) {
    expect(await receive(ask)).toMatchObject({ code: 0, dequeueCount: time })
    await clock.advance(10_000)
  }
}

describe.each(engineKinds())('given a message that was received too often, over %s', (kind) => {
  let engine: Awaited<ReturnType<typeof testEngine>>
  beforeAll(async () => {
    engine = await testEngine(kind)
  })
  afterAll(() => engine.stop())

  it('when it is looked for again, then it is in the dead-letter queue, and tells where it came from, when and why', async () => {
    const setting = await given(byReceives, {}, engine.endpoint)
    const { ask, clock } = setting
    const sentAt = Math.floor(clock.now() / 1000)
    const { msgId } = await send(ask)
    await receiveInVain(setting, 2)
    expect(await receive(ask, 'dead')).toMatchObject(noMessage)
    await clock.advance(5_000)
    expect(await receive(ask)).toMatchObject(noMessage)
    expect(await receive(ask, 'dead')).toMatchObject({
      code: 0,
      msgId,
      msgBody: 'hello',
      dequeueCount: 1,
      enqueueTime: sentAt + 25,
      firstDequeueTime: sentAt + 25,
      deadLetter: {
        sourceQueueName: 'orders',
        policy: 0,
        deadLetterTime: sentAt + 25,
        enqueueTime: sentAt,
        dequeueCount: 2,
      },
    })
    expect(await receive(ask)).toMatchObject(noMessage)
  })

  it('when two processes look for it at once, then it is moved once', async () => {
    const setting = await given(byReceives, {}, engine.endpoint)
    const { ask, clock, services, another } = setting
    const other = await another()
    await send(ask)
    await receiveInVain(setting, 2)
    const looks = await whilePassing(clock, Promise.all([receive(ask), receive(asker(other))]))
    expect(looks).toMatchObject([noMessage, noMessage])
    expect(await receiveAll(ask, 'dead')).toHaveLength(1)
    const { id } = await services.queues.get(ONLY_ACCOUNT, 'dead')
    expect([services, other].map(({ tallies }) => tallies.total(id, 'send').own).toSorted()).toEqual([0, 1])
  })
})

describe('given a limit of receives', () => {
  it.each([1, 2, 5])('when it is %d, then a message has as many leases, and then none', async (maxReceiveCount) => {
    const setting = await given({ ...byReceives, maxReceiveCount })
    await send(setting.ask)
    await receiveInVain(setting, maxReceiveCount)
    expect(await receive(setting.ask)).toMatchObject(noMessage)
    expect(await receive(setting.ask, 'dead')).toMatchObject({ deadLetter: { dequeueCount: maxReceiveCount } })
  })

  it('when the last receiver deletes the message, then it is gone from both', async () => {
    const { ask, clock } = await given({ ...byReceives, maxReceiveCount: 1 })
    await send(ask)
    const { receiptHandle } = await receive(ask)
    await clock.advance(9_000)
    expect(await ask('DeleteMessage', { queueName, receiptHandle: receiptHandle as string })).toMatchObject({ code: 0 })
    await clock.advance(9_000)
    expect([await receive(ask), await receive(ask, 'dead')]).toMatchObject([noMessage, noMessage])
  })

  it('when its last handle is used after the move, then it is invalid', async () => {
    const { ask, clock } = await given({ ...byReceives, maxReceiveCount: 1 })
    await send(ask)
    const { receiptHandle } = await receive(ask)
    await clock.advance(10_000)
    await receive(ask)
    const handle = { receiptHandle: receiptHandle as string }
    expect(await ask('DeleteMessage', { queueName, ...handle })).toMatchObject({ code: 4430 })
    expect(await ask('DeleteMessage', { queueName: 'dead', ...handle })).toMatchObject({ code: 4430 })
    expect(await receive(ask, 'dead')).toMatchObject({ msgBody: 'hello' })
  })

  it('when dead messages lie in front of others, then those are received by the same call', async () => {
    const { ask, clock } = await given({ ...byReceives, maxReceiveCount: 1 })
    for (const name of ['a', 'b', 'c']) await send(ask, name)
    expect(await receiveAll(ask)).toHaveLength(3)
    await send(ask, 'd')
    await clock.advance(10_000)
    expect(await bodiesIn(ask)).toEqual(['d'])
    expect(await bodiesIn(ask, 'dead')).toEqual(['a', 'b', 'c'])
  })

  it('when many die at once, then a look moves sixteen, is kept from none behind them, and none is lost', async () => {
    const { ask, clock, another } = await given({ ...byReceives, maxReceiveCount: 1 }, { visibilityTimeout: 3_600 })
    const names = Array.from({ length: 96 }, (_, index) => `m${index}`)
    for (let at = 0; at < names.length; at += 16)
      await ask('BatchSendMessage', {
        queueName,
        ...Object.fromEntries(names.slice(at, at + 16).map((name, index) => [`msgBody.${index}`, name])),
      })
    for (let taken = 0; taken < names.length;) taken += (await receiveAll(ask)).length
    await send(ask, 'alive')
    await clock.advance(10_000)
    const fresh = asker(await another())
    expect(await receive(fresh)).toMatchObject({ msgBody: 'alive' })
    expect(await fresh('GetQueueAttributes', { queueName: 'dead' })).toMatchObject({ activeMsgNum: 16 })
    for (let looks = 0; looks < 5; looks++) {
      await clock.advance(1_000)
      expect(await receive(fresh)).toMatchObject(noMessage)
    }
    const found: string[] = []
    for (let bodies = await bodiesIn(ask, 'dead'); bodies.length > 0; bodies = await bodiesIn(ask, 'dead'))
      found.push(...bodies)
    expect(found.toSorted()).toEqual(names.toSorted())
  })

  it('when a consumer waits for dead letters in the same process, then it has one at once', async () => {
    const setting = await given({ ...byReceives, maxReceiveCount: 1 })
    const { ask, clock } = setting
    await send(ask)
    await receiveInVain(setting, 1)
    const start = clock.now()
    const waiting = ask('ReceiveMessage', { queueName: 'dead', pollingWaitSeconds: 20 })
    await clock.advance(150)
    await receive(ask)
    expect(await whilePassing(clock, waiting)).toMatchObject({ msgBody: 'hello' })
    expect(clock.now() - start).toBeLessThan(300)
  })

  it('when the queue is bound after the receives, then a message is served once more', async () => {
    const setting = await given({})
    const { ask } = setting
    await send(ask)
    await receiveInVain(setting, 2)
    await ask('SetQueueAttributes', { queueName, ...byReceives })
    expect(await receive(ask)).toMatchObject({ dequeueCount: 3 })
    await setting.clock.advance(10_000)
    expect(await receive(ask)).toMatchObject(noMessage)
    expect(await receive(ask, 'dead')).toMatchObject({ deadLetter: { dequeueCount: 3 } })
  })

  it('when the queue is unbound, then messages stay in it', async () => {
    const setting = await given(byReceives)
    await send(setting.ask)
    await receiveInVain(setting, 2)
    await setting.ask('UnbindDeadLetter', { queueName })
    expect(await receive(setting.ask)).toMatchObject({ dequeueCount: 3 })
  })
})

describe('given a time to live', () => {
  it('when it is over, then a receive gets what is younger, and the rest is moved, with the reason', async () => {
    const { ask, clock } = await given(byAge)
    await send(ask, 'old')
    await clock.advance(299_000)
    await send(ask, 'young')
    await clock.advance(1_000)
    expect(await bodiesIn(ask)).toEqual(['young'])
    expect(await receiveAll(ask, 'dead')).toMatchObject([
      { msgBody: 'old', deadLetter: { sourceQueueName: 'orders', policy: 1, dequeueCount: 0 } },
    ])
  })

  it('when a message is in flight, then it is its receiver whose it is', async () => {
    const { ask, clock } = await given(byAge)
    await send(ask)
    await clock.advance(295_000)
    const { receiptHandle } = await receive(ask)
    await clock.advance(9_000)
    expect([await receive(ask), await receive(ask, 'dead')]).toMatchObject([noMessage, noMessage])
    expect(await ask('DeleteMessage', { queueName, receiptHandle: receiptHandle as string })).toMatchObject({ code: 0 })
  })

  it('when nobody receives, then all shards are swept, but for what is in flight, younger, or over', async () => {
    const { ask, clock, services } = await given({ ...byAge, shards: 4, msgRetentionSeconds: 400 })
    for (let index = 0; index < 150; index++) await send(ask, `old ${index}`)
    await clock.advance(200_000)
    await send(ask, 'young')
    await clock.advance(100_000)
    const queue = await services.queues.get('1250000000', queueName)
    const sweep = () => services.messages.buryAged(queue, clock.now() + 50_000, new AbortController().signal)
    expect(await whilePassing(clock, sweep())).toBe(150)
    expect(await sweep()).toBe(0)
    expect(await ask('GetQueueAttributes', { queueName })).toMatchObject({ activeMsgNum: 1 })
    await clock.advance(310_000)
    // It ended before anybody looked: nothing is moved after its retention.
    expect(await ask('GetQueueAttributes', { queueName: 'dead' })).toMatchObject({ activeMsgNum: 150 })
  })
})

describe('given a dead-letter queue with a life of its own', () => {
  it('when a message is moved, then its retention begins anew', async () => {
    const setting = await given({ ...byReceives, msgRetentionSeconds: 60 }, { msgRetentionSeconds: 3_600 })
    const { ask, clock } = setting
    await send(ask)
    await receiveInVain(setting, 2)
    await receive(ask)
    await clock.advance(3_599_000)
    expect(await receive(ask, 'dead')).toMatchObject({ msgBody: 'hello' })
    await clock.advance(1_000)
    expect(await receive(ask, 'dead')).toMatchObject(noMessage)
  })

  it('when a letter is large, then its body is stored to live as long as the letter', async () => {
    const setting = await given({ ...byReceives, msgRetentionSeconds: 60 }, { msgRetentionSeconds: 1_296_000 })
    const { ask, clock } = setting
    const msgBody = '中'.repeat(20_000)
    await send(ask, msgBody)
    await receiveInVain(setting, 2)
    expect(await receive(ask)).toMatchObject(noMessage)
    // The original's body lived for a minute and a day, this one lives for 15 days and one.
    await clock.advance(1_290_000_000)
    await setting.sweepBodies()
    expect(await receive(ask, 'dead')).toMatchObject({ msgBody, deadLetter: { dequeueCount: 2 } })
  })
})

describe('given what a move costs', () => {
  const moved = async (msgBody: string, attributes = {}) => {
    const setting = await given(byReceives, attributes)
    const { ask } = setting
    await send(ask, msgBody)
    await receiveInVain(setting, 2)
    // The records are read once a second; here, a moment before.
    await ask('QueryQueueRoute', { queueName })
    await ask('QueryQueueRoute', { queueName: 'dead' })
    const usage = noUsage()
    expect(await metered(usage, () => receive(ask))).toMatchObject(noMessage)
    expect(await receive(ask, 'dead')).toMatchObject({ msgBody })
    return usage
  }

  it('when a message is small, then that is four write units, in one call beside the looks', async () => {
    expect(await moved('x'.repeat(256))).toEqual({ readUnits: 2, writeUnits: 4, calls: 2 + 1 })
  })

  it('when a body just leaves room for its origin, then that is four; one byte more, and it is stored apart', async () => {
    // `origin`, and `0:2:<13 digits>:orders`.
    const room = INLINE_BYTES - 6 - 24
    expect(await moved('x'.repeat(room))).toMatchObject({ writeUnits: 4 })
    expect(await moved('x'.repeat(room + 1))).toMatchObject({ writeUnits: 6 })
  })

  it('when a body is large, then its claim and its storing come to that', async () => {
    // Beside two looks: one at what came free again, one from the front.
    expect(await moved('x'.repeat(65_536))).toEqual({ readUnits: 2 + 8.5, writeUnits: 1 + 65 + 4, calls: 2 + 4 })
  })

  it('when a large body lives long enough as it is, then it is not stored again', async () => {
    expect(await moved('x'.repeat(65_536), { msgRetentionSeconds: 60 })).toMatchObject({ writeUnits: 4 })
  })
})

describe('given a dead-letter queue that is gone', () => {
  it('when a message dies, then it is kept away for a minute, which is told, and others are received', async () => {
    const setting = await given(byReceives)
    const { ask, clock, services, told } = setting
    await send(ask, 'dies')
    await receiveInVain(setting, 2)
    // No request can do that while it is bound.
    await services.queues.remove(await services.queues.read('1250000000', 'dead'), 0)
    await send(ask, 'lives')
    expect(await receive(ask)).toMatchObject({ msgBody: 'lives' })
    const details = { queue: 'orders', deadLetterQueue: 'dead', messages: 1, error: 'there is no such queue' }
    expect(told).toEqual([{ message: 'dead letters could not be moved', details }])
    await clock.advance(59_000)
    expect(await receive(ask)).toMatchObject({ msgBody: 'lives' })
    expect(told).toHaveLength(1)
    await ask('CreateQueue', { queueName: 'dead' })
    await clock.advance(1_000)
    await receive(ask)
    expect(await receive(ask, 'dead')).toMatchObject({ msgBody: 'dies', deadLetter: { dequeueCount: 2 } })
  })
})

describe('given a move that goes wrong', () => {
  const faulty = async (decide: (call: SeenCall) => Fault | undefined, msgBody = 'hello') => {
    const setting = await given(byReceives)
    const { ask, clock, another } = setting
    await send(ask, msgBody)
    await receiveInVain(setting, 2)
    const unlucky = asker(await another({ prepare: (client) => injectFaults(client, decide) }))
    const answer = await whilePassing(clock, receive(unlucky))
    return { ...setting, unlucky, answer }
  }
  const times = (command: string, fault: Fault, count: number) => {
    let left = count
    return (call: SeenCall) => (call.command === command && left-- > 0 ? fault : undefined)
  }

  it.each<[string, Fault]>([
    ['is throttled', 'throttled'],
    ['is lost on the way', 'lost before'],
    ['took place but its answer is lost', 'lost after'],
  ])('when its transaction %s, twice, then it is repeated, and the message moved once', async (_, fault) => {
    const { ask, answer, told } = await faulty(times('TransactWriteItemsCommand', fault, 2))
    expect(answer).toMatchObject(noMessage)
    expect(await receiveAll(ask, 'dead')).toHaveLength(1)
    expect(await receive(ask)).toMatchObject(noMessage)
    expect(told).toEqual([])
  })

  it('when it is in conflict with another, then nothing has happened yet, and it is repeated', async () => {
    let conflicts = 3
    const tokens = new Set<unknown>()
    const setting = await given(byReceives)
    await send(setting.ask)
    await receiveInVain(setting, 2)
    const services = await setting.another({
      prepare: (client) =>
        client.middlewareStack.add(
          (next, context) => (args) => {
            if (context.commandName !== 'TransactWriteItemsCommand') return next(args)
            tokens.add((args.input as { ClientRequestToken?: string }).ClientRequestToken)
            if (conflicts-- > 0) throw conflict()
            return next(args)
          },
          { step: 'initialize' },
        ),
    })
    await whilePassing(setting.clock, receive(asker(services)))
    expect([conflicts, [...tokens]]).toEqual([-1, [expect.any(String)]])
    expect(await receiveAll(setting.ask, 'dead')).toHaveLength(1)
  })

  it('when no attempt succeeds for 3 s, then it is given up and told, and the message is where it was', async () => {
    const { ask, answer, unlucky, clock, told } = await faulty((call) =>
      call.command === 'TransactWriteItemsCommand' ? 'lost before' : undefined,
    )
    expect(answer).toMatchObject(noMessage)
    expect(told).toMatchObject([{ message: 'dead letters could not be moved', details: { messages: 1 } }])
    expect(await receiveAll(ask, 'dead')).toEqual([])
    // It does not come up at each look of the process that failed; another one moves it at once.
    const before = clock.now()
    await send(ask, 'next')
    expect(await receive(unlucky)).toMatchObject({ msgBody: 'next' })
    expect(clock.now()).toBe(before)
    expect(await receive(ask)).toMatchObject(noMessage)
    expect(await receiveAll(ask, 'dead')).toHaveLength(1)
  })

  it('when it is unbound meanwhile, then it is not repeated', async () => {
    const setting = await given(byReceives)
    const { ask, clock, another } = setting
    await send(ask)
    await receiveInVain(setting, 2)
    let tries = 0
    const decide = ({ command }: SeenCall): Fault | undefined => {
      if (command !== 'TransactWriteItemsCommand') return undefined
      tries++
      return 'lost before'
    }
    const unlucky = asker(await another({ isAlone: false, prepare: (client) => injectFaults(client, decide) }))
    const looking = receive(unlucky)
    await clock.advance(200)
    await asker(await another({ isAlone: true }))('UnbindDeadLetter', { queueName })
    await clock.advance(1_000)
    const until = tries
    await clock.advance(5_000)
    expect(tries).toBe(until)
    expect(await whilePassing(clock, looking)).toMatchObject(noMessage)
    expect(await receive(ask)).toMatchObject({ msgBody: 'hello', dequeueCount: 3 })
  })

  it.each<Fault>(['lost before', 'lost after'])(
    'when a process dies at any call of moving a large letter (%s), then it is in exactly one queue',
    async (fault) => {
      const msgBody = 'x'.repeat(5_000)
      for (let call = 1; ; call++) {
        let calls = 0
        // What is lost from some call on is what a dead process would have done.
        const { ask, clock, places } = await faulty(
          () => (++calls > call ? 'lost before' : calls === call ? fault : undefined),
          msgBody,
        )
        const isOver = calls <= call
        expect(await places()).toHaveLength(1)
        await clock.advance(61_000)
        const [alive, dead] = [await receiveAll(ask), await receiveAll(ask, 'dead')]
        expect([alive.length, dead.map(({ msgBody }) => msgBody)]).toEqual([0, [msgBody]])
        expect(dead[0]).toMatchObject({ deadLetter: { dequeueCount: 2 } })
        if (isOver) return expect(call).toBeGreaterThan(5)
      }
    },
  )
})

const conflict = () =>
  new TransactionCanceledException({
    message: 'conflict',
    $metadata: { httpStatusCode: 400 },
    CancellationReasons: [{ Code: 'TransactionConflict' }, { Code: 'None' }],
  })
