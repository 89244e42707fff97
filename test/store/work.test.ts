import { GetItemCommand, type AttributeValue } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { database } from '../../lib/store/database.ts'
import { workList, type Work, type WorkLease, type WorkList } from '../../lib/store/work.ts'
import { during, manualClock, whilePassing, type ManualClock } from '../support/clock.ts'
import { patientClient, testEngine } from '../support/engine.ts'
import { countCalls, faultsOf, injectFaults, type Fault, type SeenCall } from '../support/faults.ts'
import { newTables } from '../support/service.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

let engine: Awaited<ReturnType<typeof testEngine>>
beforeAll(async () => {
  engine = await testEngine()
})
afterAll(() => engine.stop())

interface Setting {
  readonly clock: ManualClock
  readonly list: WorkList
  readonly calls: Record<string, number>
  /** Another process over the same table. */
  another(options?: Options): { list: WorkList; calls: Record<string, number> }
  /** The mark of the lane, and its note, as they are stored. */
  mark(): Promise<Item | undefined>
  note(work?: Work): Promise<Item | undefined>
}

type Item = Record<string, AttributeValue>

interface Options {
  readonly isAlone?: boolean
  readonly decide?: (call: SeenCall) => Fault | undefined
}

const push: Work = { duty: 'push', laneId: 'subsc-a', within: 'topic-a', name: 'Mail' }
const work = (laneId: string): Work => ({ ...push, laneId })

let processes = 0

async function given(options: Options = {}): Promise<Setting> {
  const clock = manualClock()
  clock.set(clock.now() + 137)
  const table = (await newTables(engine.endpoint)).registry
  const raw = patientClient(engine.endpoint)
  const another = ({ isAlone = false, decide = () => undefined }: Options = {}) => {
    const client = patientClient(engine.endpoint)
    injectFaults(client, decide)
    const calls = countCalls(client)
    client.middlewareStack.add((next) => (args) => during(next(args)), { step: 'initialize', name: 'during' })
    const list = workList(database(client, clock), table, clock, { isAlone, processId: `process-${++processes}` })
    return { list, calls }
  }
  const get = async (pk: string, sk: string) =>
    (await raw.send(new GetItemCommand({ TableName: table, Key: { pk: { S: pk }, sk: { S: sk } } }))).Item
  const parts = Array.from({ length: 16 }, (_, part) => part)
  return {
    clock,
    ...another(options),
    another,
    mark: () => get('work#subsc-a', 'mark'),
    async note({ duty, laneId } = push) {
      const found = await Promise.all(parts.map((part) => get(`pending#${duty}#${part}`, laneId)))
      return found.find((item) => item !== undefined)
    },
  }
}

async function taken(list: WorkList, leaseId = 'lease', laneId = 'subsc-a'): Promise<WorkLease> {
  const lease = await list.take(laneId, leaseId)
  if (!('leaseId' in lease)) throw new Error('the lease was not to be had')
  return lease
}

const FAULTS: readonly Fault[] = ['throttled', 'lost before', 'lost after']

describe('given a lane that is free', () => {
  it('when it is taken, then its lease holds for 30 s, and nobody else gets it until then', async () => {
    const { clock, list, another } = await given()
    const now = clock.now()
    const other = another().list
    expect(await list.take('subsc-a', 'mine')).toEqual({ leaseId: 'mine', until: now + 30_000 })
    expect(await other.take('subsc-a', 'theirs')).toEqual({ heldUntil: now + 30_000 })
    await clock.advance(29_999)
    expect(await other.take('subsc-a', 'theirs')).toEqual({ heldUntil: now + 30_000 })
    await clock.advance(1)
    expect(await other.take('subsc-a', 'theirs')).toEqual({ leaseId: 'theirs', until: now + 60_000 })
  })

  it('when many take it at once, then one gets it', async () => {
    const { another } = await given()
    const all = await Promise.all(Array.from({ length: 8 }, (_, index) => another().list.take('subsc-a', `l${index}`)))
    expect(all.filter((taken) => 'leaseId' in taken)).toHaveLength(1)
  })

  it('when another lane is taken, then that is another lease', async () => {
    const { list } = await given()
    await taken(list, 'a', 'subsc-a')
    await taken(list, 'b', 'subsc-b')
  })

  it.each(FAULTS)('when its taking is %s, then it is taken once', async (fault) => {
    const { clock, list, another } = await given({ decide: faultsOf('UpdateItemCommand', fault, fault) })
    const lease = await whilePassing(clock, list.take('subsc-a', 'mine'))
    expect(lease).toMatchObject({ leaseId: 'mine' })
    expect(await another().list.take('subsc-a', 'theirs')).toEqual({ heldUntil: (lease as WorkLease).until })
  })

  it('when its taking is lost, and another takes it before that is repeated, then it is not taken', async () => {
    const { clock, list, another } = await given()
    const unlucky = another({ decide: faultsOf('UpdateItemCommand', 'lost before') }).list
    const taking = unlucky.take('subsc-a', 'late')
    const { until } = await taken(list, 'first')
    expect(await whilePassing(clock, taking)).toEqual({ heldUntil: until })
  })
})

describe('given a lease', () => {
  it('when it is renewed, then it holds for 30 s from then on', async () => {
    const { clock, list, another } = await given()
    const lease = await taken(list)
    await clock.advance(10_000)
    const renewed = await list.renew('subsc-a', lease)
    expect(renewed).toEqual({ leaseId: 'lease', until: lease.until + 10_000 })
    await clock.advance(29_999)
    expect(await another().list.take('subsc-a', 'theirs')).toEqual({ heldUntil: lease.until + 10_000 })
  })

  it('when another has taken the lane since, then it is not to be renewed, and letting go takes nothing from that one', async () => {
    const { clock, list, another, mark } = await given()
    const lease = await taken(list)
    await clock.advance(30_000)
    await taken(another().list, 'theirs')
    expect(await list.renew('subsc-a', lease)).toBeUndefined()
    await list.letGo('subsc-a', lease, { isFull: false })
    expect(await mark()).toMatchObject({ leaseId: { S: 'theirs' } })
  })

  it('when it is let go, then nothing of it is left, and the lane can be taken at once', async () => {
    const { list, another, mark } = await given()
    await list.callFor([push], 0)
    await list.letGo('subsc-a', await taken(list), { isFull: false })
    const left = (await mark()) ?? {}
    for (const name of ['leaseId', 'leaseUntil', 'calledAt', 'nextDueAt', 'isFull'])
      expect(left).not.toHaveProperty(name)
    await taken(another().list)
  })

  it('when it is let go until something is due, then that is kept until somebody takes the lane', async () => {
    const { clock, list, mark } = await given()
    const nextDueAt = clock.now() + 512_000
    await list.letGo('subsc-a', await taken(list), { nextDueAt, isFull: true })
    expect(await mark()).toMatchObject({ nextDueAt: { N: String(nextDueAt) }, isFull: { N: '1' } })
    await taken(list, 'again')
    const left = (await mark()) ?? {}
    for (const name of ['nextDueAt', 'isFull']) expect(left).not.toHaveProperty(name)
  })

  it.each(FAULTS)('when its renewal is %s, then it is renewed', async (fault) => {
    const { clock, list, another } = await given()
    const lease = await taken(list)
    const unlucky = another({ decide: faultsOf('UpdateItemCommand', fault, fault) }).list
    await clock.advance(10_000)
    expect((await whilePassing(clock, unlucky.renew('subsc-a', lease)))?.until).toBeGreaterThanOrEqual(
      lease.until + 10_000,
    )
  })

  it.each(FAULTS)('when its letting go is %s, then the lane is free', async (fault) => {
    const { clock, list, another } = await given()
    const lease = await taken(list)
    const unlucky = another({ decide: faultsOf('UpdateItemCommand', fault, fault) }).list
    await whilePassing(clock, unlucky.letGo('subsc-a', lease, { isFull: false }))
    await taken(list, 'next')
  })

  it('when the answer to its letting go is lost, and another takes the lane before it is repeated, then that one keeps it', async () => {
    const { clock, list, another, mark } = await given()
    const lease = await taken(list)
    const unlucky = another({ decide: faultsOf('UpdateItemCommand', 'lost after') }).list
    const lettingGo = unlucky.letGo('subsc-a', lease, { isFull: false })
    while ((await mark())?.['leaseId']);
    await taken(list, 'next')
    await whilePassing(clock, lettingGo)
    expect(await mark()).toMatchObject({ leaseId: { S: 'next' } })
  })

  it('when two days have passed, then TTL may remove the mark, and not before', async () => {
    const { clock, list, mark } = await given()
    await taken(list)
    const expiresAt = Number((await mark())?.['expiresAt']?.N) * 1_000
    expect(expiresAt).toBeGreaterThanOrEqual(clock.now() + 2 * DAY)
  })
})

describe('given a process that owns the data', () => {
  it('when it finds a lease, a call or a wake-up of one before it, then they hold nobody up', async () => {
    const { clock, list, another } = await given({ isAlone: true })
    await list.note([push], clock.now())
    await list.callFor([push], clock.now())
    await taken(list, 'dead')
    const next = another({ isAlone: true }).list
    expect(await next.left('push')).toEqual([push])
    expect(await next.callFor([push], clock.now())).toEqual([push])
    await taken(next, 'alive')
    const last = another({ isAlone: true }).list
    await next.letGo('subsc-a', { leaseId: 'alive', until: 0 }, { nextDueAt: clock.now() + 512_000, isFull: true })
    expect(await next.left('push')).toEqual([])
    expect(await last.left('push')).toEqual([push])
    expect(await last.callFor([push], clock.now())).toEqual([push])
  })

  it('when it finds a lease of its own, then that holds', async () => {
    const { clock, list } = await given({ isAlone: true })
    const { until } = await taken(list, 'one')
    expect(await list.take('subsc-a', 'two')).toEqual({ heldUntil: until })
    expect(await list.callFor([push], clock.now())).toEqual([])
  })

  it.each(FAULTS)('when its taking is %s, then it is taken', async (fault) => {
    const { clock, list, another } = await given({ isAlone: true })
    await taken(list, 'dead')
    const next = another({ isAlone: true, decide: faultsOf('UpdateItemCommand', fault, fault) }).list
    expect(await whilePassing(clock, next.take('subsc-a', 'alive'))).toMatchObject({ leaseId: 'alive' })
  })
})

describe('given a publisher that has stored a delivery', () => {
  const isCalled = async ({ list, clock }: Pick<Setting, 'list' | 'clock'>, dueAt = clock.now()) =>
    (await list.callFor([push], dueAt)).length === 1

  it('when nobody has ever worked through the lane, then somebody is called', async () => {
    expect(await isCalled(await given())).toBe(true)
  })

  it('when somebody works through it, then nobody is called, by one consistent read and no write', async () => {
    const seen: SeenCall[] = []
    const { clock, list, another } = await given({ decide: (call) => void seen.push(call) })
    await taken(another().list)
    expect(await isCalled({ list, clock })).toBe(false)
    expect(seen.map(({ command }) => command)).toEqual(['BatchGetItemCommand'])
    expect(JSON.stringify(seen[0]?.input)).toContain('"ConsistentRead":true')
  })

  it.each([
    [2_001, false],
    [2_000, true],
    [1, true],
    [0, true],
    [-1, true],
  ])('when the lease of the lane holds for %d ms more, then somebody is called: %s', async (left, expected) => {
    const setting = await given()
    const { until } = await taken(setting.list)
    setting.clock.set(until - left)
    expect(await isCalled(setting)).toBe(expected)
  })

  it('when somebody was just called, then nobody else is for two seconds, whoever asks', async () => {
    const { clock, list, another } = await given()
    expect(await isCalled({ list, clock })).toBe(true)
    const other = another().list
    await clock.advance(1_999)
    expect(await isCalled({ list, clock })).toBe(false)
    expect(await isCalled({ list: other, clock })).toBe(false)
    await clock.advance(1)
    expect(await isCalled({ list: other, clock })).toBe(true)
    expect(await isCalled({ list, clock })).toBe(false)
  })

  it('when many ask at once, then somebody is called once', async () => {
    const { clock, another } = await given()
    const all = await Promise.all(Array.from({ length: 8 }, () => another().list.callFor([push], clock.now())))
    expect(all.flat()).toEqual([push])
  })

  it('when a clock was ahead as somebody was called, then nobody waits until it is caught up with', async () => {
    const { clock, list } = await given()
    clock.set(clock.now() + HOUR)
    await list.callFor([push], clock.now())
    clock.set(clock.now() - HOUR)
    expect(await isCalled({ list, clock })).toBe(true)
  })

  it('when a full window rests, then nobody is called until it is due', async () => {
    const setting = await given()
    const { clock, list } = setting
    const nextDueAt = clock.now() + 512_000
    await list.letGo('subsc-a', await taken(list), { nextDueAt, isFull: true })
    expect(await isCalled(setting)).toBe(false)
    clock.set(nextDueAt - 1)
    expect(await isCalled(setting)).toBe(false)
    clock.set(nextDueAt)
    expect(await isCalled(setting)).toBe(true)
  })

  it('when a window rests that is not full, then somebody is called', async () => {
    const setting = await given()
    const { clock, list } = setting
    await list.letGo('subsc-a', await taken(list), { nextDueAt: clock.now() + 512_000, isFull: false })
    expect(await isCalled(setting)).toBe(true)
  })

  it.each([
    ['before', -1, true],
    ['at', 0, false],
    ['after', 1, false],
  ])(
    'when what it has stored is due %s the time for which somebody comes, then somebody is called: %s',
    async (_, later, expected) => {
      const setting = await given()
      const { clock, list } = setting
      const nextDueAt = clock.now() + 512_000
      await list.letGo('subsc-a', await taken(list), { nextDueAt, isFull: false })
      expect(await isCalled(setting, nextDueAt + later)).toBe(expected)
    },
  )

  it('when it has stored for many lanes, then somebody is called for those that nobody looks after', async () => {
    const { clock, list } = await given()
    const works = Array.from({ length: 120 }, (_, index) => work(`subsc-${index}`))
    for (const index of [0, 60, 119]) await taken(list, 'held', `subsc-${index}`)
    const called = await list.callFor(works, clock.now())
    expect(called).toEqual(works.filter((_, index) => ![0, 60, 119].includes(index)))
  })

  it.each<[Fault, number]>([
    ['throttled', 1],
    ['lost before', 0],
    ['lost after', 0],
  ])('when the call is %s, then somebody is called all the same', async (fault, more) => {
    const setting = await given({ decide: faultsOf('UpdateItemCommand', fault) })
    const called = await whilePassing(setting.clock, setting.list.callFor([push], setting.clock.now()))
    expect(called).toEqual([push])
    expect(setting.calls['UpdateItemCommand']).toBe(1 + more)
  })

  it.each(FAULTS)('when the reading of the mark is %s, then it is read again', async (fault) => {
    const { clock, list, another } = await given({ decide: faultsOf('BatchGetItemCommand', fault, fault) })
    await taken(another().list)
    expect(await whilePassing(clock, list.callFor([push], clock.now()))).toEqual([])
  })
})

describe('given lanes that may hold something', () => {
  it('when one is noted, then it is told with all that somebody needs to work through it', async () => {
    const { clock, list, another } = await given()
    await list.note([push], clock.now())
    expect(await another().list.left('push')).toEqual([push])
    expect(await another().list.left('release')).toEqual([])
  })

  it('when a hundred are noted, then all are told, in whatever parts they lie', async () => {
    const { clock, list } = await given()
    const works = Array.from({ length: 100 }, (_, index) => work(`subsc-${index}`))
    await list.note(works, clock.now())
    const left = (await list.left('push')).map(({ laneId }) => laneId)
    expect(left.toSorted()).toEqual(works.map(({ laneId }) => laneId).toSorted())
  })

  it('when one is noted again within twelve hours, then that costs nothing; afterwards it is noted anew', async () => {
    const { clock, list, calls } = await given()
    await list.note([push], clock.now())
    clock.set(clock.now() + 12 * HOUR)
    await list.note([push], clock.now())
    expect(calls['UpdateItemCommand']).toBe(1)
    clock.set(clock.now() + 1)
    await list.note([push], clock.now())
    expect(calls['UpdateItemCommand']).toBe(2)
  })

  it('when something is stored at any time after a note, then the note outlives its day by half a day', async () => {
    const { clock, list, note } = await given()
    for (const hours of [0, 6, 12, 13, 20, 26, 39]) {
      clock.set(clock.now() + hours * HOUR)
      await list.note([push], clock.now())
      const until = Number((await note())?.['expiresAt']?.N) * 1_000
      expect(until).toBeGreaterThanOrEqual(clock.now() + 1.5 * DAY)
    }
  })

  it('when what is stored is due later, then the note lives from then on, and no other makes it shorter', async () => {
    const { clock, list, another, note } = await given()
    const dueAt = clock.now() + DAY
    await list.note([push], dueAt)
    await another().list.note([push], clock.now())
    expect(Number((await note())?.['expiresAt']?.N) * 1_000).toBeGreaterThanOrEqual(dueAt + 2 * DAY)
  })

  it.each(FAULTS)('when a note is %s, then it is made', async (fault) => {
    const { clock, list, another } = await given({ decide: faultsOf('UpdateItemCommand', fault, fault) })
    await whilePassing(clock, list.note([push], clock.now()))
    expect(await another().list.left('push')).toEqual([push])
  })

  it('when a note cannot be made, then that is said, and the next one is tried again', async () => {
    const faults = Array<Fault>(200).fill('throttled')
    const { clock, list } = await given({
      decide: ({ command }) => (command === 'UpdateItemCommand' ? faults.shift() : undefined),
    })
    await expect(whilePassing(clock, list.note([push], clock.now()))).rejects.toThrow('too much')
    faults.length = 0
    await list.note([push], clock.now())
    expect(await list.left('push')).toEqual([push])
  })

  it('when one is forgotten, then it is told no more, and a process that noted it may note it anew', async () => {
    const { clock, list } = await given()
    await list.note([push, work('subsc-b')], clock.now())
    await list.forget(push)
    expect(await list.left('push')).toEqual([work('subsc-b')])
    await list.note([push], clock.now())
    expect(await list.left('push')).toHaveLength(2)
  })

  it('when one is worked through, or its full window rests, then it is not left', async () => {
    const { clock, list } = await given()
    await list.note([push], clock.now())
    const lease = await taken(list)
    expect(await list.left('push')).toEqual([])
    const nextDueAt = clock.now() + 200_000
    await list.letGo('subsc-a', lease, { nextDueAt, isFull: true })
    expect(await list.left('push')).toEqual([])
    const again = await taken(list)
    await list.letGo('subsc-a', again, { nextDueAt, isFull: false })
    // Who is back for one delivery does not know of what came since.
    expect(await list.left('push')).toEqual([push])
    await list.letGo('subsc-a', await taken(list), { nextDueAt, isFull: true })
    clock.set(nextDueAt)
    expect(await list.left('push')).toEqual([push])
  })

  it('when somebody was called but has not come for two seconds, then it is left', async () => {
    const { clock, list } = await given()
    await list.note([push], clock.now())
    await list.callFor([push], clock.now())
    await clock.advance(2_000)
    expect(await list.left('push')).toEqual([push])
  })

  it('when whoever worked on it has died, then it is left as soon as the lease is nearly over', async () => {
    const { clock, list } = await given()
    await list.note([push], clock.now())
    const { until } = await taken(list)
    clock.set(until - 2_001)
    expect(await list.left('push')).toEqual([])
    clock.set(until - 2_000)
    expect(await list.left('push')).toEqual([push])
  })
})
