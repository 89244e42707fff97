import { CmqError } from './errors.ts'
import { batchLimits } from './queue.ts'
import { after, type Instant, type Seconds } from './time.ts'

/** A body lies in its message's item, or apart when it is too large for it. */
export type Body = { readonly text: string } | LargeBody

/** Where a body lies that is too large for its item. */
export interface LargeBody {
  readonly bodyId: string
  readonly chunks: number
  /** Size of the text in an answer: escaped as JSON, in bytes. */
  readonly escapedBytes: number
}

/**
 * A message in its lane.
 *
 *     waiting     now < visibleAt
 *     ready       visibleAt <= now, leaseUntil <= now
 *     in flight   now < leaseUntil
 *     ended       endsAt <= now, whatever else holds
 */
export interface Message {
  readonly id: string
  readonly sentAt: Instant
  /** Its place in the lane. It keeps it for life: a lease hides the message where it is. */
  readonly visibleAt: Instant
  readonly endsAt: Instant
  /** New at every receive: a write on condition of it is a write that nobody else can have made. */
  readonly leaseId: string
  readonly leaseUntil: Instant
  readonly receiveCount: number
  readonly firstReceivedAt?: Instant
  /** Whether it was deleted once, and a rewind brought it back. */
  readonly isRewound?: true
  readonly body: Body
  /** Of a dead letter alone. */
  readonly origin?: Origin
}

/** Where a dead letter came from, and by which policy. When is the time at which it was sent to where it lies. */
export interface Origin {
  readonly queueName: string
  readonly policy: 0 | 1
  /** When it was sent to that queue, and how often it was received from it. */
  readonly sentAt: Instant
  readonly receiveCount: number
}

/** A message that has been received at least once. */
export type LeasedMessage = Message & { readonly firstReceivedAt: Instant }

/** What a sender decides of a message. */
export interface Sending {
  readonly id: string
  readonly leaseId: string
  readonly body: Body
  readonly delaySeconds: Seconds
  readonly retentionSeconds: Seconds
}

/** A message as it is when it is sent: nobody's, and receivable at its very millisecond (406/5837). */
export const newMessage = ({ id, leaseId, body, delaySeconds, retentionSeconds }: Sending, now: Instant): Message => ({
  id,
  sentAt: now,
  visibleAt: after(now, delaySeconds),
  endsAt: after(now, retentionSeconds),
  leaseId,
  leaseUntil: 0,
  receiveCount: 0,
  body,
})

/** Whether somebody holds the message. */
export const isInFlight = (message: Message, now: Instant): boolean => message.leaseUntil > now

/** Whether its retention is over. DynamoDB removes it later; that must never show. */
export const isExpired = (message: Message, now: Instant): boolean => message.endsAt <= now

/** Whether the message may be received. */
export const isReady = (message: Message, now: Instant): boolean =>
  message.visibleAt <= now && !isInFlight(message, now) && !isExpired(message, now)

/** Hides the message until its visibility timeout passes; the new lease voids every earlier receipt handle (406/5839). */
export const lease = (message: Message, visibilityTimeout: Seconds, leaseId: string, now: Instant): LeasedMessage => ({
  ...message,
  leaseId,
  leaseUntil: after(now, visibilityTimeout),
  receiveCount: message.receiveCount + 1,
  firstReceivedAt: message.firstReceivedAt ?? now,
})

/** A deleted message that a rewind brings back: it takes a place at the present end of its lane, and its counts begin anew. */
export const revived = (
  { firstReceivedAt: _, ...message }: Message,
  visibilityTimeout: Seconds,
  leaseId: string,
  now: Instant,
): LeasedMessage =>
  lease({ ...message, visibleAt: now, receiveCount: 0, isRewound: true }, visibilityTimeout, leaseId, now)

/** Undoes a lease whose message will not be answered: ready again, counts as before, under a lease id nobody has seen. */
export function givenBack({ firstReceivedAt, ...leased }: LeasedMessage, leaseId: string): Message {
  const receiveCount = leased.receiveCount - 1
  return { ...leased, leaseId, leaseUntil: 0, receiveCount, ...(receiveCount > 0 ? { firstReceivedAt } : {}) }
}

/** What a receive answers at most, in bytes of escaped bodies: a Lambda answers 6 MB in all. One message is always taken. */
export const ANSWER_ROOM = 3_000_000

/** The largest body that one answer can carry, in bytes as escaped JSON. */
export const LARGEST_ESCAPED_BODY = 4_500_000

/** The bytes of a body in an answer. Exact for a large one, whose sender counted them. */
export const escapedBytes = (body: Body): number => ('text' in body ? escapedTextBytes(body.text) : body.escapedBytes)

/** The bytes of a text in an answer. */
export const escapedTextBytes = (text: string): number => Buffer.byteLength(JSON.stringify(text))

/** Refuses bodies that the queue does not take, or that no answer could carry (406/5837, 406/5838). */
export function checkBodies(texts: readonly string[], maxMsgSize: number): void {
  const sizes = texts.map((text) => Buffer.byteLength(text))
  if (sizes.some((bytes) => bytes > maxMsgSize)) throw new CmqError('bodyTooLarge')
  if (sizes.reduce((sum, bytes) => sum + bytes, 0) > batchLimits.bytes) throw new CmqError('batchTooLarge')
  const isTooLargeEscaped = (text: string, index: number) =>
    // No byte takes more than six of JSON, beside the two quotation marks, so most need no counting.
    (sizes[index] ?? 0) * 6 + 2 > LARGEST_ESCAPED_BODY && escapedTextBytes(text) > LARGEST_ESCAPED_BODY
  if (texts.some(isTooLargeEscaped)) throw new CmqError('bodyTooLarge')
}

/** What an answer still has room for. */
export interface Room {
  readonly messages: number
  readonly bytes: number
}

/** The first of them that fit together. One is always taken by an answer that has none yet, however large it is. */
export function fitting(messages: readonly Message[], room: Room): readonly Message[] {
  const isEmptyHanded = room.bytes === ANSWER_ROOM
  let bytes = 0
  const tooMany = messages.findIndex(({ body }, index) => {
    bytes += escapedBytes(body)
    return index === room.messages || (bytes > room.bytes && !(isEmptyHanded && index === 0))
  })
  return tooMany < 0 ? messages : messages.slice(0, tooMany)
}

/** What is left of the room beside these messages. */
export const roomBeside = (taken: readonly Message[], room: Room): Room => ({
  messages: room.messages - taken.length,
  bytes: taken.reduce((left, { body }) => left - escapedBytes(body), room.bytes),
})
