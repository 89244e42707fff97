import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Services } from '../../functions/services.ts'
import { ONLY_ACCOUNT } from '../../lib/names.ts'
import { manualClock, untilAsleep, whilePassing } from '../support/clock.ts'
import { testEngine } from '../support/engine.ts'
import { injectFaults } from '../support/faults.ts'
import { asker, newTables, testServices, type ServiceOptions } from '../support/service.ts'

let engine: Awaited<ReturnType<typeof testEngine>>
beforeAll(async () => {
  engine = await testEngine()
})
afterAll(() => engine.stop())

const queueName = 'orders'

/** Processes over the same tables and the same clock. */
async function given() {
  const clock = manualClock()
  const tableNames = await newTables(engine.endpoint)
  const process = (options: Partial<ServiceOptions> = {}): Promise<Services> =>
    testServices({ endpoint: engine.endpoint, tableNames, clock, isAlone: false, ...options })
  return { clock, tableNames, process }
}

describe('given a queue that is being deleted', () => {
  it('when its name is created again before all have heard of it, then no message goes to the old one', async () => {
    const { clock, process } = await given()
    const [a, b] = [asker(await process()), asker(await process())]
    await a('CreateQueue', { queueName })
    await a('SendMessage', { queueName, msgBody: 'old' })
    const deleting = b('DeleteQueue', { queueName })
    await untilAsleep(clock, 1)
    expect(await a('CreateQueue', { queueName })).toMatchObject({ code: 6040 })
    await clock.advance(2_000)
    expect(await deleting).toMatchObject({ code: 0 })
    expect(await a('CreateQueue', { queueName })).toMatchObject({ code: 0 })
    expect(await a('SendMessage', { queueName, msgBody: 'new' })).toMatchObject({ code: 0 })
    expect(await b('ReceiveMessage', { queueName })).toMatchObject({ msgBody: 'new' })
  })

  it('when one process owns the data, then the name is free at once, and what follows is of the new one', async () => {
    const { process } = await given()
    const ask = asker(await process({ isAlone: true }))
    await ask('CreateQueue', { queueName })
    await ask('SendMessage', { queueName, msgBody: 'old' })
    await ask('DeleteQueue', { queueName })
    await ask('CreateQueue', { queueName })
    await ask('SendMessage', { queueName, msgBody: 'new' })
    expect(await ask('ReceiveMessage', { queueName })).toMatchObject({ msgBody: 'new' })
  })
})

describe('given a queue that grows', () => {
  it('when a process that has not heard of it deletes from a new shard, then the handle works', async () => {
    const { clock, process } = await given()
    const [a, b] = [asker(await process({ random: () => 0.99 })), asker(await process())]
    await a('CreateQueue', { queueName })
    await b('QueryQueueRoute', { queueName })
    const growing = a('SetQueueAttributes', { queueName, shards: 4 })
    await untilAsleep(clock, 1)
    await clock.advance(300)
    await whilePassing(clock, growing)
    await b('QueryQueueRoute', { queueName })
    const again = a('SetQueueAttributes', { queueName, shards: 8 })
    await untilAsleep(clock, 1)
    await clock.advance(100)
    await a('SendMessage', { queueName, msgBody: 'm' })
    const { receiptHandle } = await a('ReceiveMessage', { queueName })
    expect(receiptHandle).toContain(':7:')
    expect(await b('DeleteMessage', { queueName, receiptHandle: receiptHandle as string })).toMatchObject({ code: 0 })
    await whilePassing(clock, again)
  })
})

describe('given a queue of four shards', () => {
  it('when one of them is throttled, then what another has is received all the same', async () => {
    const { clock, process } = await given()
    let isThrottled = false
    const isOfShard0 = (input: object) => JSON.stringify(input).includes('#0"')
    const unlucky = await process({
      random: () => 0,
      prepare: (client) =>
        injectFaults(client, ({ command, input }) =>
          isThrottled && command === 'QueryCommand' && isOfShard0(input) ? 'throttled' : undefined,
        ),
    })
    const ask = asker(unlucky)
    await ask('CreateQueue', { queueName, shards: 4 })
    await asker(await process({ random: () => 0.99 }))('SendMessage', { queueName, msgBody: 'in the last' })
    isThrottled = true
    const received = await whilePassing(clock, ask('ReceiveMessage', { queueName }))
    expect(received).toMatchObject({ code: 0, msgBody: 'in the last' })
    expect((await unlucky.queues.get(ONLY_ACCOUNT, queueName)).readShards).toBe(4)
  })
})

describe('given a process whose clock steps back', () => {
  it('when the queue is deleted elsewhere, then it does not go on with its old record', async () => {
    const { clock, tableNames, process } = await given()
    const ask = asker(await process())
    await ask('CreateQueue', { queueName })
    await ask('QueryQueueRoute', { queueName })
    clock.set(clock.now() - 60_000)
    const right = manualClock()
    const other = await testServices({ endpoint: engine.endpoint, tableNames, clock: right, isAlone: false })
    await whilePassing(right, asker(other)('DeleteQueue', { queueName }))
    expect(await ask('SendMessage', { queueName, msgBody: 'lost' })).toMatchObject({ code: 4440 })
  })

  it('when it goes on receiving, then it looks at its marks as before', async () => {
    const { clock, process } = await given()
    const ask = asker(await process())
    await ask('CreateQueue', { queueName })
    await ask('ReceiveMessage', { queueName })
    clock.set(clock.now() - 60_000)
    await asker(await process())('SendMessage', { queueName, msgBody: 'sent before the clock stepped back' })
    expect(await ask('ReceiveMessage', { queueName })).toMatchObject({ code: 0 })
  })
})

describe('given two calls of one process', () => {
  it('when one passes messages whose leases end meanwhile, then what the other leaves is found at once', async () => {
    const { clock, process } = await given()
    let hang: Promise<void> | undefined
    let release = () => undefined as void
    let reached = () => undefined as void
    const isReached = new Promise<void>((resolve) => (reached = resolve))
    const slow = await process({
      isAlone: true,
      prepare: (client) =>
        client.middlewareStack.add(
          (next, context) => async (args) => {
            if (context.commandName === 'UpdateItemCommand' && hang) {
              reached()
              await hang
            }
            return next(args)
          },
          { step: 'initialize' },
        ),
    })
    const [other, ask] = [asker(await process()), asker(slow)]
    await other('CreateQueue', { queueName, visibilityTimeout: 30 })
    for (const msgBody of ['W', 'X', 'Y']) {
      await other('SendMessage', { queueName, msgBody })
      await clock.advance(10)
    }
    await other('BatchReceiveMessage', { queueName, numOfMsg: 2 })
    await clock.advance(29_990)
    hang = new Promise((resolve) => (release = resolve))
    const first = ask('BatchReceiveMessage', { queueName, numOfMsg: 16 })
    await isReached
    hang = undefined
    clock.set(clock.now() + 40)
    expect(await ask('ReceiveMessage', { queueName })).toMatchObject({ msgBody: 'W' })
    release()
    expect(((await first)['msgInfoList'] as { msgBody: string }[]).map(({ msgBody }) => msgBody)).toEqual(['Y'])
    expect(await ask('ReceiveMessage', { queueName })).toMatchObject({ msgBody: 'X' })
  })
})
