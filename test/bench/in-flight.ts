import type { Services } from '../../functions/services.ts'
import type { Message } from '../../lib/domain/message.ts'
import type { Queue } from '../../lib/domain/queue.ts'
import { after } from '../../lib/domain/time.ts'
import { ONLY_ACCOUNT } from '../../lib/names.ts'
import { database } from '../../lib/store/database.ts'
import { lane } from '../../lib/store/lane.ts'
import { partitionOf, placed } from '../../lib/store/message-item.ts'
import { manualClock, type ManualClock } from '../support/clock.ts'
import { ask, newTables, testServices, type Client } from '../support/service.ts'
import { accepted } from './cmq-client.ts'
import { BODY } from './loads.ts'
import { engine } from './processes.ts'
import { atMost, table, type Findings } from './report.ts'
import type { Size } from './run.ts'
import { countUsage, type Counter } from './usage.ts'

const queueName = 'in-flight'

/** Leases of what is in flight end between these, in seconds from the beginning. */
const FIRST_END = 60
const LAST_END = 3_600

/** Messages in flight, and the time between two receives in milliseconds. In 100 s some leases end, and marks are visited. */
const RUNS = [
  { count: 0, pace: 100 },
  { count: 1_000, pace: 100 },
  { count: 10_000, pace: 100 },
  { count: 10_000, pace: 3 },
] as const

/** What a receive costs when messages in flight lie in front of the ready ones. */
export async function inFlight({ quick }: Size): Promise<Findings> {
  await using database = await engine()
  const receives = quick ? 100 : 1_000
  const rows: (readonly (string | number)[])[] = []
  const requirements = []
  for (const { count, pace } of RUNS) {
    const cost = await measure(database.endpoint, count, receives, pace)
    rows.push([count, pace, cost.first, cost.mean, cost.worst, cost.calls])
    const what = `read units a receive, ${count} in flight, one every ${pace} ms`
    requirements.push(atMost(what, cost.mean, 3))
  }
  return {
    text: table(['in flight', 'every ms', 'first, read units', 'mean after it', 'most', 'calls, mean'], rows),
    requirements,
  }
}

async function measure(endpoint: string, count: number, receives: number, pace: number) {
  const { services, clock, counter, put } = await quietService(endpoint)
  accepted(await ask(services, { Action: 'CreateQueue', queueName, visibilityTimeout: 43_200 }))
  const queue = await services.queues.get(ONLY_ACCOUNT, queueName)
  await put(queue, leased(services, clock, count))
  await put(queue, ready(services, clock, receives + 1))
  await clock.advance(1_000)

  const receive = () => ask(services, { Action: 'ReceiveMessage', queueName, pollingWaitSeconds: 0 })
  const [, first] = await counter.during(receive)
  let readUnits = 0
  let calls = 0
  let worst = 0
  for (let received = 0; received < receives; received++) {
    await clock.advance(pace)
    const [answer, usage] = await counter.during(receive)
    accepted(answer)
    readUnits += usage.readUnits
    calls += usage.calls
    worst = Math.max(worst, usage.readUnits)
  }
  return { first: first.readUnits, mean: readUnits / receives, worst, calls: calls / receives }
}

async function quietService(endpoint: string) {
  const clock = manualClock()
  const tableNames = await newTables(endpoint)
  let made: { counter: Counter; client: Client } | undefined
  const prepare = (client: Client) => {
    made = { counter: countUsage(client), client }
  }
  const services = await testServices({ endpoint, clock, tableNames, prepare })
  if (!made) throw new Error('nothing counts')
  const { counter, client } = made
  const messages = lane(database(client, clock), tableNames.messages, clock)

  /** Puts messages as they are, so that nothing this service remembers makes them easier to receive. */
  async function put(queue: Queue, items: readonly Message[]): Promise<void> {
    for (let at = 0; at < items.length; at += 25)
      await messages.put(placed(partitionOf(queue.laneId, 0), items.slice(at, at + 25)))
  }
  return { services, clock, counter, put }
}

/** Messages that another process has received, whose leases end in an order that has nothing to do with theirs. */
const leased = ({ ids }: Services, clock: ManualClock, count: number): readonly Message[] =>
  Array.from({ length: count }, (_, index) => {
    const mixed = (index * 7919) % count
    const end = FIRST_END + (mixed / count) * (LAST_END - FIRST_END)
    return { ...waiting(ids, clock.now() - 60_000 + index), leaseUntil: after(clock.now(), end), receiveCount: 1 }
  })

const ready = ({ ids }: Services, clock: ManualClock, count: number): readonly Message[] =>
  Array.from({ length: count }, (_, index) => waiting(ids, clock.now() - 10_000 + index))

const waiting = (ids: Services['ids'], visibleAt: number): Message => ({
  id: ids.messageId(visibleAt),
  leaseId: ids.leaseId(),
  sentAt: visibleAt,
  visibleAt,
  endsAt: after(visibleAt, 345_600),
  leaseUntil: 0,
  receiveCount: 0,
  body: { text: BODY },
})
