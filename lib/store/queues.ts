import { CmqError } from '../domain/errors.ts'
import type { Counted } from '../domain/level.ts'
import { canonicalName } from '../domain/name.ts'
import type { Queue, QueueChange } from '../domain/queue.ts'
import type { Clock, Instant, Seconds } from '../domain/time.ts'
import { numberIn, required, textIn } from './attributes.ts'
import type { Database, Item } from './database.ts'
import { records, reservedFor, type Kind, type RecordsOptions } from './records.ts'

/** The queues of the accounts: pk `account#<appId>`, sk `queue#<name>`, the name in lower case. */
export interface Queues {
  /** The queue as it was at most a second ago. Throws `queueNotFound`. */
  get(account: string, name: string): Promise<Queue>
  /** The queue as it is now. Throws `queueNotFound`. */
  read(account: string, name: string): Promise<Queue>
  /** False when the name is taken. Throws `queueNameInRelease` where the wait after a deletion is not over. */
  create(queue: Queue): Promise<boolean>
  /** Changes the named attributes; false when the queue is no longer as it was read. `changeId` is this call's alone. */
  change(queue: Queue, change: QueueChange, changeId: string): Promise<boolean>
  /** Gives up the shards above `writeShards`, which were found empty. Nobody has to be waited for: looks there find nothing. */
  retireShards(queue: Queue, changeId: string): Promise<void>
  /** False when this very queue is gone. Its name is free again after `freeAfter`. */
  remove(queue: Queue, freeAfter: Seconds): Promise<boolean>
  /** All queues of the account, by name. */
  list(account: string): Promise<readonly Queue[]>
}

/** The queues of a table. */
export function queues(db: Database, table: string, clock: Clock, options: RecordsOptions): Queues {
  const stored = records(db, table, clock, options, kind)

  return {
    get: async (account, name) => existing(await stored.get(placeOf({ account, name }))),
    read: async (account, name) => existing(await stored.read(placeOf({ account, name }))),
    list: (account) => stored.list(partitionOf(account)),

    async create(queue) {
      const outcome = await stored.create(queue)
      if (outcome === 'in release') throw new CmqError('queueNameInRelease')
      return outcome === 'created'
    },

    async change(queue, change, changeId) {
      const isChanged = await stored.change(queue, change, changeId)
      await stored.spread(queue)
      return isChanged
    },

    async retireShards(queue, changeId) {
      await stored.change(queue, { readShards: queue.writeShards }, changeId)
    },

    async remove(queue, freeAfter) {
      const isRemoved = await stored.remove(queue, reservedFor(freeAfter, options))
      await stored.spread(queue)
      return isRemoved
    },
  }
}

function existing(queue: Queue | undefined): Queue {
  if (!queue) throw new CmqError('queueNotFound')
  return queue
}

const partitionOf = (account: string): string => `account#${account}`

/** Where the record of a queue lies. */
export const placeOf = ({ account, name }: Pick<Queue, 'account' | 'name'>) => ({
  pk: partitionOf(account),
  sk: `queue#${canonicalName(name)}`,
})

const flattened = ({ formerRetention, ...change }: QueueChange) => ({
  ...change,
  formerRetentionSeconds: formerRetention?.seconds,
  formerRetentionUntil: formerRetention?.until,
})

const kind: Kind<Queue, QueueChange> = {
  prefix: 'queue#',
  placeOf,
  valuesOf: ({ account: _, attributes, counted: _counted, ...queue }) => ({ ...attributes, ...flattened(queue) }),
  changesOf: flattened,
  read: queueOf,
}

function queueOf(item: Item): Queue {
  const text = (name: string) => required(textIn(item, name), name)
  const number = (name: string) => required(numberIn(item, name), name)
  const shrunkAt = numberIn(item, 'shrunkAt')
  const former = numberIn(item, 'formerRetentionSeconds')
  const countedAt = numberIn(item, 'countedAt')
  return {
    account: text('pk').slice('account#'.length),
    name: text('name'),
    id: text('id'),
    laneId: text('laneId'),
    changeId: text('changeId'),
    attributes: {
      maxMsgHeapNum: number('maxMsgHeapNum'),
      pollingWaitSeconds: number('pollingWaitSeconds'),
      visibilityTimeout: number('visibilityTimeout'),
      maxMsgSize: number('maxMsgSize'),
      msgRetentionSeconds: number('msgRetentionSeconds'),
      rewindSeconds: number('rewindSeconds'),
    },
    createdAt: number('createdAt'),
    modifiedAt: number('modifiedAt'),
    writeShards: number('writeShards'),
    readShards: number('readShards'),
    ...(shrunkAt === undefined ? {} : { shrunkAt }),
    ...(countedAt === undefined ? {} : { counted: countedIn(item, countedAt) }),
    ...(former === undefined ? {} : { formerRetention: { seconds: former, until: number('formerRetentionUntil') } }),
  }
}

/** What was noted of a count: `lib/store/count-notes.ts` writes it. */
const countedIn = (item: Item, at: Instant): Counted => ({
  ...(JSON.parse(required(textIn(item, 'counted'), 'counted')) as Omit<Counted, 'at'>),
  at,
})
