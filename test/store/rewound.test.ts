import { TransactionCanceledException } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Services } from '../../functions/services.ts'
import { ONLY_ACCOUNT } from '../../lib/names.ts'
import { manualClock, untilAsleep, whilePassing } from '../support/clock.ts'
import { engineKinds, testEngine } from '../support/engine.ts'
import { countCalls, faultsOf, injectFaults, type Fault } from '../support/faults.ts'
import { ask, newTables, testServices, type Answer, type Client, type ServiceOptions } from '../support/service.ts'

const queueName = 'orders'

describe.each(engineKinds())('over %s', (kind) => {
  let engine: Awaited<ReturnType<typeof testEngine>>
  beforeAll(async () => {
    engine = await testEngine(kind)
  })
  afterAll(() => engine.stop())

  /** Processes over the same tables, and a queue that can be rewound. */
  async function given(attributes: Record<string, number> = {}) {
    const clock = manualClock()
    const tableNames = await newTables(engine.endpoint)
    const process = (options: Partial<ServiceOptions> = {}) =>
      testServices({ endpoint: engine.endpoint, tableNames, clock, isAlone: false, ...options })
    const a = await process()
    const call = (services: Services, Action: string, parameters: Record<string, string | number> = {}) =>
      whilePassing(clock, ask(services, { Action, queueName, ...parameters }))
    const second = () => Math.floor(clock.now() / 1000)
    await call(a, 'CreateQueue', { rewindSeconds: 600, ...attributes })

    /** Sends, receives and deletes; rewinds, and tells the bodies that come again. */
    const consumed = async (services: Services, ...texts: string[]) => {
      for (const msgBody of texts) await call(services, 'SendMessage', { msgBody })
      return await consume(services)
    }
    const consume = async (services: Services) => {
      const taken: string[] = []
      for (;;) {
        const { code, msgBody, receiptHandle } = await call(services, 'ReceiveMessage')
        if (code === 7000) return taken
        expect(await call(services, 'DeleteMessage', { receiptHandle: receiptHandle as string })).toHaveProperty(
          'code',
          0,
        )
        taken.push(msgBody as string)
      }
    }
    const rewind = (services: Services) => call(services, 'RewindQueue', { startConsumeTime: second() - 60 })
    const remove = (services: Services, { receiptHandle }: Answer) =>
      call(services, 'DeleteMessage', { receiptHandle: receiptHandle as string })
    const queue = () => a.queues.read(ONLY_ACCOUNT, queueName)
    return { clock, process, a, call, consumed, consume, rewind, remove, second, queue }
  }

  const mishaps: [string, Fault][] = [
    ['is throttled', 'throttled'],
    ['is lost on the way', 'lost before'],
    ['took place but its answer is lost', 'lost after'],
  ]
  const unlucky = (...faults: Fault[]) => {
    const decide = faultsOf('TransactWriteItemsCommand', ...faults)
    return { prepare: (client: Client) => injectFaults(client, decide) }
  }

  describe('given a deletion from a queue that can be rewound', () => {
    it.each(mishaps)('when it %s, then it succeeds once, and one message is archived', async (_, fault) => {
      const { process, a, call, rewind, remove, consume } = await given()
      const b = await process(unlucky(fault, fault))
      await call(a, 'SendMessage', { msgBody: 'm' })
      const received = await call(a, 'ReceiveMessage')
      expect(await remove(b, received)).toHaveProperty('code', 0)
      expect(await remove(a, received)).toHaveProperty('code', 4430)
      expect(await call(a, 'GetQueueAttributes')).toMatchObject({ activeMsgNum: 0, inactiveMsgNum: 0, rewindMsgNum: 1 })
      await rewind(a)
      expect(await consume(a)).toEqual(['m'])
    })

    it('when its answer is lost and its lease is over by the time of the repeat, then it succeeds all the same', async () => {
      const { clock, process, a, call, remove } = await given({ visibilityTimeout: 1 })
      const late = (client: Client) =>
        injectFaults(client, (call) => {
          if (call.command !== 'TransactWriteItemsCommand' || clock.now() > deletedAt) return undefined
          clock.set(clock.now() + 2_000)
          return 'lost after'
        })
      const b = await process({ prepare: late })
      await call(a, 'SendMessage', { msgBody: 'm' })
      const received = await call(a, 'ReceiveMessage')
      const deletedAt = clock.now()
      expect(await remove(b, received)).toHaveProperty('code', 0)
      expect(await call(a, 'ReceiveMessage')).toHaveProperty('code', 7000)
    })

    it('when no attempt arrives, then it fails and says so, and the message stays', async () => {
      const { clock, process, a, call, remove } = await given()
      const b = await process(unlucky(...Array<Fault>(1_000).fill('lost before')))
      await call(a, 'SendMessage', { msgBody: 'm' })
      expect(await remove(b, await call(a, 'ReceiveMessage'))).toHaveProperty('code', 6000)
      await clock.advance(31_000)
      expect(await call(a, 'ReceiveMessage')).toMatchObject({ msgBody: 'm', dequeueCount: 2 })
    })

    it('when others are at the same items, then it waits for them', async () => {
      const { process, a, call, remove } = await given()
      const conflicts = [cancelled(), conflict(), cancelled()]
      const b = await process({
        prepare: (client) =>
          client.middlewareStack.add(
            (next, { commandName }) =>
              (args) => {
                const error = commandName === 'TransactWriteItemsCommand' ? conflicts.shift() : undefined
                return error ? Promise.reject(error) : next(args)
              },
            { step: 'deserialize', priority: 'high' },
          ),
      })
      await call(a, 'SendMessage', { msgBody: 'm' })
      const received = await call(a, 'ReceiveMessage')
      expect(await remove(b, received)).toHaveProperty('code', 0)
      expect(conflicts).toEqual([])
      expect(await remove(b, received)).toHaveProperty('code', 4430)
    })

    it('when its lease ran out and another has the message, then it is refused without a write', async () => {
      const { clock, process, a, call, remove } = await given()
      let calls: Record<string, number> = {}
      const b = await process({ prepare: (client) => (calls = countCalls(client)) })
      await call(a, 'SendMessage', { msgBody: 'm' })
      const first = await call(a, 'ReceiveMessage')
      await clock.advance(30_000)
      await call(a, 'ReceiveMessage')
      expect(await remove(b, first)).toHaveProperty('code', 4430)
      clock.set(clock.now() - 10_000)
      expect(await remove(b, first)).toHaveProperty('code', 4430)
      expect(calls['TransactWriteItemsCommand']).toBeUndefined()
    })

    it('when it is of no use any more, as DynamoDB sees its condition, then it is refused', async () => {
      const { process, a, call, remove } = await given()
      await call(a, 'SendMessage', { msgBody: 'm' })
      const received = await call(a, 'ReceiveMessage')
      // Between the read and the transaction the same handle deletes elsewhere.
      let isFirst = true
      const b = await process({
        prepare: (client) =>
          client.middlewareStack.add(
            (next, { commandName }) =>
              async (args) => {
                if (commandName === 'TransactWriteItemsCommand' && isFirst) {
                  isFirst = false
                  await remove(a, received)
                }
                return next(args)
              },
            { step: 'initialize', priority: 'high' },
          ),
      })
      expect(await remove(b, received)).toHaveProperty('code', 4430)
      expect(await call(a, 'GetQueueAttributes')).toHaveProperty('rewindMsgNum', 1)
    })
  })

  describe('given a message that a rewind has made receivable', () => {
    it.each(mishaps)('when bringing it back %s, then it is received once, and its count is 1', async (_, fault) => {
      const { clock, process, a, call, consumed, rewind } = await given()
      await consumed(a, 'm')
      await rewind(a)
      const b = await process(unlucky(fault, fault))
      expect(await call(b, 'ReceiveMessage')).toMatchObject({ msgBody: 'm', dequeueCount: 1 })
      expect(await call(a, 'ReceiveMessage')).toHaveProperty('code', 7000)
      await clock.advance(30_000)
      expect(await call(a, 'ReceiveMessage')).toMatchObject({ msgBody: 'm', dequeueCount: 2 })
      expect(await call(b, 'ReceiveMessage')).toHaveProperty('code', 7000)
    })

    it('when its receiver dies before it answers, then another gets it when its lease is over', async () => {
      const { clock, process, a, call, consumed, rewind } = await given()
      await consumed(a, 'm')
      await rewind(a)
      const { promise: died, resolve: die } = Promise.withResolvers<undefined>()
      const b = await process({
        prepare: (client) =>
          client.middlewareStack.add(
            (next, { commandName }) =>
              async (args) => {
                const result = await next(args)
                if (commandName !== 'TransactWriteItemsCommand') return result
                die(undefined)
                return await new Promise(() => {})
              },
            { step: 'initialize', priority: 'high' },
          ),
      })
      await Promise.race([ask(b, { Action: 'ReceiveMessage', queueName }), died])
      expect(await call(a, 'ReceiveMessage')).toHaveProperty('code', 7000)
      await clock.advance(30_000)
      expect(await call(a, 'ReceiveMessage')).toMatchObject({ msgBody: 'm', dequeueCount: 2 })
    })

    it('when its receiver has left by the time, then it is given back, and another gets it at once', async () => {
      const { a, call, consumed, rewind } = await given()
      await consumed(a, 'm')
      await rewind(a)
      const signal = AbortSignal.abort()
      expect(await ask(a, { Action: 'ReceiveMessage', queueName }, { signal })).toHaveProperty('code', 7000)
      expect(await call(a, 'ReceiveMessage')).toMatchObject({ msgBody: 'm', dequeueCount: 1 })
    })

    it('when many consumers want it and others at once, then each message is received by one of them', async () => {
      const { process, a, clock, consumed, rewind } = await given()
      const texts = Array.from({ length: 20 }, (_, index) => `m${index}`)
      await consumed(a, ...texts)
      await rewind(a)
      const consumers = await Promise.all(Array.from({ length: 5 }, () => process()))
      const taken: string[] = []
      for (let round = 0; round < 20 && taken.length < texts.length; round++) {
        const wanted = { Action: 'BatchReceiveMessage', queueName, numOfMsg: 3 }
        const answers = consumers.map((services) => whilePassing(clock, ask(services, wanted)))
        for (const { msgInfoList = [] } of await Promise.all(answers))
          taken.push(...(msgInfoList as { msgBody: string }[]).map(({ msgBody }) => msgBody))
      }
      expect(taken.toSorted()).toEqual(texts.toSorted())
    })
  })

  describe('given processes that have not heard of a rewind yet', () => {
    it('when one deletes what a rewind has delivered to another, then that does not come again by it', async () => {
      const { clock, process, a, call, consumed, remove, consume, rewind, second } = await given()
      const b = await process()
      await consumed(a, 'm')
      await call(b, 'QueryQueueRoute')
      const rewinding = ask(a, { Action: 'RewindQueue', queueName, startConsumeTime: second() - 60 })
      await untilAsleep(clock, 1)
      const c = await process()
      const received = await call(c, 'ReceiveMessage')
      expect(received).toHaveProperty('msgBody', 'm')
      expect(await remove(b, received)).toHaveProperty('code', 0)
      await whilePassing(clock, rewinding)
      for (const services of [a, b, c]) expect(await call(services, 'ReceiveMessage')).toHaveProperty('code', 7000)
      await rewind(a)
      expect(await consume(b)).toEqual(['m'])
    })

    it('when one deletes after the rewind was answered, then it has heard of it: the rewind does not cover that', async () => {
      const { process, a, call, remove, rewind } = await given()
      const b = await process()
      await call(a, 'SendMessage', { msgBody: 'm' })
      const received = await call(b, 'ReceiveMessage')
      await rewind(a)
      expect(await remove(b, received)).toHaveProperty('code', 0)
      expect(await call(a, 'ReceiveMessage')).toHaveProperty('code', 7000)
      expect(await call(b, 'ReceiveMessage')).toHaveProperty('code', 7000)
    })

    it('when one brings a message back by an earlier rewind, then a later one finds it in flight', async () => {
      const { clock, process, a, call, consumed, remove, rewind, second } = await given()
      const b = await process()
      await consumed(a, 'm')
      await rewind(a)
      await call(b, 'QueryQueueRoute')
      const rewinding = ask(a, { Action: 'RewindQueue', queueName, startConsumeTime: second() - 60 })
      await untilAsleep(clock, 1)
      const received = await call(b, 'ReceiveMessage')
      expect(received).toHaveProperty('msgBody', 'm')
      await whilePassing(clock, rewinding)
      expect(await call(a, 'ReceiveMessage')).toHaveProperty('code', 7000)
      expect(await remove(b, received)).toHaveProperty('code', 0)
      expect(await call(a, 'ReceiveMessage')).toHaveProperty('code', 7000)
    })

    it('when one deletes from a queue that was cleared meanwhile, then nothing of that can be rewound', async () => {
      const { clock, process, a, call, remove, rewind } = await given()
      const b = await process()
      await call(a, 'SendMessage', { msgBody: 'm' })
      const received = await call(b, 'ReceiveMessage')
      const clearing = ask(a, { Action: 'ClearQueue', queueName })
      await untilAsleep(clock, 1)
      expect(await remove(b, received)).toHaveProperty('code', 0)
      await whilePassing(clock, clearing)
      await rewind(a)
      expect(await call(a, 'ReceiveMessage')).toHaveProperty('code', 7000)
    })

    it('when one deletes while rewinding is switched off and on, then what it archived is forgotten', async () => {
      const { clock, process, a, call, remove, rewind } = await given()
      const b = await process()
      await call(a, 'SendMessage', { msgBody: 'm' })
      const received = await call(b, 'ReceiveMessage')
      const switching = ask(a, { Action: 'SetQueueAttributes', queueName, rewindSeconds: '0' })
      await untilAsleep(clock, 1)
      expect(await remove(b, received)).toHaveProperty('code', 0)
      await whilePassing(clock, switching)
      await call(a, 'SetQueueAttributes', { rewindSeconds: 600 })
      await rewind(a)
      expect(await call(a, 'ReceiveMessage')).toHaveProperty('code', 7000)
    })
  })

  describe('given a rewind that has nothing to deliver any more', () => {
    it('when 30 s have passed and somebody receives, then it leaves the record, and not before', async () => {
      const { clock, a, call, consumed, consume, rewind, queue } = await given({ shards: 3 })
      await consumed(a, 'm', 'n', 'o')
      await rewind(a)
      expect((await consume(a)).toSorted()).toEqual(['m', 'n', 'o'])
      await clock.advance(20_000)
      await call(a, 'ReceiveMessage')
      expect((await queue()).archive.rewinds).toHaveLength(1)
      await clock.advance(10_000)
      await call(a, 'ReceiveMessage')
      expect((await queue()).archive).toEqual({ count: 1, since: 0, keptFrom: 0, rewinds: [] })
      await rewind(a)
      expect((await consume(a)).toSorted()).toEqual(['m', 'n', 'o'])
    })

    it('when a shard still has something, then it stays', async () => {
      const { clock, a, call, consumed, rewind, queue } = await given()
      await consumed(a, 'm', 'n')
      await rewind(a)
      await clock.advance(31_000)
      expect(await call(a, 'ReceiveMessage')).toHaveProperty('msgBody', 'm')
      expect((await queue()).archive.rewinds).toHaveLength(1)
    })

    it('when its messages end before anybody receives, then it leaves too', async () => {
      const { clock, a, call, consumed, rewind, queue } = await given({ msgRetentionSeconds: 600 })
      await consumed(a, 'm')
      await rewind(a)
      await clock.advance(600_000)
      expect(await call(a, 'ReceiveMessage')).toHaveProperty('code', 7000)
      expect((await queue()).archive.rewinds).toEqual([])
    })

    it('when the queue is rewound anew at the same moment, then the new one stays', async () => {
      const { clock, process, a, call, consumed, consume, rewind, queue } = await given()
      await consumed(a, 'm')
      await rewind(a)
      await consume(a)
      await clock.advance(31_000)
      let isFirst = true
      const b = await process({
        prepare: (client) =>
          client.middlewareStack.add(
            (next, { commandName }) =>
              async (args) => {
                if (commandName === 'UpdateItemCommand' && isFirst) {
                  isFirst = false
                  await rewind(a)
                }
                return next(args)
              },
            { step: 'initialize', priority: 'high' },
          ),
      })
      await call(b, 'ReceiveMessage')
      expect(isFirst).toBe(false)
      expect((await queue()).archive).toMatchObject({ count: 2, rewinds: [{ below: 1 }, { below: 2 }] })
      expect(await consume(b)).toEqual(['m'])
    })
  })

  describe('given a shard that is no longer written to', () => {
    it('when what was deleted from it is kept, then it is not given up before that ends', async () => {
      const { clock, a, call, consumed, queue } = await given({ shards: 2, msgRetentionSeconds: 600 })
      await consumed(a, ...Array.from({ length: 24 }, (_, index) => `m${index}`))
      await call(a, 'SetQueueAttributes', { shards: 1 })
      for (let minutes = 0; minutes < 9; minutes++) {
        await clock.advance(60_000)
        await call(a, 'ReceiveMessage')
      }
      expect(await queue()).toMatchObject({ writeShards: 1, readShards: 2 })
      await clock.advance(61_000)
      await call(a, 'ReceiveMessage')
      expect(await queue()).toMatchObject({ writeShards: 1, readShards: 1 })
    })
  })
})

const refused = (name: string, more: object) =>
  Object.assign(new Error(name), { name, $metadata: { httpStatusCode: 400 }, ...more })

const conflict = () => refused('TransactionConflictException', {})

const cancelled = () =>
  new TransactionCanceledException({
    message: 'cancelled',
    $metadata: { httpStatusCode: 400 },
    CancellationReasons: [{ Code: 'TransactionConflict' }, { Code: 'None' }],
  })
