import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Services } from '../../functions/services.ts'
import { manualClock, whilePassing, type ManualClock } from '../support/clock.ts'
import { testEngine } from '../support/engine.ts'
import { beforeCall, faultsOf, injectFaults, type Fault } from '../support/faults.ts'
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
  /** What happens before the unlucky process calls for the second time. */
  readonly between: { calls(): Promise<unknown> }
}

async function given(command: string, ...faults: Fault[]): Promise<Setting> {
  const clock = manualClock()
  const tableNames = await newTables(engine.endpoint)
  const common = { endpoint: engine.endpoint, tableNames, clock }
  const other = await testServices(common)
  const armed = { now: false }
  const decide = faultsOf(command, ...faults)
  const between = { calls: (): Promise<unknown> => Promise.resolve() }
  const unlucky = await testServices({
    ...common,
    prepare(client) {
      injectFaults(client, (call) => (armed.now ? decide(call) : undefined))
      beforeCall(client, command, 2, () => between.calls())
    },
  })
  await ask(other, { Action: 'CreateQueue', queueName: 'orders' })
  armed.now = true
  return {
    clock,
    unlucky,
    other,
    ask: (services, parameters) => whilePassing(clock, ask(services, parameters)),
    between,
  }
}

const send = { Action: 'SendMessage', queueName: 'orders', msgBody: 'hello' }
const receive = { Action: 'ReceiveMessage', queueName: 'orders' }
const receiveAll = { Action: 'BatchReceiveMessage', queueName: 'orders', numOfMsg: '16' }
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
})

describe('given a write to the registry that was made without an answer, and that others overtake', () => {
  const change = { Action: 'SetQueueAttributes', queueName: 'orders', rewindSeconds: '60' }
  const deletion = { Action: 'DeleteQueue', queueName: 'orders' }

  /** What is answered to whom such a thing befalls, and what to the others. */
  async function overtaken(
    { unlucky, other, ask, between, clock }: Setting,
    request: Record<string, string>,
    ...others: Record<string, string>[]
  ): Promise<readonly unknown[]> {
    const codes: unknown[] = []
    between.calls = async () => {
      // What a process knows of a queue may be a second old.
      await clock.advance(1_000)
      let receiptHandle = ''
      for (const parameters of others) {
        const answer = await ask(other, 'receiptHandle' in parameters ? { ...parameters, receiptHandle } : parameters)
        codes.push(answer.code)
        receiptHandle = String(answer['receiptHandle'])
      }
    }
    const { code } = await ask(unlucky, request)
    return [code, ...codes]
  }

  it('when it is a change, and its queue is gone, then nobody is told that it was not made', async () => {
    const setting = await given('UpdateItemCommand', 'lost after')
    expect(await overtaken(setting, change, deletion)).toEqual([6000, 0])
  })

  it('when it is a rewind, then it is not made again, nor refused for what it reaches back to by then', async () => {
    const setting = await given('UpdateItemCommand', 'lost after')
    const { clock, other, ask } = setting
    await ask(other, change)
    await ask(other, send)
    const { receiptHandle } = await ask(other, receive)
    expect(await ask(other, remove(String(receiptHandle)))).toMatchObject({ code: 0 })
    const startConsumeTime = String(Math.floor(clock.now() / 1_000) - 60)
    const rewind = { Action: 'RewindQueue', queueName: 'orders', startConsumeTime }
    expect(await overtaken(setting, rewind, receive, remove(''), change)).toEqual([6000, 0, 0, 0])
    expect(await ask(other, receive)).toMatchObject({ code: 7000 })
  })

  it('when it is a creation, then what was deleted since does not come back with it', async () => {
    const setting = await given('PutItemCommand', 'lost after')
    const { other, ask } = setting
    await ask(other, deletion)
    const creation = { Action: 'CreateQueue', queueName: 'orders' }
    expect(await overtaken(setting, creation, send, deletion, creation)).toEqual([6000, 0, 0, 0])
    expect(await ask(other, receive)).toMatchObject({ code: 7000 })
  })

  const subscription = { topicName: 'news', subscriptionName: 'one' }
  it.each([
    { creation: { Action: 'CreateTopic', topicName: 'new' }, removal: { Action: 'DeleteTopic', topicName: 'new' } },
    {
      creation: { Action: 'Subscribe', ...subscription, protocol: 'queue', endpoint: 'orders' },
      removal: { Action: 'Unsubscribe', ...subscription },
    },
  ])('when it is a $creation.Action, then nobody is told that the name was taken', async ({ creation, removal }) => {
    const setting = await given('PutItemCommand', 'lost after')
    await setting.ask(setting.other, { Action: 'CreateTopic', topicName: 'news' })
    expect(await overtaken(setting, creation, removal, creation)).toEqual([6000, 0, 0])
  })
})
