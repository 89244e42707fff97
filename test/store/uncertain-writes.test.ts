import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Services } from '../../functions/services.ts'
import { manualClock, whilePassing, type ManualClock } from '../support/clock.ts'
import { testEngine } from '../support/engine.ts'
import { faultsOf, injectFaults, type Fault } from '../support/faults.ts'
import { ask, newTables, testServices, type Answer } from '../support/service.ts'

let engine: Awaited<ReturnType<typeof testEngine>>
beforeAll(async () => {
  engine = await testEngine()
})
afterAll(() => engine.stop())

interface Setting {
  readonly clock: ManualClock
  /** The process whose calls to DynamoDB fail. */
  readonly unlucky: Services
  /** Another process over the same tables, whose calls succeed. */
  readonly other: Services
  ask(services: Services, parameters: Record<string, string>): Promise<Answer>
  /** Ends the faults. */
  heal(): void
}

async function given(command: string, ...faults: Fault[]): Promise<Setting> {
  const clock = manualClock()
  const tableNames = await newTables(engine.endpoint)
  const common = { endpoint: engine.endpoint, tableNames, clock }
  const other = await testServices(common)
  const armed = { now: false }
  const decide = faultsOf(command, ...faults)
  const unlucky = await testServices({
    ...common,
    prepare: (client) => injectFaults(client, (call) => (armed.now ? decide(call) : undefined)),
  })
  await ask(other, { Action: 'CreateQueue', queueName: 'orders' })
  armed.now = true
  return {
    clock,
    unlucky,
    other,
    ask: (services, parameters) => whilePassing(clock, ask(services, parameters)),
    heal: () => (armed.now = false),
  }
}

const send = { Action: 'SendMessage', queueName: 'orders', msgBody: 'hello' }
const receive = { Action: 'ReceiveMessage', queueName: 'orders' }
const receiveAll = { Action: 'BatchReceiveMessage', queueName: 'orders', numOfMsg: '16' }
const attributes = { Action: 'GetQueueAttributes', queueName: 'orders' }
const remove = (handle: string) => ({ Action: 'DeleteMessage', queueName: 'orders', receiptHandle: handle })

const bodies = (answer: Answer) => (answer['msgInfoList'] as { msgBody: string }[]).map(({ msgBody }) => msgBody)

describe('given a send', () => {
  it.each<[string, Fault]>([
    ['was throttled', 'throttled'],
    ['got lost on the way', 'lost before'],
  ])('when it %s, then it is repeated and there is one message', async (_, fault) => {
    const { unlucky, other, ask } = await given('PutItemCommand', fault, fault)
    expect(await ask(unlucky, send)).toMatchObject({ code: 0 })
    expect(bodies(await ask(other, receiveAll))).toEqual(['hello'])
  })

  it('when its answers are lost until its queue is deleted, then nobody is told that nothing was sent', async () => {
    const { unlucky, other, ask } = await given(
      'PutItemCommand',
      ...Array.from({ length: 100 }, () => 'lost after' as const),
    )
    const sending = ask(unlucky, send)
    while ((await ask(other, receive)).code !== 0);
    expect(await ask(other, { Action: 'DeleteQueue', queueName: 'orders' })).toMatchObject({ code: 0 })
    expect(await sending).toMatchObject({ code: 6000 })
  })

  it('when its answer is lost, then it is repeated under a new id, and both messages live their own lives', async () => {
    const { unlucky, other, ask } = await given('PutItemCommand', 'lost after')
    const { msgId } = await ask(unlucky, send)
    const { msgInfoList } = await ask(other, receiveAll)
    const received = msgInfoList as { msgId: string; receiptHandle: string }[]
    expect(received).toHaveLength(2)
    expect(new Set(received.map((message) => message.msgId)).size).toBe(2)
    expect(received[1]?.msgId).toBe(msgId)
    for (const { receiptHandle } of received) expect(await ask(other, remove(receiptHandle))).toMatchObject({ code: 0 })
    expect(await ask(other, receive)).toMatchObject({ code: 7000 })
  })

  it('when no attempt succeeds, then it fails, and says so', async () => {
    const { unlucky, ask } = await given('PutItemCommand', ...Array<Fault>(1_000).fill('lost before'))
    expect(await ask(unlucky, send)).toMatchObject({ code: 6000, message: '(10050)server internal error' })
  })

  it('when a batch is lost half-way, then what was not confirmed is sent again', async () => {
    const { unlucky, other, ask } = await given('BatchWriteItemCommand', 'lost before', 'throttled')
    const batch = { Action: 'BatchSendMessage', queueName: 'orders', 'msgBody.1': 'a', 'msgBody.2': 'b' }
    expect(await ask(unlucky, batch)).toMatchObject({ code: 0 })
    expect(bodies(await ask(other, receiveAll))).toEqual(['a', 'b'])
  })

  it('when the write took more than 3 s, then it counts as not done', async () => {
    const clock = manualClock()
    let slow = 0
    const services = await testServices({
      endpoint: engine.endpoint,
      clock,
      prepare: (client) =>
        client.middlewareStack.add(
          (next, context) => async (args) => {
            const result = await next(args)
            if (context.commandName === 'PutItemCommand' && slow-- > 0) clock.set(clock.now() + 3_001)
            return result
          },
          { step: 'initialize' },
        ),
    })
    await ask(services, { Action: 'CreateQueue', queueName: 'orders' })
    slow = 1
    await whilePassing(clock, ask(services, send))
    expect(bodies(await ask(services, receiveAll))).toEqual(['hello', 'hello'])
  })
})

describe('given a message', () => {
  it.each<[string, Fault]>([
    ['is throttled', 'throttled'],
    ['is lost on the way', 'lost before'],
    ['took place but its answer is lost', 'lost after'],
  ])('when its claim %s, then it is received once, and its count is exact', async (_, fault) => {
    const { clock, unlucky, other, ask } = await given('UpdateItemCommand', fault, fault)
    await ask(other, send)
    const received = await ask(unlucky, receive)
    expect(received).toMatchObject({ code: 0, msgBody: 'hello', dequeueCount: 1 })
    expect(await ask(other, receive)).toMatchObject({ code: 7000 })
    await clock.advance(31_000)
    expect(await ask(other, receive)).toMatchObject({ msgBody: 'hello', dequeueCount: 2 })
    expect(await ask(unlucky, remove(received['receiptHandle'] as string))).toMatchObject({ code: 4430 })
  })

  it.each<[string, Fault]>([
    ['is throttled', 'throttled'],
    ['is lost on the way', 'lost before'],
    ['took place but its answer is lost', 'lost after'],
  ])('when its deletion %s, then it succeeds once', async (_, fault) => {
    const { unlucky, other, ask } = await given('DeleteItemCommand', fault, fault)
    await ask(other, send)
    const { receiptHandle } = await ask(other, receive)
    expect(await ask(unlucky, remove(receiptHandle as string))).toMatchObject({ code: 0 })
    expect(await ask(other, remove(receiptHandle as string))).toMatchObject({ code: 4430 })
  })

  it('when the bodies cannot be read, then what was claimed is given back, its count as before', async () => {
    const { unlucky, other, ask } = await given('BatchGetItemCommand', ...Array<Fault>(1_000).fill('throttled'))
    await ask(other, { ...send, msgBody: 'x'.repeat(5_000) })
    expect(await ask(unlucky, receive)).toMatchObject({ code: 6000 })
    expect(await ask(other, receive)).toMatchObject({ code: 0, dequeueCount: 1 })
  })
})

describe('given a large body', () => {
  it.each<Fault>(['throttled', 'lost before', 'lost after'])(
    'when its storing is %s, then it arrives whole',
    async (fault) => {
      const { unlucky, other, ask } = await given('BatchWriteItemCommand', fault)
      const msgBody = '中'.repeat(5_000)
      await ask(unlucky, { ...send, msgBody })
      expect(await ask(other, receive)).toMatchObject({ code: 0, msgBody })
    },
  )
})

describe('given a large message of which a lost answer made two', () => {
  it('when both are received in one call, then both have their body', async () => {
    const { unlucky, other, ask } = await given('PutItemCommand', 'lost after')
    const msgBody = 'x'.repeat(5_000)
    await ask(unlucky, { ...send, msgBody })
    expect(bodies(await ask(other, receiveAll))).toEqual([msgBody, msgBody])
  })
})

describe('given the registry', () => {
  it.each<Fault>(['throttled', 'lost before', 'lost after'])(
    'when a creation is %s, then it succeeds',
    async (fault) => {
      const { unlucky, other, ask } = await given('PutItemCommand', fault)
      const { code, queueId } = await ask(unlucky, { Action: 'CreateQueue', queueName: 'new' })
      expect(code).toBe(0)
      expect(await ask(other, { Action: 'GetQueueAttributes', queueName: 'new' })).toMatchObject({ queueId })
    },
  )

  it('when the queue existed before the answer was lost, then it is still refused', async () => {
    const { unlucky, ask } = await given('PutItemCommand', 'lost after')
    expect(await ask(unlucky, { Action: 'CreateQueue', queueName: 'orders' })).toMatchObject({ code: 4460 })
  })

  it.each<Fault>(['throttled', 'lost before', 'lost after'])(
    'when a deletion is %s, then it succeeds',
    async (fault) => {
      const { unlucky, other, ask } = await given('PutItemCommand', fault)
      expect(await ask(unlucky, { Action: 'DeleteQueue', queueName: 'orders' })).toMatchObject({ code: 0 })
      expect(await ask(other, { Action: 'DeleteQueue', queueName: 'orders' })).toMatchObject({ code: 4440 })
    },
  )

  it.each<Fault>(['throttled', 'lost before', 'lost after'])(
    'when a change is %s, then it is made once',
    async (fault) => {
      const { clock, unlucky, other, ask } = await given('UpdateItemCommand', fault)
      const change = { Action: 'SetQueueAttributes', queueName: 'orders', visibilityTimeout: '77' }
      expect(await ask(unlucky, change)).toMatchObject({ code: 0 })
      await clock.advance(1_000)
      expect(await ask(other, { Action: 'GetQueueAttributes', queueName: 'orders' })).toMatchObject({
        visibilityTimeout: 77,
      })
    },
  )

  it('when a change was made, and its queue is deleted before an answer, then nobody is told that it was not made', async () => {
    const { unlucky, other, ask, heal } = await given('UpdateItemCommand', ...Array<Fault>(100).fill('lost after'))
    const changing = ask(unlucky, { Action: 'SetQueueAttributes', queueName: 'orders', visibilityTimeout: '77' })
    while ((await ask(other, attributes))['visibilityTimeout'] !== 77);
    expect(await ask(other, { Action: 'DeleteQueue', queueName: 'orders' })).toMatchObject({ code: 0 })
    heal()
    expect(await changing).toMatchObject({ code: 6000 })
  })

  it('when a rewind was made, and then overtaken until it is too late for it, then nobody is told that it was not made', async () => {
    const { clock, unlucky, other, ask, heal } = await given(
      'UpdateItemCommand',
      ...Array<Fault>(100).fill('lost after'),
    )
    const change = { Action: 'SetQueueAttributes', queueName: 'orders', rewindSeconds: '60' }
    expect(await ask(other, change)).toMatchObject({ code: 0 })
    await ask(other, send)
    const { receiptHandle } = await ask(other, receive)
    expect(await ask(other, remove(receiptHandle as string))).toMatchObject({ code: 0 })
    const startConsumeTime = String(Math.floor(clock.now() / 1_000) - 60)
    const rewinding = ask(unlucky, { Action: 'RewindQueue', queueName: 'orders', startConsumeTime })
    while ((await ask(other, receive)).code !== 0);
    expect(await ask(other, change)).toMatchObject({ code: 0 })
    heal()
    expect(await rewinding).toMatchObject({ code: 6000 })
  })
})
