import type { Body, Message, Origin } from '../domain/message.ts'
import type { Instant } from '../domain/time.ts'
import {
  attributeOf,
  attributesOf,
  endOf,
  numberIn,
  required,
  sizeOf,
  textIn,
  ttlOf,
  type Values,
} from './attributes.ts'
import type { Item } from './database.ts'

/** Messages as items of the table `messages`, and their keys. */

/** The partition of one shard of a lane. */
export const partitionOf = (laneId: string, shard: number): string => `${laneId}#${shard}`

/** A message's place in its partition. */
export const keyOf = ({ visibleAt, id }: { visibleAt: Instant; id: string }): string => `${keyAt(visibleAt)}#${id}`

/** The key before which every message is visible earlier than `instant`. */
export const keyAt = (instant: Instant): string => String(Math.max(0, instant)).padStart(13, '0')

/** The key after which every message is visible later than `instant`: '$' is the character after '#'. */
export const keyAfter = (instant: Instant): string => `${keyAt(instant)}$`

/** Greater than the key of every message. */
export const LAST_KEY = ':'

/** When the message at this key became visible, or will. */
export const instantOfKey = (key: string): Instant => Number(key.slice(0, 13))

/** The smallest key greater than `key`. */
export const justAfter = (key: string): string => `${key}\0`

/** A message, and where it lies. */
export interface Placed {
  readonly partition: string
  readonly message: Message
}

/** Messages of one partition. */
export const placed = (partition: string, messages: readonly Message[]): readonly Placed[] =>
  messages.map((message) => ({ partition, message }))

/** A message as its item. */
export function itemOf(partition: string, message: Message): Item {
  const { body } = message
  return attributesOf({
    pk: partition,
    sk: keyOf(message),
    sentAt: message.sentAt,
    expiresAt: ttlOf(message.endsAt),
    leaseId: message.leaseId,
    leaseUntil: message.leaseUntil,
    receiveCount: message.receiveCount,
    firstReceivedAt: message.firstReceivedAt,
    origin: message.origin && textOfOrigin(message.origin),
    rewound: message.isRewound && 1,
    ...bodyValues(body),
  })
}

/** A body as the attributes of an item that has one. */
export const bodyValues = (body: Body): Values => ('text' in body ? { body: body.text } : { ...body })

/** What tells which state a message is in. */
export type MessageState = Pick<Message, 'sentAt' | 'visibleAt' | 'endsAt' | 'leaseUntil'>

/** The state of a message, without its body. */
export function stateOf(item: Item): MessageState {
  const sentAt = required(numberIn(item, 'sentAt'), 'sentAt')
  return {
    visibleAt: instantOfKey(required(textIn(item, 'sk'), 'sk')),
    sentAt,
    endsAt: endOf(required(numberIn(item, 'expiresAt'), 'expiresAt'), sentAt),
    leaseUntil: required(numberIn(item, 'leaseUntil'), 'leaseUntil'),
  }
}

/** An item as its message. Throws where an attribute is missing. */
export function messageOf(item: Item): Message {
  const firstReceivedAt = numberIn(item, 'firstReceivedAt')
  const origin = textIn(item, 'origin')
  return {
    ...stateOf(item),
    id: required(textIn(item, 'sk'), 'sk').slice(14),
    leaseId: required(textIn(item, 'leaseId'), 'leaseId'),
    receiveCount: required(numberIn(item, 'receiveCount'), 'receiveCount'),
    ...(firstReceivedAt === undefined ? {} : { firstReceivedAt }),
    ...(origin === undefined ? {} : { origin: originOfText(origin) }),
    ...(numberIn(item, 'rewound') === undefined ? {} : { isRewound: true }),
    body: bodyOf(item),
  }
}

/** The origin of a dead letter in one attribute, and few bytes. No name contains a colon. */
const textOfOrigin = ({ policy, receiveCount, sentAt, queueName }: Origin): string =>
  [policy, receiveCount, sentAt, queueName].join(':')

function originOfText(text: string): Origin {
  const [policy, receiveCount, sentAt, queueName = ''] = text.split(':')
  return { policy: policy === '1' ? 1 : 0, receiveCount: Number(receiveCount), sentAt: Number(sentAt), queueName }
}

/** The body of an item. */
export function bodyOf(item: Item): Body {
  const text = textIn(item, 'body')
  if (text !== undefined) return { text }
  return {
    bodyId: required(textIn(item, 'bodyId'), 'bodyId'),
    chunks: required(numberIn(item, 'chunks'), 'chunks'),
    escapedBytes: required(numberIn(item, 'escapedBytes'), 'escapedBytes'),
  }
}

/** What an item measures beside its body when every attribute that it may ever get is there, at full length. */
const FULL_ITEM = sizeOf({
  ...itemOf('lane-abcdefghijklmnop#63', {
    id: 'f'.repeat(32),
    visibleAt: 9_999_999_999_999,
    sentAt: 9_999_999_999_999,
    endsAt: 9_999_999_999_000,
    leaseId: 'x'.repeat(22),
    leaseUntil: 9_999_999_999_999,
    receiveCount: 999_999,
    firstReceivedAt: 9_999_999_999_999,
    body: { text: '' },
  }),
  // Room for the count in front of an archived message's key, and for the mark of a rewound one.
  archivedIn: attributeOf('9'.repeat(11)),
  rewound: attributeOf(1),
})

/** The bytes of a body that lies in its message's item and leaves it within one write unit. */
export const INLINE_BYTES = 1024 - FULL_ITEM

/** The same of a dead letter, which also tells its origin: at most some hundred bytes less. */
export const inlineBytesBeside = (origin: Origin): number =>
  INLINE_BYTES - sizeOf({ origin: attributeOf(textOfOrigin(origin)) })
