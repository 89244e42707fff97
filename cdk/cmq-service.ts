import {
  aws_apigatewayv2 as gateway,
  aws_apigatewayv2_integrations as integrations,
  aws_dynamodb as dynamodb,
  type aws_lambda as lambda,
  aws_logs as logs,
  aws_scheduler as scheduler,
  aws_secretsmanager as secrets,
  CfnOutput,
  RemovalPolicy,
  Stack,
} from 'aws-cdk-lib'
import { Construct } from 'constructs'
import { keyVariables, runVariables } from '../lib/names.ts'
import { partitionKey, sortKey, type Table, tables, ttlAttribute } from '../lib/tables.ts'
import { allow, createFunction, type FunctionKind, functionKinds, letStart, letStartItself } from './functions.ts'
import { createScheduleRole, everyMinute, letWakeItself, wakeUpVariables } from './schedules.ts'
import { type SettingProps, settingsOf } from './settings.ts'

export interface CmqServiceProps extends SettingProps {
  /**
   * What becomes of the tables, the key pair and the logs when the stack is deleted. While they are retained, the tables
   * are also protected from deletion by hand. DESTROY leaves nothing behind, and loses every queue and message.
   * @default RemovalPolicy.RETAIN
   */
  readonly removalPolicy?: RemovalPolicy

  /**
   * How long logs are kept. Every request writes a line, so longer costs more.
   * @default RetentionDays.ONE_MONTH
   */
  readonly logRetention?: logs.RetentionDays

  /**
   * Megabytes of memory of the function that answers requests, and CPU in proportion. A consumer that waits for messages
   * occupies a function and pays for its memory although waiting needs little; more makes cold starts and large batches
   * faster.
   * @default 512
   */
  readonly memorySize?: number

  /**
   * Megabytes of memory of the functions that deliver what was published, and CPU in proportion. One pushes to one
   * subscription and waits most of its time for its subscriber; more pushes faster to one that can take it, and holds more
   * large messages at once.
   * @default 512
   */
  readonly pushMemorySize?: number
}

/**
 * A queue and topic service that speaks CMQ: an HTTP API, the function behind it, those that deliver what was published,
 * their tables and schedules, and the key pair that clients sign with.
 */
export class CmqService extends Construct {
  readonly tables: Readonly<Record<Table, dynamodb.Table>>
  /** Holds `{"secretId":…,"secretKey":…}`. */
  readonly secret: secrets.Secret
  readonly apiFunction: lambda.Function
  readonly pushFunction: lambda.Function
  readonly releaseFunction: lambda.Function
  readonly retryFunction: lambda.Function
  /** Holds all schedules of the service: those that recur, and those of deliveries that are due later. */
  readonly scheduleGroup: scheduler.ScheduleGroup
  readonly httpApi: gateway.HttpApi
  /** The URL that CMQ's SDKs are given. */
  readonly endpoint: string

  constructor(scope: Construct, id: string, props: CmqServiceProps = {}) {
    super(scope, id)
    const { removalPolicy = RemovalPolicy.RETAIN, logRetention = logs.RetentionDays.ONE_MONTH } = props
    const { memorySize = 512, pushMemorySize = 512 } = props
    const { stackName, region } = Stack.of(this)

    this.tables = {
      registry: this.createTable('Registry', tables.registry, removalPolicy),
      messages: this.createTable('Messages', tables.messages, removalPolicy),
      deliveries: this.createTable('Deliveries', tables.deliveries, removalPolicy),
      bodies: this.createTable('Bodies', tables.bodies, removalPolicy),
    }
    this.secret = this.createSecret(removalPolicy)
    // Whatever is scheduled would call functions that are gone.
    this.scheduleGroup = new scheduler.ScheduleGroup(this, 'Schedules', { removalPolicy: RemovalPolicy.DESTROY })

    const settings = settingsOf(props)
    const create = (id: string, kind: FunctionKind, memorySize: number, variables: Readonly<Record<string, string>>) =>
      createFunction(this, id, kind, {
        tables: this.tables,
        memorySize,
        environment: { ...settings, ...variables },
        logRetention,
        removalPolicy,
      })

    const wakeUpRole = createScheduleRole(this, 'WakeUpRole', this.scheduleGroup)
    const wakeUps = wakeUpVariables(this.scheduleGroup, wakeUpRole)
    this.pushFunction = create('Push', functionKinds.push, pushMemorySize, wakeUps)
    const push = { [runVariables.pushFunction]: this.pushFunction.functionName }
    this.releaseFunction = create('ReleaseDelayed', functionKinds.releaseDelayed, pushMemorySize, {
      ...wakeUps,
      ...push,
    })
    this.retryFunction = create('RetryDeliveries', functionKinds.retryDeliveries, pushMemorySize, push)
    this.apiFunction = create('Api', functionKinds.api, memorySize, {
      ...push,
      [runVariables.releaseFunction]: this.releaseFunction.functionName,
      [keyVariables.secretArn]: this.secret.secretArn,
    })
    allow(this.apiFunction, this.secret.secretArn, 'secretsmanager', ['GetSecretValue'])
    letStart(this.apiFunction, this.pushFunction, this.releaseFunction)
    letStart(this.releaseFunction, this.pushFunction)
    letStart(this.retryFunction, this.pushFunction)
    for (const worker of [this.pushFunction, this.releaseFunction]) {
      letStartItself(worker)
      letWakeItself(worker, this.scheduleGroup, wakeUpRole)
    }

    const beatRole = createScheduleRole(this, 'BeatRole', this.scheduleGroup)
    everyMinute(this.retryFunction, this.scheduleGroup, beatRole)
    everyMinute(this.releaseFunction, this.scheduleGroup, beatRole)

    this.httpApi = new gateway.HttpApi(this, 'HttpApi', {
      apiName: stackName,
      description: 'Every method and path goes to one function, since CMQ names its action in a parameter',
      defaultIntegration: new integrations.HttpLambdaIntegration('Api', this.apiFunction, {
        payloadFormatVersion: gateway.PayloadFormatVersion.VERSION_2_0,
      }),
    })
    this.endpoint = `${this.httpApi.apiEndpoint}/v2/index.php`

    const read = `aws secretsmanager get-secret-value --region ${region} --secret-id ${this.secret.secretArn}`
    new CfnOutput(this, 'Endpoint', { value: this.endpoint, description: 'The endpoint that SDKs of CMQ are given' })
    new CfnOutput(this, 'SecretArn', {
      value: this.secret.secretArn,
      description: 'The secret that holds the key pair',
    })
    new CfnOutput(this, 'RegistryTable', {
      value: this.tables.registry.tableName,
      description: 'The table that holds the keys',
    })
    new CfnOutput(this, 'ReadSecret', {
      value: `${read} --query SecretString --output text`,
      description: 'The command that prints the key pair',
    })
  }

  private createTable(id: string, { pointInTimeRecovery }: (typeof tables)[Table], removalPolicy: RemovalPolicy) {
    return new dynamodb.Table(this, id, {
      partitionKey: { name: partitionKey, type: dynamodb.AttributeType.STRING },
      sortKey: { name: sortKey, type: dynamodb.AttributeType.STRING },
      billingMode: dynamodb.BillingMode.PAY_PER_REQUEST,
      timeToLiveAttribute: ttlAttribute,
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: pointInTimeRecovery },
      deletionProtection: removalPolicy === RemovalPolicy.RETAIN,
      removalPolicy,
    })
  }

  /** Secrets Manager makes the key at deployment, and makes it anew when anything said here changes: clients lose theirs. */
  private createSecret(removalPolicy: RemovalPolicy) {
    return new secrets.Secret(this, 'KeyPair', {
      description: 'The key pair that clients of the queue service sign with',
      generateSecretString: {
        secretStringTemplate: JSON.stringify({ secretId: `AKID${this.node.addr.slice(-32)}` }),
        generateStringKey: 'secretKey',
        passwordLength: 32,
        excludePunctuation: true,
      },
      removalPolicy,
    })
  }
}
