/**
 * The tables as data: `cdk/` creates them in the cloud, the local server over an embedded DynamoDB.
 * All have a text partition key `pk`, a text sort key `sk`, and a TTL on `expiresAt` (epoch seconds); none has an index.
 */
export const tables = {
  /** What changes seldom and is looked up by name: queues, topics, subscriptions, keys; and the marks of who works on which deliveries. */
  registry: { holds: 'queues, topics and subscriptions', pointInTimeRecovery: true },
  /** Messages in the order in which they may be received, the `look` mark of each shard, and what can be rewound. Restoring them would bring back what was deleted. */
  messages: { holds: 'messages', pointInTimeRecovery: false },
  /** Messages on their way to subscriptions, and publications that wait for their delay. */
  deliveries: { holds: 'deliveries', pointInTimeRecovery: false },
  /** Bodies too large for their message's item, in chunks. Written once, never updated, removed by TTL alone. */
  bodies: { holds: 'bodies', pointInTimeRecovery: false },
} as const

export type Table = keyof typeof tables

export const partitionKey = 'pk'
export const sortKey = 'sk'
export const ttlAttribute = 'expiresAt'
