import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { logger } from '../../functions/logger.ts'
import type { Settings } from '../../functions/settings.ts'
import { ONLY_ACCOUNT } from '../../lib/names.ts'
import { countNotes } from '../../lib/store/count-notes.ts'
import { database } from '../../lib/store/database.ts'
import { patientClient, testEngine } from '../support/engine.ts'
import { newWorld, type World } from '../support/worker.ts'

/** What a client is told at the limits, and what becomes of a topic's messages there. `test/store/limits.test.ts` has fleets. */

let engine: Awaited<ReturnType<typeof testEngine>>
beforeAll(async () => {
  vi.spyOn(logger, 'warn').mockReturnValue(undefined)
  engine = await testEngine()
})
afterAll(() => engine.stop())

const queueName = 'orders'
const topicName = 'news'
const heapFull = { code: 4410, message: '(10240)reach maximum retention number of message' }
const tooManyUnacked = { code: 6070, message: '(10690)too many unacked(inactive) messages or delayed messages' }
const rateExceeded = { code: 4420, message: '(10250)qps throttling' }

/** A world whose admin has these settings, and a queue. */
async function given(settings: Partial<Settings> = {}) {
  const world = await newWorld(engine.endpoint, { isLive: true, settings })
  const { ask } = world.admin
  await ask('CreateQueue', { queueName, maxMsgHeapNum: 1_000_000 })
  return { world, ask }
}

/** Notes that somebody has counted so many. */
async function counted(
  { clock, tableNames, admin }: World,
  messages: number,
  { delayed = 0, inFlight = 0, of = queueName } = {},
) {
  const queue = await admin.services.queues.read(ONLY_ACCOUNT, of)
  const notes = countNotes(database(patientClient(engine.endpoint), clock), tableNames.registry)
  const marks = { send: 0, delay: 0, receive: 0 }
  await notes.note(queue, { at: clock.now(), laneId: queue.laneId, messages, delayed, inFlight, marks })
  await clock.advance(1_100)
}

const batch = (name: string, count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`${name}.${index}`, 'x']))

describe('given a queue that was counted full', () => {
  it('when messages are sent, then they are refused, and what is in it can be received', async () => {
    const { world, ask } = await given()
    await ask('SendMessage', { queueName, msgBody: 'x' })
    await counted(world, 999_990)
    expect(await ask('BatchSendMessage', { queueName, ...batch('msgBody', 11) })).toMatchObject(heapFull)
    expect(await ask('SendMessage', { queueName, msgBody: 'x' })).toMatchObject(heapFull)
    expect(await ask('ReceiveMessage', { queueName })).toMatchObject({ code: 0 })
  })

  it('when a subscribed topic is published to, then its messages are deliveries, retried until there is room', async () => {
    const { world, ask } = await given()
    const subscription = await world.subscribe('full', { protocol: 'queue', endpoint: queueName })
    await counted(world, 1_000_000)
    await world.publish('hello')
    await world.clock.advance(3_000)
    expect(await world.left(subscription)).toMatchObject([{ failure: '4410 (10240)' }])
    expect(await ask('ReceiveMessage', { queueName })).toMatchObject({ code: 7000 })
    // When the count is ten seconds old a retry counts again, and finds room.
    await world.clock.advance(20_000)
    expect(await world.left(subscription)).toEqual([])
    expect(await ask('ReceiveMessage', { queueName })).toMatchObject({ code: 0, msgBody: 'hello' })
  })

  it('when it is a dead-letter queue, then what dies is kept away for a minute, and comes when there is room', async () => {
    const { world, ask } = await given()
    const source = { queueName: 'source', visibilityTimeout: 1 }
    await ask('CreateQueue', { ...source, deadLetterQueueName: queueName, policy: 0, maxReceiveCount: 1 })
    await ask('SendMessage', { queueName: 'source', msgBody: 'dies' })
    await ask('ReceiveMessage', { queueName: 'source' })
    await counted(world, 1_000_000)
    expect(await ask('ReceiveMessage', { queueName: 'source' })).toMatchObject({ code: 7000 })
    expect(await ask('ReceiveMessage', { queueName })).toMatchObject({ code: 7000 })
    // A minute later the count is old: it is made anew, and finds room.
    await world.clock.advance(60_000)
    await ask('ReceiveMessage', { queueName: 'source' })
    expect(await ask('ReceiveMessage', { queueName })).toMatchObject({ msgBody: 'dies' })
  })

  it('when it is asked whether it is full, then the record tells', async () => {
    const { world } = await given()
    const { queues, depth } = world.admin.services
    const isFull = async () => depth.isFull(await queues.get(ONLY_ACCOUNT, queueName))
    expect(await isFull()).toBe(false)
    await counted(world, 1_000_000)
    expect(await isFull()).toBe(true)
    await counted(world, 999_999)
    expect(await isFull()).toBe(false)
  })
})

describe('given limits of what is delayed and in flight', () => {
  it('when 20 are delayed, then no more may be, but sent at once they may', async () => {
    const { world, ask } = await given({ maxDelayed: 20 })
    await counted(world, 20, { delayed: 20 })
    expect(await ask('SendMessage', { queueName, msgBody: 'x', delaySeconds: 5 })).toMatchObject(tooManyUnacked)
    expect(await ask('SendMessage', { queueName, msgBody: 'x' })).toMatchObject({ code: 0 })
  })

  it('when 20 are in flight, then nobody receives more', async () => {
    const { world, ask } = await given({ maxInFlight: 20 })
    await ask('SendMessage', { queueName, msgBody: 'x' })
    await counted(world, 21, { inFlight: 20 })
    expect(await ask('ReceiveMessage', { queueName })).toMatchObject(tooManyUnacked)
    expect(await ask('BatchReceiveMessage', { queueName, numOfMsg: 16 })).toMatchObject(tooManyUnacked)
  })

  it('when there are no limits, then nothing is refused', async () => {
    const { world, ask } = await given()
    await ask('SendMessage', { queueName, msgBody: 'x' })
    await counted(world, 900_000, { inFlight: 400_000, delayed: 400_000 })
    expect(await ask('SendMessage', { queueName, msgBody: 'x', delaySeconds: 5 })).toMatchObject({ code: 0 })
    expect(await ask('ReceiveMessage', { queueName })).toMatchObject({ code: 0 })
  })
})

describe('given a batch that makes a portion of a tally full', () => {
  it('when the portion is added after the batch is stored, then the line of the log has what both consumed', async () => {
    const { world } = await given()
    const stored = Promise.withResolvers<void>()
    let batches = 0
    const { ask } = await world.process({
      prepare: (client) =>
        client.middlewareStack.add(
          (next, context) => async (args) => {
            if (context.commandName === 'UpdateItemCommand') await stored.promise
            const result = await next(args)
            if (context.commandName === 'BatchWriteItemCommand' && ++batches === 4) stored.resolve()
            return result
          },
          { step: 'initialize', priority: 'high' },
        ),
    })
    const info = vi.spyOn(logger, 'info').mockReturnValue(undefined)
    for (let sent = 0; sent < 4; sent++) await ask('BatchSendMessage', { queueName, ...batch('msgBody', 16) })
    const lines = info.mock.calls.filter(([line]) => line === 'request').map(([, details]) => details)
    info.mockRestore()
    expect(lines).toMatchObject([16, 16, 16, 16 + 1].map((writeUnits) => ({ writeUnits })))
  })
})

describe('given a limit of 20 messages a second', () => {
  const maxRate = 20

  it('when batches are sent, then their messages count, and a second later there is room again', async () => {
    const { world, ask } = await given({ maxRate })
    const send = () => ask('BatchSendMessage', { queueName, ...batch('msgBody', 16) })
    expect(await send()).toMatchObject({ code: 0 })
    expect(await send()).toMatchObject({ code: 0 })
    expect(await send()).toMatchObject(rateExceeded)
    expect(await ask('SendMessage', { queueName, msgBody: 'x' })).toMatchObject(rateExceeded)
    await world.clock.advance(1_000)
    expect(await send()).toMatchObject({ code: 0 })
  })

  it('when messages are received and deleted, then that has limits of its own, a tenth higher', async () => {
    const { ask, world } = await given({ maxRate })
    for (let batches = 0; batches < 3; batches++) {
      await ask('BatchSendMessage', { queueName, ...batch('msgBody', 16) })
      await world.clock.advance(2_000)
    }
    const handles: string[] = []
    for (const code of [0, 0, 4420]) {
      const answer = await ask('BatchReceiveMessage', { queueName, numOfMsg: 16 })
      expect(answer.code).toBe(code)
      for (const { receiptHandle } of (answer['msgInfoList'] ?? []) as { receiptHandle: string }[])
        handles.push(receiptHandle)
    }
    const remove = (from: number, to: number) =>
      ask(
        'BatchDeleteMessage',
        Object.fromEntries([
          ['queueName', queueName],
          ...handles.slice(from, to).map((handle, index) => [`receiptHandle.${index}`, handle]),
        ]) as Record<string, string>,
      )
    expect(await remove(0, 15)).toMatchObject({ code: 0 })
    expect(await remove(15, 30)).toMatchObject({ code: 0 })
    expect(await remove(30, 32)).toMatchObject(rateExceeded)
    expect(await ask('DeleteMessage', { queueName, receiptHandle: handles[31] ?? '' })).toMatchObject(rateExceeded)
    await world.clock.advance(1_000)
    expect(await remove(30, 32)).toMatchObject({ code: 0 })
  })

  it('when a consumer looks at an empty queue, then that takes nothing', async () => {
    const { ask } = await given({ maxRate })
    for (let looks = 0; looks < 50; looks++)
      expect(await ask('BatchReceiveMessage', { queueName, numOfMsg: 16 })).toMatchObject({ code: 7000 })
  })

  it('when a topic is published to, then it has a limit too', async () => {
    const { ask } = await given({ maxRate, publishToNobody: true })
    const publish = () => ask('BatchPublishMessage', { topicName, ...batch('msgBody', 16) })
    expect(await publish()).toMatchObject({ code: 0 })
    expect(await publish()).toMatchObject({ code: 0 })
    expect(await publish()).toMatchObject(rateExceeded)
    expect(await ask('PublishMessage', { topicName, msgBody: 'x' })).toMatchObject(rateExceeded)
    expect(await ask('SendMessage', { queueName, msgBody: 'x' })).toMatchObject({ code: 0 })
  })
})
