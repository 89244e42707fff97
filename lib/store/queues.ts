import type { TransactWriteItem } from '@aws-sdk/client-dynamodb'
import { settingsOf, sourcesOf, type DeadLetterPolicy } from '../domain/dead-letter-policy.ts'
import { CmqError } from '../domain/errors.ts'
import type { Counted } from '../domain/level.ts'
import { canonicalName } from '../domain/name.ts'
import type { Queue, QueueChange } from '../domain/queue.ts'
import { emptyArchive, without, type Archive, type Rewind } from '../domain/rewind.ts'
import type { Clock, Instant, Seconds } from '../domain/time.ts'
import { agingMark } from './aging.ts'
import { flagIn, numberIn, required, textIn, writeFlag } from './attributes.ts'
import type { Database, Item, Outcome } from './database.ts'
import { notesOf, writeNotes } from './notes.ts'
import { isReleased, records, reservedFor, type Kind, type RecordsOptions } from './records.ts'
import { transact } from './transaction.ts'

/** The queues of the accounts: pk `account#<appId>`, sk `queue#<name>`, the name in lower case. */
export interface Queues {
  /** The queue as it was at most a second ago. Throws `queueNotFound`. */
  get(account: string, name: string): Promise<Queue>
  /** The queue as it is now. Throws `queueNotFound`. */
  read(account: string, name: string): Promise<Queue>
  /**
   * False when the name is taken. Throws `queueNameInRelease` where the wait after a deletion is not over. A queue that is
   * bound to a dead-letter queue is made together with it: false, too, when that is no longer as it was read.
   */
  create(queue: Queue, deadLetterQueue?: Queue): Promise<boolean>
  /**
   * Changes the named attributes; false when the queue is no longer as it was read, or the dead-letter queue that it is
   * bound to by this. `changeId` is this call's alone.
   */
  change(queue: Queue, change: QueueChange, changeId: string, deadLetterQueue?: Queue): Promise<boolean>
  /** Takes rewinds that have nothing to deliver any more from the record. Nobody has to be waited for. */
  endRewinds(queue: Queue, done: readonly Rewind[], changeId: string): Promise<void>
  /** Gives up the shards above `writeShards`, which were found empty. Nobody has to be waited for: looks there find nothing. */
  retireShards(queue: Queue, changeId: string): Promise<void>
  /** False when the queue is gone, or no longer as it was read. Its name is free again after `freeAfter`. */
  remove(queue: Queue, freeAfter: Seconds): Promise<boolean>
  /** All queues of the account, by name. */
  list(account: string): Promise<readonly Queue[]>
  /** The queues whose dead letters go to this one, by name. */
  sources(queue: Queue): Promise<readonly Queue[]>
}

/** The queues of a table. */
export function queues(db: Database, table: string, clock: Clock, options: RecordsOptions): Queues {
  const stored = records(db, table, clock, options, kind)

  /**
   * Makes a write that binds a queue, together with the mark on its dead-letter queue. Whatever else binds, unbinds or
   * deletes one of the two renews or needs the changeId that this one needs: what the rules were checked on still holds.
   */
  async function bind(queue: Queue, policy: DeadLetterPolicy, write: TransactWriteItem, to: Queue, changeId: string) {
    const mark = { Update: stored.writeOfChange(to, { isDeadLetterQueue: true }, changeId) }
    const aging = policy.policy === 1 ? [{ Put: agingMark(table, queue, changeId) }] : []
    const outcome = await transact(db, clock, [write, mark, ...aging], changeId)
    stored.forget(queue)
    stored.forget(to)
    return outcome
  }

  async function change(queue: Queue, change: QueueChange, changeId: string, deadLetterQueue?: Queue) {
    const { deadLetterPolicy } = change
    if (!deadLetterPolicy || !deadLetterQueue) return stored.change(queue, change, changeId)
    const Update = stored.writeOfChange(queue, change, changeId)
    return (await bind(queue, deadLetterPolicy, { Update }, deadLetterQueue, changeId)).won
  }

  /** As the records tell it of a single write. What stood in the way may also be the record of the dead-letter queue. */
  function creationOf(queue: Queue, outcome: Outcome) {
    if (outcome.won) return 'created'
    const { found } = outcome
    return found && isReleased(found) && textIn(found, 'sk') === placeOf(queue).sk ? 'in release' : 'taken'
  }

  return {
    get: async (account, name) => existing(await stored.get(placeOf({ account, name }))),
    read: async (account, name) => existing(await stored.read(placeOf({ account, name }))),
    list: (account) => stored.list(partitionOf(account)),

    async sources(queue) {
      return queue.isDeadLetterQueue ? sourcesOf(queue.name, await stored.list(partitionOf(queue.account))) : []
    },

    async create(queue, deadLetterQueue) {
      const { deadLetterPolicy, changeId } = queue
      const outcome =
        deadLetterPolicy && deadLetterQueue
          ? creationOf(
              queue,
              await bind(queue, deadLetterPolicy, { Put: stored.writeOf(queue) }, deadLetterQueue, changeId),
            )
          : await stored.create(queue)
      if (outcome === 'in release') throw new CmqError('queueNameInRelease')
      return outcome === 'created'
    },

    async change(queue, ...changed) {
      const isChanged = await change(queue, ...changed)
      await stored.spread(queue)
      return isChanged
    },

    async endRewinds(queue, done, changeId) {
      await stored.change(queue, { archive: without(queue.archive, done) }, changeId)
    },

    async retireShards(queue, changeId) {
      await stored.change(queue, { readShards: queue.writeShards }, changeId)
    },

    async remove(queue, freeAfter) {
      const isRemoved = await stored.remove(queue, reservedFor(freeAfter, options), queue.changeId)
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

const flattened = ({
  formerRetention,
  archive,
  deadLetterPolicy,
  isDeadLetterQueue,
  transaction,
  ...change
}: QueueChange) => ({
  ...writeNotes(change),
  transaction: writeFlag(transaction),
  ...(archive && archiveValues(archive)),
  formerRetentionSeconds: formerRetention?.seconds,
  formerRetentionUntil: formerRetention?.until,
  isDeadLetterQueue: isDeadLetterQueue ? 1 : undefined,
  ...(deadLetterPolicy && { ...settingsOf(deadLetterPolicy), deadLetterBoundAt: deadLetterPolicy.boundAt }),
})

/** An update only sets attributes, so one that unbinds a queue sets a name that no queue has. */
const UNBOUND = ''

const changesOf = (change: QueueChange) => ({
  ...('deadLetterPolicy' in change && { deadLetterQueueName: UNBOUND }),
  ...flattened(change),
})

const kind: Kind<Queue, QueueChange> = {
  prefix: 'queue#',
  placeOf,
  valuesOf: ({ account: _, attributes, counted: _counted, ...queue }) => ({ ...attributes, ...flattened(queue) }),
  changesOf,
  read: queueOf,
}

function queueOf(item: Item): Queue {
  const text = (name: string) => required(textIn(item, name), name)
  const number = (name: string) => required(numberIn(item, name), name)
  const shrunkAt = numberIn(item, 'shrunkAt')
  const former = numberIn(item, 'formerRetentionSeconds')
  const countedAt = numberIn(item, 'countedAt')
  const deadLetterPolicy = deadLetterPolicyOf(item)
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
    archive: archiveOf(item),
    ...notesOf(item),
    retentionSizeInMB: numberIn(item, 'retentionSizeInMB'),
    transaction: flagIn(item, 'transaction'),
    firstQueryInterval: numberIn(item, 'firstQueryInterval'),
    maxQueryCount: numberIn(item, 'maxQueryCount'),
    ...(shrunkAt === undefined ? {} : { shrunkAt }),
    ...(countedAt === undefined ? {} : { counted: countedIn(item, countedAt) }),
    ...(former === undefined ? {} : { formerRetention: { seconds: former, until: number('formerRetentionUntil') } }),
    ...(deadLetterPolicy && { deadLetterPolicy }),
    ...(item['isDeadLetterQueue'] && { isDeadLetterQueue: true }),
  }
}

/** What was noted of a count: `lib/store/count-notes.ts` writes it. */
const countedIn = (item: Item, at: Instant): Counted => ({
  ...(JSON.parse(required(textIn(item, 'counted'), 'counted')) as Omit<Counted, 'at'>),
  at,
})

function deadLetterPolicyOf(item: Item): DeadLetterPolicy | undefined {
  const queueName = textIn(item, 'deadLetterQueueName')
  if (queueName === undefined || queueName === UNBOUND) return undefined
  const number = (name: string) => required(numberIn(item, name), name)
  const binding = { queueName, boundAt: number('deadLetterBoundAt') }
  return number('policy') === 1
    ? { ...binding, policy: 1, maxTimeToLive: number('maxTimeToLive') }
    : { ...binding, policy: 0, maxReceiveCount: number('maxReceiveCount') }
}

const archiveValues = ({ count, since, keptFrom, rewinds }: Archive) => ({
  archiveCount: count,
  archiveSince: since,
  archiveKeptFrom: keptFrom,
  rewinds: JSON.stringify(rewinds),
})

/** The archive of a record. One that was created before there were archives has an empty one. */
const archiveOf = (item: Item): Archive => ({
  count: numberIn(item, 'archiveCount') ?? emptyArchive.count,
  since: numberIn(item, 'archiveSince') ?? emptyArchive.since,
  keptFrom: numberIn(item, 'archiveKeptFrom') ?? emptyArchive.keptFrom,
  rewinds: JSON.parse(textIn(item, 'rewinds') ?? '[]') as Rewind[],
})
