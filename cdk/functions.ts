import {
  type aws_dynamodb as dynamodb,
  type aws_ec2 as ec2,
  aws_iam as iam,
  type aws_kms as kms,
  aws_lambda as lambda,
  aws_logs as logs,
  Duration,
  type RemovalPolicy,
} from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import { tableVariables } from '../lib/names.ts'
import type { Table } from '../lib/tables.ts'
import { bundle } from './bundle.ts'
import { allow, allowItems, type Asks, letJoinNetwork, letUseKey } from './rights.ts'

/** What a function is, wherever it is deployed. */
export interface FunctionKind {
  readonly description: string
  readonly file: string
  readonly timeout: Duration
  /** What its code asks of each table: nothing else is allowed to it. */
  readonly asks: Readonly<Partial<Record<Table, Asks>>>
  readonly retryAttempts?: number
  readonly maxEventAge?: Duration
}

/**
 * How Lambda repeats what nobody waits for: not at all. A run that was lost or failed left its deliveries where they were,
 * and retry-deliveries and release-delayed look every minute for those that nobody works on.
 */
const once = { retryAttempts: 0, maxEventAge: Duration.minutes(1) }

/** The functions of the service. */
export const functionKinds = {
  api: {
    description: 'Answers every action of CMQ',
    file: 'functions/api.ts',
    // The HTTP API gives up at 30 s; waits end at 27.
    timeout: Duration.seconds(30),
    asks: {
      registry: ['GetItem', 'BatchGetItem', 'Query', 'PutItem', 'UpdateItem'],
      messages: ['GetItem', 'BatchGetItem', 'Query', 'PutItem', 'BatchWriteItem', 'UpdateItem', 'DeleteItem'],
      deliveries: ['Query', 'PutItem', 'BatchWriteItem'],
      bodies: ['BatchGetItem', 'BatchWriteItem'],
    },
  },
  push: {
    description: 'Pushes what is due to one subscription',
    file: 'functions/push.ts',
    timeout: Duration.minutes(15),
    asks: {
      registry: {
        GetItem: ['account#*', 'topic#*', 'tally#*'],
        UpdateItem: ['account#*', 'work#*', 'tally#*'],
        DeleteItem: ['pending#push#*'],
      },
      messages: ['Query', 'PutItem'],
      deliveries: ['Query', 'UpdateItem', 'DeleteItem', 'BatchWriteItem'],
      bodies: ['BatchGetItem', 'BatchWriteItem'],
    },
    ...once,
  },
  releaseDelayed: {
    description: 'Publishes what has waited for its delay, and moves what has died of age to its dead-letter queue',
    file: 'functions/scheduled/release-delayed.ts',
    timeout: Duration.minutes(15),
    asks: {
      registry: {
        GetItem: ['account#*', 'tally#*'],
        BatchGetItem: ['work#*'],
        Query: ['pending#release#*', 'topic#*', 'aging'],
        UpdateItem: ['account#*', 'work#*', 'pending#push#*', 'tally#*'],
        DeleteItem: ['pending#release#*', 'aging'],
      },
      messages: ['Query', 'PutItem', 'BatchWriteItem', 'UpdateItem', 'DeleteItem'],
      deliveries: ['Query', 'PutItem', 'BatchWriteItem', 'UpdateItem', 'DeleteItem'],
      bodies: ['BatchGetItem', 'BatchWriteItem'],
    },
    ...once,
  },
  retryDeliveries: {
    description: 'Has those deliveries pushed that nobody works on',
    file: 'functions/scheduled/retry-deliveries.ts',
    timeout: Duration.minutes(15),
    asks: { registry: { Query: ['pending#push#*'], BatchGetItem: ['work#*'] }, deliveries: ['Query'] },
    ...once,
  },
} as const satisfies Record<string, FunctionKind>

export type FunctionName = keyof typeof functionKinds

/** Megabytes of a function that is not told another size. */
export const MEMORY_SIZE = 512

/** How large a function is, and how many of it there may be. */
export interface FunctionSize {
  /**
   * Megabytes of memory, and CPU in proportion: 1,769 MB are one core. A function that waits pays for its memory all the
   * while; more makes cold starts and large batches faster.
   * @default 512
   */
  readonly memorySize?: number

  /**
   * Concurrent executions that are set aside for it, and that it cannot exceed. They are taken from those of the account,
   * which leaves 100 to all others: an account that has ten in all cannot set any aside.
   * @default - none of its own: it shares those of the account
   */
  readonly reservedConcurrency?: number
}

/** Where a function runs: outside of any VPC, or in these subnets. */
export interface Network {
  readonly vpc: ec2.IVpc
  readonly vpcSubnets?: ec2.SubnetSelection
  readonly securityGroups?: ec2.ISecurityGroup[]
}

/** What differs between deployments. */
export interface FunctionOptions {
  readonly tables: Readonly<Record<Table, dynamodb.Table>>
  readonly encryptionKey: kms.IKey | undefined
  readonly size: FunctionSize | undefined
  readonly network?: Network | undefined
  readonly environment: Readonly<Record<string, string>>
  readonly logRetention: logs.RetentionDays
  readonly removalPolicy: RemovalPolicy
}

/** A function with a role and a log group of its own, which is told all tables and may do with each what it asks. */
export function createFunction(
  scope: Construct,
  id: string,
  { file, asks, ...kind }: FunctionKind,
  { tables, encryptionKey, size = {}, network, environment, logRetention, removalPolicy }: FunctionOptions,
): lambda.Function {
  const { memorySize = MEMORY_SIZE, reservedConcurrency } = size
  const logGroup = new logs.LogGroup(scope, `${id}Logs`, { retention: logRetention, removalPolicy })
  // The role that CDK would make may write to every log group of the account.
  const role = new iam.Role(scope, `${id}Role`, { assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') })
  allow(role, logGroup.logGroupArn, 'logs', ['CreateLogStream', 'PutLogEvents'])
  for (const table of namesIn(tables)) allowItems(role, tables[table].tableArn, asks[table] ?? [])
  if (encryptionKey) letUseKey(role, encryptionKey, 'dynamodb')
  if (network) letJoinNetwork(role)
  const tableNames = namesIn(tables).map((table) => [tableVariables[table], tables[table].tableName] as const)

  return new lambda.Function(scope, id, {
    ...kind,
    ...network,
    ...(reservedConcurrency === undefined ? {} : { reservedConcurrentExecutions: reservedConcurrency }),
    code: bundle(scope, file),
    handler: 'index.handler',
    runtime: lambda.Runtime.NODEJS_24_X,
    architecture: lambda.Architecture.ARM_64,
    memorySize,
    role,
    logGroup,
    environment: { POWERTOOLS_LOG_LEVEL: 'INFO', ...Object.fromEntries(tableNames), ...environment },
  })
}

const namesIn = (tables: FunctionOptions['tables']) => Object.keys(tables) as Table[]
