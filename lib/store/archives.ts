import { GetItemCommand, type TransactWriteItem } from '@aws-sdk/client-dynamodb'
import type { Ids } from '../domain/ids.ts'
import type { LeasedMessage, Message } from '../domain/message.ts'
import type { ReceiptHandle } from '../domain/receipt-handle.ts'
import type { ArchivePlace } from '../domain/rewind.ts'
import type { Clock, Instant } from '../domain/time.ts'
import { attributesOf, endOf, numberIn, required, textIn } from './attributes.ts'
import type { Database, Item } from './database.ts'
import { itemOf, keyAt, keyOf, messageOf, partitionOf } from './message-item.ts'
import type { Report } from './messages.ts'
import { queryRange, type Range } from './range.ts'
import { readableIn } from './readable.ts'
import { transact } from './transaction.ts'

/**
 * What was deleted from queues that can be rewound, in the table of their messages.
 *
 *     pk  <laneId>#<shard>#archive                   beside the shard that it was deleted from
 *     sk  <archivedIn>#<sentAt>#<messageId>          by the count of its deletion, then in the order of production
 *
 * A message is moved in and out by a transaction, so that it never lies in both places or in none. Each is repeated
 * unchanged under its token: DynamoDB does what has one token once, so an answer that was lost is told by the next.
 */
export interface Archives {
  /** Ends a message of a lane and archives it; false when its lease has run out, is not the newest, or it is gone. */
  keep(handle: ReceiptHandle, archivedIn: number): Promise<boolean>
  /** Brings a message back into the shard's lane as `revived` says; false when another was faster. */
  revive(laneId: string, shard: number, archived: Archived, revived: LeasedMessage): Promise<boolean>
  /** Archived messages from one key to another, both included, in order; at most `limit`. */
  page(laneId: string, shard: number, range: Range): Promise<ArchivePage>
  /** As `page`, without the bodies; from the end where `isBackwards`. */
  survey(laneId: string, shard: number, range: Range & { readonly isBackwards?: boolean }): Promise<ArchiveSurvey>
}

/** An archived message. Its item may tell more than the message does, and all of that comes back with it. */
export interface Archived extends ArchivePlace {
  readonly message: Message
  readonly item: Item
}

/** Part of a range, and the key to go on from when there is more. */
export interface ArchivePage {
  readonly archived: readonly Archived[]
  readonly next?: string
}

/** Where an archived message stands, and when its retention ends. */
export interface ArchivedState extends ArchivePlace {
  readonly endsAt: Instant
}

/** As a page, of what tells the states alone. */
export interface ArchiveSurvey {
  readonly states: readonly ArchivedState[]
  readonly next?: string
}

/** The partition of what was deleted from one shard. */
export const archiveOf = (laneId: string, shard: number): string => `${partitionOf(laneId, shard)}#archive`

const COUNT_DIGITS = 10

/** The key before which everything was archived under a lower count, or produced before `sentAt`. */
export const archiveKeyAt = (archivedIn: number, sentAt: Instant = 0): string =>
  `${String(archivedIn).padStart(COUNT_DIGITS, '0')}#${keyAt(sentAt)}`

/** Where the message of this key stands. */
export const archivePlaceOf = (key: string): ArchivePlace => ({
  archivedIn: Number(key.slice(0, COUNT_DIGITS)),
  sentAt: Number(key.slice(COUNT_DIGITS + 1, COUNT_DIGITS + 14)),
})

/** The archives in the table of the messages. */
export function archives(
  db: Database,
  table: string,
  clock: Clock,
  ids: Ids,
  report: Report = () => undefined,
): Archives {
  const readable = readableIn(table, report)
  const keyIn = (pk: string, sk: string) => attributesOf({ pk, sk })

  /** One item goes, another comes, or nothing happens. */
  async function move(gone: TransactWriteItem['Delete'], come: TransactWriteItem['Put']): Promise<boolean> {
    const { won } = await transact(db, clock, [{ Delete: gone }, { Put: come }], ids.leaseId())
    return won
  }

  return {
    async keep({ laneId, shard, visibleAt, messageId, leaseId }, archivedIn) {
      const key = keyIn(partitionOf(laneId, shard), keyOf({ visibleAt, id: messageId }))
      const { Item } = await db.read(new GetItemCommand({ TableName: table, Key: key, ConsistentRead: true }))
      if (!Item || textIn(Item, 'leaseId') !== leaseId) return false
      return await move(
        {
          TableName: table,
          Key: key,
          ConditionExpression: 'leaseId = :held AND leaseUntil > :now',
          ExpressionAttributeValues: attributesOf({ ':held': leaseId, ':now': clock.now() }),
        },
        { TableName: table, Item: archivedItem(Item, archiveOf(laneId, shard), archivedIn) },
      )
    },

    async revive(laneId, shard, { item, message }, revived) {
      return await move(
        {
          TableName: table,
          Key: keyIn(required(textIn(item, 'pk'), 'pk'), required(textIn(item, 'sk'), 'sk')),
          ConditionExpression: 'leaseId = :seen',
          ExpressionAttributeValues: attributesOf({ ':seen': message.leaseId }),
        },
        {
          TableName: table,
          Item: { ...item, ...itemOf(partitionOf(laneId, shard), revived) },
          ConditionExpression: 'attribute_not_exists(pk)',
        },
      )
    },

    async page(laneId, shard, range) {
      const { items, next } = await queryRange(db, table, archiveOf(laneId, shard), range)
      return { archived: readable(items, archivedOf), ...next }
    },

    async survey(laneId, shard, range) {
      const { items, next } = await queryRange(db, table, archiveOf(laneId, shard), range, {
        ProjectionExpression: 'sk, expiresAt',
        ScanIndexForward: !range.isBackwards,
      })
      return { states: readable(items, stateOf), ...next }
    },
  }
}

/** A message's item as it is archived: without its lease and its counts, which do not come back. */
function archivedItem(item: Item, archive: string, archivedIn: number): Item {
  const { leaseUntil: _until, receiveCount: _count, firstReceivedAt: _first, rewound: _rewound, ...kept } = item
  const { id, sentAt } = messageOf(item)
  return { ...kept, ...attributesOf({ pk: archive, sk: `${archiveKeyAt(archivedIn, sentAt)}#${id}` }) }
}

/** Where an archived message was visible first, or waits to be, nobody knows any more: it is when it was sent. */
function archivedOf(item: Item): Archived {
  const key = required(textIn(item, 'sk'), 'sk')
  const inLane = attributesOf({ sk: key.slice(COUNT_DIGITS + 1), leaseUntil: 0, receiveCount: 0 })
  return { ...archivePlaceOf(key), message: messageOf({ ...item, ...inLane }), item }
}

function stateOf(item: Item): ArchivedState {
  const place = archivePlaceOf(required(textIn(item, 'sk'), 'sk'))
  return { ...place, endsAt: endOf(required(numberIn(item, 'expiresAt'), 'expiresAt'), place.sentAt) }
}
