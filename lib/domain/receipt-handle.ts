import { CmqError } from './errors.ts'
import type { LeasedMessage } from './message.ts'
import type { Queue } from './queue.ts'
import type { Instant } from './time.ts'

/**
 * What a receiver holds: where the message lies and which lease of it this is, so that a delete reads nothing (406/5840).
 * On the wire at most 256 characters out of letters, digits and `%#:_-`.
 */
export interface ReceiptHandle {
  readonly laneId: string
  readonly shard: number
  readonly visibleAt: Instant
  readonly messageId: string
  readonly leaseId: string
  /** The end of its lease, or of its retention where that comes first. */
  readonly validUntil: Instant
  /** The count of the queue's archive that its receiver knew: what is deleted by it is archived under no lower one. */
  readonly archiveCount: number
}

/** The handle that this lease of the message gives. */
export const receiptHandleOf = (
  message: LeasedMessage,
  { laneId, archive }: Pick<Queue, 'laneId' | 'archive'>,
  shard: number,
): ReceiptHandle => ({
  laneId,
  shard,
  visibleAt: message.visibleAt,
  messageId: message.id,
  leaseId: message.leaseId,
  validUntil: Math.min(message.leaseUntil, message.endsAt),
  archiveCount: archive.count,
})

/** The handle as text, at most 256 characters. */
export const writeReceiptHandle = (handle: ReceiptHandle): string =>
  [
    handle.laneId,
    handle.shard,
    handle.visibleAt,
    handle.messageId,
    handle.leaseId,
    handle.validUntil,
    handle.archiveCount,
  ].join(':')

const FORM = /^(lane-[0-9a-z]{1,32}):(\d{1,4}):(\d{1,15}):([0-9a-f]{32}):([\w-]{1,64}):(\d{1,15}):(\d{1,10})$/

/** What handles of CMQ are made of: plain numbers once, these characters today. */
const ALPHABET = /^[\w%#:-]+$/

/**
 * Reads a handle of this service. Throws `receiptHandleInvalid` for what may be a handle of another one, and
 * `receiptHandleUnreadable` for what never was a handle. Whether its lease still holds is another question.
 */
export function parseReceiptHandle(text: string): ReceiptHandle {
  const [, laneId, shard, visibleAt, messageId, leaseId, validUntil, archiveCount] = FORM.exec(text) ?? []
  if (laneId === undefined || messageId === undefined || leaseId === undefined)
    throw new CmqError(ALPHABET.test(text) ? 'receiptHandleInvalid' : 'receiptHandleUnreadable')
  return {
    laneId,
    shard: Number(shard),
    visibleAt: Number(visibleAt),
    messageId,
    leaseId,
    validUntil: Number(validUntil),
    archiveCount: Number(archiveCount),
  }
}
