import type { Queue } from '../lib/domain/queue.ts'
import type { Topic } from '../lib/domain/topic.ts'

/** What API 3.0 tells alike of queues and topics, beside their attributes. Times are milliseconds. */
export const detailsOf = ({ account, createdAt, modifiedAt, trace = false, tags = [] }: Queue | Topic) => ({
  createdAt,
  modifiedAt,
  createUin: Number(account),
  tenantId: account,
  // There is no cluster to share.
  namespaceName: '',
  status: NORMAL,
  qps: CMQ_RATE,
  trace,
  tags,
})

/** A cluster that works. */
const NORMAL = 1

/** Messages a second, as CMQ tells of every queue and topic. */
const CMQ_RATE = 5_000
