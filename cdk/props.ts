import type { aws_kms as kms, aws_logs as logs, aws_sns as sns, RemovalPolicy } from 'aws-cdk-lib'
import type { Table } from '../lib/tables.ts'
import type { FunctionSize, Network } from './functions.ts'
import type { Domain, Throttle } from './http-api.ts'
import type { SettingProps } from './settings.ts'

/** What a deployment may say of the service. All of it is optional. */
export interface CmqServiceProps extends SettingProps {
  /**
   * What becomes of the tables, the key pair and the logs when the stack is deleted. While they are retained, the tables
   * are also protected from deletion by hand. DESTROY leaves nothing behind, and loses every queue and message.
   * @default RemovalPolicy.RETAIN
   */
  readonly removalPolicy?: RemovalPolicy

  /**
   * The tables that can be restored to any second of the last 35 days. Each costs by what it holds. Restored messages are
   * those of then: what was received and deleted since comes back.
   * @default ['registry'] - queues, topics, subscriptions and key pairs
   */
  readonly pointInTimeRecovery?: readonly Table[]

  /**
   * A key of your own for the tables and the key pair: whoever may not use it reads neither. It costs a dollar a month and
   * its requests, and what is encrypted with it is lost with it, also when it has been changed for another since.
   * @default - keys of AWS, for nothing
   */
  readonly encryptionKey?: kms.IKey

  /**
   * How long logs are kept, those of the API and those of the functions. Every request writes a line to both, so longer
   * costs more.
   * @default RetentionDays.ONE_MONTH
   */
  readonly logRetention?: logs.RetentionDays

  /**
   * The function that answers requests. A consumer that waits for messages occupies one of its executions and pays for its
   * memory although waiting needs little. Concurrency set aside has to cover all consumers that wait, and all requests.
   * @default - 512 MB, no concurrency of its own
   */
  readonly api?: FunctionSize

  /**
   * The function that pushes to one subscription at a time, and waits most of its time for its subscriber. More memory
   * pushes faster to one that can take it. Concurrency set aside bounds how many subscriptions are pushed to at once; the
   * others wait until one of them is done, and for up to a minute more.
   * @default - 512 MB, no concurrency of its own
   */
  readonly push?: FunctionSize

  /**
   * The function that publishes what has waited for its delay, by topic.
   * @default - 512 MB, no concurrency of its own
   */
  readonly releaseDelayed?: FunctionSize

  /**
   * The function that looks every minute after deliveries that nobody works on. It is the net under all others: concurrency
   * of 1 keeps it alive when they have used up that of the account.
   * @default - 512 MB, no concurrency of its own
   */
  readonly retryDeliveries?: FunctionSize

  /**
   * The most that the API lets through. A smaller one bounds what a runaway client can cost; what exceeds it is refused by
   * 429 before it costs anything, and CMQ's SDKs know no such status.
   * @default - the limits of the account: 10,000 requests a second, 5,000 at once
   */
  readonly throttle?: Throttle

  /**
   * A name of your own for the API. Clients keep their endpoint when the stack is made anew, or when the service moves.
   * The name that API Gateway gives goes on working.
   * @default - only the name that API Gateway gives
   */
  readonly domain?: Domain

  /**
   * A VPC for the function that pushes, so that it reaches subscribers that have no public address; list these in
   * `pushTargets` too. There it reaches AWS and the internet only as the subnets do: by a NAT gateway, or by endpoints
   * of DynamoDB, Lambda and EventBridge Scheduler, which cost more than the rest of the service.
   * @default - none: pushes go out to the internet
   */
  readonly network?: Network

  /**
   * Count requests by action, refusals by code, latencies, messages, pushes, retries and drops as metrics of CloudWatch.
   * Each of them is paid for by the month: some ten dollars in all, however many requests there are.
   * @default false
   */
  readonly metrics?: boolean

  /**
   * Alarms for failures, throttles, 5xx, requests near their time limit, deliveries that are overdue, schedules that fail and
   * concurrency that runs out. They cost some two dollars a month.
   * @default - true where there is an `alarmTopic`
   */
  readonly alarms?: boolean

  /**
   * Whom alarms tell. One encrypted by a key of its own has to let CloudWatch use that key.
   * @default - nobody: alarms are seen in CloudWatch
   */
  readonly alarmTopic?: sns.ITopic

  /**
   * One page of CloudWatch with everything on it: what AWS counts in any case, and with `metrics` what the functions count.
   * It costs three dollars a month from the fourth dashboard of an account on.
   * @default false
   */
  readonly dashboard?: boolean

  /**
   * Tags of everything that can have any.
   * @default - none but those of the stack
   */
  readonly tags?: Readonly<Record<string, string>>
}
