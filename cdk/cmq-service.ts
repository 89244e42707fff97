import {
  aws_apigatewayv2 as gateway,
  aws_apigatewayv2_integrations as integrations,
  aws_dynamodb as dynamodb,
  aws_iam as iam,
  aws_lambda as lambda,
  aws_logs as logs,
  aws_secretsmanager as secrets,
  CfnOutput,
  Duration,
  RemovalPolicy,
  Stack,
} from 'aws-cdk-lib'
import { Construct } from 'constructs'
import { keyVariables, tableVariables } from '../lib/names.ts'
import { partitionKey, sortKey, type Table, tables, ttlAttribute } from '../lib/tables.ts'
import { bundle } from './bundle.ts'
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
   * Megabytes of memory of the function, and CPU in proportion. A consumer that waits for messages occupies a function and
   * pays for its memory although waiting needs little; more makes cold starts and large batches faster.
   * @default 512
   */
  readonly memorySize?: number
}

/** A queue service that speaks CMQ: an HTTP API, the function behind it, its tables, and the key pair that clients sign with. */
export class CmqService extends Construct {
  readonly tables: Readonly<Record<Table, dynamodb.Table>>
  /** Holds `{"secretId":…,"secretKey":…}`. */
  readonly secret: secrets.Secret
  readonly apiFunction: lambda.Function
  readonly httpApi: gateway.HttpApi
  /** The URL that CMQ's SDKs are given. */
  readonly endpoint: string

  constructor(scope: Construct, id: string, props: CmqServiceProps = {}) {
    super(scope, id)
    const { removalPolicy = RemovalPolicy.RETAIN } = props
    const { stackName, region } = Stack.of(this)

    this.tables = {
      registry: this.createTable('Registry', tables.registry, removalPolicy),
      messages: this.createTable('Messages', tables.messages, removalPolicy),
      bodies: this.createTable('Bodies', tables.bodies, removalPolicy),
    }
    this.secret = this.createSecret(removalPolicy)
    this.apiFunction = this.createFunction(props, removalPolicy)
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

  private createFunction(props: CmqServiceProps, removalPolicy: RemovalPolicy) {
    const { memorySize = 512, logRetention = logs.RetentionDays.ONE_MONTH } = props
    const { registry, messages, bodies } = this.tables
    const logGroup = new logs.LogGroup(this, 'ApiLogs', { retention: logRetention, removalPolicy })
    // The role that CDK would make may write to every log group of the account.
    const role = new iam.Role(this, 'ApiRole', { assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com') })
    allow(role, logGroup.logGroupArn, 'logs', ['CreateLogStream', 'PutLogEvents'])
    allow(role, this.secret.secretArn, 'secretsmanager', ['GetSecretValue'])
    allow(role, registry.tableArn, 'dynamodb', ['GetItem', 'Query', 'PutItem', 'UpdateItem', 'DeleteItem'])
    allow(role, messages.tableArn, 'dynamodb', [
      'Query',
      'BatchGetItem',
      'PutItem',
      'BatchWriteItem',
      'UpdateItem',
      'DeleteItem',
    ])
    allow(role, bodies.tableArn, 'dynamodb', ['BatchGetItem', 'BatchWriteItem'])

    return new lambda.Function(this, 'Api', {
      description: 'Answers every action of CMQ',
      code: bundle(this, 'functions/api.ts'),
      handler: 'index.handler',
      runtime: lambda.Runtime.NODEJS_24_X,
      architecture: lambda.Architecture.ARM_64,
      memorySize,
      // The HTTP API gives up at 30 s; waits end at 27.
      timeout: Duration.seconds(30),
      role,
      logGroup,
      environment: {
        POWERTOOLS_LOG_LEVEL: 'INFO',
        [keyVariables.secretArn]: this.secret.secretArn,
        [tableVariables.registry]: registry.tableName,
        [tableVariables.messages]: messages.tableName,
        [tableVariables.bodies]: bodies.tableName,
        ...settingsOf(props),
      },
    })
  }
}

function allow(role: iam.Role, arn: string, service: string, actions: readonly string[]): void {
  role.addToPolicy(
    new iam.PolicyStatement({ actions: actions.map((action) => `${service}:${action}`), resources: [arn] }),
  )
}
