import type { Services } from '../../functions/services.ts'
import { manualClock, whilePassing, type ManualClock } from '../support/clock.ts'
import { ask, testServices } from '../support/service.ts'
import { accepted, listed, type Parameters } from './cmq-client.ts'
import { engine } from './processes.ts'
import { atMost, exactly, table, type Findings } from './report.ts'
import { countUsage, plus, type Counter, type Usage } from './usage.ts'

/** What each action consumes, by itself: nobody else uses the queue, and its record was read a moment ago. */
export async function units(): Promise<Findings> {
  await using database = await engine()
  const clock = manualClock()
  let counter: Counter | undefined
  const services = await testServices({
    endpoint: database.endpoint,
    clock,
    prepare: (client) => {
      counter = countUsage(client)
    },
  })
  if (!counter) throw new Error('nothing counts')
  return await measure(services, clock, counter)
}

async function measure(services: Services, clock: ManualClock, counter: Counter): Promise<Findings> {
  const rows: (readonly [string, Usage])[] = []
  const queueName = 'units'

  async function consumed(what: string, action: string, parameters: Parameters, code = 0) {
    const [answer, usage] = await counter.during(() => ask(services, { Action: action, queueName, ...parameters }))
    if (answer.code !== code) throw new Error(`${action} answered ${answer.code} ${answer.message}`)
    rows.push([what, usage])
    return { answer, usage }
  }

  const one = { pollingWaitSeconds: 0 }
  const many = { numOfMsg: 16, pollingWaitSeconds: 0 }
  const handle = (answer: Record<string, unknown>): Parameters => ({ receiptHandle: String(answer['receiptHandle']) })

  await consumed('CreateQueue', 'CreateQueue', { visibilityTimeout: 30 })
  await consumed('GetQueueAttributes, empty queue, record not in memory', 'GetQueueAttributes', {})
  const empty = await consumed('ReceiveMessage, nothing there', 'ReceiveMessage', one, 7000)

  /** A message's life: sent, received, deleted. */
  async function life(bytes: number, name: string): Promise<Usage> {
    const sent = await consumed(`SendMessage, ${name}`, 'SendMessage', { msgBody: 'x'.repeat(bytes) })
    const received = await consumed(`ReceiveMessage, ${name}`, 'ReceiveMessage', one)
    const deleted = await consumed(`DeleteMessage, ${name}`, 'DeleteMessage', handle(received.answer))
    return [sent.usage, received.usage, deleted.usage].reduce(plus)
  }
  const small = await life(256, '256 bytes')
  const large = await life(65_536, '64 KB')

  const bodies = Array.from({ length: 16 }, () => 'x'.repeat(256))
  await consumed('BatchSendMessage, 16 of 256 bytes', 'BatchSendMessage', listed('msgBody', bodies))
  const batch = await consumed('BatchReceiveMessage, 16 of 256 bytes', 'BatchReceiveMessage', many)
  const list = batch.answer['msgInfoList'] as { receiptHandle: string }[]
  const handles = list.map(({ receiptHandle }) => receiptHandle)
  if (handles.length !== 16) throw new Error(`a batch of ${handles.length} came back`)
  await consumed('BatchDeleteMessage, 16', 'BatchDeleteMessage', listed('receiptHandle', handles))

  await consumed('DeleteMessage refused: deleted before', 'DeleteMessage', { receiptHandle: handles[0] ?? '' }, 4430)
  accepted(await ask(services, { Action: 'SendMessage', queueName, msgBody: 'x' }))
  const first = accepted(await ask(services, { Action: 'ReceiveMessage', queueName, ...one }))
  await clock.advance(31_000)
  // The first request after a pause reads the queue's record again; what is counted is the refusal.
  await ask(services, { Action: 'DeleteMessage', queueName, ...handle(first) })
  await consumed('DeleteMessage refused: lease has run out', 'DeleteMessage', handle(first), 4430)
  const again = accepted(await ask(services, { Action: 'ReceiveMessage', queueName, ...one }))
  accepted(await ask(services, { Action: 'DeleteMessage', queueName, ...handle(again) }))
  await consumed('GetQueueAttributes, empty queue', 'GetQueueAttributes', {})

  await consumed('CreateQueue, another', 'CreateQueue', { queueName: 'dead' })
  const policy = { deadLetterQueueName: 'dead', policy: 0, maxReceiveCount: 1 }
  await consumed('SetQueueAttributes that binds a dead-letter queue', 'SetQueueAttributes', policy)
  await clock.advance(31_000)
  // Once a minute a look sets the shard's mark: it does so now, and not when something is counted.
  await ask(services, { Action: 'ReceiveMessage', queueName, ...one })
  accepted(await ask(services, { Action: 'SendMessage', queueName, msgBody: 'x'.repeat(256) }))
  accepted(await ask(services, { Action: 'ReceiveMessage', queueName, ...one }))
  await clock.advance(31_000)
  // As above: the records of both are read once a second.
  for (const queueName of ['units', 'dead']) await ask(services, { Action: 'QueryQueueRoute', queueName })
  const dead = await consumed('a look that moves a dead letter of 256 bytes', 'ReceiveMessage', one, 7000)

  const call = () => ask(services, { Action: 'ReceiveMessage', queueName, pollingWaitSeconds: 10 })
  const [, waiting] = await counter.during(() => whilePassing(clock, call(), 10))
  rows.push(['ReceiveMessage that waits 10 s for nothing', waiting])
  // The first look of a call is consistent; beside the looks it reads the queue's record once a second.
  const unitsOfLook = (waiting.lookUnits - 1) / (waiting.looks - 1)

  const text = table(
    ['action', 'write units', 'read units', 'calls'],
    [
      ...rows.map(([what, { writeUnits, readUnits, calls }]) => [what, writeUnits, readUnits, calls]),
      ['one look of a call that waits', 0, unitsOfLook, 1],
      ['life of a message of 256 bytes', small.writeUnits, small.readUnits, small.calls],
      ['life of a message of 64 KB', large.writeUnits, large.readUnits, large.calls],
    ],
  )
  return {
    text,
    requirements: [
      exactly('write units of the life of a message of 256 bytes', small.writeUnits, 3),
      atMost('write units of the life of a message of 64 KB', large.writeUnits, 68),
      exactly('write units of a dead letter of 256 bytes', dead.usage.writeUnits, 4),
      exactly('read units of an empty consistent look at one shard', empty.usage.readUnits, 1),
      exactly('read units of an empty look while waiting', unitsOfLook, 0.5),
    ],
  }
}
