import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { newDelivery, type Delivery } from '../../lib/domain/delivery.ts'
import type { Seconds } from '../../lib/domain/time.ts'
import { windowLimits } from '../../lib/domain/window.ts'
import type { Duty } from '../../lib/push/duty.ts'
import { newShift, type RunBounds, type Shift } from '../../lib/push/shift.ts'
import type { Tried } from '../../lib/push/try-delivery.ts'
import type { Rest } from '../../lib/store/work.ts'
import { testEngine } from '../support/engine.ts'
import { injectFaults, type Fault, type SeenCall } from '../support/faults.ts'
import { newWorld, type Process, type World } from '../support/worker.ts'

let engine: Awaited<ReturnType<typeof testEngine>>
let world: World
beforeAll(async () => {
  engine = await testEngine()
  world = await newWorld(engine.endpoint)
})
afterAll(() => engine.stop())

/** Ends what a test has left going. */
let testEnds = new AbortController()
afterEach(async () => {
  testEnds.abort()
  await world.clock.advance(0)
  testEnds = new AbortController()
})

/** How a try goes: the wait that follows its failure, 'made', 'hopeless', or an error of the store. */
type Fate = Seconds | 'made' | 'hopeless' | Error

interface Try {
  readonly id: string
  readonly begunAt: number
  endedAt?: number
  wasStopped?: boolean
}

interface Options extends Partial<RunBounds> {
  readonly failing?: number
  readonly firstTries?: number
  /** What becomes of each try; made unless told otherwise. */
  readonly fate?: (delivery: Delivery) => Fate
  /** How long each takes. */
  readonly taking?: number | ((delivery: Delivery) => number)
  readonly decide?: (call: SeenCall) => Fault | undefined
  /** What takes place when a look has read, and before it has its answer. */
  readonly afterLook?: () => Promise<void>
}

let lanes = 0

/** A shift over a lane of its own. Times are milliseconds from the beginning of the test. */
async function given(options: Options = {}) {
  const { failing = 16, firstTries = 100, fate = () => 'made', taking = 0 } = options
  const { clock } = world
  const start = clock.now()
  const laneId = `lane-${++lanes}`
  const seen: SeenCall[] = []
  const process: Process = await world.process({
    prepare(client) {
      injectFaults(client, (call) => {
        seen.push(call)
        return options.decide?.(call)
      })
      client.middlewareStack.add(
        (next, { commandName }) =>
          async (args) => {
            const result = await next(args)
            if (commandName === 'QueryCommand') await options.afterLook?.()
            return result
          },
        { step: 'initialize', priority: 'low', name: 'afterLook' },
      )
    },
  })
  const { deliveries, deliveryBell } = process.services
  const tries: Try[] = []
  const told: string[] = []
  const counted: Tried['outcome'][] = []
  let isThere = true
  let allowsAttempt = true
  const lost = new AbortController()
  const waits = new Map<string, Seconds>()

  const duty: Duty = {
    limits: windowLimits(failing, firstTries),
    async attempt(delivery, signal) {
      const begun: Try = { id: delivery.id, begunAt: clock.now() - start }
      tries.push(begun)
      const end = fate(delivery)
      await clock.sleep(typeof taking === 'number' ? taking : taking(delivery), signal)
      begun.endedAt = clock.now() - start
      if (signal.aborted) begun.wasStopped = true
      if (end instanceof Error) throw end
      const isDelivered = end === 'made' && !signal.aborted
      return { isDelivered, outcome: isDelivered ? '200' : '500', milliseconds: 1, isHopeless: end === 'hopeless' }
    },
    next(delivery, failure, now) {
      const wait = fate(delivery)
      if (typeof wait !== 'number') throw new Error('it has not failed')
      waits.set(delivery.id, wait)
      return { ...delivery, attempt: delivery.attempt + 1, dueAt: now + wait * 1_000, failure }
    },
    waitOf: ({ id }) => waits.get(id) ?? 0,
    tried: ({ id }, { outcome }) => void told.push(`${id} ${outcome}`),
    dropped: ({ id }, why) => void told.push(`${id} dropped: ${why}`),
  }

  const bounds: RunBounds = {
    longestWait: 120_000,
    endBy: Infinity,
    signal: testEnds.signal,
    ...options,
  }
  const shift = newShift(
    { deliveries, bell: deliveryBell, clock },
    laneId,
    () => Promise.resolve(isThere ? duty : undefined),
    bounds,
    { allowsAttempt: () => allowsAttempt, lost: lost.signal },
    ({ outcome }) => void counted.push(outcome),
  )
  let made = 0
  const others = world.admin.services.deliveries
  return {
    clock,
    now: () => clock.now() - start,
    start,
    shift,
    tries,
    told,
    counted,
    lost,
    bounds,
    looks: () => seen.filter(({ command }) => command === 'QueryCommand').length,
    /** How many deliveries all looks together could have read. */
    mostRead: () => seen.reduce((sum, { input }) => sum + Number(input['Limit'] ?? 0), 0),
    one: (later = 0, fields: Partial<Delivery> = {}): Delivery => ({
      ...newDelivery(
        { id: `m${String(++made).padStart(4, '0')}`, labels: { tags: [], routingKey: '' }, body: { text: '' } },
        clock.now() + later,
      ),
      ...fields,
    }),
    add: (...some: Delivery[]) => others.add(some.map((delivery) => ({ laneId, delivery }))),
    addHere: (...some: Delivery[]) => deliveries.add(some.map((delivery) => ({ laneId, delivery }))),
    remove: (delivery: Delivery) => others.remove(laneId, delivery),
    left: async () => (await others.first(laneId, 1_000)).deliveries,
    setLease: (isGood: boolean) => void (allowsAttempt = isGood),
    endLane: () => void (isThere = false),
  }
}

/** Lets the shift work for so long. What it came to is undefined while it works. */
function working(shift: Shift) {
  const result: { rest?: Rest; error?: unknown } = {}
  shift.workThrough().then(
    (rest) => (result.rest = rest),
    (error: unknown) => (result.error = error),
  )
  return result
}

const many = <Made>(count: number, make: (index: number) => Made): Made[] =>
  Array.from({ length: count }, (_, index) => make(index))
const waves = (tries: readonly Try[]) => {
  const sizes = new Map<number, number>()
  for (const { begunAt } of tries) sizes.set(begunAt, (sizes.get(begunAt) ?? 0) + 1)
  return [...sizes]
}

describe('given a lane of a subscriber that is well', () => {
  it('when tries succeed, then 16 begin at once, each success allows one more, up to a limit', async () => {
    const { clock, shift, tries, one, add, left } = await given({ taking: 1_000, firstTries: 40 })
    await add(...many(150, (index) => one(index - 150)))
    const result = working(shift)
    await clock.advance(10_000)
    expect(waves(tries)).toEqual([
      [0, 16],
      [1_000, 32],
      [2_000, 40],
      [3_000, 40],
      [4_000, 22],
    ])
    expect(tries.map(({ id }) => id)).toEqual(many(150, (index) => `m${String(index + 1).padStart(4, '0')}`))
    expect(result.rest).toEqual({ isFull: false })
    expect(await left()).toEqual([])
  })

  it('when the lane is empty, then the shift ends after one look', async () => {
    const { clock, shift, looks } = await given()
    const result = working(shift)
    await clock.advance(0)
    expect([result.rest, looks()]).toEqual([{ isFull: false }, 1])
  })

  it('when bodies are large, then no more than 32 MB of them are under way at once, and one always is', async () => {
    const { clock, shift, tries, one, add, left } = await given({ taking: 1_000 })
    const large = (megabytes: number) =>
      one(-1, { body: { bodyId: 'b', chunks: 9, escapedBytes: megabytes * 1024 * 1024 } })
    await add(...many(20, () => large(4)), large(40), large(40))
    working(shift)
    await clock.advance(10_000)
    expect(waves(tries).map(([, size]) => size)).toEqual([8, 8, 4, 1, 1])
    expect(await left()).toEqual([])
  })

  it('when it takes long to answer, then what others publish meanwhile begins within a second', async () => {
    const { clock, now, shift, tries, one, add } = await given({ taking: 15_000 })
    await add(one())
    const result = working(shift)
    for (const at of [3_300, 7_900]) {
      await clock.advance(at - now())
      await add(one())
    }
    await clock.advance(30_000)
    const [, second, third] = tries
    expect(second?.begunAt).toBeLessThanOrEqual(4_300)
    expect(third?.begunAt).toBeLessThanOrEqual(8_900)
    expect(result.rest).toEqual({ isFull: false })
  })

  it('when this very process publishes meanwhile, then that begins at once', async () => {
    const { clock, shift, tries, one, addHere } = await given({ taking: 15_000 })
    await addHere(one())
    working(shift)
    await clock.advance(3_300)
    await addHere(one())
    await clock.advance(0)
    expect(tries.map(({ begunAt }) => begunAt)).toEqual([0, 3_300])
    await clock.advance(30_000)
  })

  it('when this very process publishes while a look is under way that does not see it, then that begins at once', async () => {
    let publishNow: (() => Promise<void>) | undefined
    const setting = await given({
      taking: 15_000,
      afterLook: async () => {
        const publish = publishNow
        publishNow = undefined
        await publish?.()
      },
    })
    const { clock, shift, tries, one, addHere } = setting
    await addHere(one())
    publishNow = () => addHere(one())
    working(shift)
    await clock.advance(0)
    expect(tries.map(({ begunAt }) => begunAt)).toEqual([0, 0])
  })

  it('when something lands late, before what was read, then it begins within a second', async () => {
    const { clock, shift, tries, one, add } = await given({ taking: 10_000 })
    await add(one(-10), one(-5))
    working(shift)
    await clock.advance(2_500)
    const late = one(-60_000)
    await add(late)
    await clock.advance(1_000)
    expect(tries.find(({ id }) => id === late.id)?.begunAt).toBeLessThanOrEqual(3_500)
    await clock.advance(30_000)
  })

  it('when it leaves most tries unanswered, then the places that are left get all others without a pause', async () => {
    const { clock, shift, tries, mostRead, one, add } = await given({
      firstTries: 16,
      taking: ({ id }) => (id <= 'm0012' ? 15_000 : 0),
    })
    await add(...many(200, (index) => one(index - 200)))
    working(shift)
    await clock.advance(0)
    expect(waves(tries)).toEqual([[0, 200]])
    // Each is read once: the last page is not full.
    expect(mostRead()).toBeLessThan(200 + 16)
    await clock.advance(15_000)
  })

  it('when something lands late beside tries that are not answered, then it begins within a few tries of others', async () => {
    const { clock, shift, tries, one, add } = await given({
      firstTries: 16,
      taking: ({ id }) => (id <= 'm0012' ? 15_000 : 100),
    })
    await add(...many(500, (index) => one(index - 500)))
    working(shift)
    await clock.advance(2_500)
    const late = one(-60_000)
    await add(late)
    await clock.advance(2_000)
    // A look anew each second, when the sixteen in hand are under way in four places.
    expect(tries.find(({ id }) => id === late.id)?.begunAt).toBeLessThan(2_500 + 1_000 + 500)
    await clock.advance(30_000)
  })

  it('when tries succeed, then each is read once, many with each look', async () => {
    const { clock, shift, tries, looks, mostRead, one, add } = await given({ taking: () => 10 })
    await add(...many(1_000, (index) => one(index - 1_000)))
    working(shift)
    await clock.advance(300)
    expect(tries).toHaveLength(1_000)
    expect(mostRead()).toBeLessThan(1_100)
    expect(looks()).toBeLessThan(1_000 / 16)
    await clock.advance(1_000)
  })

  it('when a delivery is due later, as its publisher has it, then it is not tried before', async () => {
    const { clock, shift, tries, one, add } = await given()
    await add(one(1_234))
    working(shift)
    await clock.advance(10_000)
    expect(tries.map(({ begunAt }) => begunAt)).toEqual([1_234])
  })
})

describe('given a lane of a subscriber that fails', () => {
  it('when each try fails, then sixteen are tried, then tried again, and nothing new begins', async () => {
    const { clock, shift, tries, one, add } = await given({ fate: () => 10 })
    await add(...many(200, (index) => one(index - 200)))
    working(shift)
    await clock.advance(35_000)
    expect(waves(tries)).toEqual([
      [0, 16],
      [10_000, 16],
      [20_000, 16],
      [30_000, 16],
    ])
    expect(new Set(tries.map(({ id }) => id)).size).toBe(16)
  })

  it('when a full window waits, then nobody looks, since nothing could begin', async () => {
    const { clock, shift, looks, one, add } = await given({ fate: () => 60 })
    await add(...many(20, (index) => one(index - 20)))
    working(shift)
    await clock.advance(1_000)
    const before = looks()
    await clock.advance(58_000)
    expect(looks()).toBe(before)
  })

  it('when it waits for a retry beside which others could begin, then it looks once a second', async () => {
    const { clock, shift, looks, one, add } = await given({ fate: () => 60 })
    await add(one())
    working(shift)
    await clock.advance(500)
    const before = looks()
    await clock.advance(50_000)
    expect(looks() - before).toBe(50)
  })

  it('when it fails now and then, then a retry begins exactly when it is due, and others go on meanwhile', async () => {
    const failures = new Map([
      ['m0001', 3],
      ['m0004', 1],
    ])
    const fate = ({ id, attempt }: Delivery): Fate => (attempt < (failures.get(id) ?? 0) ? 2 ** attempt : 'made')
    const { clock, shift, tries, one, add } = await given({ fate, taking: 300 })
    await add(...many(10, (index) => one(index - 10)))
    const result = working(shift)
    await clock.advance(20_000)
    const begun = (id: string) => tries.filter((one) => one.id === id).map(({ begunAt }) => begunAt)
    expect(begun('m0001')).toEqual([0, 1_300, 3_600, 7_900])
    expect(begun('m0004')).toEqual([0, 1_300])
    expect(tries).toHaveLength(14)
    expect(result.rest).toEqual({ isFull: false })
  })

  it('when one of a full window succeeds, then new ones begin, as few as so many failures allow', async () => {
    const fate = ({ id, attempt }: Delivery): Fate => (attempt > 0 && id === 'm0003' ? 'made' : 10)
    const { clock, shift, tries, one, add } = await given({ fate })
    await add(...many(30, (index) => one(index - 30)))
    working(shift)
    await clock.advance(12_000)
    const [first, again] = [tries.slice(0, 16), tries.slice(16, 32)]
    const added = tries.slice(32)
    expect(new Set(again.map(({ id }) => id))).toEqual(new Set(first.map(({ id }) => id)))
    expect(added.length).toBeOneOf([1, 2])
    expect(added.map(({ id, begunAt }) => [id, begunAt])).toEqual(
      [17, 18].slice(0, added.length).map((number) => [`m00${number}`, 10_000]),
    )
  })

  it('when a delivery is hopeless, then it is dropped at once, and that is told', async () => {
    const { clock, shift, told, counted, one, add, left } = await given({ fate: () => 'hopeless' })
    await add(one())
    working(shift)
    await clock.advance(0)
    expect(told).toEqual(['m0001 500', 'm0001 dropped: 500'])
    expect(counted).toEqual(['dropped'])
    expect(await left()).toEqual([])
  })

  it('when the day of a delivery is over, then it is dropped untried, with what it failed by last', async () => {
    const { clock, shift, tries, told, one, add, left } = await given()
    const old = -86_400_000
    await add(one(old), one(old - 1, { attempt: 3, failure: 'timeout' }), one(old + 1))
    working(shift)
    await clock.advance(0)
    expect(tries.map(({ id }) => id)).toEqual(['m0003'])
    expect(told.toSorted()).toEqual(['m0001 dropped: never tried', 'm0002 dropped: timeout', 'm0003 200'])
    expect(await left()).toEqual([])
  })

  it('when another has removed a delivery while it was tried, then it is not tried again', async () => {
    const { clock, shift, tries, counted, one, add, remove } = await given({ fate: () => 1, taking: 1_000 })
    const delivery = one()
    await add(delivery)
    const result = working(shift)
    await clock.advance(500)
    await remove(delivery)
    await clock.advance(20_000)
    expect(tries).toHaveLength(1)
    expect(counted).toEqual(['failed'])
    expect(result.rest).toEqual({ isFull: false })
  })
})

describe('given a window of 1', () => {
  it('when deliveries fail now and then, then each is done before the next begins, in order', async () => {
    const fate = ({ id, attempt }: Delivery): Fate => (attempt < Number(id.slice(1)) % 3 ? 5 : 'made')
    const { clock, shift, tries, one, add, left } = await given({ failing: 1, fate, taking: 700 })
    await add(...many(9, (index) => one(index - 9)))
    const result = working(shift)
    await clock.advance(120_000)
    const order = tries.map(({ id }) => Number(id.slice(1)))
    expect(order).toEqual([1, 1, 2, 2, 2, 3, 4, 4, 5, 5, 5, 6, 7, 7, 8, 8, 8, 9])
    for (const [index, { begunAt }] of tries.entries())
      expect(begunAt).toBeGreaterThanOrEqual(tries[index - 1]?.endedAt ?? 0)
    expect([result.rest, await left()]).toEqual([{ isFull: false }, []])
  })

  it('when something lands late, before what was read, then at most two begin before it', async () => {
    const { clock, shift, tries, one, add } = await given({ failing: 1, taking: 100 })
    await add(...many(50, (index) => one(index - 50)))
    working(shift)
    await clock.advance(950)
    const late = one(-60_000)
    await add(late)
    await clock.advance(300)
    expect(tries.slice(10, 13).map(({ id }) => id)).toContain(late.id)
    await clock.advance(5_000)
  })
})

describe('given waits of different lengths', () => {
  it.each([
    [120_000, true],
    [120_001, false],
  ])('when what is next is due in %d ms, then it is waited for: %s', async (later, isWaitedFor) => {
    const { clock, start, shift, tries, one, add } = await given()
    await add(one(later))
    const result = working(shift)
    await clock.advance(0)
    expect(result.rest).toEqual(isWaitedFor ? undefined : { isFull: false, nextDueAt: start + later })
    await clock.advance(later)
    expect(tries).toHaveLength(isWaitedFor ? 1 : 0)
  })

  it('when the run was woken for what is due later, then it waits for that, however long', async () => {
    const { clock, shift, tries, one, add } = await given({ longestWait: 0, wokenFor: world.clock.now() + 150_000 })
    await add(one(150_000), one(150_001))
    const result = working(shift)
    await clock.advance(150_000)
    expect(tries.map(({ begunAt }) => begunAt)).toEqual([150_000])
    expect(result.rest).toMatchObject({ isFull: false })
  })

  it('when a full window waits for 128 s and more, then the shift ends, and says when the last of it is due', async () => {
    const fate = ({ id }: Delivery): Fate => 128 + Number(id.slice(1))
    const { clock, start, shift, one, add } = await given({ fate })
    await add(...many(20, (index) => one(index - 20)))
    const result = working(shift)
    await clock.advance(0)
    expect(result.rest).toEqual({ isFull: true, nextDueAt: start + 144_000 })
  })

  it('when a full window waits for less in one place, then the shift stays for that one', async () => {
    const fate = ({ id }: Delivery): Fate => (id === 'm0009' ? 64 : 200)
    const { clock, shift, tries, one, add } = await given({ fate })
    await add(...many(20, (index) => one(index - 20)))
    const result = working(shift)
    await clock.advance(64_000)
    expect(result.rest).toBeUndefined()
    expect(tries.at(-1)).toMatchObject({ id: 'm0009', begunAt: 64_000 })
    await clock.advance(200_000)
  })

  it('when what is known ends the shift, then what lies beyond is due later still', async () => {
    const { clock, start, shift, one, add } = await given({ failing: 2, firstTries: 2 })
    await add(...many(30, (index) => one(300_000 + index)))
    const result = working(shift)
    await clock.advance(0)
    expect(result.rest).toEqual({ isFull: false, nextDueAt: start + 300_000 })
  })
})

describe('given a lease', () => {
  it('when an attempt would outlive it, then none begins until it is renewed', async () => {
    const { clock, shift, tries, one, add, setLease } = await given()
    setLease(false)
    await add(one())
    working(shift)
    await clock.advance(8_400)
    expect(tries).toEqual([])
    setLease(true)
    await clock.advance(1_000)
    expect(tries).toHaveLength(1)
    expect(tries[0]?.begunAt).toBeLessThanOrEqual(9_400)
  })

  it('when it is lost, then attempts are stopped, do not count, and are not stored as tried', async () => {
    const { clock, shift, tries, told, counted, lost, one, add, left } = await given({ taking: 15_000 })
    const deliveries = many(3, (index) => one(index - 3))
    await add(...deliveries)
    const result = working(shift)
    await clock.advance(2_000)
    lost.abort()
    await clock.advance(0)
    expect(tries.map(({ endedAt, wasStopped }) => [endedAt, wasStopped])).toEqual(Array(3).fill([2_000, true]))
    expect([told, counted]).toEqual([[], ['stopped', 'stopped', 'stopped']])
    expect(result.rest).toEqual({ isFull: false })
    expect(await left()).toEqual(deliveries)
  })

  it('when a try succeeds at the very moment at which it is lost, then it counts', async () => {
    const { clock, shift, counted, lost, one, add, left } = await given({ taking: 0 })
    await add(one())
    working(shift)
    lost.abort()
    await clock.advance(0)
    expect(await left()).toHaveLength(counted.includes('delivered') ? 0 : 1)
  })
})

describe('given the end of a run', () => {
  it('when it is near, then nothing begins any more, and what is under way is waited for', async () => {
    const { clock, shift, tries, counted, one, add } = await given({ endBy: world.clock.now() + 5_000, taking: 8_000 })
    await add(one())
    const result = working(shift)
    await clock.advance(4_999)
    await add(one())
    await clock.advance(2_000)
    expect([tries.length, result.rest]).toEqual([1, undefined])
    await clock.advance(1_001)
    expect([counted, result.rest]).toEqual([['delivered'], { isFull: false }])
  })

  it('when everything has to be let go, then attempts are stopped at once, and the shift ends', async () => {
    const ending = new AbortController()
    const { clock, shift, counted, one, add, left } = await given({ signal: ending.signal, taking: 15_000 })
    await add(one(-2), one(-1))
    const result = working(shift)
    await clock.advance(100)
    ending.abort()
    await clock.advance(0)
    expect([counted, result.rest]).toEqual([['stopped', 'stopped'], { isFull: false }])
    expect(await left()).toHaveLength(2)
  })

  it('when everything has to be let go while it only waits, then the shift ends at once', async () => {
    const ending = new AbortController()
    const { clock, shift, one, add } = await given({ signal: ending.signal })
    await add(one(60_000))
    const result = working(shift)
    await clock.advance(100)
    ending.abort()
    await clock.advance(0)
    expect(result.rest).toEqual({ isFull: false })
  })

  it("when the lane is nobody's any more, then nothing begins, what is under way ends, and that is told", async () => {
    const { clock, shift, tries, one, add, left, endLane } = await given({ taking: 5_000, fate: () => 1 })
    await add(one())
    const result = working(shift)
    await clock.advance(1_000)
    endLane()
    await add(one())
    await clock.advance(20_000)
    expect([tries.length, shift.isGone(), result.rest]).toEqual([1, true, { isFull: false }])
    expect(await left()).toHaveLength(2)
  })
})

describe('given a store that fails', () => {
  it('when a try cannot be made, then the others end first, and what is wrong is thrown', async () => {
    const fate = ({ id }: Delivery): Fate => (id === 'm0001' ? new Error('the table is gone') : 'made')
    const taking = ({ id }: Delivery) => (id === 'm0001' ? 100 : 5_000)
    const { clock, shift, tries, counted, one, add, left } = await given({ fate, taking })
    await add(...many(3, (index) => one(index - 3)))
    const result = working(shift)
    await clock.advance(4_999)
    await add(one())
    expect(result).toEqual({})
    await clock.advance(1)
    expect(result.error).toEqual(new Error('the table is gone'))
    expect([tries.length, counted]).toEqual([3, ['delivered', 'delivered']])
    expect(await left()).toHaveLength(2)
  })

  it('when what came of a try cannot be stored for half a minute, then it is kept in hand, and stored then', async () => {
    let isBroken = true
    const decide = ({ command }: SeenCall) => (isBroken && command === 'UpdateItemCommand' ? 'throttled' : undefined)
    const { clock, shift, tries, one, add, left } = await given({ fate: () => 50, decide })
    await add(one())
    const result = working(shift)
    await clock.advance(30_000)
    expect([tries.length, result]).toEqual([1, {}])
    isBroken = false
    await clock.advance(3_000)
    expect(await left()).toMatchObject([{ attempt: 1 }])
    await clock.advance(50_000)
    expect(tries).toHaveLength(2)
  })

  it('when what came of a try cannot be stored at all, then that is thrown in the end, and the delivery is still there', async () => {
    const decide = ({ command }: SeenCall) => (command === 'UpdateItemCommand' ? 'throttled' : undefined)
    const { clock, shift, tries, one, add, left } = await given({ fate: () => 1, decide })
    await add(one())
    const result = working(shift)
    await clock.advance(80_000)
    expect(result.error).toMatchObject({ message: 'too much' })
    expect(tries).toHaveLength(1)
    expect(await left()).toMatchObject([{ attempt: 0 }])
  })

  it('when a look fails, then what is under way ends first, and what is wrong is thrown', async () => {
    let isBroken = false
    const decide = ({ command }: SeenCall) => (isBroken && command === 'QueryCommand' ? 'throttled' : undefined)
    const { clock, shift, counted, one, add } = await given({ taking: 20_000, decide })
    await add(one())
    const result = working(shift)
    await clock.advance(500)
    isBroken = true
    await clock.advance(19_000)
    expect(result).toEqual({})
    await clock.advance(5_000)
    expect(counted).toEqual(['delivered'])
    expect(result.error).toMatchObject({ message: 'too much' })
  })

  it('when it fails for less than 5 s, then the shift goes on as if nothing had happened', async () => {
    let isBroken = false
    const { clock, shift, one, add, left } = await given({
      taking: 100,
      decide: () => (isBroken ? 'throttled' : undefined),
    })
    await add(...many(20, (index) => one(index - 20)))
    isBroken = true
    const result = working(shift)
    await clock.advance(4_000)
    isBroken = false
    await clock.advance(10_000)
    expect([result.rest, await left()]).toEqual([{ isFull: false }, []])
  })
})

describe('given a shift that has ended', () => {
  it.each([
    ['nothing', undefined, false],
    ['something that is due now', 0, true],
    ['something that is due before anybody is back', 199_999, true],
    ['something that is due when somebody is back', 200_000, false],
  ])('when %s has come meanwhile, then that is new: %s', async (_, later, isNew) => {
    const { clock, start, shift, one, add } = await given()
    await add(one(200_000))
    const result = working(shift)
    await clock.advance(0)
    const rest = { isFull: false, nextDueAt: start + 200_000 }
    expect(result.rest).toEqual(rest)
    if (later !== undefined) await add(one(later))
    expect(await shift.hasNew(rest)).toBe(isNew)
  })

  it('when anything has come into an empty lane, then that is new', async () => {
    const { clock, shift, one, add } = await given()
    const result = working(shift)
    await clock.advance(0)
    await add(one(86_000_000))
    expect(await shift.hasNew(result.rest ?? { isFull: true })).toBe(true)
  })

  it('when the window is full, then nothing that has come could be begun', async () => {
    const { clock, shift, one, add } = await given({ fate: () => 512 })
    await add(...many(16, (index) => one(index - 16)))
    const result = working(shift)
    await clock.advance(0)
    expect(result.rest).toMatchObject({ isFull: true })
    await add(one())
    expect(await shift.hasNew(result.rest ?? { isFull: false })).toBe(false)
  })
})
