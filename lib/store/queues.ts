import {
  DeleteItemCommand,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb'
import { CmqError } from '../domain/errors.ts'
import { canonicalName, type Queue, type QueueChange } from '../domain/queue.ts'
import { isWithin, type Clock, type Instant, type Seconds } from '../domain/time.ts'
import { attributesOf, numberIn, required, textIn, ttlOf } from './attributes.ts'
import { boundedMap } from './bounded-map.ts'
import { settle, type Database, type Item } from './database.ts'

/**
 * The queues of the accounts: pk `account#<appId>`, sk `queue#<name>`, the name in lower case.
 *
 * Records are read consistently and kept for CACHE_LIFETIME, counted from the start of the read; that a queue is absent
 * is never kept. A change answers one such lifetime after its write, so that when it has answered every process knows;
 * where one process owns the data it answers at once.
 */
export interface Queues {
  /** The queue as it was at most a second ago. Throws `queueNotFound`. */
  get(account: string, name: string): Promise<Queue>
  /** The queue as it is now. Throws `queueNotFound`. */
  read(account: string, name: string): Promise<Queue>
  /** False when the name is taken. Throws `queueNameInRelease` where the wait after a deletion is not over. */
  create(queue: Queue): Promise<boolean>
  /** Changes the named attributes; false when the queue is no longer as it was read. `changeId` is this call's alone. */
  change(queue: Queue, change: QueueChange, changeId: string): Promise<boolean>
  /** Gives up the shards above `writeShards`, which were found empty. Nobody has to be waited for: looks there find nothing. */
  retireShards(queue: Queue, changeId: string): Promise<void>
  /** False when this very queue is gone. Its name is free again after `freeAfter`. */
  remove(queue: Queue, freeAfter: Seconds): Promise<boolean>
  /** All queues whose names contain the word, by name, without regard to case (406/5833). */
  list(account: string, searchWord: string): Promise<readonly ListedQueue[]>
}

/** A queue in a list. */
export interface ListedQueue {
  readonly id: string
  readonly name: string
}

/** How long a process goes on with a record that it has read, in milliseconds. */
export const CACHE_LIFETIME = 1_000

/** What the clocks of processes may differ by in ordinary times, in milliseconds. */
const SKEW = 50

/** Records of how many queues a process keeps. */
const CACHED = 10_000

/** How this process stands to others. */
export interface QueuesOptions {
  /** Whether no other process uses the tables, so that nobody has to be waited for. */
  readonly isAlone: boolean
}

/** The queues of a table. */
export function queues(db: Database, table: string, clock: Clock, { isAlone }: QueuesOptions): Queues {
  const cache = boundedMap<{ readAt: Instant; queue: Promise<Queue> }>(CACHED)

  const keyOf = (account: string, name: string) =>
    attributesOf({ pk: `account#${account}`, sk: `queue#${canonicalName(name)}` })
  const cacheKey = (account: string, name: string) => `${account}#${canonicalName(name)}`

  async function read(account: string, name: string): Promise<Queue> {
    const { Item } = await db.read(
      new GetItemCommand({ TableName: table, Key: keyOf(account, name), ConsistentRead: true }),
    )
    if (!Item || isReleased(Item)) throw new CmqError('queueNotFound')
    return queueOf(Item)
  }

  /** Forgets the record here, and waits until every other process has. */
  async function spread({ account, name }: Queue): Promise<void> {
    cache.delete(cacheKey(account, name))
    if (!isAlone) await clock.sleep(CACHE_LIFETIME + SKEW)
    cache.delete(cacheKey(account, name))
  }

  /** Changes the named attributes alone, of the record that was read: never a copy put back, never a stub revived. */
  async function update(queue: Queue, change: QueueChange, changeId: string): Promise<boolean> {
    const values = attributesOf({ ...flattened(change), changeId })
    const names = Object.keys(values)
    const { won } = await settle(
      clock,
      () =>
        db.write(
          new UpdateItemCommand({
            TableName: table,
            Key: keyOf(queue.account, queue.name),
            ConditionExpression: 'id = :id AND changeId = :seen',
            UpdateExpression: `SET ${names.map((name) => `${name} = :${name}`).join(', ')}`,
            ExpressionAttributeValues: {
              ...attributesOf({ ':id': queue.id, ':seen': queue.changeId }),
              ...Object.fromEntries(Object.entries(values).map(([name, value]) => [`:${name}`, value])),
            },
            ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
          }),
        ),
      (found) => found !== undefined && textIn(found, 'changeId') === changeId,
    )
    return won
  }

  return {
    read,

    get(account, name) {
      const key = cacheKey(account, name)
      const now = clock.now()
      const cached = cache.get(key)
      if (cached && isWithin(cached.readAt, now, CACHE_LIFETIME)) return cached.queue
      const queue = read(account, name)
      cache.set(key, { readAt: now, queue })
      queue.catch(() => {
        if (cache.get(key)?.queue === queue) cache.delete(key)
      })
      return queue
    },

    async create(queue) {
      const now = clock.now()
      const outcome = await settle(
        clock,
        () =>
          db.write(
            new PutItemCommand({
              TableName: table,
              Item: itemOf(queue, keyOf(queue.account, queue.name)),
              ConditionExpression: 'attribute_not_exists(pk) OR freeAt <= :now',
              ExpressionAttributeValues: attributesOf({ ':now': now }),
              ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
            }),
          ),
        (found) => found !== undefined && textIn(found, 'id') === queue.id,
      )
      // A record of an earlier queue of this name may still be in the cache, and must not be used any more.
      cache.delete(cacheKey(queue.account, queue.name))
      if (!outcome.won && outcome.found && isReleased(outcome.found)) throw new CmqError('queueNameInRelease')
      return outcome.won
    },

    async change(queue, change, changeId) {
      const won = await update(queue, change, changeId)
      await spread(queue)
      return won
    },

    async retireShards(queue, changeId) {
      await update(queue, { readShards: queue.writeShards }, changeId)
      cache.delete(cacheKey(queue.account, queue.name))
    },

    async remove(queue, freeAfter) {
      const key = keyOf(queue.account, queue.name)
      // While others may still use the record, the name is not free: what they send would not reach a new queue.
      const reserved = Math.max(freeAfter * 1000, isAlone ? 0 : CACHE_LIFETIME)
      const condition = {
        TableName: table,
        ConditionExpression: 'id = :id',
        ExpressionAttributeValues: attributesOf({ ':id': queue.id }),
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      } as const
      const free = () => db.write(new DeleteItemCommand({ ...condition, Key: key }))
      const reserve = () => {
        const freeAt = clock.now() + reserved
        const Item = { ...key, ...attributesOf({ freeAt, expiresAt: ttlOf(freeAt) }) }
        return db.write(new PutItemCommand({ ...condition, Item }))
      }
      const { won } = await settle(
        clock,
        () => (reserved > 0 ? reserve() : free()),
        // Whoever has the name now, it is not the queue that was to be deleted.
        (found) => found === undefined || textIn(found, 'id') !== queue.id,
      )
      await spread(queue)
      return won
    },

    async list(account, searchWord) {
      const word = searchWord.toLowerCase()
      const found: ListedQueue[] = []
      let start: Item | undefined
      do {
        const { Items = [], LastEvaluatedKey } = await db.read(
          new QueryCommand({
            TableName: table,
            KeyConditionExpression: 'pk = :account AND begins_with(sk, :queue)',
            ExpressionAttributeValues: attributesOf({ ':account': `account#${account}`, ':queue': 'queue#' }),
            ConsistentRead: true,
            ...(start ? { ExclusiveStartKey: start } : {}),
          }),
        )
        for (const item of Items) {
          const name = textIn(item, 'name')
          const id = textIn(item, 'id')
          if (name !== undefined && id !== undefined && canonicalName(name).includes(word)) found.push({ id, name })
        }
        start = LastEvaluatedKey
      } while (start)
      return found
    },
  }
}

/** A name whose queue was deleted, and that is not to be used again yet. */
const isReleased = (item: Item): boolean => item['freeAt'] !== undefined

const flattened = ({ formerRetention, ...change }: QueueChange) => ({
  ...change,
  formerRetentionSeconds: formerRetention?.seconds,
  formerRetentionUntil: formerRetention?.until,
})

function itemOf({ account: _, attributes, ...queue }: Queue, key: Item): Item {
  return { ...key, ...attributesOf({ ...attributes, ...flattened(queue) }) }
}

function queueOf(item: Item): Queue {
  const text = (name: string) => required(textIn(item, name), name)
  const number = (name: string) => required(numberIn(item, name), name)
  const shrunkAt = numberIn(item, 'shrunkAt')
  const former = numberIn(item, 'formerRetentionSeconds')
  return {
    account: text('pk').slice('account#'.length),
    name: text('name'),
    id: text('id'),
    laneId: text('laneId'),
    changeId: text('changeId'),
    attributes: {
      maxMsgHeapNum: number('maxMsgHeapNum'),
      pollingWaitSeconds: number('pollingWaitSeconds'),
      visibilityTimeout: number('visibilityTimeout'),
      maxMsgSize: number('maxMsgSize'),
      msgRetentionSeconds: number('msgRetentionSeconds'),
      rewindSeconds: number('rewindSeconds'),
    },
    createdAt: number('createdAt'),
    modifiedAt: number('modifiedAt'),
    writeShards: number('writeShards'),
    readShards: number('readShards'),
    ...(shrunkAt === undefined ? {} : { shrunkAt }),
    ...(former === undefined ? {} : { formerRetention: { seconds: former, until: number('formerRetentionUntil') } }),
  }
}
