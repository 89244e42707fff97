import { DeleteItemCommand, ScanCommand } from '@aws-sdk/client-dynamodb'
import { inSeconds, type Clock } from '../domain/time.ts'
import { ttlAttribute } from '../tables.ts'
import { attributesOf } from './attributes.ts'
import { Refused, type Database, type Item } from './database.ts'

/** How many items one step of a sweep reads, and how long it pauses before the next, so that requests go first. */
const STEP = 500
const PAUSE = 20

/**
 * Removes what has expired, as DynamoDB's TTL does in the cloud. Returns how many items it removed. Engines for
 * localhost keep them for ever.
 */
export async function sweep(db: Database, table: string, clock: Clock, signal: AbortSignal): Promise<number> {
  const now = attributesOf({ ':now': inSeconds(clock.now()) })
  const names = { '#end': ttlAttribute }
  let removed = 0
  let start: Item | undefined
  do {
    const begunAt = clock.now()
    const { Items = [], LastEvaluatedKey } = await db.read(
      new ScanCommand({
        TableName: table,
        Limit: STEP,
        ProjectionExpression: 'pk, sk',
        FilterExpression: '#end <= :now',
        ExpressionAttributeNames: names,
        ExpressionAttributeValues: now,
        ...(start ? { ExclusiveStartKey: start } : {}),
      }),
    )
    for (const Key of Items) {
      // On condition that it is still so: an item may have been written anew meanwhile.
      const remove = new DeleteItemCommand({
        TableName: table,
        Key,
        ConditionExpression: '#end <= :now',
        ExpressionAttributeNames: names,
        ExpressionAttributeValues: now,
      })
      const isRemoved = await db.write(remove).then(
        () => true,
        (error: unknown) => {
          if (error instanceof Refused) return false
          throw error
        },
      )
      if (isRemoved) removed++
    }
    start = LastEvaluatedKey
    // Pages of large bodies take an engine long: it works for requests most of the time, however much there is to sweep.
    await clock.sleep(Math.max(PAUSE, 9 * (clock.now() - begunAt)), signal)
  } while (start && !signal.aborted)
  return removed
}
