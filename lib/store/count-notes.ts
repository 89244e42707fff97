import { UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import type { Counted } from '../domain/level.ts'
import type { Queue } from '../domain/queue.ts'
import type { Instant } from '../domain/time.ts'
import { attributesOf } from './attributes.ts'
import { Refused, type Database } from './database.ts'
import { placeOf } from './queues.ts'

/**
 * What was counted of a queue, as a note on its record: everybody reads that once a second anyway, so to know it costs
 * nothing. No change of the queue is disturbed by a note, and no note brings back a queue that is gone.
 */
export interface CountNotes {
  /** Wins for one of all processes that want to count the queue; again when it has noted its count, or has had time to. */
  mayCount(queue: Queue, now: Instant): Promise<boolean>
  /** Notes a count, unless there is a later one; that of a clock that was far ahead is none. */
  note(queue: Queue, counted: Counted): Promise<void>
}

/** How long whoever has won may count, in milliseconds. */
const COUNTING = 5_000

/** No clock that is right is so far ahead of another, in milliseconds. */
export const FAR_AHEAD = 60_000

/** The notes on the records of a table. */
export function countNotes(db: Database, table: string): CountNotes {
  /** One attempt: what was noted nevertheless does no harm, and nor does what was not. */
  async function update(
    queue: Queue,
    condition: string,
    UpdateExpression: string,
    values: Readonly<Record<string, string | number>>,
  ): Promise<boolean> {
    try {
      await db.attempt(
        new UpdateItemCommand({
          TableName: table,
          Key: attributesOf({ ...placeOf(queue) }),
          ConditionExpression: `id = :id AND ${condition}`,
          UpdateExpression,
          ExpressionAttributeValues: attributesOf({ ':id': queue.id, ...values }),
        }),
      )
      return true
    } catch (error) {
      if (error instanceof Refused) return false
      throw error
    }
  }

  return {
    mayCount: (queue, now) =>
      update(
        queue,
        '(attribute_not_exists(countingAt) OR countingAt <= :before OR countingAt > :ahead)',
        'SET countingAt = :now',
        { ':now': now, ':before': now - COUNTING, ':ahead': now + FAR_AHEAD },
      ),

    async note(queue, { at, ...counted }) {
      await update(
        queue,
        '(attribute_not_exists(countedAt) OR countedAt < :at OR countedAt > :ahead)',
        'SET countedAt = :at, counted = :counted REMOVE countingAt',
        { ':at': at, ':ahead': at + FAR_AHEAD, ':counted': JSON.stringify(counted) },
      )
    },
  }
}
