import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ONLY_ACCOUNT } from '../../lib/names.ts'
import { manualClock } from '../support/clock.ts'
import { testEngine } from '../support/engine.ts'
import { countCalls } from '../support/faults.ts'
import { asker, newTables, testServices } from '../support/service.ts'

let engine: Awaited<ReturnType<typeof testEngine>>
beforeAll(async () => {
  engine = await testEngine()
})
afterAll(() => engine.stop())

const orders = { queueName: 'orders' }

/** Processes over the same tables, none of which owns them. */
async function processes(count: number) {
  const clock = manualClock()
  const tableNames = await newTables(engine.endpoint)
  const all = await Promise.all(
    Array.from({ length: count }, async () => {
      let calls: Record<string, number> = {}
      const prepare = (client: Parameters<typeof countCalls>[0]) => void (calls = countCalls(client))
      const services = await testServices({ endpoint: engine.endpoint, tableNames, clock, isAlone: false, prepare })
      return { services, calls, ask: asker(services) }
    }),
  )
  return { clock, all }
}

describe('given a queue that several processes know', () => {
  it.each([
    ['SetQueueAttributes', { ...orders, visibilityTimeout: 99 }],
    ['DeleteQueue', orders],
  ])('when %s answers, then every process knows', async (action, parameters) => {
    const { clock, all } = await processes(2)
    const [a, b] = all
    if (!a || !b) throw new Error('two processes are needed')
    await a.ask('CreateQueue', orders)
    await b.ask('QueryQueueRoute', orders)
    let isAnswered = false
    const changing = a.ask(action, parameters).then((answer) => {
      isAnswered = true
      return answer
    })
    await clock.advance(500)
    // Half a second later another process may still go on with what it knew.
    expect(await b.ask('QueryQueueRoute', orders)).toMatchObject({ code: 0 })
    await clock.advance(499)
    expect(isAnswered).toBe(false)
    // And a little for the clocks.
    await clock.advance(51)
    expect(await changing).toMatchObject({ code: 0 })
    const seen = await b.ask('GetQueueAttributes', orders)
    expect(action === 'DeleteQueue' ? seen.code : seen['visibilityTimeout']).toBe(action === 'DeleteQueue' ? 4440 : 99)
  })

  it('when it is used again and again, then its record is read once a second', async () => {
    const { clock, all } = await processes(1)
    const [a] = all
    if (!a) throw new Error('a process is needed')
    await a.ask('CreateQueue', orders)
    for (let second = 0; second < 3; second++) {
      for (let calls = 0; calls < 5; calls++) await a.ask('QueryQueueRoute', orders)
      await clock.advance(1_000)
    }
    expect(a.calls['GetItemCommand']).toBe(3)
  })

  it('when it is created where it was missed a moment ago, then it is there: absence is not remembered', async () => {
    const { all } = await processes(2)
    const [a, b] = all
    if (!a || !b) throw new Error('two processes are needed')
    expect(await b.ask('QueryQueueRoute', orders)).toMatchObject({ code: 4440 })
    await a.ask('CreateQueue', orders)
    expect(await b.ask('QueryQueueRoute', orders)).toMatchObject({ code: 0 })
  })

  it('when several change it at the same moment, then no change is lost', async () => {
    const { clock, all } = await processes(3)
    const [a, b, c] = all
    if (!a || !b || !c) throw new Error('three processes are needed')
    await a.ask('CreateQueue', orders)
    const changes = [
      a.ask('SetQueueAttributes', { ...orders, visibilityTimeout: 77 }),
      b.ask('SetQueueAttributes', { ...orders, pollingWaitSeconds: 7 }),
      c.ask('SetQueueAttributes', { ...orders, maxMsgSize: 7_777 }),
    ]
    await clock.advance(10_000)
    for (const { code } of await Promise.all(changes)) expect(code).toBe(0)
    expect(await a.ask('GetQueueAttributes', orders)).toMatchObject({
      visibilityTimeout: 77,
      pollingWaitSeconds: 7,
      maxMsgSize: 7_777,
    })
  })

  it('when several create it at the same moment, then one does', async () => {
    const { all } = await processes(3)
    const answers = await Promise.all(all.map(({ ask }) => ask('CreateQueue', orders)))
    expect(answers.map(({ code }) => code).toSorted()).toEqual([0, 4460, 4460])
  })

  it('when it was deleted after it was read, then a change does not bring it back as a stub', async () => {
    const { all } = await processes(1)
    const [a] = all
    if (!a) throw new Error('a process is needed')
    await a.ask('CreateQueue', orders)
    const { queues } = a.services
    const queue = await queues.read(ONLY_ACCOUNT, 'orders')
    const [isRemoved] = await Promise.all([queues.remove(queue, 0), whileTimePasses(a.services.clock)])
    expect(isRemoved).toBe(true)
    const changing = queues.change(queue, { visibilityTimeout: 9 }, 'change-1')
    const [isChanged] = await Promise.all([changing, whileTimePasses(a.services.clock)])
    expect(isChanged).toBe(false)
    await expect(queues.read(ONLY_ACCOUNT, 'orders')).rejects.toMatchObject({ code: 4440 })
    expect(await queues.list(ONLY_ACCOUNT)).toEqual([])
  })
})

const whileTimePasses = async (clock: object) => {
  await (clock as ReturnType<typeof manualClock>).advance(5_000)
  await (clock as ReturnType<typeof manualClock>).advance(5_000)
}
