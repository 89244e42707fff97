import { PutItemCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lease, newMessage, type Message } from '../../lib/domain/message.ts'
import { randomIds } from '../../lib/domain/ids.ts'
import { database } from '../../lib/store/database.ts'
import { lane, type Lane } from '../../lib/store/lane.ts'
import { INLINE_BYTES, keyAfter, keyAt, keyOf, LAST_KEY, placed } from '../../lib/store/message-item.ts'
import { metered, noUsage } from '../../lib/store/meter.ts'
import { manualClock, START, whilePassing } from '../support/clock.ts'
import { engineKinds, patientClient, testEngine } from '../support/engine.ts'
import { faultsOf, injectFaults, type Fault } from '../support/faults.ts'
import { newTables } from '../support/service.ts'

const ids = randomIds()
const clock = manualClock()
const P = 'lane-test#0'

function messageAt(visibleAt: number, text = 'hello', retentionSeconds = 60): Message {
  const delaySeconds = (visibleAt - START) / 1000
  const sending = { id: ids.messageId(START), leaseId: ids.leaseId(), body: { text }, delaySeconds, retentionSeconds }
  return newMessage(sending, START)
}

describe.each(engineKinds())('given a lane on %s', (kind) => {
  let engine: Awaited<ReturnType<typeof testEngine>>
  let theLane: Lane
  let told: object[] = []
  let putRaw: (pk: string, sk: string) => Promise<unknown>
  beforeAll(async () => {
    engine = await testEngine(kind)
    const { messages } = await newTables(engine.endpoint)
    const client = patientClient(engine.endpoint)
    theLane = lane(database(client, clock), messages, clock, (message, details) => told.push({ message, ...details }))
    putRaw = (pk, sk) =>
      client.send(new PutItemCommand({ TableName: messages, Item: { pk: { S: pk }, sk: { S: sk } } }))
  })
  afterAll(() => engine.stop())

  const everything = { from: keyAt(0), to: LAST_KEY, limit: 100, consistent: true }
  const newPartition = () => `lane-${Math.random().toString(36).slice(2)}#0`

  it('when messages are put, then a page has them in the order of their times, whatever the order of the puts', async () => {
    const partition = newPartition()
    const [a, b, c] = [messageAt(START), messageAt(START + 1_000), messageAt(START + 2_000)]
    await theLane.put(placed(partition, [c]))
    await theLane.put(placed(partition, [b, a]))
    expect((await theLane.page(partition, everything)).messages).toEqual([a, b, c])
  })

  it('when an item cannot be read, then the others are, and it is told', async () => {
    const partition = newPartition()
    const [a, b] = [messageAt(START), messageAt(START + 2)]
    await theLane.put(placed(partition, [a, b]))
    const unreadable = keyOf({ visibleAt: START + 1, id: 'f'.repeat(32) })
    await putRaw(partition, unreadable)
    told = []
    expect((await theLane.page(partition, everything)).messages).toEqual([a, b])
    expect((await theLane.survey(partition, everything)).states).toHaveLength(2)
    expect(await theLane.get(partition, [unreadable], true)).toEqual([])
    const one = { message: 'an item cannot be read', sk: unreadable }
    expect(told).toMatchObject([{ ...one, pk: partition }, one, one])
  })

  it('when a page is cut, then the next begins where it ended, and nothing is missed or seen twice', async () => {
    const partition = newPartition()
    const put = Array.from({ length: 23 }, (_, index) => messageAt(START + index))
    await theLane.put(placed(partition, put))
    const seen: Message[] = []
    for (let from: string | undefined = keyAt(0); from !== undefined;) {
      const page = await theLane.page(partition, { ...everything, from, limit: 5 })
      seen.push(...page.messages)
      from = page.next
    }
    expect(seen).toEqual(put)
  })

  it('when a page ends at an instant, then what becomes visible in that very millisecond is in it', async () => {
    const partition = newPartition()
    await theLane.put(placed(partition, [messageAt(START), messageAt(START + 1)]))
    const page = await theLane.page(partition, { ...everything, to: keyAfter(START) })
    expect(page.messages.map(({ visibleAt }) => visibleAt)).toEqual([START])
  })

  it('when the range is empty because the clock stepped back, then so is the page', async () => {
    expect(await theLane.page(P, { ...everything, from: keyAt(START), to: keyAt(START - 1) })).toEqual({ messages: [] })
  })

  it('when a message is claimed, then only the newest lease holds', async () => {
    const partition = newPartition()
    const message = messageAt(START)
    await theLane.put(placed(partition, [message]))
    const first = lease(message, 30, ids.leaseId(), clock.now())
    expect(await theLane.claim(partition, message, first)).toEqual({ won: true })
    expect(await theLane.claim(partition, message, lease(message, 30, ids.leaseId(), clock.now()))).toEqual({
      won: false,
      found: first,
    })
    const second = lease(first, 30, ids.leaseId(), clock.now())
    expect(await theLane.claim(partition, first, second)).toEqual({ won: true })
    expect(await theLane.end(partition, keyOf(message), first.leaseId, first.leaseUntil)).toBe(false)
    expect(await theLane.end(partition, keyOf(message), second.leaseId, second.leaseUntil)).toBe(true)
  })

  it('when a deleted message is claimed, ended or given back, then it does not come back', async () => {
    const partition = newPartition()
    const message = messageAt(START)
    await theLane.put(placed(partition, [message]))
    const leased = lease(message, 30, ids.leaseId(), clock.now())
    await theLane.claim(partition, message, leased)
    await theLane.end(partition, keyOf(message), leased.leaseId, leased.leaseUntil)
    expect(await theLane.claim(partition, leased, lease(leased, 30, ids.leaseId(), clock.now()))).toEqual({
      won: false,
    })
    await theLane.giveBack(partition, leased, { ...message, leaseId: ids.leaseId() })
    expect(await theLane.end(partition, keyOf(message), leased.leaseId, leased.leaseUntil)).toBe(false)
    expect((await theLane.page(partition, everything)).messages).toEqual([])
  })

  it('when a message is given back, then it is as before, under another lease id', async () => {
    const partition = newPartition()
    const message = messageAt(START)
    await theLane.put(placed(partition, [message]))
    const leased = lease(message, 30, ids.leaseId(), clock.now())
    await theLane.claim(partition, message, leased)
    const back = { ...message, leaseId: ids.leaseId() }
    await theLane.giveBack(partition, leased, back)
    expect((await theLane.page(partition, everything)).messages).toEqual([back])
  })

  it('when a full look is asked for by many, then one wins, and again after a while', async () => {
    const partition = newPartition()
    const ask = () => Promise.all(Array.from({ length: 5 }, () => theLane.winLook(partition, 60_000)))
    const at = clock.now()
    const turns = [...(await ask()), ...(await ask())]
    expect(turns.filter(({ won }) => won)).toHaveLength(1)
    expect(turns.every((turn) => turn.at === at)).toBe(true)
    clock.set(at + 60_000)
    expect((await ask()).filter(({ won }) => won)).toHaveLength(1)
    expect((await theLane.page(partition, everything)).messages).toEqual([])
  })

  it.each<[string, ...Fault[]]>([
    ['its answer got lost', 'lost after'],
    ['nobody ever answers', ...Array<Fault>(1_000).fill('lost before')],
  ])('when a full look is asked for and %s, then it is its turn', async (_, ...faults) => {
    const client = patientClient(engine.endpoint)
    injectFaults(client, faultsOf('UpdateItemCommand', ...faults))
    const own = manualClock()
    const { messages } = await newTables(engine.endpoint)
    const unlucky = lane(database(client, own), messages, own)
    expect(await whilePassing(own, unlucky.winLook(newPartition(), 60_000))).toEqual({ won: true, at: START })
  })

  it('when the clock of whoever won the last full look was ahead, then others need not wait until then', async () => {
    const partition = newPartition()
    const right = clock.now()
    clock.set(right + 3_600_000)
    expect(await theLane.winLook(partition, 60_000)).toEqual({ won: true, at: right + 3_600_000 })
    clock.set(right)
    expect(await theLane.winLook(partition, 60_000)).toEqual({ won: true, at: right })
    expect(await theLane.winLook(partition, 60_000)).toEqual({ won: false, at: right })
  })

  it('when the largest inline body goes through its life, then each step costs one write unit', async () => {
    const partition = `lane-${'x'.repeat(16)}#63`
    const usage = noUsage()
    await metered(usage, async () => {
      const message = messageAt(START, 'x'.repeat(INLINE_BYTES))
      await theLane.put(placed(partition, [message]))
      const leased = { ...lease(message, 43_200, ids.leaseId(), clock.now()), receiveCount: 999_999 }
      await theLane.claim(partition, message, leased)
      await theLane.end(partition, keyOf(message), leased.leaseId, leased.leaseUntil)
    })
    expect(usage).toEqual({ readUnits: 0, writeUnits: 3, calls: 3 })
    expect(INLINE_BYTES).toBeGreaterThan(700)
  })

  it('when an item holds any instant and any end, then both come back to the millisecond', async () => {
    const partition = newPartition()
    const odd = { ...messageAt(START), sentAt: START + 7, endsAt: START + 7 + 60_000 }
    await theLane.put(placed(partition, [odd]))
    expect((await theLane.page(partition, everything)).messages).toEqual([odd])
  })
})
