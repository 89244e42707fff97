import {
  TransactionCanceledException,
  TransactWriteItemsCommand,
  type CancellationReason,
  type TransactWriteItem,
} from '@aws-sdk/client-dynamodb'
import type { Clock } from '../domain/time.ts'
import { Throttled, Uncertain, type Database } from './database.ts'

/** Whether a transaction was made; where not, why each of its writes could not be, in their order. */
export type Transacted =
  { readonly won: true } | { readonly won: false; readonly reasons: readonly CancellationReason[] }

/**
 * How long a transaction is repeated, in milliseconds. What it puts carries the time of its first attempt, and is soon
 * found by all where it lands no later than this.
 */
export const TRANSACTION_PATIENCE = 3_000

/** Nothing has happened yet where these are all that stood in the way. */
const TRANSIENT = new Set(['None', 'TransactionConflict', 'ProvisionedThroughputExceeded', 'ThrottlingError'])

/**
 * Makes several conditional writes together, or none of them. It is repeated unchanged under its token, by which DynamoDB
 * makes it once however often it hears of it; `token` is this call's alone. `goesOn` is asked before each repeat.
 */
export async function transact(
  db: Database,
  clock: Clock,
  writes: readonly TransactWriteItem[],
  token: string,
  goesOn: () => Promise<boolean> = () => Promise.resolve(true),
): Promise<Transacted> {
  const giveUpAt = clock.now() + TRANSACTION_PATIENCE
  for (let backOff = 25; ; backOff = Math.min(2 * backOff, 500)) {
    try {
      await db.attempt(new TransactWriteItemsCommand({ TransactItems: [...writes], ClientRequestToken: token }))
      return { won: true }
    } catch (error) {
      const reasons = (error instanceof TransactionCanceledException && error.CancellationReasons) || []
      if (reasons.some(({ Code }) => Code === 'ConditionalCheckFailed')) return { won: false, reasons }
      const isOpen = error instanceof Throttled || error instanceof Uncertain || isTransient(reasons)
      if (!isOpen) throw error
      await clock.sleep(Math.random() * backOff)
      if (!(await goesOn()) || clock.now() >= giveUpAt) throw error
    }
  }
}

const isTransient = (reasons: readonly CancellationReason[]): boolean =>
  reasons.length > 0 && reasons.every(({ Code = 'None' }) => TRANSIENT.has(Code))
