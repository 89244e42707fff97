import { expect } from 'vitest'
import { createTables } from '../../../lib/store/create-tables.ts'
import { connect } from '../../../lib/store/connection.ts'
import type { Services } from '../../../functions/services.ts'
import { manualClock, type ManualClock } from '../../support/clock.ts'
import { memoryEngine, type MemoryEngine } from '../../support/memory-engine/engine.ts'
import { ask, testServices } from '../../support/service.ts'

const tableNames = { registry: 'registry', messages: 'messages', deliveries: 'deliveries', bodies: 'bodies' }
const NOWHERE = 'http://127.0.0.1:1'

/** A service over an engine in memory, for more requests than a server would answer in a test's time. */
export async function serviceInMemory(): Promise<{ services: Services; clock: ManualClock; engine: MemoryEngine }> {
  const clock = manualClock()
  const engine = memoryEngine({ now: clock.now })
  const client = connect({ endpoint: NOWHERE })
  engine.serve(client)
  await createTables(client, tableNames)
  const services = await testServices({ endpoint: NOWHERE, tableNames, clock, prepare: engine.serve })
  return { services, clock, engine }
}

/** The same, with a queue `orders` and a topic `news`, so that what is asked of them gets behind the first checks. */
export async function furnishedService(): Promise<Services> {
  const { services } = await serviceInMemory()
  await ask(services, { Action: 'CreateQueue', queueName: 'orders' })
  await ask(services, { Action: 'CreateTopic', topicName: 'news' })
  return services
}

/** Whatever was sent, no object has got anything that it had not. */
export function expectCleanPrototypes(): void {
  expect(Object.keys(Object.prototype)).toEqual([])
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
}

/** An engine's own table of messages, for what no service would write. */
export const MESSAGES = tableNames.messages
