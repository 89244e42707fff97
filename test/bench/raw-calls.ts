import {
  BatchWriteItemCommand,
  DeleteItemCommand,
  PutItemCommand,
  QueryCommand,
  UpdateItemCommand,
  type AttributeValue,
} from '@aws-sdk/client-dynamodb'
import { createTables } from '../../lib/store/create-tables.ts'
import { chunksOf, MOST_AT_ONCE } from '../../lib/store/database.ts'
import { BATCH, BODY, type Load, type Loads, type Publish } from './loads.ts'
import { patientClient } from '../support/engine.ts'

type Item = Record<string, AttributeValue>

const TableName = 'raw'
const lease = (name: string) => ({ S: `${name}-of-twenty-two-letters`.slice(0, 22) })

/** A client, and an empty table for it. */
async function newTable(endpoint: string) {
  const client = patientClient(endpoint)
  await createTables(client, {
    registry: TableName,
    messages: TableName,
    deliveries: TableName,
    bodies: TableName,
  })
  return client
}

let sent = 0

function newItem(partition: number): Item {
  const now = Date.now()
  return {
    pk: { S: `raw#${partition}` },
    sk: { S: `${now}#${String(++sent).padStart(32, '0')}` },
    sentAt: { N: String(now) },
    expiresAt: { N: String(Math.ceil(now / 1000) + 345_600) },
    leaseId: lease('none'),
    leaseUntil: { N: '0' },
    receiveCount: { N: '0' },
    body: { S: BODY },
  }
}

const newPut = (partition: number): PutItemCommand =>
  new PutItemCommand({ TableName, Item: newItem(partition), ConditionExpression: 'attribute_not_exists(pk)' })

const newPuts = (partitions: readonly number[]): BatchWriteItemCommand => {
  const requests = partitions.map((partition) => ({ PutRequest: { Item: newItem(partition) } }))
  return new BatchWriteItemCommand({ RequestItems: { [TableName]: requests } })
}

/**
 * The ceiling: the DynamoDB calls that messages need, made by the AWS SDK with nothing around them. Each client works in a
 * partition of its own, so that none has to think about the others.
 */
export async function rawLoads(endpoint: string): Promise<Loads<Load>> {
  const client = await newTable(endpoint)

  const keyOf = ({ pk, sk }: Item): Item => ({ pk: pk ?? { S: '' }, sk: sk ?? { S: '' } })

  const put = (partition: number) => client.send(newPut(partition))
  const putBatch = (partition: number) => client.send(newPuts(Array<number>(BATCH).fill(partition)))

  async function query(partition: number, wanted: number): Promise<readonly Item[]> {
    const { Items = [] } = await client.send(
      new QueryCommand({
        TableName,
        KeyConditionExpression: 'pk = :partition AND sk BETWEEN :from AND :to',
        ExpressionAttributeValues: { ':partition': { S: `raw#${partition}` }, ':from': { S: '0' }, ':to': { S: ':' } },
        Limit: 4 * wanted,
        ConsistentRead: true,
      }),
    )
    return Items.slice(0, wanted)
  }

  const claim = (item: Item) =>
    client.send(
      new UpdateItemCommand({
        TableName,
        Key: keyOf(item),
        ConditionExpression: 'leaseId = :held',
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
        UpdateExpression: 'SET leaseId = :lease, leaseUntil = :until, receiveCount = :count, firstReceivedAt = :first',
        ExpressionAttributeValues: {
          ':held': lease('none'),
          ':lease': lease('held'),
          ':until': { N: String(Date.now() + 30_000) },
          ':count': { N: '1' },
          ':first': { N: String(Date.now()) },
        },
      }),
    )

  const end = (item: Item) =>
    client.send(
      new DeleteItemCommand({
        TableName,
        Key: keyOf(item),
        ConditionExpression: 'leaseId = :held AND leaseUntil > :now',
        ExpressionAttributeValues: { ':held': lease('held'), ':now': { N: String(Date.now()) } },
        ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
      }),
    )

  async function take(partition: number, wanted: number): Promise<number> {
    const items = await query(partition, wanted)
    await Promise.all(items.map(claim))
    await Promise.all(items.map(end))
    return items.length
  }

  return {
    prepare: () => Promise.resolve(),
    once: (load, partition) => {
      switch (load) {
        case 'send':
          return put(partition).then(() => 1)
        case 'take':
          return take(partition, 1)
        case 'send and take':
          return put(partition).then(() => take(partition, 1))
        case 'send batches':
          return putBatch(partition).then(() => BATCH)
        case 'take batches':
          return take(partition, BATCH)
      }
    },
    end: () => client.destroy(),
  }
}

/** The ceiling of publishing: the same puts, one in each queue's partition, as many at once as DynamoDB takes. */
export async function rawPublishes(endpoint: string): Promise<Loads<Publish>> {
  const client = await newTable(endpoint)
  return {
    prepare: () => Promise.resolve(),
    async once(subscriptions) {
      const partitions = Array.from({ length: subscriptions }, (_, partition) => partition)
      if (subscriptions === 1) await client.send(newPut(0))
      else await Promise.all(chunksOf(partitions, MOST_AT_ONCE).map((part) => client.send(newPuts(part))))
      return 1
    },
    end: () => client.destroy(),
  }
}
