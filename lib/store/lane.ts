import { DeleteItemCommand, GetItemCommand, PutItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import type { LeasedMessage, Message } from '../domain/message.ts'
import { isWithin, type Clock, type Instant } from '../domain/time.ts'
import { attributesOf, numberIn, textIn, ttlOf } from './attributes.ts'
import {
  readBatch,
  Refused,
  settle,
  Throttled,
  Uncertain,
  chunksOf,
  MOST_AT_ONCE,
  writeBatch,
  type Database,
  type Item,
  type Outcome,
} from './database.ts'
import { itemOf, keyOf, messageOf, stateOf, type MessageState, type Placed } from './message-item.ts'
import type { Report } from './messages.ts'
import { queryRange, type Range } from './range.ts'
import { readableIn } from './readable.ts'
import { transact } from './transaction.ts'

/**
 * A lane: messages in the order in which they become receivable.
 *
 *     pk  <laneId>#<shard>              one partition
 *     sk  <visibleAt>#<messageId>       epoch milliseconds, padded, so that text order is time order
 *
 * Every change is one conditional write of one item, but for the move into another lane.
 */
export interface Lane {
  /** Adds messages, in one attempt for each 25 of them. Returns the ids of those that are certainly there. */
  put(placed: readonly Placed[]): Promise<ReadonlySet<string>>
  /** The messages from one key to another, both included, in order; at most `limit`. `next` is where to go on. */
  page(partition: string, range: Range): Promise<Page>
  /** As `page`, without the bodies; from the end where `isBackwards`. */
  survey(partition: string, range: Range & { readonly isBackwards?: boolean }): Promise<Survey>
  /** The messages of at most 100 keys, in no particular order. */
  get(partition: string, keys: readonly string[], consistent: boolean): Promise<readonly Message[]>
  /** Takes the message for one consumer, unless another was faster: then `found` is what there is now. */
  claim(partition: string, seen: Message, leased: Message): Promise<Claim>
  /**
   * Ends a message and puts its copy into another lane, both or none, unless another was faster. `goesOn` is asked before
   * it is tried again.
   */
  move(from: Placed, to: Placed, goesOn: () => Promise<boolean>): Promise<Claim>
  /** Puts a claimed message back as `back` says, while this lease of it is the newest. */
  giveBack(partition: string, leased: LeasedMessage, back: Message): Promise<void>
  /** Ends a message while its lease holds; false when the lease has run out, is not the newest, or the message is gone. */
  end(partition: string, key: string, leaseId: string, leaseUntil: Instant): Promise<boolean>
  /**
   * Wins once in `every` milliseconds for one of all processes that ask for the same partition. Who does not know whether
   * it was the one wins, too: two looks cost more than one, and none costs a minute.
   */
  winLook(partition: string, every: number): Promise<Turn>
}

/** Part of a range, and the key to go on from when there is more. */
export interface Page {
  readonly messages: readonly Message[]
  readonly next?: string
}

/** As a page, of what tells the states alone. */
export interface Survey {
  readonly states: readonly MessageState[]
  readonly next?: string
}

/** Whether a claim won; where it did not, the message as another has it, if it still is there. */
export type Claim = { readonly won: true } | { readonly won: false; readonly found?: Message }

/** Whether it is one's turn to look, and when somebody last had it. */
export interface Turn {
  readonly won: boolean
  readonly at: Instant
}

const LOOK = 'look'

/** The lanes of a table. */
export function lane(db: Database, table: string, clock: Clock, report: Report = () => undefined): Lane {
  const readable = readableIn(table, report)
  const keyIn = (partition: string, sk: string) => attributesOf({ pk: partition, sk })

  /**
   * Makes `next` the message's lease, on condition that `heldLeaseId` is its newest. An equality: an item that is gone
   * fails it, where a condition that an absent item meets would revive what was deleted.
   */
  const exchange = (partition: string, heldLeaseId: string, next: Message): Promise<Outcome> =>
    settle(
      clock,
      () =>
        db.write(
          new UpdateItemCommand({
            TableName: table,
            Key: keyIn(partition, keyOf(next)),
            ConditionExpression: 'leaseId = :held',
            ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
            UpdateExpression:
              'SET leaseId = :lease, leaseUntil = :until, receiveCount = :count' +
              (next.firstReceivedAt === undefined ? ' REMOVE firstReceivedAt' : ', firstReceivedAt = :first'),
            ExpressionAttributeValues: attributesOf({
              ':held': heldLeaseId,
              ':lease': next.leaseId,
              ':until': next.leaseUntil,
              ':count': next.receiveCount,
              ':first': next.firstReceivedAt,
            }),
          }),
        ),
      (found) => found !== undefined && textIn(found, 'leaseId') === next.leaseId,
    )

  /** Adds up to 25 messages, and returns the ids of those that are certainly there. */
  async function putAtOnce(placed: readonly Placed[]): Promise<readonly string[]> {
    const items = placed.map(({ partition, message }) => itemOf(partition, message))
    const [first] = items
    try {
      if (first && items.length === 1) {
        const ConditionExpression = 'attribute_not_exists(pk)'
        await db.attempt(new PutItemCommand({ TableName: table, Item: first, ConditionExpression }))
        return placed.map(({ message }) => message.id)
      }
      const unwritten = new Set((await writeBatch(db.attempt, table, items)).map((item) => textIn(item, 'sk')))
      return placed.flatMap(({ message }) => (unwritten.has(keyOf(message)) ? [] : [message.id]))
    } catch (error) {
      // Whatever became of them, their sender writes them anew under other ids, so that none is ever written twice.
      if (error instanceof Uncertain || error instanceof Throttled || error instanceof Refused) return []
      throw error
    }
  }

  return {
    async put(placed) {
      return new Set((await Promise.all(chunksOf(placed, MOST_AT_ONCE).map(putAtOnce))).flat())
    },

    async page(partition, range) {
      const { items, next } = await queryRange(db, table, partition, range)
      return { messages: readable(items, messageOf), ...next }
    },

    async survey(partition, range) {
      const { items, next } = await queryRange(db, table, partition, range, {
        ProjectionExpression: 'sk, sentAt, expiresAt, leaseUntil',
        ScanIndexForward: !range.isBackwards,
      })
      return { states: readable(items, stateOf), ...next }
    },

    async get(partition, keys, consistent) {
      const wanted = keys.map((key) => keyIn(partition, key))
      return readable(await readBatch(db, clock, table, wanted, consistent), messageOf)
    },

    async claim(partition, seen, leased) {
      const outcome = await exchange(partition, seen.leaseId, leased)
      if (outcome.won) return outcome
      return { won: false, ...(outcome.found ? { found: messageOf(outcome.found) } : {}) }
    },

    async move(from, to, goesOn) {
      const remove = {
        TableName: table,
        Key: keyIn(from.partition, keyOf(from.message)),
        ConditionExpression: 'leaseId = :seen',
        ExpressionAttributeValues: attributesOf({ ':seen': from.message.leaseId }),
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      } as const
      const put = {
        TableName: table,
        Item: itemOf(to.partition, to.message),
        ConditionExpression: 'attribute_not_exists(pk)',
      }
      const outcome = await transact(db, clock, [{ Delete: remove }, { Put: put }], to.message.leaseId, goesOn)
      if (outcome.won) return outcome
      return { won: false, ...(outcome.found ? { found: messageOf(outcome.found) } : {}) }
    },

    async giveBack(partition, leased, back) {
      await exchange(partition, leased.leaseId, back)
    },

    async end(partition, key, leaseId, leaseUntil) {
      const { won } = await settle(
        clock,
        () => {
          // The clock is read anew for each attempt: a lease that runs out meanwhile no longer deletes.
          const now = clock.now()
          return db.write(
            new DeleteItemCommand({
              TableName: table,
              Key: keyIn(partition, key),
              ConditionExpression: 'leaseId = :held AND leaseUntil > :now',
              ExpressionAttributeValues: attributesOf({ ':held': leaseId, ':now': now }),
              ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
            }),
          )
        },
        // While our lease holds nobody else may delete, so an item that is gone is one that we deleted.
        (found) => found === undefined && clock.now() < leaseUntil,
      )
      return won
    },

    async winLook(partition, every) {
      const now = clock.now()
      // Most lose: they find out by a read, at a tenth of the price of a refused write.
      const { Item } = await db.read(new GetItemCommand({ TableName: table, Key: keyIn(partition, LOOK) }))
      const at = lookedAtIn(Item)
      if (isWithin(at, now, every)) return { won: false, at }
      const outcome = await settle(
        clock,
        () =>
          db.write(
            new UpdateItemCommand({
              TableName: table,
              Key: keyIn(partition, LOOK),
              ConditionExpression: 'attribute_not_exists(pk) OR lookedAt <= :before OR lookedAt > :now',
              UpdateExpression: 'SET lookedAt = :now, expiresAt = :end',
              ExpressionAttributeValues: attributesOf({
                ':before': now - every,
                ':now': now,
                ':end': ttlOf(now + LOOK_KEPT),
              }),
              ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
            }),
          ),
        (found) => lookedAtIn(found) === now,
      ).catch((error: unknown): Outcome => {
        if (error instanceof Uncertain) return { won: true }
        throw error
      })
      return outcome.won ? { won: true, at: now } : { won: false, at: lookedAtIn(outcome.found) }
    },
  }
}

const lookedAtIn = (item: Item | undefined): Instant => (item && numberIn(item, 'lookedAt')) ?? -Infinity

/** A mark that nobody has set for a day belongs to a lane that nobody reads. */
const LOOK_KEPT = 86_400_000
