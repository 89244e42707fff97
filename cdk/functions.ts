import {
  type aws_dynamodb as dynamodb,
  aws_iam as iam,
  aws_lambda as lambda,
  aws_logs as logs,
  Duration,
  type RemovalPolicy,
} from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import { tableVariables } from '../lib/names.ts'
import type { Table } from '../lib/tables.ts'
import { bundle } from './bundle.ts'

/** What a function is, wherever it is deployed. */
export interface FunctionKind {
  readonly description: string
  readonly file: string
  readonly timeout: Duration
  /** What its code asks of each table: nothing else is allowed to it. */
  readonly asks: Readonly<Partial<Record<Table, readonly string[]>>>
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
      registry: ['GetItem', 'BatchGetItem', 'Query', 'PutItem', 'UpdateItem', 'DeleteItem'],
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
      registry: ['GetItem', 'UpdateItem', 'DeleteItem'],
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
      registry: ['GetItem', 'BatchGetItem', 'Query', 'UpdateItem', 'DeleteItem'],
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
    asks: { registry: ['BatchGetItem', 'Query'], deliveries: ['Query'] },
    ...once,
  },
} as const satisfies Record<string, FunctionKind>

/** What differs between deployments. */
export interface FunctionOptions {
  readonly tables: Readonly<Record<Table, dynamodb.Table>>
  readonly memorySize: number
  readonly environment: Readonly<Record<string, string>>
  readonly logRetention: logs.RetentionDays
  readonly removalPolicy: RemovalPolicy
}

/** A function with a role and a log group of its own, which is told all tables and may do with each what it asks. */
export function createFunction(
  scope: Construct,
  id: string,
  { file, asks, ...kind }: FunctionKind,
  { tables, memorySize, environment, logRetention, removalPolicy }: FunctionOptions,
): lambda.Function {
  const logGroup = new logs.LogGroup(scope, `${id}Logs`, { retention: logRetention, removalPolicy })
  // The role that CDK would make may write to every log group of the account.
  const role = new iam.Role(scope, `${id}Role`, { assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') })
  allow(role, logGroup.logGroupArn, 'logs', ['CreateLogStream', 'PutLogEvents'])
  for (const table of namesIn(tables)) allow(role, tables[table].tableArn, 'dynamodb', asks[table] ?? [])
  const tableNames = namesIn(tables).map((table) => [tableVariables[table], tables[table].tableName] as const)

  return new lambda.Function(scope, id, {
    ...kind,
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

/** Allows actions of one service on one thing. */
export function allow(
  grantee: iam.IGrantable,
  arn: string,
  service: string,
  actions: readonly string[],
  conditions: iam.Conditions = {},
): void {
  if (actions.length > 0) grantee.grantPrincipal.addToPrincipalPolicy(statement(arn, service, actions, conditions))
}

/** Lets a function, or whoever has the role, start others. */
export function letStart(starter: iam.IGrantable, ...started: readonly lambda.Function[]): void {
  for (const { functionArn } of started) allow(starter, functionArn, 'lambda', ['InvokeFunction'])
}

/** Lets a function start itself. It waits for the policy of its role, which therefore cannot wait for it: this is another. */
export function letStartItself(itself: lambda.Function): void {
  const statements = [statement(itself.functionArn, 'lambda', ['InvokeFunction'])]
  itself.role?.attachInlinePolicy(new iam.Policy(itself, 'StartItself', { statements }))
}

const statement = (arn: string, service: string, actions: readonly string[], conditions: iam.Conditions = {}) =>
  new iam.PolicyStatement({ actions: actions.map((action) => `${service}:${action}`), resources: [arn], conditions })
