import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newQueue, withDefaults } from '../../lib/domain/queue.ts'
import { newBeside } from '../../lib/store/beside.ts'
import { countNotes } from '../../lib/store/count-notes.ts'
import { database } from '../../lib/store/database.ts'
import { depth, type DepthLimits } from '../../lib/store/depth.ts'
import { metered, noUsage } from '../../lib/store/meter.ts'
import { queues } from '../../lib/store/queues.ts'
import { rates } from '../../lib/store/rates.ts'
import { tallies } from '../../lib/store/tallies.ts'
import { during, manualClock } from '../support/clock.ts'
import { patientClient, testEngine } from '../support/engine.ts'
import { injectFaults, type Fault } from '../support/faults.ts'
import { newTables } from '../support/service.ts'

/**
 * Limits that many processes hold together. Messages are only counted here, since it is about who lets how many through:
 * what the processes tell each other goes through an engine.
 */

let engine: Awaited<ReturnType<typeof testEngine>>
beforeAll(async () => {
  engine = await testEngine()
})
afterAll(() => engine.stop())

const LIMIT = 1_000_000
const TICK = 100

/** What the queue holds, and what befalls the processes. */
interface Fleet {
  held: number
  inFlight: number
  delayed: number
  /** How often it was counted, and how often that will fail. */
  counts: number
  failures: number
  /** What befalls the calls that tell a tally. */
  tellingFault?: Fault
}

const isTally = (input: object): boolean => JSON.stringify(input).includes('"S":"tally#') && 'UpdateExpression' in input

/** So many processes over one queue that holds `held` messages. */
async function given(
  processes: number,
  { held = 0, limits = {} }: { held?: number; limits?: Partial<DepthLimits> } = {},
) {
  const clock = manualClock()
  const { registry } = await newTables(engine.endpoint)
  const fleet: Fleet = { held, inFlight: 0, delayed: 0, counts: 0, failures: 0 }
  const reports: string[] = []

  function process() {
    const client = patientClient(engine.endpoint)
    injectFaults(client, ({ input }) => (isTally(input) ? fleet.tellingFault : undefined))
    client.middlewareStack.add((next) => (args) => during(next(args)), { step: 'initialize', name: 'during' })
    const db = database(client, clock)
    const report = (message: string) => void reports.push(message)
    const beside = newBeside(report, { freezes: true })
    const store = queues(db, registry, clock, { isAlone: false })
    const told = tallies(db, registry, clock, { beside, isAlone: false })
    const notes = countNotes(db, registry)
    const count = () => {
      fleet.counts++
      if (fleet.failures-- > 0) return Promise.reject(new Error('the store does not answer'))
      const { held, inFlight, delayed } = fleet
      return Promise.resolve({ active: held - inFlight - delayed, inactive: inFlight, delayed })
    }
    const depths = depth(
      { tallies: told, notes, count, clock, beside, report },
      { maxInFlight: 0, maxDelayed: 0, ...limits },
    )
    const pace = rates(told, clock, 5_000)

    return {
      store,
      tallies: told,
      /** Sends a batch, as far as the queue's depth is concerned; whether it was taken. */
      async send(messages: number, delaySeconds = 0) {
        const queue = await store.get('1', 'q')
        const refusal = await depths.refusal(queue, messages, delaySeconds)
        if (!refusal) fleet.held += messages
        if (!refusal && delaySeconds > 0) fleet.delayed += messages
        await beside.done()
        return refusal
      },
      /** Asks whether so many may go through now, as far as rates are concerned. */
      async ask(messages: number) {
        told.add('queue-1', 'send', messages)
        const isAllowed = pace.allows('queue-1', 'send', messages)
        await beside.done()
        return isAllowed
      },
      async isCrowded() {
        const isCrowded = await depths.isCrowded(await store.get('1', 'q'))
        await beside.done()
        return isCrowded
      },
      isFull: async () => depths.isFull(await store.get('1', 'q')),
    }
  }

  const all = Array.from({ length: processes }, process)
  const named = { account: '1', name: 'q', id: 'queue-1', laneId: 'lane-1', changeId: 'c' }
  await all[0]?.store.create(newQueue(named, withDefaults({ maxMsgHeapNum: LIMIT }), 1, clock.now()))

  /** Lets so many seconds pass, in which each process does something every tick. */
  async function pass(seconds: number, each: (one: ReturnType<typeof process>, index: number) => Promise<unknown>) {
    for (let tick = 0; tick < seconds * (1_000 / TICK); tick++) {
      await Promise.all(all.map(each))
      await clock.advance(TICK)
    }
  }
  return { clock, fleet, all, process, pass, reports }
}

describe('given twenty processes that send 5,000 messages a second into a queue near its limit', () => {
  const sends = (one: { send(messages: number): Promise<unknown> }) => one.send(25)

  it('when nobody receives, then the queue ends within a hundredth of its limit, and costs little to watch', async () => {
    const { fleet, pass } = await given(20, { held: 960_000 })
    const usage = noUsage()
    await metered(usage, () => pass(12, sends))
    expect(fleet.held).toBeGreaterThan(LIMIT * 0.99)
    expect(fleet.held).toBeLessThan(LIMIT * 1.01)
    // 60,000 messages were sent or refused. A record is read once a second and process for other reasons.
    expect(usage.writeUnits / 60_000).toBeLessThan(0.05)
    expect(fleet.counts).toBeLessThan(12)
  })

  it('when it drains, then it fills again to the limit and no further', async () => {
    const { fleet, pass } = await given(20, { held: 990_000 })
    await pass(6, sends)
    const full = fleet.held
    fleet.held -= 30_000
    await pass(20, sends)
    expect(full).toBeLessThan(LIMIT * 1.01)
    expect(fleet.held).toBeGreaterThan(LIMIT * 0.99)
    expect(fleet.held).toBeLessThan(LIMIT * 1.01)
  })

  it('when whoever counts fails, then another counts after a while', async () => {
    const { fleet, pass, reports } = await given(20, { held: 985_000 })
    fleet.failures = 1
    await pass(12, sends)
    expect(reports).toEqual(['counting a queue has failed'])
    expect(fleet.counts).toBeGreaterThan(1)
    expect(fleet.held).toBeGreaterThan(LIMIT * 0.99)
    // It may count for five seconds before another may, in which 25,000 messages are sent.
    expect(fleet.held).toBeLessThan(LIMIT * 1.03)
  })

  it('when no tally can be told, then each goes by what it did itself, and no send fails', async () => {
    const { fleet, pass, reports } = await given(4, { held: 985_000 })
    fleet.tellingFault = 'throttled'
    await pass(25, sends)
    expect(reports).toEqual([])
    expect(fleet.held).toBeGreaterThan(LIMIT * 0.99)
    expect(fleet.held).toBeLessThan(LIMIT * 1.02)
  })
})

describe('given a full queue', () => {
  it('when it was counted a while ago, then the next send waits for another count, and is taken if there is room', async () => {
    const { clock, fleet, all } = await given(1, { held: LIMIT + 5 })
    const [one] = all
    for (let sent = 0; sent < 7; sent++) await one?.send(16)
    await clock.advance(2_000)
    expect(await one?.send(16)).toBe('heapFull')
    expect(await one?.isFull()).toBe(true)
    fleet.held = 10
    expect(await one?.send(16)).toBe('heapFull')
    await clock.advance(86_400_000)
    expect(await one?.send(16)).toBeUndefined()
    await clock.advance(1_000)
    expect(await one?.isFull()).toBe(false)
  })

  it('when the clock of whoever counted was an hour ahead, then it is counted anew all the same', async () => {
    const { clock, fleet, all } = await given(1, { held: LIMIT + 5 })
    const [one] = all
    const right = clock.now()
    clock.set(right + 3_600_000)
    for (let sent = 0; sent < 7; sent++) await one?.send(16)
    clock.set(right)
    fleet.held = 10
    await clock.advance(2_000)
    expect(await one?.send(16)).toBeUndefined()
    await clock.advance(2_000)
    expect(await one?.isFull()).toBe(false)
    expect(fleet.counts).toBe(2)
  })

  it('when a process starts that knows nothing, then it knows by the record, without a count', async () => {
    const { clock, fleet, all, process } = await given(1, { held: LIMIT + 5 })
    for (let sent = 0; sent < 7; sent++) await all[0]?.send(16)
    await clock.advance(2_000)
    expect(fleet.counts).toBe(1)
    expect(await process().send(1)).toBe('heapFull')
    expect(fleet.counts).toBe(1)
  })

  it('when its limit is raised, then there is room', async () => {
    const { clock, all } = await given(1, { held: LIMIT + 5 })
    const [one] = all
    for (let sent = 0; sent < 7; sent++) await one?.send(16)
    const queue = await one?.store.read('1', 'q')
    if (!queue) throw new Error('there is no queue')
    await Promise.all([one?.store.change(queue, { maxMsgHeapNum: 2 * LIMIT }, 'c2'), clock.advance(2_000)])
    expect(await one?.send(16)).toBeUndefined()
  })
})

describe('given little traffic', () => {
  it('when three messages a second are sent for half a minute, then nothing is counted, told or read for it', async () => {
    const { fleet, all, clock } = await given(1)
    const [one] = all
    const usage = noUsage()
    await metered(usage, async () => {
      for (let second = 0; second < 33; second++) {
        await one?.send(3)
        await clock.advance(1_000)
      }
    })
    expect(usage.writeUnits).toBe(0)
    // The queue's record, once a second.
    expect(usage.calls).toBe(33)
    expect(fleet.counts).toBe(0)
  })
})

describe('given limits of what is delayed and in flight', () => {
  it('when 20,000 are delayed, then delayed messages are refused, and others are not', async () => {
    const { fleet, all, pass } = await given(4, { limits: { maxDelayed: 20_000 } })
    fleet.delayed = 19_000
    await pass(10, (one) => one.send(5, 60))
    expect(await all[0]?.send(1, 60)).toBe('tooManyUnacked')
    expect(await all[0]?.send(1)).toBeUndefined()
    expect(fleet.delayed).toBeLessThan(20_000 * 1.05)
  })

  it('when 100,000 are in flight, then nobody receives more until they are deleted', async () => {
    const { clock, fleet, all, pass } = await given(4, { held: 200_000, limits: { maxInFlight: 100_000 } })
    fleet.inFlight = 98_000
    await pass(8, async (one) => {
      if (await one.isCrowded()) return
      fleet.inFlight += 16
      one.tallies.add('queue-1', 'receive', 16)
    })
    expect(fleet.inFlight).toBeGreaterThan(99_000)
    expect(fleet.inFlight).toBeLessThan(105_000)
    expect(await all[0]?.isCrowded()).toBe(true)
    fleet.inFlight = 0
    await clock.advance(10_000)
    expect(await all[1]?.isCrowded()).toBe(false)
  })
})

describe('given a limit of 5,000 messages a second', () => {
  /** How many messages get through in each of so many seconds, where process number `index` asks for `demand` each tick. */
  async function through(processes: number, seconds: number, demand: (index: number) => number) {
    const { pass } = await given(processes)
    const usage = noUsage()
    const perSecond: number[] = []
    const by = Array.from({ length: processes }, () => 0)
    for (let second = 0; second < seconds; second++) {
      let passed = 0
      await metered(usage, () =>
        pass(1, async (one, index) => {
          // In batches of ten.
          for (let left = demand(index); left > 0; left -= 10) {
            if (!(await one.ask(10))) continue
            passed += 10
            by[index] = (by[index] ?? 0) + 10
          }
        }),
      )
      perSecond.push(passed)
    }
    return { perSecond, by, usage }
  }

  it('when one process asks for twice that, then it gets that, and one second more at the beginning', async () => {
    const { perSecond } = await through(1, 5, () => 1_000)
    expect(perSecond[0]).toBeLessThanOrEqual(10_000)
    for (const passed of perSecond.slice(1)) {
      expect(passed).toBeGreaterThan(4_900)
      expect(passed).toBeLessThan(5_100)
    }
  })

  it('when twenty together ask for less, then nobody is refused', async () => {
    const { perSecond } = await through(20, 6, () => 20)
    expect(perSecond).toEqual([4_000, 4_000, 4_000, 4_000, 4_000, 4_000])
  })

  it('when twenty together ask for twice that, then within seconds they get that, each its part', async () => {
    const { perSecond, by, usage } = await through(20, 10, (index) => (index < 10 ? 80 : 20))
    for (const passed of perSecond.slice(4)) {
      expect(passed).toBeGreaterThan(5_000 * 0.9)
      expect(passed).toBeLessThan(5_000 * 1.1)
    }
    expect((by[0] ?? 0) / (by[19] ?? 1)).toBeGreaterThan(2)
    expect(usage.writeUnits / 100_000).toBeLessThan(0.03)
  })
})
