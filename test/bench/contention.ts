import { createServices } from '../../functions/services.ts'
import { readSettings } from '../../functions/settings.ts'
import { randomIds } from '../../lib/domain/ids.ts'
import { newMessage } from '../../lib/domain/message.ts'
import { newQueue, withDefaults, type Queue } from '../../lib/domain/queue.ts'
import { patientClient } from '../support/engine.ts'
import { onlyKey } from '../support/only-key.ts'
import { ONLY_ACCOUNT } from '../../lib/names.ts'
import type { Archives } from '../../lib/store/archives.ts'
import { placed } from '../../lib/store/message-item.ts'
import { messages as messageStore, type Messages } from '../../lib/store/messages.ts'
import type { Queues } from '../../lib/store/queues.ts'
import { ask, newTables } from '../support/service.ts'
import { accepted, KEY_PAIR } from './cmq-client.ts'
import { laneInMemory } from './lane-in-memory.ts'
import { BATCH, BODY } from './loads.ts'
import { engine } from './processes.ts'
import { atMost, exactly, table, type Findings, type Requirement } from './report.ts'
import type { Size } from './run.ts'
import { countUsage } from './usage.ts'
import { chance, virtualTime, type VirtualTime } from './virtual-time.ts'

const CONSUMERS = 100

const visibilityTimeout = 43_200

/** A run that takes longer is stuck, in milliseconds of its own time. */
const PATIENCE = 600_000

interface Race {
  readonly messages: number
  /** How many messages a receive asks for. */
  readonly wanted: number
  /** How long a consumer works with what it received before it comes back, in milliseconds. */
  readonly pause: number
}

interface Usage {
  readonly claims: number
  readonly calls: number
  readonly readUnits: number
}

interface Outcome {
  readonly usage: Usage
  readonly receives: number
  readonly lost: number
  readonly doubled: number
  readonly seconds: number
}

/** Consumers in as many processes, which know nothing of each other, over one queue of one shard that is full at first. */
export async function contention({ quick }: Size): Promise<Findings> {
  const messages = quick ? 1_600 : 10_000
  const few = quick ? 320 : 960
  const races: readonly (readonly [where: string, run: (race: Race) => Promise<Outcome>, Race])[] = [
    ['memory', inMemory, { messages, wanted: 1, pause: 0 }],
    ['memory', inMemory, { messages, wanted: 1, pause: 50 }],
    ['memory', inMemory, { messages, wanted: BATCH, pause: 0 }],
    // The same race twice: what is counted in memory is what an engine is asked for.
    ['memory', inMemory, { messages: few, wanted: 1, pause: 0 }],
    ['an engine', overEngine, { messages: few, wanted: 1, pause: 0 }],
    ['an engine', overEngine, { messages: few, wanted: BATCH, pause: 0 }],
  ]
  const rows: (readonly (string | number)[])[] = []
  const requirements: Requirement[] = []
  const sum = { lost: 0, doubled: 0 }
  for (const [where, run, race] of races) {
    const { usage, ...outcome } = await run(race)
    const each = [usage.claims, usage.readUnits, usage.calls].map((total) => total / race.messages)
    rows.push([where, race.messages, race.wanted, race.pause, outcome.receives, ...each, outcome.seconds])
    sum.lost += outcome.lost
    sum.doubled += outcome.doubled
    if (race.wanted === 1 && race.messages === messages) {
      const what = `claim writes a message, ${CONSUMERS} consumers of ${messages} messages, pause ${race.pause} ms`
      requirements.push(atMost(what, usage.claims / messages, 2))
    }
  }
  requirements.push(exactly('messages lost to a hundred consumers', sum.lost, 0))
  requirements.push(exactly('messages received twice by a hundred consumers', sum.doubled, 0))
  const heads = ['messages in', 'messages', 'a receive', 'pause ms', 'receives', 'claims each', 'read units each']
  return { text: table([...heads, 'calls each', 'virtual s'], rows), requirements }
}

/** The message store alone, each consumer with its own, over one lane in memory. */
async function inMemory(race: Race): Promise<Outcome> {
  const random = chance(1)
  const time = virtualTime(random)
  const { lane, asked } = laneInMemory(time, BODY.length)
  const ids = randomIds()
  const named = { account: ONLY_ACCOUNT, name: 'contended', id: 'queue', laneId: 'lane', changeId: 'queue' }
  const queue = newQueue(named, withDefaults({ visibilityTimeout }), 1, time.now())
  const queues = { get: () => Promise.resolve(queue) } as unknown as Queues
  const bodies = {
    store: (texts: readonly string[]) => Promise.resolve(texts.map((text) => ({ text }))),
    load: (stored: readonly unknown[]) => Promise.resolve(stored.map(() => BODY)),
  }
  const report = () => undefined
  // A queue that cannot be rewound asks nothing of its archive.
  const archives = {} as unknown as Archives
  const depth = { isFull: () => Promise.resolve(false), sent: () => undefined }
  const process = () => messageStore({ lane, archives, bodies, queues, depth, clock: time, ids, random, report })

  // As if batches had been sent one after the other, 6 ms each.
  const begin = time.now()
  const waiting = Array.from({ length: race.messages }, (_, index) => {
    const at = begin + 6 * Math.floor(index / BATCH)
    const sending = { leaseId: ids.leaseId(), body: { text: BODY }, delaySeconds: 0, retentionSeconds: 345_600 }
    return newMessage({ id: ids.messageId(at), ...sending }, at)
  })
  await time.until(lane.put(placed('', waiting)))
  await time.until(time.sleep((6 * race.messages) / BATCH))
  asked.calls = 0
  const sent = waiting.map(({ id }) => id)
  return { ...(await run(race, time, queue, sent, process)), usage: asked }
}

/** All of the service but its HTTP, over the tables of an engine. */
async function overEngine(race: Race): Promise<Outcome> {
  await using database = await engine()
  const random = chance(1)
  const time = virtualTime(random)
  const client = patientClient(database.endpoint)
  const tableNames = await newTables(database.endpoint)
  const counter = countUsage(client)
  time.slow(client)
  const shared = {
    client,
    tableNames,
    settings: { ...readSettings({}), maxRate: 0 },
    keys: onlyKey(KEY_PAIR),
    clock: time,
    random,
  }
  const start = () => Promise.resolve()
  const process = () => createServices({ ...shared, isAlone: false, start })

  const sender = process()
  const create = { Action: 'CreateQueue', queueName: 'contended', visibilityTimeout }
  accepted(await time.until(ask(sender, create)))
  const queue = await time.until(sender.queues.get(ONLY_ACCOUNT, 'contended'))
  const sent: string[] = []
  for (let at = 0; at < race.messages; at += BATCH)
    sent.push(...(await time.until(sender.messages.send(queue, Array<string>(BATCH).fill(BODY), 0))))

  const work = () => run(race, time, queue, sent, () => process().messages)
  const [outcome, usage] = await counter.during(work)
  client.destroy()
  return { ...outcome, usage }
}

/** Lets all consumers receive until nothing is left. */
async function run(
  { messages, wanted, pause }: Race,
  time: VirtualTime,
  queue: Queue,
  sent: readonly string[],
  process: () => Messages,
): Promise<Omit<Outcome, 'usage'>> {
  const received: string[] = []
  const over = new AbortController()
  const { signal } = over
  void time.sleep(PATIENCE, signal).then(() => over.abort())
  let receives = 0

  async function consume(store: Messages): Promise<void> {
    while (!signal.aborted) {
      receives++
      const now = time.now()
      const taken = await store.receive(queue, { count: wanted, until: now + 2_000, claimUntil: now + 27_000, signal })
      received.push(...taken.map(({ message }) => message.id))
      if (received.length >= messages) over.abort()
      if (pause > 0 && taken.length > 0) await time.sleep(pause, signal)
    }
  }

  const startedAt = time.now()
  await time.until(Promise.all(Array.from({ length: CONSUMERS }, () => consume(process()))))
  const found = new Set(received)
  return {
    receives,
    lost: sent.filter((id) => !found.has(id)).length,
    doubled: received.length - found.size,
    seconds: (time.now() - startedAt) / 1000,
  }
}
