import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { randomIds } from '../../lib/domain/ids.ts'
import { ANSWER_ROOM, givenBack, lease, newMessage, type LeasedMessage } from '../../lib/domain/message.ts'
import { database } from '../../lib/store/database.ts'
import { newShards } from '../../lib/store/shards.ts'
import { lane } from '../../lib/store/lane.ts'
import { keyOf, placed } from '../../lib/store/message-item.ts'
import { metered, noUsage } from '../../lib/store/meter.ts'
import { taker, type Take } from '../../lib/store/take.ts'
import { manualClock } from '../support/clock.ts'
import { patientClient, testEngine } from '../support/engine.ts'
import { newTables } from '../support/service.ts'

let engine: Awaited<ReturnType<typeof testEngine>>
beforeAll(async () => {
  engine = await testEngine()
})
afterAll(() => engine.stop())

/** Takers over one lane, each as another process has it, which remember `crowded` leases at most. */
async function given(crowded = 50_000) {
  const clock = manualClock()
  const ids = randomIds()
  const { messages } = await newTables(engine.endpoint)
  const theLane = lane(database(patientClient(engine.endpoint), clock), messages, clock)
  const partition = 'lane-x#0'
  const put = async (count: number, ago = 0) => {
    const at = clock.now() - ago
    const life = { delaySeconds: 0, retentionSeconds: 345_600 }
    const made = Array.from({ length: count }, (_, index) =>
      newMessage({ id: ids.messageId(at), leaseId: ids.leaseId(), body: { text: `m${index}` }, ...life }, at + index),
    )
    for (let from = 0; from < count; from += 25) await theLane.put(placed(partition, made.slice(from, from + 25)))
    return made
  }
  const process = (visibilityTimeout = 30) => {
    const shard = newShards({ crowded }).of(partition)
    const take = taker({ lane: theLane, clock, ids, random: Math.random, report: () => undefined })
    const base: Take = {
      partition,
      shard,
      visibilityTimeout,
      oldest: 0,
      room: { messages: 1, bytes: ANSWER_ROOM },
      claimUntil: Infinity,
      consistent: true,
    }
    return (count: number) => take({ ...base, room: { messages: count, bytes: ANSWER_ROOM } })
  }
  const end = (message: LeasedMessage) => theLane.end(partition, keyOf(message), message.leaseId, message.leaseUntil)
  return { clock, ids, lane: theLane, partition, put, process, end }
}

describe('given a process that remembers ten leases', () => {
  it('when ten are in flight, then it is refused until some come free', async () => {
    const { clock, put, process } = await given(10)
    await put(12)
    await clock.advance(1_000)
    const take = process()
    expect(await take(5)).toHaveLength(5)
    expect(await take(5)).toHaveLength(5)
    await take(1).catch(() => 'the first refusal starts anew')
    await expect(take(5)).rejects.toMatchObject({ code: 6070, moduleCode: 10690 })
    await clock.advance(30_000)
    expect(await take(5)).toHaveLength(5)
  })

  it('when other processes delete what it takes, then it goes on: nothing is in flight', async () => {
    const { clock, put, process, end } = await given(10)
    const take = process(43_200)
    for (let served = 0; served < 60; served++) {
      await put(1)
      await clock.advance(3_000)
      const [taken] = await take(1)
      if (!taken) throw new Error(`nothing after ${served}`)
      expect(await end(taken)).toBe(true)
    }
  })
})

describe('given leases of other processes', () => {
  it('when thousands end at once and all were deleted, then one call asks little, and finds what is ready', async () => {
    const { clock, put, process, end } = await given()
    const [other, take] = [process(60), process(60)]
    await put(600)
    await clock.advance(1_000)
    const held: LeasedMessage[] = []
    while (held.length < 600) held.push(...(await other(100)))
    expect(await take(1)).toEqual([])
    await Promise.all(held.map(end))
    await put(1)
    await clock.advance(60_000)
    const usage = noUsage()
    const taken = await metered(usage, () => take(1))
    expect(taken).toHaveLength(1)
    expect(usage.calls).toBeLessThanOrEqual(8)
  })

  it('when one is given back by a process that is gone, then others find it within about a minute', async () => {
    const { clock, ids, lane, partition, put, process } = await given()
    const [message] = await put(1)
    if (!message) throw new Error('a message is needed')
    await clock.advance(1_000)
    const leased = lease(message, 43_200, ids.leaseId(), clock.now())
    await lane.claim(partition, message, leased)
    const take = process()
    expect(await take(1)).toEqual([])
    await lane.giveBack(partition, leased, givenBack(leased, ids.leaseId()))
    let waited = 0
    while ((await take(1)).length === 0) {
      await clock.advance(1_000)
      waited += 1_000
      expect(waited).toBeLessThanOrEqual(62_000)
    }
  })

  it('when the process whose turn it was has gone, then another looks a minute after it', async () => {
    const { clock, put, process } = await given()
    const [gone, take] = [process(), process()]
    await gone(1)
    await clock.advance(31_000)
    await take(1)
    await clock.advance(30_000)
    await gone(1)
    // It asks, and hears whose turn it was half a minute ago.
    await clock.advance(31_000)
    await take(1)
    await put(1, 60_000)
    await clock.advance(28_000)
    expect(await take(1)).toEqual([])
    await clock.advance(1_000)
    expect(await take(1)).toHaveLength(1)
  })

  it('when the look at the whole shard stops because the call is full, then the rest follows at once', async () => {
    const { clock, lane, ids, partition, put, process } = await given()
    const take = process()
    expect(await take(1)).toEqual([])
    await clock.advance(20_000)
    await take(1)
    const late = await put(12, 15_000)
    for (const message of late.slice(0, 3))
      await lane.claim(partition, message, lease(message, 600, ids.leaseId(), clock.now()))
    const found: LeasedMessage[] = []
    for (let waited = 0; waited <= 66_000 && found.length < 9; waited += 1_000) {
      found.push(...(await take(1)))
      await clock.advance(1_000)
    }
    expect(found.map(({ body }) => body)).toEqual(late.slice(3).map(({ body }) => body))
  })
})

it('given two calls of one process, when one leaves what the other has passed, then it is found at once', async () => {
  const { clock, ids, lane, partition, put, process } = await given()
  const take = process(1)
  const [w, x] = await put(2)
  if (!w || !x) throw new Error('two messages are needed')
  await clock.advance(1_000)
  for (const message of [w, x]) await lane.claim(partition, message, lease(message, 1, ids.leaseId(), clock.now()))
  await put(1)
  const slow = take(1)
  await clock.advance(2_000)
  await slow
  const found = [...(await take(1)), ...(await take(1))]
  expect(found.map(({ id }) => id)).toEqual([w.id, x.id])
})
