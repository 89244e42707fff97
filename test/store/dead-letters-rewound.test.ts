import { PutItemCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Services } from '../../functions/services.ts'
import { archiveKeyAt, archiveOf } from '../../lib/store/archives.ts'
import { manualClock, whilePassing } from '../support/clock.ts'
import { patientClient, testEngine } from '../support/engine.ts'
import { asker, newTables, testServices, type Answer, type Ask, type ServiceOptions } from '../support/service.ts'

const queueName = 'orders'
const byReceives = { deadLetterQueueName: 'dead', policy: 0, maxReceiveCount: 2 }
const byAge = { deadLetterQueueName: 'dead', policy: 1, maxTimeToLive: 300 }
const noMessage = { code: 7000 }

let engine: Awaited<ReturnType<typeof testEngine>>
beforeAll(async () => {
  engine = await testEngine()
})
afterAll(() => engine.stop())

/** A queue and its dead-letter queue, both of which can be rewound. */
async function given(policy: Record<string, string | number>) {
  const clock = manualClock()
  const tableNames = await newTables(engine.endpoint)
  const another = (options: Partial<ServiceOptions> = {}) =>
    testServices({ endpoint: engine.endpoint, tableNames, clock, ...options })
  const services = await another()
  const ask = asker(services)
  await ask('CreateQueue', { queueName: 'dead', rewindSeconds: 3_600 })
  await ask('CreateQueue', { queueName, visibilityTimeout: 10, rewindSeconds: 3_600, ...policy })
  const since = Math.floor(clock.now() / 1000)
  const rewind = (name: string) => ask('RewindQueue', { queueName: name, startConsumeTime: since })
  return { clock, services, ask, another, rewind, tableNames }
}

const send = (ask: Ask, msgBody = 'hello') => ask('SendMessage', { queueName, msgBody })
const receive = (ask: Ask, from = queueName) => ask('ReceiveMessage', { queueName: from })
const remove = (ask: Ask, { receiptHandle }: Answer, from = queueName) =>
  ask('DeleteMessage', { queueName: from, receiptHandle: receiptHandle as string })
const sweep = async ({ queues, messages, clock }: Services) => {
  const queue = await queues.get('1250000000', queueName)
  return messages.buryAged(queue, clock.now() + 50_000, new AbortController().signal)
}
const activeIn = async (ask: Ask, from: string) =>
  (await ask('GetQueueAttributes', { queueName: from }))['activeMsgNum'] as number

describe('given a message that a rewind has brought back', () => {
  it('when it is received too often after that, then it dies, and its receives before the rewind do not count', async () => {
    const { ask, clock, rewind } = await given(byReceives)
    await send(ask)
    await receive(ask)
    await clock.advance(10_000)
    await remove(ask, await receive(ask))
    await rewind(queueName)
    for (const dequeueCount of [1, 2]) {
      expect(await receive(ask)).toMatchObject({ code: 0, dequeueCount })
      await clock.advance(10_000)
    }
    expect(await receive(ask)).toMatchObject(noMessage)
    expect(await receive(ask, 'dead')).toMatchObject({ deadLetter: { dequeueCount: 2 } })
  })

  it('when it is as old as messages die, then neither a receive nor a sweep moves it', async () => {
    const { ask, clock, rewind, services } = await given(byAge)
    await send(ask)
    await remove(ask, await receive(ask))
    await rewind(queueName)
    await receive(ask)
    await clock.advance(400_000)
    expect(await sweep(services)).toBe(0)
    expect(await receive(ask)).toMatchObject({ msgBody: 'hello', dequeueCount: 2 })
  })
})

describe('given something in an archive that cannot be read', () => {
  it('when the queue is rewound, then that is told, and the rest comes', async () => {
    const { ask, services, another, rewind, tableNames } = await given(byReceives)
    await send(ask)
    await remove(ask, await receive(ask))
    const { laneId } = await services.queues.get('1250000000', queueName)
    const Item = { pk: { S: archiveOf(laneId, 0) }, sk: { S: `${archiveKeyAt(0, services.clock.now())}#x` } }
    const told: string[] = []
    const report: ServiceOptions['report'] = (message) => void told.push(message)
    const client = patientClient(engine.endpoint)
    await client.send(new PutItemCommand({ TableName: tableNames.messages, Item }))
    const other = asker(await another({ report }))
    await rewind(queueName)
    expect(await receive(other)).toMatchObject({ msgBody: 'hello', dequeueCount: 1 })
    expect(told).toEqual(['an item cannot be read'])
  })
})

describe('given a message that died', () => {
  const dead = async () => {
    const setting = await given({ ...byReceives, maxReceiveCount: 1 })
    const { ask, clock } = setting
    await send(ask)
    await receive(ask)
    await clock.advance(10_000)
    expect(await receive(ask)).toMatchObject(noMessage)
    return setting
  }

  it('when its own queue is rewound, then it does not come back: nobody deleted it', async () => {
    const { ask, rewind } = await dead()
    await rewind(queueName)
    expect(await receive(ask)).toMatchObject(noMessage)
    expect(await activeIn(ask, 'dead')).toBe(1)
  })

  it('when its letter is deleted and rewound, then it still says where it came from, when and why', async () => {
    const { ask, rewind } = await dead()
    const letter = await receive(ask, 'dead')
    await remove(ask, letter, 'dead')
    await rewind('dead')
    const { msgId, deadLetter } = letter
    expect(deadLetter).toMatchObject({ sourceQueueName: 'orders', policy: 0, dequeueCount: 1 })
    expect(await receive(ask, 'dead')).toMatchObject({ msgId, msgBody: 'hello', deadLetter, dequeueCount: 1 })
  })
})

describe('given moves under way when the queues change', () => {
  /** Stops a process at the first call that `at` chooses, until `change` is over. */
  const stopping = (at: (command: string) => boolean) => {
    const stopped = Promise.withResolvers<void>()
    const changed = Promise.withResolvers<void>()
    let isAhead = true
    const prepare: ServiceOptions['prepare'] = (client) =>
      client.middlewareStack.add(
        (next, context) => async (args) => {
          if (isAhead && at(context.commandName ?? '')) {
            isAhead = false
            stopped.resolve()
            await changed.promise
          }
          return next(args)
        },
        { step: 'initialize', priority: 'high', name: 'stop' },
      )
    return { prepare, stopped: stopped.promise, goOn: changed.resolve }
  }

  it('when the queue is cleared during a sweep, then the sweep moves nothing more of what was cleared', async () => {
    const { ask, clock, another } = await given(byAge)
    for (let index = 0; index < 120; index++) await send(ask, `old ${index}`)
    await clock.advance(300_000)
    // Nearly at the end of its first page.
    let moves = 0
    const { prepare, stopped, goOn } = stopping((command) => command === 'TransactWriteItemsCommand' && ++moves > 95)
    const sweeping = sweep(await another({ isAlone: false, prepare }))
    await stopped
    await ask('ClearQueue', { queueName })
    await clock.advance(1_050)
    goOn()
    const moved = await whilePassing(clock, sweeping)
    expect(moved).toBeLessThan(120)
    expect(await activeIn(ask, 'dead')).toBe(moved)
  })

  it.each(['orders', 'dead'])(
    'when %s changes while a body is stored again, then the message is not moved to where nobody looks',
    async (changing) => {
      const { ask, clock, another } = await given({ ...byReceives, maxReceiveCount: 1, msgRetentionSeconds: 7_200 })
      await send(ask, 'x'.repeat(5_000))
      await receive(ask)
      await clock.advance(10_000)
      const { prepare, stopped, goOn } = stopping((command) => command === 'BatchWriteItemCommand')
      const looking = receive(asker(await another({ isAlone: false, prepare })))
      await stopped
      if (changing === 'dead') await ask('ClearQueue', { queueName: 'dead' })
      else {
        await ask('UnbindDeadLetter', { queueName })
        await ask('DeleteQueue', { queueName: 'dead' })
      }
      await clock.advance(1_050)
      goOn()
      expect(await whilePassing(clock, looking)).toMatchObject(noMessage)
      await clock.advance(30_000)
      const [alive, letter] = [await receive(ask), await receive(ask, 'dead')]
      expect([alive.code, letter.code]).toEqual(changing === 'dead' ? [7000, 0] : [0, 4440])
    },
  )
})
