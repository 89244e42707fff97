/**
 * Prices of AWS in us-east-1, in dollars, as of November 2025 and without free tiers. What the cost of a deployment is
 * computed from, in the documents and on the dashboard: change them here for another region.
 */
export const prices = {
  /** A million requests of an HTTP API, each of up to `apiRequestBytes` or part of it. */
  apiMillionRequests: 1,
  apiRequestBytes: 512 * 1024,
  /** Lambda on arm64. */
  lambdaMillionRequests: 0.2,
  lambdaGigabyteSecond: 0.000_013_333_4,
  /** DynamoDB on demand, in the standard table class. */
  dynamodbMillionReadUnits: 0.125,
  dynamodbMillionWriteUnits: 0.625,
  dynamodbGigabyteMonth: 0.25,
  dynamodbRestorableGigabyteMonth: 0.2,
  schedulerMillionInvocations: 1,
  secretMonth: 0.4,
  keyMonth: 1,
  logsGigabyte: 0.5,
  logsGigabyteMonth: 0.03,
  metricMonth: 0.3,
  /** Each metric that an alarm watches. */
  alarmMetricMonth: 0.1,
  dashboardMonth: 3,
  bucketGigabyteMonth: 0.023,
  /** Each 64 KB of a request, or part of it. */
  sqsMillionRequests: 0.4,
  snsMillionRequests: 0.5,
  snsMillionHttpDeliveries: 0.6,
} as const
