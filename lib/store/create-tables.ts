import { CreateTableCommand, ResourceInUseException, type DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { partitionKey, sortKey, type Table } from '../tables.ts'

/** Makes the tables that are missing, in a DynamoDB that no CDK has prepared: the one on localhost. */
export async function createTables(client: DynamoDBClient, names: Readonly<Record<Table, string>>): Promise<void> {
  await Promise.all(Object.values(names).map((name) => createTable(client, name)))
}

async function createTable(client: DynamoDBClient, TableName: string): Promise<void> {
  const command = new CreateTableCommand({
    TableName,
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [partitionKey, sortKey].map((AttributeName) => ({ AttributeName, AttributeType: 'S' })),
    KeySchema: [
      { AttributeName: partitionKey, KeyType: 'HASH' },
      { AttributeName: sortKey, KeyType: 'RANGE' },
    ],
  })
  try {
    const { TableDescription } = await client.send(command)
    // Any web server may answer with success to what it does not understand.
    if (!TableDescription) throw new Error('it answers, but it is no DynamoDB')
  } catch (error) {
    if (!(error instanceof ResourceInUseException)) throw error
  }
}
