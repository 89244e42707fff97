import { App, aws_cloudwatch as cloudwatch, Stack } from 'aws-cdk-lib'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { built } from '../../cdk/built.ts'
import { CmqService } from '../../cdk/cmq-service.ts'
import { functionKinds } from '../../cdk/functions.ts'
import { prices } from '../../cdk/prices.ts'
import { table } from '../bench/report.ts'
import type { Measured, Use } from './measure.ts'
import { assumed, costOf, snsMillion, sqsMillion, sumOf, type Kept } from './price.ts'

const SMALL = 256
const LARGE = 65_536
const MILLION = 1_000_000
const LONGEST_WAIT = 27
const waitsOfMonth = (assumed.hoursOfMonth * 3_600) / LONGEST_WAIT

/** The tables of docs/cost.md, by the names under which they stand there. */
export const tablesOf = (measured: Measured, deadDay: Use): Readonly<Record<string, string>> => ({
  messages: messages(measured),
  pushes: pushes(measured),
  month: month(measured),
  options: options(),
  'dead-day': deadDayOf(deadDay),
})

/** A million of the messages that were measured: what they take, and what another service asks. */
function million(use: Use, kept: Kept | undefined, other: number): (string | number)[] {
  const { messages, writeUnits, readUnits } = use
  const keptOfAll = kept && { ...kept, bytes: kept.bytes * messages }
  const cost = costOf(use, MILLION / messages, keptOfAll)
  const { api, lambda, dynamodb, logs } = cost
  const parts = [api, lambda, dynamodb, logs].map(dollars)
  return [writeUnits / messages, readUnits / messages, ...parts, `**${dollars(sumOf(cost))}**`, dollars(other)]
}

const heads = ['write units', 'read units', 'API Gateway', 'Lambda', 'DynamoDB', 'logs', 'in all']

function messages({ lives }: Measured): string {
  const body = { bytes: LARGE, days: assumed.bodyDays }
  return table(
    ['a million messages of', ...heads, 'SQS'],
    [
      ['256 bytes, one at a time', ...million(lives.small, undefined, sqsMillion(SMALL, 1))],
      ['256 bytes, 16 at a time', ...million(lives.smallBatch, undefined, sqsMillion(SMALL, 10))],
      ['64 KB, one at a time', ...million(lives.large, body, sqsMillion(LARGE, 1))],
      ['64 KB, 16 at a time', ...million(lives.largeBatch, body, sqsMillion(LARGE, 10))],
    ],
  )
}

function pushes({ pushed }: Measured): string {
  const body = { bytes: LARGE, days: assumed.publishedBodyDays }
  return table(
    ['a million messages of', ...heads, 'SNS'],
    [
      ['256 bytes', ...million(pushed.small, undefined, snsMillion(SMALL))],
      ['64 KB', ...million(pushed.large, body, snsMillion(LARGE))],
    ],
  )
}

function month({ wait, idleMinute }: Measured): string {
  const waiting = costOf(wait, waitsOfMonth, undefined, LONGEST_WAIT)
  const minutes = assumed.hoursOfMonth * 60
  const beats = costOf(idleMinute, minutes)
  const bundles = Object.values(functionKinds).reduce((sum, { file }) => sum + built(file).byteLength, 0)
  const rows: [string, number][] = [
    ['the secret with the key pair', prices.secretMonth],
    ['two functions that look every minute after what is left behind: Lambda', beats.lambda],
    ['the same: DynamoDB', beats.dynamodb],
    ['the same: logs', beats.logs],
    ['the same: EventBridge Scheduler', beats.schedules],
    [
      'the functions in the bucket of CDK, each deployment that is kept',
      (bundles / 1024 ** 3) * prices.bucketGigabyteMonth,
    ],
  ]
  const idle = rows.reduce((sum, [, cost]) => sum + cost, 0)
  return table(
    ['a month of', 'dollars'],
    [
      ...rows.map(([what, cost]) => [what, dollars(cost)]),
      ['**an idle stack, in all**', dollars(idle)],
      ['**a consumer that waits day and night, and gets nothing**', dollars(sumOf(waiting))],
      ['of this the function that it keeps busy', dollars(waiting.lambda)],
      ['SQS, for such a consumer with waits of 20 s', dollars(sqsWaiting())],
      ['what a consumer costs a day', dollars(sumOf(waiting) / assumed.daysOfMonth)],
    ],
  )
}

const sqsWaiting = () => ((assumed.hoursOfMonth * 3_600) / 20) * (prices.sqsMillionRequests / MILLION)

function options(): string {
  const watched = watchedMetrics()
  const counted = 6 + assumed.actions + assumed.refusals
  return table(
    ['a month of', 'dollars'],
    [
      [
        `\`alarms\`: ${watched} metrics that they watch, and one that is counted for them`,
        dollars(watched * prices.alarmMetricMonth + prices.metricMonth),
      ],
      [
        `\`metrics\`: ${counted} of them, where ${assumed.actions} actions are used and ${assumed.refusals} codes come up`,
        dollars(counted * prices.metricMonth),
      ],
      ['`dashboard`, from the fourth of an account on', dollars(prices.dashboardMonth)],
      ['`encryptionKey`, beside its requests', dollars(prices.keyMonth)],
      ['`pointInTimeRecovery`, each GB of a table', dollars(prices.dynamodbRestorableGigabyteMonth)],
      ['messages that lie in a queue, each GB', dollars(prices.dynamodbGigabyteMonth)],
    ],
  )
}

/** How many metrics the alarms of a deployment watch. */
function watchedMetrics(): number {
  const outdir = mkdtempSync(join(tmpdir(), 'cmq-cost-'))
  const { alarms } = new CmqService(new Stack(new App({ outdir }), 'cmq'), 'Default', { alarms: true })
  rmSync(outdir, { recursive: true })
  return alarms.reduce((sum, { metric }) => sum + metricsIn(metric), 0)
}

const metricsIn = (metric: cloudwatch.IMetric): number =>
  metric instanceof cloudwatch.MathExpression
    ? Object.values(metric.usingMetrics).reduce((sum, one) => sum + metricsIn(one), 0)
    : 1

function deadDayOf(day: Use): string {
  const cost = costOf(day, 1)
  return table(
    ['a day', 'number', 'dollars'],
    [
      ['write units', day.writeUnits, dollars((day.writeUnits * prices.dynamodbMillionWriteUnits) / MILLION)],
      ['read units', day.readUnits, dollars((day.readUnits * prices.dynamodbMillionReadUnits) / MILLION)],
      ['runs of the function that pushes', day.runs, ''],
      ['seconds that it runs', Math.round(day.seconds), dollars(cost.lambda)],
      ['attempts', day.attempts, dollars(cost.logs)],
      ['one-time schedules', day.schedules, dollars(cost.schedules)],
      ['**in all**', '', dollars(sumOf(cost))],
    ],
  )
}

/** Two digits behind the point, or as many as there is something to see. */
const dollars = (amount: number): string => (amount < 0.005 ? `${amount.toFixed(4)}` : amount.toFixed(2))
