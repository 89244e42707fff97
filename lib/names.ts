import type { Table } from './tables.ts'

/** The environment variable that tells a function the name of a table. */
export const tableVariables: Readonly<Record<Table, string>> = {
  registry: 'CMQ_REGISTRY_TABLE',
  messages: 'CMQ_MESSAGES_TABLE',
  bodies: 'CMQ_BODIES_TABLE',
}

/** Where the key pair comes from: given as it is, or the name of a secret that holds `{"secretId":…,"secretKey":…}`. */
export const keyVariables = {
  secretId: 'CMQ_SECRET_ID',
  secretKey: 'CMQ_SECRET_KEY',
  secretArn: 'CMQ_SECRET_ARN',
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
  publicHosts: 'CMQ_PUBLIC_HOSTS',
} as const

/** The account of a deployment without accounts: an appId, as CMQ numbers its customers. */
export const ONLY_ACCOUNT = '1250000000'
