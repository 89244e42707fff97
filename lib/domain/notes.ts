/** A word on a queue or a topic, by which its owner finds it again. */
export interface Tag {
  readonly tagKey: string
  readonly tagValue: string
}

/** What an owner notes on a queue or a topic. It is kept and told again; nothing else depends on it. */
export interface Notes {
  /** Whether the owner wants messages to be traced. */
  readonly trace?: boolean | undefined
  readonly tags?: readonly Tag[] | undefined
}

/** What an owner notes on a queue. */
export interface QueueNotes extends Notes {
  /** Megabytes for what may be rewound to; here it takes what it needs. */
  readonly retentionSizeInMB?: number | undefined
  /** Whether senders confirm their messages, by a protocol that this service does not speak: so it takes none by others. */
  readonly transaction?: boolean | undefined
  /** When a sender would first be asked, in seconds, and how often. */
  readonly firstQueryInterval?: number | undefined
  readonly maxQueryCount?: number | undefined
}

/** Tags of one queue or topic, and the characters of their two parts. */
export const noteLimits = { tags: 50, tagKey: 127, tagValue: 255 } as const

/** The notes among other things that are given. */
export const notesIn = ({ trace, tags }: Notes): Notes => ({ trace, tags })

/** The notes on a queue among other things that are given. */
export const queueNotesIn = (given: QueueNotes): QueueNotes => ({
  ...notesIn(given),
  retentionSizeInMB: given.retentionSizeInMB,
  transaction: given.transaction,
  firstQueryInterval: given.firstQueryInterval,
  maxQueryCount: given.maxQueryCount,
})
