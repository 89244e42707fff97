import type {
  aws_apigatewayv2 as gateway,
  aws_dynamodb as dynamodb,
  aws_lambda as lambda,
  aws_sqs as sqs,
} from 'aws-cdk-lib'
import type { Table } from '../lib/tables.ts'
import type { FunctionName } from './functions.ts'
import type { Counting, Sizes } from './wiring.ts'

/** What alarms and a dashboard look at. */
export interface Watched {
  readonly functions: Readonly<Record<FunctionName, lambda.Function>>
  readonly sizes: Sizes
  readonly tables: Readonly<Record<Table, dynamodb.Table>>
  readonly stage: gateway.HttpStage
  readonly failedBeats: sqs.Queue
  readonly counting: Counting
}
