import { DeleteItemCommand, type Put } from '@aws-sdk/client-dynamodb'
import type { Queue } from '../domain/queue.ts'
import type { Clock } from '../domain/time.ts'
import { attributesOf, required, textIn } from './attributes.ts'
import { queryAll, settle, type Database, type Item } from './database.ts'

/** That the messages of a queue die of age, so that somebody has to look after them even while nobody receives. */
export interface AgingQueue {
  readonly queueId: string
  readonly account: string
  readonly name: string
  /** The changeId of the change that bound the queue. */
  readonly boundBy: string
}

/**
 * The queues whose messages die of age, in the table `registry`: pk `aging`, sk the queue's id. The mark is written together
 * with the policy and outlives it; who finds it so removes it.
 */
export interface Aging {
  /** One read where there are none. */
  list(): Promise<readonly AgingQueue[]>
  /** Removes a mark, unless the queue was bound again. */
  forget(found: AgingQueue): Promise<void>
}

const PARTITION = 'aging'

/** The write of a queue's mark, to be made together with its policy. */
export const agingMark = (table: string, { id, account, name }: Queue, boundBy: string): Put => ({
  TableName: table,
  Item: attributesOf({ pk: PARTITION, sk: id, account, name, boundBy }),
})

/** The marks of a table. */
export const aging = (db: Database, table: string, clock: Clock): Aging => ({
  async list() {
    const found = await queryAll(db, {
      TableName: table,
      KeyConditionExpression: 'pk = :pk',
      ExpressionAttributeValues: attributesOf({ ':pk': PARTITION }),
    })
    return found.map(markOf)
  },

  async forget({ queueId, boundBy }) {
    const remove = new DeleteItemCommand({
      TableName: table,
      Key: attributesOf({ pk: PARTITION, sk: queueId }),
      ConditionExpression: 'boundBy = :seen',
      ExpressionAttributeValues: attributesOf({ ':seen': boundBy }),
    })
    await settle(
      clock,
      () => db.write(remove),
      () => true,
    )
  },
})

function markOf(item: Item): AgingQueue {
  const text = (name: string) => required(textIn(item, name), name)
  return { queueId: text('sk'), account: text('account'), name: text('name'), boundBy: text('boundBy') }
}
