import type { Services } from '../../../functions/services.ts'
import type { Table } from '../../../lib/tables.ts'
import { manualClock, type ManualClock } from '../../support/clock.ts'
import { countCalls } from '../../support/faults.ts'
import { asker, newTables, testServices, type Ask, type Client } from '../../support/service.ts'

/** One of several processes over the same tables, none of which owns them. */
export interface Process {
  readonly services: Services
  readonly ask: Ask
  /** How often it called DynamoDB, by command. */
  readonly calls: Record<string, number>
}

/** Three processes over new tables, at one clock. */
export async function processesOver(endpoint: string): Promise<{
  readonly clock: ManualClock
  readonly tableNames: Readonly<Record<Table, string>>
  readonly first: Process
  readonly second: Process
  readonly third: Process
}> {
  const clock = manualClock()
  const tableNames = await newTables(endpoint)

  async function newProcess(): Promise<Process> {
    let calls: Record<string, number> = {}
    const prepare = (client: Client) => void (calls = countCalls(client))
    const services = await testServices({ endpoint, tableNames, clock, isAlone: false, prepare })
    return { services, calls, ask: asker(services) }
  }
  return { clock, tableNames, first: await newProcess(), second: await newProcess(), third: await newProcess() }
}
