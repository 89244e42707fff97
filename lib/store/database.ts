import {
  BatchGetItemCommand,
  BatchWriteItemCommand,
  ConditionalCheckFailedException,
  type DynamoDBClient,
  QueryCommand,
  TransactionCanceledException,
  type AttributeValue,
  type DynamoDBClientResolvedConfig,
  type DynamoDBServiceException,
  type QueryCommandInput,
  type ServiceInputTypes,
  type ServiceOutputTypes,
  type WriteRequest,
} from '@aws-sdk/client-dynamodb'
import type { Command } from '@smithy/types'
import type { Clock } from '../domain/time.ts'

/** An item as DynamoDB has it. */
export type Item = Record<string, AttributeValue>

/** The condition of a write did not hold, so nothing was written. `found` is the item as it is, if there is one. */
export class Refused extends Error {
  readonly found: Item | undefined
  constructor(found: Item | undefined) {
    super('the condition of the write did not hold')
    this.found = found
  }
}

/** A write whose answer was lost: nobody knows whether it took place. The store decides what that means. */
export class Uncertain extends Error {}

/** The call did not take place: the table was asked for too much. */
export class Throttled extends Error {}

type Call = <Input extends ServiceInputTypes, Output extends ServiceOutputTypes>(
  command: Command<ServiceInputTypes, Input, ServiceOutputTypes, Output, DynamoDBClientResolvedConfig>,
) => Promise<Output>

/**
 * One call each. A throttle did not happen, so it is repeated, with back-off and jitter, for PATIENCE; a read is repeated
 * too when its answer is lost. A write throws Uncertain then, and Refused where its condition did not hold.
 */
export interface Database {
  readonly read: Call
  readonly write: Call
  /** As `write`, but one attempt: a throttle is told, as Throttled. For what must not be written as it was a while ago. */
  readonly attempt: Call
}

/** How long a call is repeated before it fails, in milliseconds. */
export const PATIENCE = 5_000

const THROTTLES = new Set([
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'ThrottlingException',
  'TransactionInProgressException',
  // A plain write met a transaction of another on the same item.
  'TransactionConflictException',
])

/** Reasons for which a transaction is cancelled that say nothing of its conditions, and the reason of those that held. */
const PASSING = new Set(['None', 'TransactionConflict', 'ProvisionedThroughputExceeded', 'ThrottlingError'])
/** The calls above, over a client that repeats nothing by itself. */
export function database(client: DynamoDBClient, clock: Clock): Database {
  const attempt: Call = (command) => client.send(command).catch(fail)

  const patiently =
    (repeats: (error: unknown) => boolean): Call =>
    async (command) => {
      const giveUpAt = clock.now() + PATIENCE
      for (let backOff = 25; ; backOff = Math.min(2 * backOff, 1_000)) {
        try {
          return await attempt(command)
        } catch (error) {
          if (!repeats(error) || clock.now() >= giveUpAt) throw error
          await clock.sleep(Math.random() * backOff)
        }
      }
    }

  return {
    read: patiently((error) => error instanceof Throttled || error instanceof Uncertain),
    write: patiently((error) => error instanceof Throttled),
    attempt,
  }
}

function fail(error: unknown): never {
  if (error instanceof ConditionalCheckFailedException) throw new Refused(error.Item)
  if (error instanceof TransactionCanceledException) cancelled(error)
  const { name, message, $metadata } = error as Partial<DynamoDBServiceException>
  if (THROTTLES.has(name ?? '')) throw new Throttled(message, { cause: error })
  const status = $metadata?.httpStatusCode
  // A failure under the status of a success is that of an answer that was not read to its end.
  if (status === undefined || status < 400 || status >= 500)
    throw new Uncertain(`no answer: ${message}`, { cause: error })
  throw error
}

/** A transaction took place in no part: because a condition did not hold, or because others were at its items. */
function cancelled(error: TransactionCanceledException): never {
  const reasons = error.CancellationReasons ?? []
  const refusal = reasons.find(({ Code }) => Code === 'ConditionalCheckFailed')
  if (refusal) throw new Refused(refusal.Item)
  if (reasons.every(({ Code }) => PASSING.has(Code ?? ''))) throw new Throttled(error.message, { cause: error })
  throw error
}

/** What became of a conditional write. `found` is the item that stood in its way. */
export type Outcome = { readonly won: true } | { readonly won: false; readonly found: Item | undefined }

/**
 * Makes a conditional write of which `isOurs` recognises the result, by a value that no other call writes. When a repeat
 * fails on its condition because the first attempt took place after all, that is a success. Where something else stands in
 * its way, `isOurs` may throw `Uncertain`: the first attempt may have taken place all the same, and been written over since.
 */
export async function settle(
  clock: Clock,
  write: () => Promise<unknown>,
  isOurs: (found: Item | undefined) => boolean,
): Promise<Outcome> {
  const giveUpAt = clock.now() + PATIENCE
  for (let repeated = false; ; repeated = true) {
    try {
      await write()
      return { won: true }
    } catch (error) {
      if (error instanceof Refused)
        return repeated && isOurs(error.found) ? { won: true } : { won: false, found: error.found }
      if (!(error instanceof Uncertain) || clock.now() >= giveUpAt) throw error
      await clock.sleep(Math.random() * 100)
    }
  }
}

/** How many items DynamoDB writes in one call. */
export const MOST_AT_ONCE = 25

/** A list in parts of at most so many. */
export const chunksOf = <Element>(list: readonly Element[], most: number): readonly (readonly Element[])[] =>
  Array.from({ length: Math.ceil(list.length / most) }, (_, part) => list.slice(part * most, (part + 1) * most))

/** Writes up to 25 items without conditions, in one call. Returns those that were certainly not written. */
export async function writeBatch(write: Call, table: string, items: readonly Item[]): Promise<readonly Item[]> {
  const requests: WriteRequest[] = items.map((Item) => ({ PutRequest: { Item } }))
  const { UnprocessedItems } = await write(new BatchWriteItemCommand({ RequestItems: { [table]: requests } }))
  const unwritten = UnprocessedItems?.[table] ?? []
  return unwritten.map(({ PutRequest }) => PutRequest?.Item).filter((item) => item !== undefined)
}

/** Removes up to 25 items, in one call. Returns the keys of those that were certainly not removed. */
export async function removeBatch(write: Call, table: string, keys: readonly Item[]): Promise<readonly Item[]> {
  const requests: WriteRequest[] = keys.map((Key) => ({ DeleteRequest: { Key } }))
  const { UnprocessedItems } = await write(new BatchWriteItemCommand({ RequestItems: { [table]: requests } }))
  const left = UnprocessedItems?.[table] ?? []
  return left.map(({ DeleteRequest }) => DeleteRequest?.Key).filter((key) => key !== undefined)
}

/** All items of a query, page after page. */
export async function queryAll(db: Database, input: QueryCommandInput): Promise<readonly Item[]> {
  const found: Item[] = []
  let start: Item | undefined
  do {
    const next = start ? { ExclusiveStartKey: start } : {}
    const { Items = [], LastEvaluatedKey } = await db.read(new QueryCommand({ ...input, ...next }))
    found.push(...Items)
    start = LastEvaluatedKey
  } while (start)
  return found
}

/** Reads items by their keys; what the table could not answer at once is asked for again. */
export async function readBatch(
  db: Database,
  clock: Clock,
  table: string,
  keys: readonly Item[],
  consistent: boolean,
): Promise<readonly Item[]> {
  const parts = chunksOf(keys, 100).map((part) => readAtOnce(db, clock, table, part, consistent))
  return (await Promise.all(parts)).flat()
}

async function readAtOnce(
  db: Database,
  clock: Clock,
  table: string,
  keys: readonly Item[],
  consistent: boolean,
): Promise<readonly Item[]> {
  const giveUpAt = clock.now() + PATIENCE
  const found: Item[] = []
  for (let Keys = [...keys]; Keys.length > 0;) {
    const { Responses, UnprocessedKeys } = await db.read(
      new BatchGetItemCommand({ RequestItems: { [table]: { Keys, ConsistentRead: consistent } } }),
    )
    found.push(...(Responses?.[table] ?? []))
    Keys = UnprocessedKeys?.[table]?.Keys ?? []
    if (Keys.length === 0) break
    if (clock.now() >= giveUpAt) throw new Error(`the table ${table} is asked for too much`)
    await clock.sleep(Math.random() * 100)
  }
  return found
}
