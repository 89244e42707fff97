import { QueryCommand, type QueryCommandInput } from '@aws-sdk/client-dynamodb'
import { attributesOf, textIn } from './attributes.ts'
import type { Database } from './database.ts'
import { justAfter } from './message-item.ts'

/** What of a partition to read: keys from `from` to `to`, both included. */
export interface Range {
  readonly from: string
  readonly to: string
  readonly limit: number
  readonly consistent: boolean
}

/** The items of a range, in the order of their keys, and where to go on when there are more. */
export async function queryRange(
  db: Database,
  table: string,
  partition: string,
  { from, to, limit, consistent }: Range,
  more: Partial<QueryCommandInput> = {},
) {
  // A clock that steps back may leave nothing to ask for, and DynamoDB refuses such a range.
  if (from > to) return { items: [], next: {} }
  const { Items = [], LastEvaluatedKey } = await db.read(
    new QueryCommand({
      TableName: table,
      KeyConditionExpression: 'pk = :partition AND sk BETWEEN :from AND :to',
      ExpressionAttributeValues: attributesOf({ ':partition': partition, ':from': from, ':to': to }),
      Limit: limit,
      ConsistentRead: consistent,
      ...more,
    }),
  )
  const last = LastEvaluatedKey && textIn(LastEvaluatedKey, 'sk')
  return { items: Items, next: last === undefined ? {} : { next: justAfter(last) } }
}
