import { aws_dynamodb as dynamodb, type aws_kms as kms, RemovalPolicy, Validations } from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import { partitionKey, sortKey, type Table, tables, ttlAttribute } from '../lib/tables.ts'

/** What differs between deployments. */
export interface TableOptions {
  readonly restorable: readonly Table[]
  readonly encryptionKey: kms.IKey | undefined
  readonly removalPolicy: RemovalPolicy
}

/** The tables that can be restored unless a deployment says otherwise. */
export const restorableByDefault = (Object.keys(tables) as Table[]).filter((table) => tables[table].pointInTimeRecovery)

/** All tables of the service. */
export const createTables = (scope: Construct, options: TableOptions): Record<Table, dynamodb.Table> => ({
  registry: createTable(scope, 'Registry', 'registry', options),
  messages: createTable(scope, 'Messages', 'messages', options),
  deliveries: createTable(scope, 'Deliveries', 'deliveries', options),
  bodies: createTable(scope, 'Bodies', 'bodies', options),
})

function createTable(
  scope: Construct,
  id: string,
  name: Table,
  { restorable, encryptionKey, removalPolicy }: TableOptions,
): dynamodb.Table {
  const pointInTimeRecoveryEnabled = restorable.includes(name)
  const table = new dynamodb.Table(scope, id, {
    partitionKey: { name: partitionKey, type: dynamodb.AttributeType.STRING },
    sortKey: { name: sortKey, type: dynamodb.AttributeType.STRING },
    billingMode: dynamodb.BillingMode.PAY_PER_REQUEST,
    timeToLiveAttribute: ttlAttribute,
    pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled },
    ...(encryptionKey ? { encryptionKey } : {}),
    deletionProtection: removalPolicy === RemovalPolicy.RETAIN,
    removalPolicy,
  })
  if (!pointInTimeRecoveryEnabled)
    Validations.of(table).acknowledge({
      id: 'AwsSolutions-DDB3',
      reason: 'Restoring messages would bring back what was received and deleted since; the deployment can ask for it',
    })
  return table
}
