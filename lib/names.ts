import type { Table } from './tables.ts'

/** The environment variable that tells a function the name of a table. */
export const tableVariables: Readonly<Record<Table, string>> = {
  registry: 'CMQ_REGISTRY_TABLE',
  messages: 'CMQ_MESSAGES_TABLE',
  deliveries: 'CMQ_DELIVERIES_TABLE',
  bodies: 'CMQ_BODIES_TABLE',
}

/** Where the key pair comes from: given as it is, or the name of a secret that holds `{"secretId":…,"secretKey":…}`. */
export const keyVariables = {
  secretId: 'CMQ_SECRET_ID',
  secretKey: 'CMQ_SECRET_KEY',
  secretArn: 'CMQ_SECRET_ARN',
} as const

/** What runs later or elsewhere: the functions that work through deliveries, and where one-time schedules are kept. */
export const runVariables = {
  pushFunction: 'CMQ_PUSH_FUNCTION',
  releaseFunction: 'CMQ_RELEASE_FUNCTION',
  scheduleGroup: 'CMQ_SCHEDULE_GROUP',
  scheduleRole: 'CMQ_SCHEDULE_ROLE_ARN',
} as const

/** Settings of the service, as environment variables. `functions/settings.ts` says what each means. */
export const settingVariables = {
  layeredErrors: 'CMQ_LAYERED_ERRORS',
  anySecretId: 'CMQ_ANY_SECRET_ID',
  recreateWait: 'CMQ_RECREATE_WAIT_SECONDS',
  timeWindow: 'CMQ_TIME_WINDOW_SECONDS',
  longestDelay: 'CMQ_LONGEST_DELAY_SECONDS',
  longestWait: 'CMQ_LONGEST_WAIT_SECONDS',
  maxQueues: 'CMQ_MAX_QUEUES',
  maxTopics: 'CMQ_MAX_TOPICS',
  maxSubscriptions: 'CMQ_MAX_SUBSCRIPTIONS',
  maxRate: 'CMQ_MAX_RATE',
  maxInFlight: 'CMQ_MAX_IN_FLIGHT',
  maxDelayed: 'CMQ_MAX_DELAYED',
  publishToNobody: 'CMQ_PUBLISH_TO_NOBODY',
  strictContentFormat: 'CMQ_STRICT_CONTENT_FORMAT',
  pushWindow: 'CMQ_PUSH_WINDOW',
  pushFirstTries: 'CMQ_PUSH_FIRST_TRIES',
  pushTargets: 'CMQ_PUSH_TARGETS',
  longestPause: 'CMQ_LONGEST_PAUSE_SECONDS',
  publicHosts: 'CMQ_PUBLIC_HOSTS',
} as const

/** The account of the first key pair, and of those for which no other is named: an appId, as CMQ numbers its customers. */
export const ONLY_ACCOUNT = '1250000000'

/** The namespace of CloudWatch in which a function counts. A function that is not told one does not: every metric costs. */
export const metricsVariable = 'CMQ_METRICS_NAMESPACE'

/** What the functions count, and in what unit. A log line has a member of that name. */
export const measures = {
  /** What each request took, by its action, and each attempt at a delivery, by `Push`: so it tells their number too. */
  milliseconds: 'Milliseconds',
  /** Requests that were refused, by the code of the refusal. */
  refused: 'Count',
  messagesIn: 'Count',
  messagesOut: 'Count',
  /** Attempts at a delivery that were not its first, attempts that failed, and deliveries that were given up. */
  retries: 'Count',
  failed: 'Count',
  dropped: 'Count',
  /** For how long the delivery that nobody works on and that has waited longest has been due. */
  overdue: 'Seconds',
} as const

export type Measure = keyof typeof measures
