import { afterAll, beforeAll, expect, it } from 'vitest'
import { ONLY_ACCOUNT } from '../../lib/names.ts'
import { database } from '../../lib/store/database.ts'
import { sweep } from '../../lib/store/sweep.ts'
import { manualClock, whilePassing } from '../support/clock.ts'
import { patientClient, testEngine } from '../support/engine.ts'
import { asker, newTables, testServices } from '../support/service.ts'

let engine: Awaited<ReturnType<typeof testEngine>>
beforeAll(async () => {
  engine = await testEngine()
})
afterAll(() => engine.stop())

it('given messages that have expired and others, when a sweep is made, then the expired ones alone are gone', async () => {
  const clock = manualClock()
  const tableNames = await newTables(engine.endpoint)
  const services = await testServices({ endpoint: engine.endpoint, tableNames, clock })
  const ask = asker(services)
  await ask('CreateQueue', { queueName: 'short', msgRetentionSeconds: 60 })
  await ask('CreateQueue', { queueName: 'long' })
  const db = database(patientClient(engine.endpoint), clock)
  const sweepAll = async () => {
    const signal = new AbortController().signal
    const tables = [tableNames.registry, tableNames.messages, tableNames.bodies]
    const removed: number[] = []
    for (const table of tables) removed.push(await whilePassing(clock, sweep(db, table, clock, signal), 1))
    return removed
  }

  for (const queueName of ['short', 'long'])
    for (const msgBody of ['a', 'x'.repeat(5_000)]) await ask('SendMessage', { queueName, msgBody })
  expect(await sweepAll()).toEqual([0, 0, 0])
  await clock.advance(61_000)
  expect(await sweepAll()).toEqual([0, 2, 0])
  // A body outlives its message by a day, so that nothing can point to one that is gone.
  await clock.advance(86_500_000)
  expect(await sweepAll()).toEqual([0, 0, 1])
  expect(await services.queues.list(ONLY_ACCOUNT)).toHaveLength(2)
  expect((await ask('BatchReceiveMessage', { queueName: 'long', numOfMsg: 16 }))['msgInfoList']).toHaveLength(2)
})
