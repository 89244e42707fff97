import { TransactWriteItemsCommand, type TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { Clock } from '../domain/time.ts'
import { Refused, Throttled, Uncertain, type Database, type Outcome } from './database.ts'

/**
 * How long a transaction is repeated, in milliseconds. What it puts carries the time of its first attempt, and is soon
 * found by all where it lands no later than this.
 */
const PATIENCE = 3_000

/**
 * Makes several conditional writes together, or none of them. It is repeated unchanged under its token, by which DynamoDB
 * makes it once however often it hears of it, so what is refused was never ours. `token` is this call's alone; `goesOn` is
 * asked before each repeat.
 */
export async function transact(
  db: Database,
  clock: Clock,
  writes: readonly TransactWriteItem[],
  token: string,
  goesOn: () => Promise<boolean> = () => Promise.resolve(true),
): Promise<Outcome> {
  const command = new TransactWriteItemsCommand({ TransactItems: [...writes], ClientRequestToken: token })
  const giveUpAt = clock.now() + PATIENCE
  for (let backOff = 25; ; backOff = Math.min(2 * backOff, 500)) {
    try {
      await db.attempt(command)
      return { won: true }
    } catch (error) {
      if (error instanceof Refused) return { won: false, found: error.found }
      if (!(error instanceof Throttled || error instanceof Uncertain)) throw error
      await clock.sleep(Math.random() * backOff)
      if (!(await goesOn()) || clock.now() >= giveUpAt) throw error
    }
  }
}
