import {
  type aws_apigatewayv2 as gateway,
  type aws_cloudwatch as cloudwatch,
  type aws_dynamodb as dynamodb,
  type aws_iam as iam,
  type aws_lambda as lambda,
  aws_logs as logs,
  type aws_scheduler as scheduler,
  type aws_secretsmanager as secrets,
  type aws_sqs as sqs,
  CfnOutput,
  RemovalPolicy,
  Stack,
  Tags,
} from 'aws-cdk-lib'
import { Construct } from 'constructs'
import type { Measure } from '../lib/names.ts'
import type { Table } from '../lib/tables.ts'
import { createAlarms } from './alarms.ts'
import { createDashboard } from './dashboard.ts'
import { createHttpApi } from './http-api.ts'
import { createKeyPair } from './key-pair.ts'
import { measured, namespaceOf } from './metrics.ts'
import type { CmqServiceProps } from './props.ts'
import { settingsOf } from './settings.ts'
import { createTables, restorableByDefault } from './tables.ts'
import type { Watched } from './watched.ts'
import { type Counting, createFunctions, type Sizes } from './wiring.ts'

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
  /** Holds the calls of recurring schedules that could not be made. */
  readonly failedBeats: sqs.Queue
  readonly httpApi: gateway.HttpApi
  readonly stage: gateway.HttpStage
  readonly accessLogs: logs.LogGroup
  /** The name of its own that the API was given. */
  readonly domainName: gateway.DomainName | undefined
  /** The URL that CMQ's SDKs are given: they append CMQ's path themselves. */
  readonly endpoint: string
  readonly alarms: readonly cloudwatch.Alarm[]
  readonly dashboard: cloudwatch.Dashboard | undefined
  /** Where the functions count, and what. */
  readonly counting: Counting
  private readonly sizes: Sizes

  constructor(scope: Construct, id: string, props: CmqServiceProps = {}) {
    super(scope, id)
    const { removalPolicy = RemovalPolicy.RETAIN, logRetention = logs.RetentionDays.ONE_MONTH } = props
    const { encryptionKey, alarmTopic, alarms = alarmTopic !== undefined, pointInTimeRecovery } = props
    const restorable = pointInTimeRecovery ?? restorableByDefault
    const { api, push, releaseDelayed, retryDeliveries } = props
    this.sizes = { api, push, releaseDelayed, retryDeliveries }
    const { metrics = false } = props
    this.counting = { namespace: namespaceOf(this), all: metrics, overdue: metrics || alarms }
    for (const [name, value] of Object.entries(props.tags ?? {})) Tags.of(this).add(name, value)

    this.tables = createTables(this, { restorable, encryptionKey, removalPolicy })
    this.secret = createKeyPair(this, removalPolicy, encryptionKey)
    const { functions, scheduleGroup, failedBeats } = createFunctions(this, {
      tables: this.tables,
      secret: this.secret,
      encryptionKey,
      sizes: this.sizes,
      pushNetwork: props.network,
      settings: settingsOf(props),
      counting: this.counting,
      logRetention,
      removalPolicy,
    })
    this.apiFunction = functions.api
    this.pushFunction = functions.push
    this.releaseFunction = functions.releaseDelayed
    this.retryFunction = functions.retryDeliveries
    this.scheduleGroup = scheduleGroup
    this.failedBeats = failedBeats

    const { throttle, domain } = props
    const created = createHttpApi(this, this.apiFunction, { throttle, domain, logRetention, removalPolicy })
    this.httpApi = created.httpApi
    this.stage = created.stage
    this.accessLogs = created.accessLogs
    this.domainName = created.domainName
    this.endpoint = created.url

    this.alarms = alarms ? createAlarms(this, this.watched(), alarmTopic) : []
    this.dashboard = props.dashboard ? createDashboard(this, this.watched()) : undefined
    this.createOutputs()
  }

  /** Lets somebody read the key pair that clients sign with: whoever may sends and receives what he likes. */
  grantReadKeyPair(grantee: iam.IGrantable): iam.Grant {
    return this.secret.grantRead(grantee)
  }

  /** Requests, whatever was answered; a sum over five minutes. */
  metricRequests(options?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.stage.metricCount(options)
  }

  /** Answers of 5xx: the service failed, or was asked for more than it may take. A sum over five minutes. */
  metricServerErrors(options?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.stage.metricServerError({ statistic: 'Sum', ...options })
  }

  /** Milliseconds from a request to its answer, the waits of consumers among them. */
  metricLatency(options?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.stage.metricLatency(options)
  }

  /** Requests that CMQ refuses by this code; needs `metrics`. A sum over five minutes. */
  metricRefused(code: number, options?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.counted('refused', { dimensionsMap: { refusal: String(code) }, ...options })
  }

  /** Messages that were sent and published; needs `metrics`. A sum over five minutes. */
  metricMessagesIn(options?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.counted('messagesIn', options)
  }

  /** Messages that were received; needs `metrics`. A sum over five minutes. */
  metricMessagesOut(options?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.counted('messagesOut', options)
  }

  /** Attempts at pushing a message; needs `metrics`. A sum over five minutes. */
  metricPushes(options?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.counted('milliseconds', { dimensionsMap: { action: 'Push' }, statistic: 'SampleCount', ...options })
  }

  /** Attempts at pushing a message that failed; needs `metrics`. A sum over five minutes. */
  metricFailedPushes(options?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.counted('failed', options)
  }

  /** Messages that were given up after their retries; needs `metrics`. A sum over five minutes. */
  metricDropped(options?: cloudwatch.MetricOptions): cloudwatch.Metric {
    return this.counted('dropped', options)
  }

  private counted(name: Measure, options?: cloudwatch.MetricOptions): cloudwatch.Metric {
    if (!this.counting.all) throw new Error(`the metric ${name} is counted only where the property metrics is true`)
    return measured(this.counting.namespace, name, options)
  }

  private watched(): Watched {
    return {
      functions: {
        api: this.apiFunction,
        push: this.pushFunction,
        releaseDelayed: this.releaseFunction,
        retryDeliveries: this.retryFunction,
      },
      sizes: this.sizes,
      tables: this.tables,
      stage: this.stage,
      failedBeats: this.failedBeats,
      counting: this.counting,
    }
  }

  private createOutputs(): void {
    const { region } = Stack.of(this)
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
    if (this.domainName)
      new CfnOutput(this, 'DomainTarget', {
        value: this.domainName.regionalDomainName,
        description: 'Where the name of the API has to point, as a CNAME or an alias',
      })
  }
}
