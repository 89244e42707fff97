import { GetItemCommand, PutItemCommand, UpdateItemCommand, type Put, type Update } from '@aws-sdk/client-dynamodb'
import type { Clock, Seconds } from '../domain/time.ts'
import { attributesOf, textIn, ttlOf, type Values } from './attributes.ts'
import { queryAll, settle, Uncertain, type Database, type Item } from './database.ts'
import { newKept } from './kept.ts'

/** How a kind of thing lies in its records. */
export interface Kind<Thing, Change> {
  /** Sort keys begin with it: `queue#`. */
  readonly prefix: string
  /** Where the thing lies. */
  placeOf(thing: Thing): Place
  /** All that is stored of it beside its place. */
  valuesOf(thing: Thing): Values
  /** What a change stores. */
  changesOf(change: Change): Values
  read(item: Item): Thing
}

/** The key of a record. */
export interface Place {
  readonly pk: string
  readonly sk: string
}

/**
 * Things that change seldom and are looked up by name, in the table `registry`.
 *
 * Records are read consistently and kept for CACHE_LIFETIME, counted from the start of the read; that a thing is absent
 * is never kept. A change answers one such lifetime after its write, so that when it has answered every process knows;
 * where one process owns the data it answers at once.
 */
export interface Records<Thing, Change> {
  /** The thing as it is now. */
  read(place: Place): Promise<Thing | undefined>
  /** The thing as it was at most a second ago. */
  get(place: Place): Promise<Thing | undefined>
  /** All things of a partition in the order of their keys, as they are now. */
  list(pk: string): Promise<readonly Thing[]>
  /** Throws `Uncertain`, as `change` does, when it may have been made, and something else was found since. */
  create(thing: Thing): Promise<'created' | 'taken' | 'in release'>
  /** Changes the named attributes; false when the thing is no longer as it was read. `changeId` is this call's alone. */
  change(thing: Thing, change: Change, changeId: string): Promise<boolean>
  /** The writes of `create` and `change`, to be made together with others. Whoever makes them forgets the things then. */
  writeOf(thing: Thing): Put
  writeOfChange(thing: Thing, change: Change, changeId: string): Update
  /** False when this very thing is gone, or with `seen` has another changeId. Its place is free again after `freeAfter`. */
  remove(thing: Thing, freeAfter: Seconds, seen?: string): Promise<boolean>
  /** Waits until no process goes on with what it has read before. */
  spread(thing: Thing): Promise<void>
  /** Forgets here what was read of the thing. */
  forget(thing: Thing): void
}

/** How long a process goes on with a record that it has read, in milliseconds. */
export const CACHE_LIFETIME = 1_000

/** What the clocks of processes may differ by in ordinary times, in milliseconds. */
const SKEW = 50

/** Records of how many things of a kind a process keeps. */
const CACHED = 10_000

/** A write that was given up has arrived by then, or never will, in milliseconds: its signature holds for 15 minutes. */
const LATEST_WRITE = 3_600_000

/** How this process stands to others. */
export interface RecordsOptions {
  /** Whether no other process uses the tables, so that nobody has to be waited for. */
  readonly isAlone: boolean
}

/** The records of one kind in a table. */
export function records<Thing extends { readonly id: string; readonly changeId: string }, Change>(
  db: Database,
  table: string,
  clock: Clock,
  { isAlone }: RecordsOptions,
  { prefix, placeOf, valuesOf, changesOf, read: thingOf }: Kind<Thing, Change>,
): Records<Thing, Change> {
  const kept = newKept<Thing | undefined>(clock, CACHE_LIFETIME, CACHED)
  const keptAs = ({ pk, sk }: Place) => `${pk}#${sk}`
  const keyOf = ({ pk, sk }: Place) => attributesOf({ pk, sk })
  const forget = (thing: Thing) => kept.forget(keptAs(placeOf(thing)))

  async function read(place: Place): Promise<Thing | undefined> {
    const { Item } = await db.read(new GetItemCommand({ TableName: table, Key: keyOf(place), ConsistentRead: true }))
    return Item && !isReleased(Item) ? thingOf(Item) : undefined
  }

  const writeOf = (thing: Thing): Put => ({
    TableName: table,
    Item: { ...keyOf(placeOf(thing)), ...attributesOf(valuesOf(thing)) },
    // Never in the place of this very thing: what was deleted is not put back by an attempt that comes late.
    ConditionExpression: 'attribute_not_exists(pk) OR (freeAt <= :now AND formerId <> :id)',
    ExpressionAttributeValues: attributesOf({ ':now': clock.now(), ':id': thing.id }),
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  })

  /** Of the record that was read: never a copy put back, never a stub revived. */
  function writeOfChange(thing: Thing, change: Change, changeId: string): Update {
    const values = attributesOf({ ...changesOf(change), changeId })
    const names = Object.keys(values)
    return {
      TableName: table,
      Key: keyOf(placeOf(thing)),
      ConditionExpression: 'id = :id AND changeId = :seen',
      UpdateExpression: `SET ${names.map((name) => `#${name} = :${name}`).join(', ')}`,
      // Some names are words of DynamoDB's own.
      ExpressionAttributeNames: Object.fromEntries(names.map((name) => [`#${name}`, name])),
      ExpressionAttributeValues: {
        ...attributesOf({ ':id': thing.id, ':seen': thing.changeId }),
        ...Object.fromEntries(Object.entries(values).map(([name, value]) => [`:${name}`, value])),
      },
      ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
    }
  }

  return {
    read,
    forget,
    writeOf,
    writeOfChange,

    get: (place) => kept.get(keptAs(place), () => read(place)),

    async list(pk) {
      const found = await queryAll(db, {
        TableName: table,
        KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
        ExpressionAttributeValues: attributesOf({ ':pk': pk, ':prefix': prefix }),
        ConsistentRead: true,
      })
      return found.filter((item) => !isReleased(item)).map(thingOf)
    },

    async create(thing) {
      const put = new PutItemCommand(writeOf(thing))
      const outcome = await settle(
        clock,
        () => db.write(put),
        (found) => certainly(found?.['id']?.S === thing.id),
      )
      // What was read of an earlier thing of this name must not be used any more.
      forget(thing)
      if (outcome.won) return 'created'
      return outcome.found && isReleased(outcome.found) ? 'in release' : 'taken'
    },

    async change(thing, change, changeId) {
      const update = new UpdateItemCommand({ ...writeOfChange(thing, change, changeId) })
      const { won } = await settle(
        clock,
        () => db.write(update),
        (found) => certainly(found?.['changeId']?.S === changeId),
      )
      forget(thing)
      return won
    },

    /** Leaves its id behind, so that nothing of it that is still on its way revives it. */
    async remove(thing, freeAfter, seen) {
      const key = keyOf(placeOf(thing))
      const { won } = await settle(
        clock,
        () => {
          const freeAt = clock.now() + freeAfter * 1000
          const left = { freeAt, formerId: thing.id, expiresAt: ttlOf(freeAt + LATEST_WRITE) }
          return db.write(
            new PutItemCommand({
              TableName: table,
              Item: { ...key, ...attributesOf(left) },
              ConditionExpression: `id = :id${seen === undefined ? '' : ' AND changeId = :seen'}`,
              ExpressionAttributeValues: attributesOf({ ':id': thing.id, ':seen': seen }),
              ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
            }),
          )
        },
        // Whoever has the name now, it is not the thing that was to be deleted.
        (found) => found === undefined || textIn(found, 'id') !== thing.id,
      )
      forget(thing)
      return won
    },

    async spread(thing) {
      forget(thing)
      if (!isAlone) await clock.sleep(CACHE_LIFETIME + SKEW)
      forget(thing)
    },
  }
}

/**
 * What a repeated write finds, if it is not ours, came after ours or in its place: nobody knows which, and to decide anew on
 * it might make a change twice, or refuse one that was made.
 */
function certainly(isOurs: boolean): boolean {
  if (!isOurs) throw new Uncertain('a write without an answer was overtaken: it may have been made before')
  return isOurs
}

/**
 * How long the name of a deleted thing stays taken: while others may still use its record, what they send to it would not
 * reach a new one of its name.
 */
export const reservedFor = (wanted: Seconds, { isAlone }: RecordsOptions): Seconds =>
  Math.max(wanted, isAlone ? 0 : CACHE_LIFETIME / 1000)

/** A name whose thing was deleted, and that is not to be used again yet. */
export const isReleased = (item: Item): boolean => item['freeAt'] !== undefined
