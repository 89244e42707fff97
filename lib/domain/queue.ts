import { policyAfter, type DeadLetterPolicy, type DeadLetterSettings } from './dead-letter-policy.ts'
import { CmqError } from './errors.ts'
import type { Counted } from './level.ts'
import type { QueueNotes } from './notes.ts'
import { emptyArchive, narrowed, type Archive } from './rewind.ts'
import { after, SETTLES, type Instant, type Seconds } from './time.ts'

/** What CreateQueue and SetQueueAttributes set (406/5832, 406/5835). */
export interface QueueAttributes {
  readonly maxMsgHeapNum: number
  readonly pollingWaitSeconds: Seconds
  readonly visibilityTimeout: Seconds
  /** Largest body, in bytes of UTF-8. */
  readonly maxMsgSize: number
  /** A message's life from the moment it is sent. */
  readonly msgRetentionSeconds: Seconds
  readonly rewindSeconds: Seconds
}

/** A queue, and how its messages lie. */
export interface Queue extends QueueNotes {
  /** appId of the owner. */
  readonly account: string
  /** As it was spelled at creation; names are compared without regard to case. */
  readonly name: string
  /** New at every creation, so that nothing old shows up in a queue of the same name. */
  readonly id: string
  readonly laneId: string
  /** New at every change: a change on condition of it overwrites none that it has not seen. */
  readonly changeId: string
  readonly attributes: QueueAttributes
  readonly createdAt: Instant
  readonly modifiedAt: Instant
  /** Senders pick one of the first `writeShards` shards; receivers visit the first `readShards`, which are never fewer. */
  readonly writeShards: number
  readonly readShards: number
  /** When `writeShards` was last lowered; the shards above it retire once they are empty. */
  readonly shrunkAt?: Instant
  /** A longer retention that messages sent before a change may still have, and until when. */
  readonly formerRetention?: FormerRetention
  /** How many messages there were when somebody last counted for the sake of its limits. */
  readonly counted?: Counted
  /** When its messages go to which dead-letter queue. */
  readonly deadLetterPolicy?: DeadLetterPolicy
  /** Whether it has ever been bound as a dead-letter queue: only then others have to be asked whether it still is. */
  readonly isDeadLetterQueue?: boolean
  readonly archive: Archive
}

/** A retention that was in force until a change, and until when messages may have it. */
export interface FormerRetention {
  readonly seconds: Seconds
  readonly until: Instant
}

/** Ranges and defaults: 406/5832, and the newer pages' 1 MB for maxMsgSize. */
export const queueLimits = {
  maxMsgHeapNum: { min: 1_000_000, max: 1_000_000_000, default: 100_000_000 },
  pollingWaitSeconds: { min: 0, max: 30, default: 0 },
  visibilityTimeout: { min: 1, max: 43_200, default: 30 },
  maxMsgSize: { min: 1024, max: 1_048_576, default: 65_536 },
  msgRetentionSeconds: { min: 60, max: 1_296_000, default: 345_600 },
  rewindSeconds: { min: 0, max: 1_296_000, default: 0 },
  /** Ours, not CMQ's: one shard carries some 330 messages a second from send to delete. */
  shards: { min: 1, max: 64, default: 1 },
} as const

type Given<Values> = { readonly [Name in keyof Values]?: Values[Name] | undefined }

/** The attributes of a new queue, of which those not given have CMQ's defaults. */
export function withDefaults(given: Given<QueueAttributes>): QueueAttributes {
  const attributes = { ...defaultAttributes, ...attributesIn(given) }
  checkRewind(attributes)
  return attributes
}

/** What SetQueueAttributes makes of a queue: the attributes that are given, and what follows from them (406/5835). */
export function changeOf(
  queue: Queue,
  {
    shards,
    deadLetterQueueName,
    policy,
    maxReceiveCount,
    maxTimeToLive,
    ...given
  }: Given<QueueAttributes & { shards: number } & DeadLetterSettings>,
  now: Instant,
): QueueChange {
  const attributes = { ...queue.attributes, ...attributesIn(given) }
  checkRewind(attributes)
  const settings = { deadLetterQueueName, policy, maxReceiveCount, maxTimeToLive }
  const deadLetterPolicy = policyAfter(queue.deadLetterPolicy, settings, attributes.msgRetentionSeconds, now)
  const formerRetention = retentionBefore(queue, attributes.msgRetentionSeconds, now)
  const archive = narrowed(queue.archive, queue.attributes.rewindSeconds, attributes.rewindSeconds, now)
  return {
    ...attributes,
    modifiedAt: now,
    ...(formerRetention && { formerRetention }),
    ...(archive && { archive }),
    ...(shards !== undefined && reshaped(queue, shards, now)),
    ...(deadLetterPolicy !== queue.deadLetterPolicy && { deadLetterPolicy }),
  }
}

/** What UnbindDeadLetter makes of a queue: its messages stay in it, however often they are received. */
export const unbound = (now: Instant): QueueChange => ({ deadLetterPolicy: undefined, modifiedAt: now })

/** What a change writes of a queue. */
export type QueueChange = Partial<QueueAttributes> &
  QueueNotes &
  Partial<
    Pick<
      Queue,
      | 'laneId'
      | 'modifiedAt'
      | 'writeShards'
      | 'readShards'
      | 'shrunkAt'
      | 'formerRetention'
      | 'archive'
      | 'isDeadLetterQueue'
    >
  > & {
    /** There, and undefined: the queue is unbound. */
    readonly deadLetterPolicy?: DeadLetterPolicy | undefined
  }

/**
 * What clearing makes of a queue: another lane, and with it another archive, so that nothing is left of its messages, in
 * whatever state. The count goes on, since nothing is to be archived under an earlier one.
 */
export const cleared = ({ archive, writeShards }: Queue, laneId: string): QueueChange => ({
  laneId,
  readShards: writeShards,
  archive: { ...archive, rewinds: [] },
})

function checkRewind({ rewindSeconds, msgRetentionSeconds }: QueueAttributes): void {
  if (rewindSeconds > msgRetentionSeconds) throw new CmqError('rewindBeyondRetention')
}

/** Refuses plain messages to a queue whose senders confirm theirs: nobody could (406/5903). */
export function checkTakesMessages({ transaction }: QueueNotes): void {
  if (transaction) throw new CmqError('transactionUnsupported')
}

/** The attributes among other things that are given. */
const attributesIn = (given: Given<QueueAttributes>): Partial<QueueAttributes> =>
  Object.fromEntries(
    Object.entries(given).filter(([name, value]) => Object.hasOwn(defaultAttributes, name) && value !== undefined),
  )

const defaultAttributes: QueueAttributes = {
  maxMsgHeapNum: queueLimits.maxMsgHeapNum.default,
  pollingWaitSeconds: queueLimits.pollingWaitSeconds.default,
  visibilityTimeout: queueLimits.visibilityTimeout.default,
  maxMsgSize: queueLimits.maxMsgSize.default,
  msgRetentionSeconds: queueLimits.msgRetentionSeconds.default,
  rewindSeconds: queueLimits.rewindSeconds.default,
}

/** How many messages one call may carry (406/5838), and how many bytes their bodies may have together. */
export const batchLimits = { messages: 16, bytes: 1_048_576 } as const

/** The longest delay that a deployment may allow: 70 days, the most that any CMQ client sends. CMQ's own is an hour (406/8128). */
export const LONGEST_DELAY: Seconds = 6_048_000

/** A queue that nothing has been sent to yet. */
export const newQueue = (
  named: Pick<Queue, 'account' | 'name' | 'id' | 'laneId' | 'changeId'>,
  attributes: QueueAttributes,
  shards: number,
  now: Instant,
): Queue => ({
  ...named,
  attributes,
  createdAt: now,
  modifiedAt: now,
  writeShards: shards,
  readShards: shards,
  archive: emptyArchive,
})

/** The longest life that a message of this queue may have at `now`: nothing sent earlier than that is still alive. */
export function longestRetention(queue: Queue, now: Instant): Seconds {
  const { formerRetention: former, attributes } = queue
  return former && former.until > now
    ? Math.max(former.seconds, attributes.msgRetentionSeconds)
    : attributes.msgRetentionSeconds
}

/**
 * What a queue has to remember of its retention when that is shortened: the longest that any message may have, until the
 * last message sent before has ended, be it one of the present retention or one of a retention before that.
 */
function retentionBefore(queue: Queue, msgRetentionSeconds: Seconds, now: Instant): FormerRetention | undefined {
  const present = queue.attributes.msgRetentionSeconds
  if (msgRetentionSeconds >= present) return undefined
  const until = Math.max(after(now, SETTLES + present), queue.formerRetention?.until ?? 0)
  return { seconds: longestRetention(queue, now), until }
}

/**
 * How many shards are read and written after `shards` was asked for. Growing raises both at once; shrinking lowers only
 * what is written, since the upper shards may still hold messages.
 */
export function reshaped(
  queue: Queue,
  shards: number,
  now: Instant,
): Pick<Queue, 'writeShards' | 'readShards' | 'shrunkAt'> {
  const shrinks = shards < queue.writeShards
  return {
    writeShards: shards,
    readShards: Math.max(shards, queue.readShards),
    ...(shrinks ? { shrunkAt: now } : queue.shrunkAt === undefined ? {} : { shrunkAt: queue.shrunkAt }),
  }
}

/** Whether the shards above `writeShards` may be given up as soon as they are found empty. */
export const mayRetireShards = (queue: Queue, now: Instant): boolean =>
  queue.readShards > queue.writeShards && now >= after(queue.shrunkAt ?? queue.modifiedAt, SETTLES)
