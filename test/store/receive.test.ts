import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Services } from '../../functions/services.ts'
import { randomIds } from '../../lib/domain/ids.ts'
import { newMessage } from '../../lib/domain/message.ts'
import type { Queue } from '../../lib/domain/queue.ts'
import { ONLY_ACCOUNT } from '../../lib/names.ts'
import { database } from '../../lib/store/database.ts'
import { lane, type Lane } from '../../lib/store/lane.ts'
import { partitionOf, placed } from '../../lib/store/message-item.ts'
import { metered, noUsage } from '../../lib/store/meter.ts'
import { manualClock, whilePassing, type ManualClock } from '../support/clock.ts'
import { patientClient, testEngine } from '../support/engine.ts'
import { countCalls, injectFaults, type SeenCall } from '../support/faults.ts'
import { asker, newTables, testServices, type Answer, type Ask, type Client } from '../support/service.ts'

let engine: Awaited<ReturnType<typeof testEngine>>
beforeAll(async () => {
  engine = await testEngine()
})
afterAll(() => engine.stop())

interface Setting {
  readonly clock: ManualClock
  readonly services: Services
  readonly calls: Record<string, number>
  readonly queue: Queue
  readonly ask: Ask
  /** Another process over the same tables. */
  another(
    decide?: (call: SeenCall) => undefined,
  ): Promise<{ services: Services; ask: Ask; calls: Record<string, number> }>
  /** Puts messages as some other process does, at any time and with any delay on the way. */
  putLate(text: string, visibleAt: number, shard?: number): Promise<void>
}

async function given(attributes: Record<string, string | number> = {}): Promise<Setting> {
  const clock = manualClock()
  const tableNames = await newTables(engine.endpoint)
  const another: Setting['another'] = async (decide = () => undefined) => {
    let calls: Record<string, number> = {}
    const prepare = (client: Client) => {
      calls = countCalls(client)
      injectFaults(client, decide)
    }
    const services = await testServices({ endpoint: engine.endpoint, tableNames, clock, prepare })
    return { services, calls, ask: asker(services) }
  }
  const first = await another()
  await first.ask('CreateQueue', { queueName: 'orders', ...attributes })
  const queue = await first.services.queues.get(ONLY_ACCOUNT, 'orders')
  const ids = randomIds()
  const raw: Lane = lane(database(patientClient(engine.endpoint), clock), tableNames.messages, clock)
  return {
    clock,
    queue,
    another,
    ...first,
    async putLate(text, visibleAt, shard = 0) {
      const sending = { id: ids.messageId(visibleAt), leaseId: ids.leaseId(), body: { text } }
      const life = { delaySeconds: 0, retentionSeconds: queue.attributes.msgRetentionSeconds }
      await raw.put(placed(partitionOf(queue.laneId, shard), [newMessage({ ...sending, ...life }, visibleAt)]))
    },
  }
}

const bodiesOf = (answer: Answer): string[] =>
  answer.code === 7000 ? [] : (answer['msgInfoList'] as { msgBody: string }[]).map(({ msgBody }) => msgBody)

const receiveAll = async (ask: Ask, numOfMsg = 16) =>
  bodiesOf(await ask('BatchReceiveMessage', { queueName: 'orders', numOfMsg }))

describe('given a consumer that keeps looking', () => {
  it.each([
    { late: 200, within: 100 },
    { late: 1_000, within: 2_100 },
    { late: 3_900, within: 2_100 },
    { late: 9_900, within: 10_100 },
    { late: 40_000, within: 60_100 },
    { late: 600_000, within: 60_100 },
  ])('when a message lands $late ms late, then it is found within $within ms', async ({ late, within }) => {
    const { clock, ask, putLate } = await given()
    for (let spent = 0; spent < 15_000; spent += 100) {
      expect(await receiveAll(ask)).toEqual([])
      await clock.advance(100)
    }
    await putLate('late', clock.now() - late)
    let waited = 0
    while ((await receiveAll(ask)).length === 0) {
      await clock.advance(100)
      waited += 100
      expect(waited).toBeLessThanOrEqual(within)
    }
  })

  it('when messages land behind the front while others are ready in front, then all are found', async () => {
    const { clock, ask, putLate } = await given()
    await receiveAll(ask)
    await clock.advance(5_000)
    await receiveAll(ask)
    for (let index = 0; index < 20; index++) await putLate(`late ${index}`, clock.now() - 3_000 + index)
    const found: string[] = []
    for (let looks = 0; looks < 20; looks++) {
      found.push(...(await receiveAll(ask, 3)))
      await clock.advance(300)
    }
    expect(found).toEqual(Array.from({ length: 20 }, (_, index) => `late ${index}`))
  })
})

describe('given one consumer of a one-shard queue', () => {
  it('when messages were sent one after the other, then they come in the order of sending', async () => {
    const { clock, ask } = await given()
    const sent: string[] = []
    for (let index = 0; index < 40; index++) {
      await ask('SendMessage', { queueName: 'orders', msgBody: `m${index}` })
      sent.push(`m${index}`)
      if (index % 3 === 0) await clock.advance(1)
    }
    const received: string[] = []
    while (received.length < 40) received.push(...(await receiveAll(ask, 7)))
    expect(received).toEqual(sent)
  })

  it('when leases end, then those messages come again before later ones, in order', async () => {
    const { clock, ask } = await given({ visibilityTimeout: 10 })
    for (const msgBody of ['a', 'b', 'c', 'd', 'e']) {
      await ask('SendMessage', { queueName: 'orders', msgBody })
      await clock.advance(1_000)
    }
    expect(await receiveAll(ask, 3)).toEqual(['a', 'b', 'c'])
    await clock.advance(10_000)
    expect(await receiveAll(ask, 16)).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  it('when what other processes hold comes free, then it is found at its very millisecond', async () => {
    const { clock, ask, another } = await given({ visibilityTimeout: 10 })
    const other = await another()
    for (let index = 0; index < 30; index++) await ask('SendMessage', { queueName: 'orders', msgBody: `m${index}` })
    const held: string[] = []
    while (held.length < 30) held.push(...(await receiveAll(other.ask)))
    expect(await receiveAll(ask)).toEqual([])
    await clock.advance(9_999)
    expect(await receiveAll(ask)).toEqual([])
    await clock.advance(1)
    expect(await receiveAll(ask)).toHaveLength(16)
    expect(await receiveAll(ask)).toHaveLength(14)
  })
})

describe('given many messages in flight in front', () => {
  it('when a consumer goes on receiving, then it reads what is in front once and not each time', async () => {
    const { clock, services, ask, another } = await given({ visibilityTimeout: 3_600 })
    const other = await another()
    const batch = Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`msgBody.${index}`, 'x'.repeat(256)]))
    for (let sent = 0; sent < 800; sent += 16) await ask('BatchSendMessage', { queueName: 'orders', ...batch })
    for (let taken = 0; taken < 640; taken += 16) await receiveAll(other.ask)
    await clock.advance(60_000)
    await receiveAll(ask, 1)
    const usage = noUsage()
    await metered(usage, async () => {
      const queue = await services.queues.get(ONLY_ACCOUNT, 'orders')
      for (let receives = 0; receives < 50; receives++) {
        const want = { count: 1, until: 0, claimUntil: Infinity, signal: new AbortController().signal }
        expect(await services.messages.receive(queue, want)).toHaveLength(1)
      }
    })
    // One read unit a look, and one for the queue's record.
    expect(usage.readUnits).toBeLessThanOrEqual(50 * 1 + 1)
    expect(usage.writeUnits).toBe(50)
  })
})

describe('given large bodies', () => {
  it('when a batch would pass 3 MB, then the answer stops before and the rest comes next', async () => {
    const { ask } = await given({ maxMsgSize: 1_048_576 })
    for (let index = 0; index < 5; index++)
      await ask('SendMessage', { queueName: 'orders', msgBody: String(index).repeat(990_000) })
    expect((await receiveAll(ask)).map((body) => body[0])).toEqual(['0', '1', '2'])
    expect((await receiveAll(ask)).map((body) => body[0])).toEqual(['3', '4'])
  })

  it('when one message alone passes 3 MB escaped, then it is taken, by itself', async () => {
    const { ask } = await given({ maxMsgSize: 1_048_576 })
    const large = '\u0001'.repeat(700_000)
    for (const msgBody of ['small', large, 'small']) await ask('SendMessage', { queueName: 'orders', msgBody })
    expect(await receiveAll(ask)).toEqual(['small'])
    expect(await receiveAll(ask)).toEqual([large])
    expect(await receiveAll(ask)).toEqual(['small'])
  })

  it('when a chunk is missing, then that message alone is dropped, and the log says so', async () => {
    const reports: unknown[] = []
    const clock = manualClock()
    const tableNames = await newTables(engine.endpoint)
    const common = { endpoint: engine.endpoint, clock }
    const bodiesElsewhere = { ...tableNames, bodies: (await newTables(engine.endpoint)).bodies }
    const sender = asker(await testServices({ ...common, tableNames: bodiesElsewhere }))
    const report = (message: string, details: object) => void reports.push([message, details])
    const ask = asker(await testServices({ ...common, tableNames, report }))
    await sender('CreateQueue', { queueName: 'orders' })
    const { msgId } = await sender('SendMessage', { queueName: 'orders', msgBody: 'x'.repeat(5_000) })
    await sender('SendMessage', { queueName: 'orders', msgBody: 'small' })
    expect(await receiveAll(ask)).toEqual(['small'])
    expect(reports).toEqual([
      ['a message was dropped: a part of its body is missing', { queue: 'orders', messageId: msgId }],
    ])
    await clock.advance(31_000)
    expect(await receiveAll(ask)).toEqual(['small'])
  })
})

describe('given a waiting consumer', () => {
  it('when it waits, then it looks about ten times a second, and all that wait in a process share their looks', async () => {
    const { clock, ask, calls } = await given({ pollingWaitSeconds: 10 })
    const waiting = Array.from({ length: 20 }, () => ask('ReceiveMessage', { queueName: 'orders' }))
    await clock.advance(1)
    const before = calls['QueryCommand'] ?? 0
    await clock.advance(9_000)
    const looks = (calls['QueryCommand'] ?? 0) - before
    expect(looks).toBeLessThanOrEqual(100)
    expect(looks).toBeGreaterThanOrEqual(60)
    await clock.advance(2_000)
    for (const answer of await Promise.all(waiting)) expect(answer.code).toBe(7000)
  })

  it('when a message is sent by the same process, then one that waits has it at once', async () => {
    const { clock, ask } = await given({ pollingWaitSeconds: 10 })
    const waiting = [ask('ReceiveMessage', { queueName: 'orders' }), ask('ReceiveMessage', { queueName: 'orders' })]
    await clock.advance(1_234)
    await ask('SendMessage', { queueName: 'orders', msgBody: 'hello' })
    expect(await Promise.race(waiting)).toMatchObject({ msgBody: 'hello' })
    await clock.advance(10_000)
    expect((await Promise.all(waiting)).map(({ code }) => code).toSorted()).toEqual([0, 7000])
  })

  it('when the queue is deleted, then it is told so', async () => {
    const { clock, ask } = await given()
    const waiting = ask('ReceiveMessage', { queueName: 'orders', pollingWaitSeconds: 20 })
    await clock.advance(500)
    await ask('DeleteQueue', { queueName: 'orders' })
    expect(await whilePassing(clock, waiting)).toMatchObject({ code: 4440 })
  })

  it('when nobody waits for the answer any more, then what was claimed meanwhile is given back', async () => {
    const { services, queue, ask } = await given()
    await ask('SendMessage', { queueName: 'orders', msgBody: 'hello' })
    const gone = new AbortController()
    const want = { count: 1, until: Infinity, claimUntil: Infinity, signal: gone.signal }
    const receiving = services.messages.receive(queue, want)
    gone.abort()
    expect(await receiving).toEqual([])
    expect(await ask('ReceiveMessage', { queueName: 'orders' })).toMatchObject({ msgBody: 'hello', dequeueCount: 1 })
  })

  it('when it is too late to answer, then nothing is claimed', async () => {
    const { services, clock, queue, ask } = await given()
    await ask('SendMessage', { queueName: 'orders', msgBody: 'hello' })
    const want = { count: 1, until: 0, claimUntil: clock.now() - 1, signal: new AbortController().signal }
    expect(await services.messages.receive(queue, want)).toEqual([])
    expect(await ask('ReceiveMessage', { queueName: 'orders' })).toMatchObject({ dequeueCount: 1 })
  })
})

describe('given a lease that is shorter than the call', () => {
  it('when the call takes its message once more, then it is answered once, by the handle that deletes it', async () => {
    const { clock, another } = await given({ visibilityTimeout: 1 })
    let isSlow = false
    const { ask } = await another(({ command }) => {
      // The first claim of the call takes more than a second.
      if (isSlow && command === 'UpdateItemCommand') clock.set(clock.now() + 1_100)
      isSlow &&= command !== 'UpdateItemCommand'
      return undefined
    })
    await ask('SendMessage', { queueName: 'orders', msgBody: 'hello' })
    await ask('ReceiveMessage', { queueName: 'orders' })
    await clock.advance(500)
    await ask('ReceiveMessage', { queueName: 'orders' })
    await clock.advance(2_500)
    isSlow = true
    const { msgInfoList } = await ask('BatchReceiveMessage', { queueName: 'orders', numOfMsg: 16 })
    expect(msgInfoList).toMatchObject([{ msgBody: 'hello', dequeueCount: 3 }])
    const [{ receiptHandle }] = msgInfoList
    expect(await ask('DeleteMessage', { queueName: 'orders', receiptHandle })).toMatchObject({ code: 0 })
  })
})

describe('given consumers of several processes', () => {
  it('when they race for many ready messages, then each message is taken once, by few claims', async () => {
    const { clock, ask, another } = await given()
    for (let sent = 0; sent < 320; sent += 16) {
      const batch = Object.fromEntries(
        Array.from({ length: 16 }, (_, index) => [`msgBody.${index}`, `m${sent + index}`]),
      )
      await ask('BatchSendMessage', { queueName: 'orders', ...batch })
      await clock.advance(20)
    }
    const consumers = await Promise.all(Array.from({ length: 10 }, another))
    const received: string[] = []
    while (received.length < 320) {
      const round = await Promise.all(consumers.map((consumer) => receiveAll(consumer.ask, 1)))
      received.push(...round.flat())
    }
    expect(new Set(received).size).toBe(320)
    expect(received).toHaveLength(320)
    const claims = consumers.reduce((sum, { calls }) => sum + (calls['UpdateItemCommand'] ?? 0), 0)
    expect(claims).toBeLessThanOrEqual(2 * 320)
  })

  it('when two race for two messages, then both have one', async () => {
    const { ask, another } = await given()
    const [a, b] = [await another(), await another()]
    for (const msgBody of ['1', '2']) await ask('SendMessage', { queueName: 'orders', msgBody })
    const taken = await Promise.all([receiveAll(a.ask, 1), receiveAll(b.ask, 1)])
    expect(taken.flat().toSorted()).toEqual(['1', '2'])
  })
})

describe('given many calls at once in one process', () => {
  it('when there is enough for all, then none goes without, from the first look of the process on', async () => {
    const { ask, another } = await given()
    for (let sent = 0; sent < 640; sent += 16) {
      const batch = Object.fromEntries(
        Array.from({ length: 16 }, (_, index) => [`msgBody.${index}`, `m${sent + index}`]),
      )
      await ask('BatchSendMessage', { queueName: 'orders', ...batch })
    }
    const fresh = await another()
    const received: string[] = []
    for (let round = 0; round < 2; round++) {
      const bodies = await Promise.all(Array.from({ length: 16 }, () => receiveAll(fresh.ask, 16)))
      for (const some of bodies) expect(some.length).toBeGreaterThan(0)
      received.push(...bodies.flat())
    }
    expect(new Set(received).size).toBe(received.length)
  })
})

describe('given a queue of several shards', () => {
  it('when messages are sent, then they spread over the shards and one consumer finds them all', async () => {
    const { clock, ask } = await given({ shards: 4 })
    for (let index = 0; index < 60; index++) await ask('SendMessage', { queueName: 'orders', msgBody: `m${index}` })
    const received = new Set<string>()
    const shards = new Set<string>()
    for (let looks = 0; received.size < 60; looks++) {
      const answer = await ask('BatchReceiveMessage', { queueName: 'orders', numOfMsg: 16 })
      for (const { msgBody, receiptHandle } of answer['msgInfoList'] as { msgBody: string; receiptHandle: string }[]) {
        received.add(msgBody)
        shards.add(receiptHandle.split(':')[1] ?? '')
        expect(await ask('DeleteMessage', { queueName: 'orders', receiptHandle })).toMatchObject({ code: 0 })
      }
      expect(looks).toBeLessThan(20)
      await clock.advance(10)
    }
    expect(shards.size).toBe(4)
    expect(await ask('GetQueueAttributes', { queueName: 'orders' })).toMatchObject({
      activeMsgNum: 0,
      inactiveMsgNum: 0,
    })
  })

  it('when it has fewer messages than are wanted, then one call finds those of four shards', async () => {
    const { ask } = await given({ shards: 4 })
    for (let index = 0; index < 10; index++) await ask('SendMessage', { queueName: 'orders', msgBody: `m${index}` })
    expect(await receiveAll(ask)).toHaveLength(10)
  })

  it('when a consumer waits, then it reads at most ten times a second all the same', async () => {
    const { clock, ask, calls } = await given({ shards: 8 })
    const waiting = ask('ReceiveMessage', { queueName: 'orders', pollingWaitSeconds: 10 })
    await clock.advance(1)
    const before = calls['QueryCommand'] ?? 0
    await clock.advance(10_000)
    expect(await waiting).toMatchObject({ code: 7000 })
    expect((calls['QueryCommand'] ?? 0) - before).toBeLessThanOrEqual(100)
  })

  it('when it shrinks, then no message is lost, and the upper shards are given up once they are empty', async () => {
    const { clock, services, ask } = await given({ shards: 8 })
    for (let index = 0; index < 40; index++)
      await ask('SendMessage', { queueName: 'orders', msgBody: `m${index}`, delaySeconds: index })
    await ask('SetQueueAttributes', { queueName: 'orders', shards: 2 })
    const shape = async () => {
      const { writeShards, readShards } = await services.queues.read(ONLY_ACCOUNT, 'orders')
      return [writeShards, readShards]
    }
    expect(await shape()).toEqual([2, 8])
    const received: string[] = []
    for (let second = 0; second < 80 && received.length < 40; second++) {
      for (const { msgBody, receiptHandle } of (
        await ask('BatchReceiveMessage', { queueName: 'orders', numOfMsg: 16 })
      )['msgInfoList'] ?? []) {
        received.push(msgBody)
        await ask('DeleteMessage', { queueName: 'orders', receiptHandle })
      }
      await clock.advance(1_000)
    }
    expect(received.toSorted()).toEqual(Array.from({ length: 40 }, (_, index) => `m${index}`).toSorted())
    for (let looks = 0; looks < 13; looks++) {
      await receiveAll(ask)
      await clock.advance(5_000)
    }
    expect(await shape()).toEqual([2, 2])
  })

  it('when it grows while others still know fewer shards, then nothing is lost', async () => {
    const { clock, ask, another } = await given({ shards: 1 })
    const other = await another()
    await ask('SendMessage', { queueName: 'orders', msgBody: 'before' })
    expect(await receiveAll(other.ask)).toEqual(['before'])
    await ask('SetQueueAttributes', { queueName: 'orders', shards: 16 })
    for (let index = 0; index < 20; index++) await ask('SendMessage', { queueName: 'orders', msgBody: `m${index}` })
    await clock.advance(1_000)
    const received = new Set<string>()
    for (let looks = 0; looks < 200 && received.size < 20; looks++)
      for (const body of await receiveAll(other.ask)) received.add(body)
    expect(received.size).toBe(20)
  })
})
