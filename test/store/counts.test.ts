import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { randomIds } from '../../lib/domain/ids.ts'
import { lease, newMessage, type Message } from '../../lib/domain/message.ts'
import { newQueue, withDefaults } from '../../lib/domain/queue.ts'
import { counter } from '../../lib/store/counts.ts'
import { database } from '../../lib/store/database.ts'
import { lane, type Lane } from '../../lib/store/lane.ts'
import { partitionOf, placed } from '../../lib/store/message-item.ts'
import { metered, noUsage } from '../../lib/store/meter.ts'
import { manualClock } from '../support/clock.ts'
import { patientClient, testEngine } from '../support/engine.ts'
import { newTables } from '../support/service.ts'
import { chance } from '../bench/virtual-time.ts'
import { surveyed, type Surveyed } from './partition-in-memory.ts'

let engine: Awaited<ReturnType<typeof testEngine>>
beforeAll(async () => {
  engine = await testEngine()
})
afterAll(() => engine.stop())

/** A queue of some shards, and a way to put messages into it as they were sent some time ago. */
async function given(shards: number) {
  const clock = manualClock()
  const ids = randomIds()
  const { messages } = await newTables(engine.endpoint)
  const theLane = lane(database(patientClient(engine.endpoint), clock), messages, clock)
  const named = {
    account: '1',
    name: 'q',
    id: 'queue-1',
    laneId: `lane-${Math.random().toString(36).slice(2)}`,
    changeId: 'c',
  }
  const queue = newQueue(named, withDefaults({}), shards, clock.now())
  const message = (age: number, delaySeconds = 0, retentionSeconds = 345_600): Message => {
    const at = clock.now() - age
    return newMessage(
      { id: ids.messageId(at), leaseId: ids.leaseId(), body: { text: 'x' }, delaySeconds, retentionSeconds },
      at,
    )
  }
  const put = async (made: readonly Message[]) => {
    for (let at = 0; at < made.length; at += 25)
      await theLane.put(placed(partitionOf(queue.laneId, (at / 25) % shards), made.slice(at, at + 25)))
  }
  return { clock, ids, theLane, queue, message, put }
}

describe('given a queue of ordinary size', () => {
  it('when it is counted, then every state is counted exactly, over all its shards', async () => {
    const { clock, ids, theLane, queue, message, put } = await given(3)
    const waiting = Array.from({ length: 120 }, () => message(1_000, 60))
    const ready = Array.from({ length: 200 }, (_, index) => message(10_000 + index))
    const held = Array.from({ length: 50 }, (_, index) =>
      lease(message(20_000 + index), 30, ids.leaseId(), clock.now()),
    )
    const over = Array.from({ length: 40 }, () => message(100_000, 0, 60))
    await put([...waiting, ...ready, ...held, ...over])
    expect(await counter({ lane: theLane, clock })(queue)).toEqual({
      active: 200,
      inactive: 50,
      delayed: 120,
      oldestSentAt: clock.now() - 20_049,
    })
  })

  it('when it is empty, then nothing is oldest', async () => {
    const { clock, theLane, queue } = await given(2)
    expect(await counter({ lane: theLane, clock })(queue)).toEqual({ active: 0, inactive: 0, delayed: 0 })
  })
})

describe('given a deep queue', () => {
  it('when it is counted, then the rest is counted too, as long as it is no more than a sample, and then kept for a while', async () => {
    const { clock, theLane, queue, message, put } = await given(1)
    await put(Array.from({ length: 3_000 }, (_, index) => message(4_000_000 - 500 * index)))
    const count = counter({ lane: theLane, clock }, { most: 500 })
    const usage = noUsage()
    const { active } = await metered(usage, () => count(queue))
    expect(active).toBe(3_000)
    expect(usage.calls).toBeLessThanOrEqual(300)
    const { calls } = usage
    await put([message(0)])
    expect(await metered(usage, () => count(queue))).toMatchObject({ active })
    expect(usage.calls).toBe(calls)
  })

  it('when there is no time, then what was seen tells of the rest', async () => {
    const { clock, queue } = await given(1)
    const { lane } = surveyed({ [partitionOf(queue.laneId, 0)]: scattered(100_000, clock.now(), (random) => random()) })
    const slow: Pick<Lane, 'survey'> = {
      survey: (partition, range) => {
        clock.set(clock.now() + 3)
        return lane.survey(partition, range)
      },
    }
    const startedAt = clock.now()
    const { active } = await counter({ lane: slow, clock })(queue)
    expect(clock.now() - startedAt).toBeLessThan(1_000)
    expect(active / 70_000).toBeGreaterThan(0.8)
    expect(active / 70_000).toBeLessThan(1.2)
  })
})

const DAY = 86_400_000

/** So many messages of which each came at a part of the last two days: a tenth delayed, and of the others a fifth in flight. */
function scattered(count: number, now: number, arrival: (random: () => number, index: number) => number): Surveyed[] {
  const random = chance(7)
  return Array.from({ length: count }, (_, index) => {
    const isDelayed = index % 10 === 0
    const sentAt = now - (isDelayed ? 0 : Math.floor(arrival(random, index) * 2 * DAY))
    const leaseUntil = index % 5 === 1 ? now + 60_000 : 0
    const visibleAt = isDelayed ? now + 60_000 + Math.floor(random() * 3_000_000) : sentAt
    return { id: String(index), sentAt, visibleAt, endsAt: sentAt + 4 * DAY, leaseUntil }
  })
}

/** A sample of 40,000 errs by half a hundredth, more or less; chance begins alike in every run. */
describe.each<[string, number, (random: () => number, index: number) => number, number]>([
  ['came at random', 4, (random) => random(), 0.01],
  ['came at random to one shard', 1, (random) => random(), 0.01],
  ['came in forty bursts of a minute', 1, (random, index) => (index % 40) / 40 + random() / 2_880, 0.02],
  ['came by day', 1, (random) => (Math.floor(random() * 2) + random() / 2) / 2, 0.015],
  ['came every second in batches of 16', 1, (_random, index) => Math.floor(index / 16) / 12_500, 0.02],
])('given 200,000 messages that %s', (_, shards, arrival, error) => {
  it('when they are counted, then every state is about right, by less than a third of them', async () => {
    const { clock, queue } = await given(shards)
    const all = scattered(200_000, clock.now(), arrival)
    const parts = Array.from({ length: shards }, (_one, shard) => [
      partitionOf(queue.laneId, shard),
      all.filter((_message, index) => Math.floor(index / 16) % shards === shard),
    ])
    const { lane, read } = surveyed(Object.fromEntries(parts) as Record<string, Surveyed[]>)
    const { active, inactive, delayed } = await counter({ lane, clock })(queue)
    expect(Math.abs((active + inactive + delayed) / 200_000 - 1)).toBeLessThan(error)
    expect(Math.abs(active / 140_000 - 1)).toBeLessThan(2 * error)
    expect(Math.abs(inactive / 40_000 - 1)).toBeLessThan(4 * error)
    expect(Math.abs(delayed / 20_000 - 1)).toBeLessThan(4 * error)
    expect(read.messages).toBeLessThan(70_000)
  })
})
