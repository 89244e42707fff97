import type { Message } from '../../lib/domain/message.ts'
import { newQueue, withDefaults } from '../../lib/domain/queue.ts'
import { randomIds } from '../../lib/domain/ids.ts'
import { after } from '../../lib/domain/time.ts'
import { counter } from '../../lib/store/counts.ts'
import { database } from '../../lib/store/database.ts'
import { lane } from '../../lib/store/lane.ts'
import { total } from '../../lib/store/message-counts.ts'
import { partitionOf, placed } from '../../lib/store/message-item.ts'
import { systemClock } from '../../functions/services.ts'
import { patientClient } from '../support/engine.ts'
import { newTables } from '../support/service.ts'
import { BODY } from './loads.ts'
import { engine } from './processes.ts'
import { below, table, type Findings, type Requirement } from './report.ts'
import type { Size } from './run.ts'
import { countUsage } from './usage.ts'
import { chance } from './virtual-time.ts'

/** Of the messages, these parts are delayed, and in flight. */
const DELAYED = 0.1
const IN_FLIGHT = 0.2

/** When messages became visible, in milliseconds before now, by chance. */
const arrivals: Readonly<Record<string, (random: () => number) => number>> = {
  'at random, over two days': (random) => random() * 172_800_000,
  'in forty bursts of a minute': (random) => Math.floor(random() * 40) * 4_000_000 + random() * 60_000,
}

/** How right the count of a very deep queue is, and how soon it is there. */
export async function counting({ quick }: Size): Promise<Findings> {
  const count = quick ? 50_000 : 1_000_000
  const rows: (readonly (string | number)[])[] = []
  const requirements: Requirement[] = []
  for (const [name, arrival] of Object.entries(arrivals)) {
    const { seconds, errors, calls, readUnits } = await measure(count, arrival)
    rows.push([name, seconds, ...errors.map((error) => `${(100 * error).toFixed(2)} %`), calls, readUnits])
    requirements.push(below(`seconds to count ${count} messages that came ${name}`, seconds, 1))
    requirements.push(below(`by how much of it that is wrong`, Math.abs(errors[0] ?? NaN), 0.01))
  }
  const heads = ['messages came', 'seconds', 'all', 'active', 'in flight', 'delayed', 'calls', 'read units']
  return { text: table(heads, rows), requirements }
}

async function measure(count: number, arrival: (random: () => number) => number) {
  await using server = await engine()
  const { messages } = await newTables(server.endpoint)
  const client = patientClient(server.endpoint)
  const usage = countUsage(client)
  const theLane = lane(database(client, systemClock), messages, systemClock)
  const queue = newQueue(
    { account: '1', name: 'deep', id: 'queue-1', laneId: 'lane-1', changeId: 'c' },
    withDefaults({}),
    1,
    systemClock.now(),
  )
  const made = messagesOf(count, arrival)
  const partition = partitionOf(queue.laneId, 0)
  for (let at = 0; at < made.length; at += 800) await theLane.put(placed(partition, made.slice(at, at + 800)))

  const counted = counter({ lane: theLane, clock: systemClock }, { kept: 0 })
  // The first one warms up what every later one of a process has warm.
  await counted({ ...queue, laneId: 'lane-2' })
  const startedAt = performance.now()
  const [found, { calls, readUnits }] = await usage.during(() => counted(queue))
  const seconds = (performance.now() - startedAt) / 1000

  const isDelayed = ({ visibleAt }: Message) => visibleAt > systemClock.now()
  const delayed = made.filter(isDelayed).length
  const inactive = made.filter(({ leaseUntil }) => leaseUntil > 0).length
  const errors = [
    total(found) / count - 1,
    found.active / (count - delayed - inactive) - 1,
    found.inactive / inactive - 1,
    found.delayed / delayed - 1,
  ]
  return { seconds, errors, calls, readUnits }
}

function messagesOf(count: number, arrival: (random: () => number) => number): readonly Message[] {
  const random = chance(1)
  const ids = randomIds()
  const now = systemClock.now()
  return Array.from({ length: count }, () => {
    const isDelayed = random() < DELAYED
    const isHeld = !isDelayed && random() < IN_FLIGHT
    const sentAt = now - Math.floor(isDelayed ? 0 : arrival(random))
    const visibleAt = isDelayed ? now + 600_000 + Math.floor(random() * 3_000_000) : sentAt
    return {
      id: ids.messageId(sentAt),
      leaseId: ids.leaseId(),
      sentAt,
      visibleAt,
      endsAt: after(sentAt, 345_600),
      leaseUntil: isHeld ? now + 3_600_000 : 0,
      receiveCount: isHeld ? 1 : 0,
      body: { text: BODY },
    }
  })
}
