import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { randomIds } from '../../lib/domain/ids.ts'
import { lease, newMessage, type Message } from '../../lib/domain/message.ts'
import { newQueue, withDefaults } from '../../lib/domain/queue.ts'
import { counter } from '../../lib/store/counts.ts'
import { connect, database } from '../../lib/store/database.ts'
import { lane } from '../../lib/store/lane.ts'
import { partitionOf, placed } from '../../lib/store/message-item.ts'
import { metered, noUsage } from '../../lib/store/meter.ts'
import { manualClock } from '../support/clock.ts'
import { testEngine } from '../support/engine.ts'
import { newTables } from '../support/service.ts'

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
  const theLane = lane(database(connect({ endpoint: engine.endpoint, attemptTimeout: 20_000 }), clock), messages, clock)
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

describe('given a very deep queue', () => {
  it('when it is counted, then the rest is estimated, closely where it came evenly, and then kept for a while', async () => {
    const { clock, theLane, queue, message, put } = await given(1)
    await put(Array.from({ length: 8_000 }, (_, index) => message(4_000_000 - 500 * index)))
    const count = counter({ lane: theLane, clock }, 500)
    const usage = noUsage()
    const { active } = await metered(usage, () => count(queue))
    expect(active).toBeGreaterThan(8_000 * 0.97)
    expect(active).toBeLessThan(8_000 * 1.03)
    expect(usage.calls).toBeLessThanOrEqual(100)
    await put([message(0)])
    expect(await count(queue)).toMatchObject({ active })
    expect(usage.calls).toBeLessThanOrEqual(100)
  })

  it('when its messages came in bursts, then the estimate is of the right size', async () => {
    const { clock, theLane, queue, message, put } = await given(1)
    const burst = (age: number) => Array.from({ length: 1_000 }, (_, index) => message(age - index))
    await put([9_000_000, 6_000_000, 3_000_000, 1_000_000].flatMap(burst))
    const { active } = await counter({ lane: theLane, clock }, 500)(queue)
    expect(active).toBeGreaterThan(4_000 / 2)
    expect(active).toBeLessThan(4_000 * 2)
  })
})
