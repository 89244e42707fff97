import type { Queue } from '../lib/domain/queue.ts'
import type { Topic } from '../lib/domain/topic.ts'
import type { Settings } from './settings.ts'

/** What API 3.0 tells alike of queues and topics, beside their attributes. Times are milliseconds. */
export const detailsOf = (
  { account, createdAt, modifiedAt, trace = false, tags = [] }: Queue | Topic,
  { maxRate }: Pick<Settings, 'maxRate'>,
) => ({
  createdAt,
  modifiedAt,
  createUin: Number(account),
  tenantId: account,
  // There is no cluster to share.
  namespaceName: '',
  status: NORMAL,
  qps: maxRate > 0 ? maxRate : CMQ_RATE,
  trace,
  tags,
})

/** A cluster that works. */
const NORMAL = 1

/** Messages a second, as CMQ tells of every queue and topic: told where there is no limit. */
const CMQ_RATE = 5_000
