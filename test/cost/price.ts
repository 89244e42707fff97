import { MEMORY_SIZE } from '../../cdk/functions.ts'
import { prices } from '../../cdk/prices.ts'
import type { Consumed } from './measure.ts'

/** What cannot be measured without a cloud, or is a matter of use. */
export const assumed = {
  /** What Lambda bills for a request that waits for nothing: two calls to DynamoDB, one after the other. */
  secondsOfRequest: 0.02,
  /** What a run takes beside its pushes. */
  secondsOfRun: 0.06,
  /** Bytes of log: the line of a request with Lambda's three, and that of the gateway; of a run; of an attempt. */
  logOfRequest: 800 + 350,
  logOfRun: 750,
  logOfAttempt: 350,
  /** Days for which a large body lies in its table: its message's retention, and one more. */
  bodyDays: 5,
  publishedBodyDays: 2,
  daysOfMonth: 30,
  hoursOfMonth: 730,
  /** Metrics of actions and refusals that a deployment comes to have. */
  actions: 10,
  refusals: 4,
}

const MILLION = 1_000_000
const GIGABYTE = 1024 ** 3

/** Dollars, by what they are paid for. */
export interface Cost {
  readonly api: number
  readonly lambda: number
  readonly dynamodb: number
  readonly logs: number
  readonly schedules: number
}

/** What is kept beside the items, in bytes and days. */
export interface Kept {
  readonly bytes: number
  readonly days: number
}

const gigabyteSeconds = (seconds: number) => (seconds * MEMORY_SIZE) / 1024

/** What it costs, so many times. `waited` are the seconds that its requests wait. */
export function costOf(consumed: Consumed, times: number, kept: Kept = { bytes: 0, days: 0 }, waited = 0): Cost {
  const { requests, metered, runs, seconds, attempts, schedules, writeUnits, readUnits } = consumed
  const ran = requests * assumed.secondsOfRequest + waited + runs * assumed.secondsOfRun + seconds
  const logged = requests * assumed.logOfRequest + runs * assumed.logOfRun + attempts * assumed.logOfAttempt
  const monthsKept = kept.days / assumed.daysOfMonth
  return {
    api: (times * (metered * prices.apiMillionRequests)) / MILLION,
    lambda:
      times *
      (((requests + runs) * prices.lambdaMillionRequests) / MILLION +
        gigabyteSeconds(ran) * prices.lambdaGigabyteSecond),
    dynamodb:
      times *
      ((writeUnits * prices.dynamodbMillionWriteUnits + readUnits * prices.dynamodbMillionReadUnits) / MILLION +
        (kept.bytes / GIGABYTE) * monthsKept * prices.dynamodbGigabyteMonth),
    logs: times * (logged / GIGABYTE) * (prices.logsGigabyte + prices.logsGigabyteMonth),
    schedules: (times * (schedules * prices.schedulerMillionInvocations)) / MILLION,
  }
}

export const sumOf = (cost: Cost): number => Object.values(cost).reduce((sum: number, part: number) => sum + part, 0)

/** A million messages through SQS: each request carries so many, and is counted anew for every 64 KB. */
export function sqsMillion(bytes: number, inBatch: number): number {
  const chunks = Math.ceil((bytes * inBatch) / 65_536)
  const requests = chunks + chunks + 1
  return (requests / inBatch) * prices.sqsMillionRequests
}

/** A million messages that SNS takes, and delivers to one web server. */
export const snsMillion = (bytes: number): number =>
  Math.ceil(bytes / 65_536) * (prices.snsMillionRequests + prices.snsMillionHttpDeliveries)
