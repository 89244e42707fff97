import { GetItemCommand, PutItemCommand, type AttributeValue } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newDelivery, type Delivery } from '../../lib/domain/delivery.ts'
import { newBell } from '../../lib/store/bell.ts'
import { database } from '../../lib/store/database.ts'
import { deliveries, type Deliveries } from '../../lib/store/deliveries.ts'
import { during, manualClock, whilePassing, type ManualClock } from '../support/clock.ts'
import { patientClient, testEngine } from '../support/engine.ts'
import { countCalls, faultsOf, injectFaults, type Fault, type SeenCall } from '../support/faults.ts'
import { newTables } from '../support/service.ts'

const DAY = 86_400_000

let engine: Awaited<ReturnType<typeof testEngine>>
let table = ''
beforeAll(async () => {
  engine = await testEngine()
  table = (await newTables(engine.endpoint)).deliveries
})
afterAll(() => engine.stop())

interface Setting {
  readonly clock: ManualClock
  readonly store: Deliveries
  /** The lane of this test alone. */
  readonly lane: string
  readonly rung: string[]
  readonly calls: Record<string, number>
  /** One of this lane, published so many milliseconds from now. */
  one(later?: number, fields?: Partial<Delivery>): Delivery
  add(...deliveries: readonly Delivery[]): Promise<void>
  /** All of the lane, read by somebody else. */
  stored(): Promise<readonly Delivery[]>
  raw(delivery: Delivery): Promise<Record<string, AttributeValue> | undefined>
}

let lanes = 0

/** Deliveries over a client whose calls fail as told. */
function given(decide: (call: SeenCall) => Fault | undefined = () => undefined): Setting {
  const clock = manualClock()
  clock.set(clock.now() + 137)
  const lane = `subsc-${String(++lanes).padStart(8, '0')}`
  const client = patientClient(engine.endpoint)
  injectFaults(client, decide)
  const calls = countCalls(client)
  client.middlewareStack.add((next) => (args) => during(next(args)), { step: 'initialize', name: 'during' })
  const rung: string[] = []
  const bell = { ...newBell(clock), ring: (id: string) => void rung.push(id) }
  const store = deliveries(database(client, clock), table, clock, bell)
  const other = patientClient(engine.endpoint)
  const others = deliveries(database(other, clock), table, clock, newBell(clock))
  let made = 0
  return {
    clock,
    store,
    lane,
    rung,
    calls,
    one: (later = 0, fields = {}) => ({
      ...newDelivery(
        {
          id: String(++made).padStart(32, '0'),
          labels: { tags: [], routingKey: '' },
          body: { text: `message ${made}` },
        },
        clock.now() + later,
      ),
      ...fields,
    }),
    add: (...some) => store.add(some.map((delivery) => ({ laneId: lane, delivery }))),
    stored: async () => (await others.first(lane, 1_000)).deliveries,
    async raw({ publishedAt, id }) {
      const Key = { pk: { S: lane }, sk: { S: `${publishedAt}#${id}` } }
      return (await other.send(new GetItemCommand({ TableName: table, Key, ConsistentRead: true }))).Item
    },
  }
}

const failed = (delivery: Delivery, attempt = 1): Delivery => ({
  ...delivery,
  attempt,
  dueAt: delivery.dueAt + attempt * 1_000,
  failure: '500',
})

describe('given deliveries that were added', () => {
  it('when they are read, then they are as they were, in the order of publishing', async () => {
    const { store, lane, one, add } = given()
    const [a, b, c] = [one(3), one(1), one(2, { labels: { tags: ['x', '中'], routingKey: '' } })]
    const d = one(4, { labels: { tags: [], routingKey: 'a.b' }, body: { bodyId: 'b', chunks: 2, escapedBytes: 9 } })
    const e = failed(one(5), 7)
    await add(a, b, c, d, e)
    expect(await store.first(lane, 10)).toEqual({ deliveries: [b, c, a, d, e], isAll: true })
  })

  it('when fewer are wanted than there are, then it is said that there are others', async () => {
    const { store, lane, one, add } = given()
    await add(one(1), one(2), one(3))
    const { deliveries: first, isAll } = await store.first(lane, 2)
    expect([first.length, isAll]).toEqual([2, false])
  })

  it('when those beyond one are wanted, then neither it nor any before is among them', async () => {
    const { store, lane, one, add } = given()
    const [a, b, c, d] = [one(1), one(2), one(3), one(4)]
    await add(a, b, c, d)
    expect(await store.first(lane, 1, b)).toEqual({ deliveries: [c], isAll: false })
    expect(await store.first(lane, 10, b)).toEqual({ deliveries: [c, d], isAll: true })
    expect(await store.first(lane, 10, d)).toEqual({ deliveries: [], isAll: true })
  })

  it('when another lane is read, then nothing of them is there', async () => {
    const { store, lane, one, add } = given()
    await add(one())
    expect(await store.first(`${lane}x`, 10)).toEqual({ deliveries: [], isAll: true })
    expect(await store.isEmpty(`${lane}x`)).toBe(true)
    expect(await store.isEmpty(lane)).toBe(false)
  })

  it('when one lands late, before others that were read, then the next look finds it in its place', async () => {
    const { store, lane, one, add } = given()
    await add(one(1_000), one(2_000))
    await store.first(lane, 10)
    const late = one(-60_000)
    await add(late)
    expect((await store.first(lane, 10)).deliveries[0]).toEqual(late)
  })

  it('when a lane is looked at, then the look is consistent and begins where nothing older can be', async () => {
    const seen: SeenCall[] = []
    const { clock, store, lane } = given((call) => void seen.push(call))
    await store.first(lane, 10)
    expect(seen[0]?.input).toMatchObject({ ConsistentRead: true, Limit: 10 })
    const { ':from': from } = seen[0]?.input['ExpressionAttributeValues'] as Record<string, { S: string }>
    expect(from?.S).toBe(String(clock.now() - 2 * DAY))
  })

  it('when their day is over, then they are still seen for another one, so that somebody can say so', async () => {
    const { clock, store, lane, one, add } = given()
    const old = one()
    await add(old)
    clock.set(clock.now() + 2 * DAY)
    expect((await store.first(lane, 10)).deliveries).toEqual([old])
    clock.set(clock.now() + 1)
    expect(await store.first(lane, 10)).toEqual({ deliveries: [], isAll: true })
    expect(await store.isEmpty(lane)).toBe(true)
    expect(await store.count(lane)).toBe(0)
  })

  it('when they lie in two lanes, then whoever waits for either hears of it once all are stored', async () => {
    const { store, lane, one, rung, stored } = given()
    const added = store.add([
      { laneId: lane, delivery: one(1) },
      { laneId: lane, delivery: one(2) },
      { laneId: `${lane}x`, delivery: one(3) },
    ])
    expect(rung).toEqual([])
    await added
    expect(rung).toEqual([lane, `${lane}x`])
    expect(await stored()).toHaveLength(2)
  })

  it('when there are a hundred, then they are stored by four calls, and counted', async () => {
    const { store, lane, one, add, calls } = given()
    await add(...Array.from({ length: 100 }, (_, index) => one(index)))
    expect(calls).toEqual({ BatchWriteItemCommand: 4 })
    expect(await store.count(lane)).toBe(100)
  })

  it('when one has 700 bytes and no tags, then its item stays within 1 KB, whatever it will hold', async () => {
    const { store, lane, one, add, raw } = given()
    const delivery = one(0, { body: { text: 'x'.repeat(700) } })
    await add(delivery)
    const next = { ...delivery, attempt: 176, dueAt: delivery.endsAt - 1, failure: 'x'.repeat(24) }
    await store.postpone(lane, delivery, next)
    expect(sizeOf(await raw(delivery))).toBeLessThanOrEqual(1_024)
  })

  it('when its day has ended for a day, then TTL may remove it', async () => {
    const { one, add, raw } = given()
    const delivery = one()
    await add(delivery)
    expect(Number((await raw(delivery))?.['expiresAt']?.N) * 1_000).toBeGreaterThanOrEqual(
      delivery.publishedAt + 2 * DAY,
    )
    expect(Number((await raw(delivery))?.['expiresAt']?.N) * 1_000).toBeLessThan(delivery.publishedAt + 2 * DAY + 1_000)
  })
})

describe('given a delivery that has failed', () => {
  it('when it is postponed, then it keeps its place, its end and its body', async () => {
    const { store, lane, one, add, stored } = given()
    const [a, b] = [one(1, { labels: { tags: ['t'], routingKey: '' } }), one(2)]
    await add(a, b)
    expect(await store.postpone(lane, a, failed(a))).toEqual(failed(a))
    expect(await stored()).toEqual([failed(a), b])
  })

  it('when another has postponed it meanwhile, then it stays as that one left it, and that is told', async () => {
    const { store, lane, one, add, stored } = given()
    const delivery = one()
    await add(delivery)
    const theirs = failed(failed(delivery), 2)
    await store.postpone(lane, delivery, failed(delivery))
    await store.postpone(lane, failed(delivery), theirs)
    expect(await store.postpone(lane, delivery, { ...failed(delivery), dueAt: 99 })).toEqual(theirs)
    expect(await stored()).toEqual([theirs])
  })

  it('when another has removed it meanwhile, then it does not come back', async () => {
    const { store, lane, one, add, stored } = given()
    const delivery = one()
    await add(delivery)
    await store.remove(lane, delivery)
    expect(await store.postpone(lane, delivery, failed(delivery))).toBeUndefined()
    expect(await stored()).toEqual([])
  })

  it.each<Fault>(['throttled', 'lost before', 'lost after'])(
    'when its postponing is %s, then it is postponed once',
    async (fault) => {
      const { clock, store, lane, one, add, stored } = given(faultsOf('UpdateItemCommand', fault, fault))
      const delivery = one()
      await add(delivery)
      expect(await whilePassing(clock, store.postpone(lane, delivery, failed(delivery)))).toEqual(failed(delivery))
      expect(await stored()).toEqual([failed(delivery)])
    },
  )

  it.each<Fault>(['throttled', 'lost before', 'lost after'])(
    'when its postponing is always %s, then that is said after 5 s, and it is there all the same',
    async (fault) => {
      const { clock, store, lane, one, add, stored } = given(
        faultsOf('UpdateItemCommand', ...Array<Fault>(1_000).fill(fault)),
      )
      const delivery = one()
      await add(delivery)
      const from = clock.now()
      await whilePassing(
        clock,
        store.postpone(lane, delivery, failed(delivery)).catch(() => undefined),
      )
      expect(clock.now() - from).toBeGreaterThanOrEqual(fault === 'lost after' ? 0 : 5_000)
      expect(clock.now() - from).toBeLessThan(7_000)
      expect((await stored()).map(({ id }) => id)).toEqual([delivery.id])
    },
  )
})

describe('given a delivery that was made', () => {
  it('when it is removed, then it is gone, and may be removed again', async () => {
    const { store, lane, one, add, stored } = given()
    const [a, b] = [one(1), one(2)]
    await add(a, b)
    await store.remove(lane, a)
    await store.remove(lane, a)
    expect(await stored()).toEqual([b])
  })

  it('when it was postponed by another meanwhile, then it is removed all the same', async () => {
    const { store, lane, one, add, stored } = given()
    const delivery = one()
    await add(delivery)
    await store.postpone(lane, delivery, failed(delivery))
    await store.remove(lane, delivery)
    expect(await stored()).toEqual([])
  })

  it.each<Fault>(['throttled', 'lost before', 'lost after'])(
    'when its removal is %s, then it is gone',
    async (fault) => {
      const { clock, store, lane, one, add, stored } = given(faultsOf('DeleteItemCommand', fault, fault))
      const delivery = one()
      await add(delivery)
      await whilePassing(clock, store.remove(lane, delivery))
      expect(await stored()).toEqual([])
    },
  )
})

describe('given an adding that does not go well', () => {
  const KINDS = [
    ['one', 1, 'PutItemCommand'],
    ['several', 3, 'BatchWriteItemCommand'],
  ] as const
  const FAULTS: readonly Fault[] = ['throttled', 'lost before', 'lost after']

  it.each(KINDS.flatMap((kind) => FAULTS.map((fault) => [...kind, fault] as const)))(
    'when the call for %s of them (%d, %s) is %s, then each is stored once',
    async (_, count, command, fault) => {
      const { clock, one, add, stored } = given(faultsOf(command, fault, fault))
      const all = Array.from({ length: count }, (_, index) => one(index))
      await whilePassing(clock, add(...all))
      expect(await stored()).toEqual(all)
    },
  )

  it.each(KINDS)(
    'when the answer for %s of them (%d) is lost, and one is tried meanwhile, then it is not stored over',
    async (_, count, command) => {
      let isFirst = true
      const { clock, store, lane, one, add, stored } = given((call) => {
        if (call.command !== command || !isFirst) return undefined
        isFirst = false
        return 'lost after'
      })
      const all = Array.from({ length: count }, (_, index) => one(index))
      const [first, ...rest] = all as [Delivery, ...Delivery[]]
      const adding = add(...all)
      // What was stored is read and tried before it is stored again.
      while ((await stored()).length < count);
      await store.postpone(lane, first, failed(first))
      await whilePassing(clock, adding)
      expect(await stored()).toEqual([failed(first), ...rest])
    },
  )

  it('when a batch is done in part, then the rest is stored too', async () => {
    const { clock, one } = given()
    const unlucky = patientClient(engine.endpoint)
    let isFirst = true
    unlucky.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          const input = args.input as { RequestItems?: Record<string, unknown[]> }
          const requests = input.RequestItems?.[table]
          if (commandName !== 'BatchWriteItemCommand' || !isFirst || !requests) return next(args)
          isFirst = false
          const some = { ...args, input: { ...input, RequestItems: { [table]: requests.slice(0, 2) } } }
          const result = await next(some)
          Object.assign(result.output, { UnprocessedItems: { [table]: requests.slice(2) } })
          return result
        },
      { step: 'initialize', priority: 'low' },
    )
    const store = deliveries(database(unlucky, clock), table, clock, newBell(clock))
    const lane = `subsc-${String(++lanes).padStart(8, '0')}`
    const all = Array.from({ length: 5 }, (_, index) => one(index))
    await whilePassing(clock, store.add(all.map((delivery) => ({ laneId: lane, delivery }))))
    expect((await store.first(lane, 10)).deliveries).toEqual(all)
  })

  it.each([
    ['one', 1],
    ['several', 3],
  ])('when nothing of %s can be stored, then that is said after 5 s, and nobody is woken', async (_, count) => {
    const isWrite = ({ command }: SeenCall) => /^(Put|BatchWrite)/.test(command)
    const { clock, one, add, rung } = given((call) => (isWrite(call) ? 'throttled' : undefined))
    const from = clock.now()
    const adding = add(...Array.from({ length: count }, (_, index) => one(index)))
    await expect(whilePassing(clock, adding)).rejects.toThrow()
    expect(clock.now() - from).toBeLessThan(7_000)
    expect(rung).toEqual([])
  })
})

describe('given items that something else has written', () => {
  async function givenSome() {
    const told: object[] = []
    const { clock, lane, one, add } = given()
    const client = patientClient(engine.endpoint)
    const report = (message: string, details: object) => void told.push({ message, ...details })
    const store = deliveries(database(client, clock), table, clock, newBell(clock), report)
    const keys = [3, 2, 1].map((before) => `${clock.now() - before}#${'0'.repeat(32)}`)
    for (const sk of keys)
      await client.send(new PutItemCommand({ TableName: table, Item: { pk: { S: lane }, sk: { S: sk } } }))
    return { told, lane, one, add, store, keys }
  }

  it('when their lane is read, then the others are, and each is told', async () => {
    const { told, lane, one, add, store, keys } = await givenSome()
    const delivery = one()
    await add(delivery)
    expect((await store.first(lane, 10)).deliveries).toEqual([delivery])
    expect(told).toMatchObject(keys.map((sk) => ({ message: 'an item cannot be read', pk: lane, sk })))
    expect(await store.firstDue(lane)).toBe(delivery.dueAt)
    expect(told).toHaveLength(2 * keys.length)
  })

  it('when fewer are wanted than there are of them, then they do not stand in the way', async () => {
    const { lane, one, add, store } = await givenSome()
    const [a, b] = [one(1), one(2)]
    await add(a, b)
    expect(await store.first(lane, 1)).toEqual({ deliveries: [a], isAll: false })
    expect(await store.first(lane, 2)).toMatchObject({ deliveries: [a, b] })
  })
})

/** DynamoDB's own way to count: names, texts, and a number's digits two to a byte. */
function sizeOf(item: Record<string, AttributeValue> = {}): number {
  const sizes = Object.entries(item).map(
    ([name, { S, N }]) =>
      Buffer.byteLength(name) + (S === undefined ? Math.ceil((N ?? '').length / 2) + 1 : Buffer.byteLength(S)),
  )
  return sizes.reduce((sum, size) => sum + size)
}
