import { DeleteItemCommand, PutItemCommand, QueryCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import type { Delivery } from '../domain/delivery.ts'
import { after, type Clock, type Instant } from '../domain/time.ts'
import { TOPIC_RETENTION } from '../domain/topic.ts'
import type { Bell } from './bell.ts'
import { gathered } from './gathered.ts'
import { newKept } from './kept.ts'
import { attributesOf, endOf, numberIn, required, textIn, textsIn, ttlOf, writeTexts } from './attributes.ts'
import {
  chunksOf,
  MOST_AT_ONCE,
  PATIENCE,
  removeBatch,
  settle,
  Uncertain,
  writeBatch,
  type Database,
  type Item,
} from './database.ts'
import type { Report } from './messages.ts'
import { readableIn } from './readable.ts'
import { bodyOf, bodyValues, instantOfKey, justAfter, keyAt, keyOf } from './message-item.ts'

/**
 * Deliveries, in the order of publishing: pk `<subscriptionId>`, or `<topicId>` for publications that wait for their delay;
 * sk `<publishedAt>#<messageId>`. One that has failed keeps its place: its due time is an attribute.
 *
 * An item outlives its day by another one, so that whoever works on the lane sees what ended there, and says so.
 */
export interface Deliveries {
  /** Stores all of them, or throws, and rings for their lanes. What may have been stored is not stored over. */
  add(placed: readonly PlacedDelivery[]): Promise<void>
  /** The first of a lane as they are now, or the first beyond one of it, at most `limit`. */
  first(laneId: string, limit: number, beyond?: Delivery): Promise<FirstDeliveries>
  /** Stores when a delivery is due again. Returns it as it is now: undefined when it is gone. */
  postpone(laneId: string, seen: Delivery, next: Delivery): Promise<Delivery | undefined>
  /** Removes a delivery that was made, or given up. */
  remove(laneId: string, delivery: Delivery): Promise<void>
  /** Whether the lane holds anything; eventually consistent. */
  isEmpty(laneId: string): Promise<boolean>
  /** When the first of the lane is due that comes first; undefined when there is none. Eventually consistent. */
  firstDue(laneId: string): Promise<Instant | undefined>
  /** How many there are whose day is not over, up to `COUNTED`. */
  count(laneId: string): Promise<number>
}

/** A delivery, and the subscription or topic in whose lane it lies. */
export interface PlacedDelivery {
  readonly laneId: string
  readonly delivery: Delivery
}

export interface FirstDeliveries {
  readonly deliveries: readonly Delivery[]
  /** Whether there are no others. */
  readonly isAll: boolean
}

/** How long what has ended stays, in milliseconds. */
const KEPT = 86_400_000

/** Nobody counts further: a subscription with so many is in trouble, however many they are. */
export const COUNTED = 10_000

/** So many are looked at for the one due first: more than there are failing ones in a window, behind which a new one lies. */
const FIRST = 32

/** A count of more than so many is kept for so many milliseconds: it reads what it counts. */
const CHEAP = 1_000
const COUNT_KEPT = 5_000

/** The deliveries of a table. */
export function deliveries(
  db: Database,
  table: string,
  clock: Clock,
  bell: Bell,
  report: Report = () => undefined,
): Deliveries {
  const readable = readableIn(table, report)
  const counts = newKept<number>(clock, COUNT_KEPT, 1_000)

  const keyIn = (laneId: string, delivery: Delivery) => attributesOf({ pk: laneId, sk: sortKeyOf(delivery) })

  /** Nothing older is still there. */
  const oldest = () => keyAt(after(clock.now(), -TOPIC_RETENTION) - KEPT)

  const range = (laneId: string, from = oldest()) => ({
    TableName: table,
    KeyConditionExpression: 'pk = :lane AND sk >= :from',
    ExpressionAttributeValues: attributesOf({ ':lane': laneId, ':from': from }),
  })

  /** One that may have been stored already is only stored if it was not: it may have been tried meanwhile. */
  const addOne = (item: Item) =>
    settle(
      clock,
      () =>
        db.write(new PutItemCommand({ TableName: table, Item: item, ConditionExpression: 'attribute_not_exists(pk)' })),
      () => true,
    )

  async function addAtOnce(items: readonly Item[]): Promise<void> {
    const giveUpAt = clock.now() + PATIENCE
    for (let left = items; ;) {
      const [first] = left
      if (!first) return
      if (left.length === 1) return void (await addOne(first))
      try {
        left = await writeBatch(db.write, table, left)
      } catch (error) {
        if (!(error instanceof Uncertain)) throw error
        return void (await Promise.all(left.map(addOne)))
      }
      if (left.length === 0) return
      if (clock.now() >= giveUpAt) throw new Error('the deliveries could not be stored in time')
      await clock.sleep(Math.random() * 50)
    }
  }

  /** Gone is gone: it does no harm to remove it twice. */
  async function removeAtOnce(keys: readonly Item[]): Promise<void> {
    const giveUpAt = clock.now() + PATIENCE
    for (let left = keys; left.length > 0;) {
      const [Key] = left
      try {
        if (Key && left.length === 1) return void (await db.write(new DeleteItemCommand({ TableName: table, Key })))
        left = await removeBatch(db.write, table, left)
      } catch (error) {
        if (!(error instanceof Uncertain)) throw error
      }
      if (left.length > 0 && clock.now() >= giveUpAt) throw new Error('deliveries could not be removed in time')
      if (left.length > 0) await clock.sleep(Math.random() * 50)
    }
  }

  /** Removals of one turn of the event loop go together: the units are the same, and a call costs more than an item. */
  const remove = gathered<Item>(MOST_AT_ONCE, ({ pk, sk }) => `${pk?.S} ${sk?.S}`, removeAtOnce)

  return {
    async add(placed) {
      const items = placed.map(({ laneId, delivery }) => itemOf(laneId, delivery))
      await Promise.all(chunksOf(items, MOST_AT_ONCE).map(addAtOnce))
      for (const laneId of new Set(placed.map(({ laneId }) => laneId))) bell.ring(laneId, 0, 1)
    },

    async first(laneId, limit, beyond) {
      const wanted = range(laneId, beyond && justAfter(sortKeyOf(beyond)))
      const found: Delivery[] = []
      let start: Item | undefined
      // What cannot be read must not stand in the way of what can.
      do {
        const { Items = [], LastEvaluatedKey } = await db.read(
          new QueryCommand({
            ...wanted,
            Limit: limit - found.length,
            ConsistentRead: true,
            ...(start ? { ExclusiveStartKey: start } : {}),
          }),
        )
        found.push(...readable(Items, deliveryOf))
        start = LastEvaluatedKey
      } while (start && found.length < limit)
      return { deliveries: found, isAll: start === undefined }
    },

    async postpone(laneId, seen, next) {
      const outcome = await settle(
        clock,
        () =>
          db.write(
            new UpdateItemCommand({
              TableName: table,
              Key: keyIn(laneId, seen),
              ConditionExpression: 'attempt = :seen',
              UpdateExpression: 'SET attempt = :attempt, dueAt = :due, failure = :failure',
              ExpressionAttributeValues: attributesOf({
                ':seen': seen.attempt,
                ':attempt': next.attempt,
                ':due': next.dueAt,
                ':failure': next.failure ?? '',
              }),
              ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
            }),
          ),
        // The time at which it is due again tells whose write it was.
        (found) => found !== undefined && numberIn(found, 'dueAt') === next.dueAt,
      )
      if (outcome.won) return next
      return outcome.found && deliveryOf(outcome.found)
    },

    remove: (laneId, delivery) => remove(keyIn(laneId, delivery)),

    async firstDue(laneId) {
      const { Items = [] } = await db.read(
        new QueryCommand({ ...range(laneId), Limit: FIRST, ProjectionExpression: 'dueAt' }),
      )
      const times = readable(Items, (item) => required(numberIn(item, 'dueAt'), 'dueAt'))
      return times.length === 0 ? undefined : Math.min(...times)
    },

    async isEmpty(laneId) {
      const { Items = [] } = await db.read(new QueryCommand({ ...range(laneId), Limit: 1, ProjectionExpression: 'sk' }))
      return Items.length === 0
    },

    async count(laneId) {
      const found = await counts.get(laneId, () => count(laneId))
      if (found <= CHEAP) counts.forget(laneId)
      return found
    },
  }

  async function count(laneId: string): Promise<number> {
    // What has ended and waits to be dropped is nobody's message any more.
    const alive = keyAt(after(clock.now(), -TOPIC_RETENTION) + 1)
    let count = 0
    let start: Item | undefined
    do {
      const { Count = 0, LastEvaluatedKey } = await db.read(
        new QueryCommand({
          ...range(laneId, alive),
          Select: 'COUNT',
          ...(start ? { ExclusiveStartKey: start } : {}),
        }),
      )
      count += Count
      start = LastEvaluatedKey
    } while (start && count < COUNTED)
    return Math.min(count, COUNTED)
  }
}

const sortKeyOf = ({ publishedAt, id }: Delivery): string => keyOf({ visibleAt: publishedAt, id })

function itemOf(laneId: string, delivery: Delivery): Item {
  const { labels, body } = delivery
  return attributesOf({
    pk: laneId,
    sk: sortKeyOf(delivery),
    expiresAt: ttlOf(delivery.endsAt + KEPT),
    attempt: delivery.attempt,
    dueAt: delivery.dueAt,
    failure: delivery.failure,
    ...(labels.tags.length > 0 ? { tags: writeTexts(labels.tags) } : {}),
    ...(labels.routingKey ? { routingKey: labels.routingKey } : {}),
    ...bodyValues(body),
  })
}

function deliveryOf(item: Item): Delivery {
  const key = required(textIn(item, 'sk'), 'sk')
  const publishedAt = instantOfKey(key)
  const failure = textIn(item, 'failure')
  return {
    id: key.slice(14),
    publishedAt,
    endsAt: endOf(required(numberIn(item, 'expiresAt'), 'expiresAt'), publishedAt) - KEPT,
    attempt: required(numberIn(item, 'attempt'), 'attempt'),
    dueAt: required(numberIn(item, 'dueAt'), 'dueAt'),
    ...(failure === undefined ? {} : { failure }),
    labels: { tags: textsIn(item, 'tags'), routingKey: textIn(item, 'routingKey') ?? '' },
    body: bodyOf(item),
  }
}
