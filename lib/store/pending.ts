import { DeleteItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import type { Clock, Instant } from '../domain/time.ts'
import { attributesOf, required, textIn, ttlOf } from './attributes.ts'
import { boundedMap } from './bounded-map.ts'
import { queryAll, settle, type Database, type Item } from './database.ts'
import type { Work, WorkList } from './work.ts'

/**
 * The lanes that may hold something, in the table `registry`: pk `pending#<duty>#<0 to 15>`, sk `<laneId>`. A note outlives
 * what it is about, and TTL removes it.
 */
export interface Pending extends Pick<WorkList, 'note' | 'forget'> {
  /** All that are noted. */
  list(duty: Work['duty']): Promise<readonly Work[]>
}

const PARTITIONS = 16

/**
 * What is due lives for a day, so a lane has to stay noted for longer; and for longer than that, so that it need not be
 * noted anew all the time.
 */
const NOTED_AT_LEAST = 1.5 * 86_400_000
const NOTED_FOR = 2 * 86_400_000
const NOTED = 20_000

/** The notes of a table. */
export function pending(db: Database, table: string, clock: Clock): Pending {
  const noted = boundedMap<Instant>(NOTED)
  const keyOf = ({ duty, laneId }: Work) => attributesOf({ pk: `pending#${duty}#${partOf(laneId)}`, sk: laneId })

  async function noteOne(work: Work, dueAt: Instant): Promise<void> {
    const { laneId, within, name } = work
    const last = noted.get(laneId)
    if (last !== undefined && last >= dueAt + NOTED_AT_LEAST) return
    const until = dueAt + NOTED_FOR
    const write = () =>
      db.write(
        new UpdateItemCommand({
          TableName: table,
          Key: keyOf(work),
          // Somebody may have noted what is due later.
          ConditionExpression: 'attribute_not_exists(pk) OR expiresAt < :end',
          UpdateExpression: 'SET #within = :within, #name = :name, expiresAt = :end',
          // Both are words of DynamoDB's own.
          ExpressionAttributeNames: { '#within': 'within', '#name': 'name' },
          ExpressionAttributeValues: attributesOf({ ':within': within, ':name': name, ':end': ttlOf(until) }),
        }),
      )
    await settle(clock, write, () => true)
    noted.set(laneId, until)
  }

  const listOf = (pk: string): Promise<readonly Item[]> =>
    queryAll(db, {
      TableName: table,
      KeyConditionExpression: 'pk = :pk',
      ExpressionAttributeValues: attributesOf({ ':pk': pk }),
    })

  return {
    note: async (works, dueAt) => void (await Promise.all(works.map((work) => noteOne(work, dueAt)))),

    async forget(work) {
      noted.delete(work.laneId)
      const remove = () => db.write(new DeleteItemCommand({ TableName: table, Key: keyOf(work) }))
      await settle(clock, remove, () => true)
    },

    async list(duty) {
      const parts = Array.from({ length: PARTITIONS }, (_, part) => listOf(`pending#${duty}#${part}`))
      return (await Promise.all(parts)).flat().map((item) => workOf(duty, item))
    },
  }
}

const workOf = (duty: Work['duty'], item: Item): Work => ({
  duty,
  laneId: required(textIn(item, 'sk'), 'sk'),
  within: required(textIn(item, 'within'), 'within'),
  name: required(textIn(item, 'name'), 'name'),
})

/** The same part for the same lane, always. */
function partOf(laneId: string): number {
  let sum = 0
  for (const character of laneId) sum = (sum * 31 + character.charCodeAt(0)) % 65_536
  return sum % PARTITIONS
}
