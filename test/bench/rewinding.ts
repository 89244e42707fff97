import { systemClock, type Services } from '../../functions/services.ts'
import { newMessage } from '../../lib/domain/message.ts'
import { ONLY_ACCOUNT } from '../../lib/names.ts'
import { archiveKeyAt, archiveOf } from '../../lib/store/archives.ts'
import { attributesOf } from '../../lib/store/attributes.ts'
import { createTables } from '../../lib/store/create-tables.ts'
import { database, writeBatch, type Item } from '../../lib/store/database.ts'
import { itemOf } from '../../lib/store/message-item.ts'
import { patientClient } from '../support/engine.ts'
import { ask, testServices, type Client } from '../support/service.ts'
import { accepted, cmqClient, type Parameters } from './cmq-client.ts'
import { BATCH, BODY } from './loads.ts'
import { engine, server } from './processes.ts'
import { atMost, below, exactly, table, type Findings } from './report.ts'
import type { Size } from './run.ts'
import { countUsage, type Counter } from './usage.ts'

const queueName = 'rewound'

/** The tables of the local server, which is the fresh process. */
const tableNames = {
  registry: 'cmq-registry',
  messages: 'cmq-messages',
  deliveries: 'cmq-deliveries',
  bodies: 'cmq-bodies',
}

/** What a queue with many archived messages costs, what a rewind of it costs, and how soon the first of them comes. */
export async function rewinding({ quick }: Size): Promise<Findings> {
  await using database = await engine()
  const archived = quick ? 5_000 : 100_000
  const { services, counter, client } = await connected(database.endpoint)
  const call = (Action: string, parameters: Parameters = {}) =>
    counter.during(async () => accepted(await ask(services, { Action, queueName, ...parameters })))

  const startedAt = Math.floor(Date.now() / 1000) - 3_000
  await call('CreateQueue', { rewindSeconds: 3_600, visibilityTimeout: 3_600 })
  const without = await receives(services, call)
  await archive(services, client, archived, startedAt * 1000)
  const beside = await receives(services, call)

  const counting = performance.now()
  const [counts] = await call('GetQueueAttributes')
  const countingTook = performance.now() - counting
  const [, rewind] = await call('RewindQueue', { startConsumeTime: startedAt })

  const first = await firstOfFreshProcess(database.endpoint)
  const batches = quick ? 10 : 200
  const drained = performance.now()
  let units = { readUnits: 0, writeUnits: 0 }
  for (let batch = 0; batch < batches; batch++) {
    const [, usage] = await call('BatchReceiveMessage', { numOfMsg: BATCH })
    units = { readUnits: units.readUnits + usage.readUnits, writeUnits: units.writeUnits + usage.writeUnits }
  }
  const rate = (1000 * batches * BATCH) / (performance.now() - drained)

  const rows = [
    ['read units of a receive, nothing archived', without],
    ['read units of a receive, with the archive', beside],
    ['messages archived', archived],
    ['rewindMsgNum, counted or estimated', Number(counts['rewindMsgNum'])],
    ['counting them, ms', countingTook],
    ['write units of RewindQueue', rewind.writeUnits],
    ['calls of RewindQueue, with the read of the record', rewind.calls],
    ['first message of a fresh process, ms', first],
    ['write units of a rewound message, received in batches', units.writeUnits / (batches * BATCH)],
    ['read units of it', units.readUnits / (batches * BATCH)],
    ['rewound messages a second, one consumer', rate],
  ] as const
  const off = Math.abs(Number(counts['rewindMsgNum']) - archived - 2 * RECEIVES) / archived
  return {
    text: table(['what', 'is'], rows),
    requirements: [
      exactly(`write units of rewinding ${archived} messages`, rewind.writeUnits, 1),
      below('first rewound message in a fresh process, ms', first, 1_000),
      atMost('read units of a receive beside the archive', beside, without),
      exactly('write units of receiving a rewound message', units.writeUnits / (batches * BATCH), 4),
      below('rewindMsgNum is off by, in percent', 100 * off, 1),
      below('counting the archive, ms', countingTook, 1_000),
    ],
  }
}

async function connected(endpoint: string): Promise<{ services: Services; counter: Counter; client: Client }> {
  await createTables(patientClient(endpoint), tableNames)
  let made: { counter: Counter; client: Client } | undefined
  const prepare = (client: Client) => {
    made = { counter: countUsage(client), client }
  }
  const services = await testServices({ endpoint, tableNames, clock: systemClock, prepare })
  if (!made) throw new Error('nothing counts')
  return { services, ...made }
}

const RECEIVES = 50

/** The mean read units of receiving one message that waits. Each is deleted then, and so archived too. */
async function receives(
  services: Services,
  call: (Action: string, parameters?: Parameters) => Promise<readonly unknown[]>,
) {
  let readUnits = 0
  for (let received = 0; received < RECEIVES; received++) {
    await call('SendMessage', { msgBody: BODY })
    await services.queues.get(ONLY_ACCOUNT, queueName)
    const [answer, usage] = (await call('ReceiveMessage')) as [Record<string, unknown>, { lookUnits: number }]
    readUnits += usage.lookUnits
    await call('DeleteMessage', { receiptHandle: String(answer['receiptHandle']) })
  }
  return readUnits / RECEIVES
}

/** Writes messages into the archive as deleting them would have, without sending and receiving each. */
async function archive({ queues, ids }: Services, client: Client, count: number, begin: number): Promise<void> {
  const { laneId } = await queues.get(ONLY_ACCOUNT, queueName)
  const db = database(client, systemClock)
  const pk = archiveOf(laneId, 0)
  const archivedItem = (index: number): Item => {
    // All within the time that is rewound.
    const at = begin + Math.floor((2_900_000 * index) / count)
    const sending = { leaseId: ids.leaseId(), body: { text: BODY }, delaySeconds: 0, retentionSeconds: 345_600 }
    const {
      leaseUntil: _until,
      receiveCount: _count,
      ...item
    } = itemOf(pk, newMessage({ id: ids.messageId(at), ...sending }, at))
    const id = item['sk']?.S?.slice(-32)
    return { ...item, ...attributesOf({ sk: `${archiveKeyAt(0, at)}#${id}` }) }
  }
  for (let index = 0; index < count; index += 25) {
    const items = Array.from({ length: Math.min(25, count - index) }, (_, offset) => archivedItem(index + offset))
    await writeBatch(db.write, tableNames.messages, items)
  }
}

/** From asking a process that has just started until it answers with a rewound message, in milliseconds. */
async function firstOfFreshProcess(endpoint: string): Promise<number> {
  await using fresh = await server(['--dynamodb', endpoint])
  const client = cmqClient(fresh.url)
  try {
    const askedAt = performance.now()
    accepted(await client.ask('ReceiveMessage', { queueName, pollingWaitSeconds: 0 }))
    return performance.now() - askedAt
  } finally {
    client.end()
  }
}
