import type { Notes } from './notes.ts'
import type { Instant, Seconds } from './time.ts'

/** A topic: what is published to it is copied to every subscription whose filter lets it through (406/7405). */
export interface Topic extends Notes {
  /** appId of the owner. */
  readonly account: string
  /** As it was spelled at creation; names are compared without regard to case. */
  readonly name: string
  /** New at every creation, so that no subscription of an earlier topic of this name counts. */
  readonly id: string
  /** New at every change: a change on condition of it overwrites none that it has not seen. */
  readonly changeId: string
  /** Largest body, in bytes of UTF-8. */
  readonly maxMsgSize: number
  readonly filterType: FilterType
  readonly createdAt: Instant
  readonly modifiedAt: Instant
}

/** How a topic's subscriptions choose: 1 by tags, 2 by routing and binding keys. It never changes (406/7405). */
export type FilterType = (typeof filterTypes)[number]

export const filterTypes = [1, 2] as const

/** Ranges and defaults: 406/7405. */
export const topicLimits = {
  maxMsgSize: { min: 1024, max: 1_048_576, default: 65_536 },
} as const

/** Tags of one message or of one subscription (406/7411, 406/7414). */
export const tagLimits = { tags: 5, characters: 16 } as const

/** What may be asked for as a message's life in a topic; it is a day whatever was asked for. */
export const topicRetention = { min: 60, max: 86_400 } as const

/** How long a message lives from its publishing, whatever becomes of its deliveries (406/7408). */
export const TOPIC_RETENTION: Seconds = 86_400

/** What SetTopicAttributes may change (406/7406). */
export type TopicChange = Partial<Pick<Topic, 'maxMsgSize' | 'modifiedAt'>> & Notes
