import { CmqError } from './errors.ts'
import { after, inSeconds, SETTLES, type Instant, type Seconds } from './time.ts'

/**
 * What a queue keeps of its deleted messages. Each is archived under the count that the queue has at its deletion, and
 * counts alone decide what a rewind covers: no clock does, so no two processes can disagree about it.
 */
export interface Archive {
  /** How often the queue was rewound or its archive given up. What is deleted from now on is archived under it. */
  readonly count: number
  /** What was archived under a lower count is forgotten: rewinding was switched off since. */
  readonly since: number
  /** What was produced earlier is forgotten: `rewindSeconds` was lowered since. */
  readonly keptFrom: Instant
  /** Rewinds that may still have something to deliver, the oldest first. */
  readonly rewinds: readonly Rewind[]
}

/** A rewind: it makes receivable again what was archived under the counts from `since` to before `below`. */
export interface Rewind {
  readonly since: number
  readonly below: number
  /** Of these counts it covers what was produced from then on. */
  readonly from: Instant
  /** When it was asked for. */
  readonly at: Instant
}

/** Where a deleted message stands in its archive. */
export interface ArchivePlace {
  readonly archivedIn: number
  readonly sentAt: Instant
}

/** The archive of a queue that nothing has been deleted from. */
export const emptyArchive: Archive = { count: 0, since: 0, keptFrom: 0, rewinds: [] }

/**
 * How many rewinds may be under way at once. One that covers all of another takes its place, so they are this many only
 * where each began later than the one before and nobody has received what they cover.
 */
export const MOST_REWINDS = 100

/**
 * The archive of a queue that is rewound to a second (406/8407): from the last `rewindSeconds` on, to now. Seconds are
 * compared, since clients compute with them.
 */
export function rewoundTo(second: number, archive: Archive, rewindSeconds: Seconds, now: Instant): Archive {
  if (rewindSeconds === 0) throw new CmqError('notRewindable')
  const first = Math.max(inSeconds(now) - rewindSeconds, inSeconds(archive.keptFrom))
  if (second < first || second > inSeconds(now)) throw new CmqError('rewindTimeWrong')
  const { since, count, keptFrom } = archive
  const rewind = { since, below: count + 1, from: Math.max(second * 1000, keptFrom), at: now }
  const rewinds = [...archive.rewinds.filter((earlier) => !includes(rewind, earlier)), rewind]
  if (rewinds.length > MOST_REWINDS) throw new CmqError('rewindTimeWrong')
  return { ...archive, count: count + 1, rewinds }
}

/** Whether one rewind covers all that another one does. */
const includes = (rewind: Rewind, other: Rewind): boolean =>
  rewind.since <= other.since && rewind.below >= other.below && rewind.from <= other.from

/**
 * The archive after `rewindSeconds` was changed; undefined where that changes nothing. Lowering and zeroing it drop what
 * was kept (406/8407), but not what is rewound already: that is to be received again.
 */
export function narrowed(archive: Archive, before: Seconds, rewindSeconds: Seconds, now: Instant): Archive | undefined {
  if (rewindSeconds >= before) return undefined
  if (rewindSeconds === 0) return { ...archive, count: archive.count + 1, since: archive.count + 1 }
  return { ...archive, keptFrom: Math.max(archive.keptFrom, after(now, -rewindSeconds)) }
}

/** From when on these rewinds cover what was archived under a count; undefined where they cover nothing of it. */
export function coveredFrom(rewinds: readonly Rewind[], archivedIn: number): Instant | undefined {
  const covering = rewinds.filter(({ since, below }) => since <= archivedIn && archivedIn < below)
  return covering.length === 0 ? undefined : Math.min(...covering.map(({ from }) => from))
}

/** Whether one of these rewinds makes the message receivable again. */
export const isCovered = (rewinds: readonly Rewind[], { archivedIn, sentAt }: ArchivePlace): boolean =>
  sentAt >= (coveredFrom(rewinds, archivedIn) ?? Infinity)

/** From when on a rewind that is asked for now could cover what was archived under a count; undefined where none could. */
export const rewindableFrom = (
  { since, keptFrom }: Archive,
  rewindSeconds: Seconds,
  archivedIn: number,
  now: Instant,
): Instant | undefined =>
  rewindSeconds > 0 && archivedIn >= since ? Math.max(keptFrom, after(now, -rewindSeconds)) : undefined

/** The rewinds of which nobody archives anything any more that they cover: found done, they are. */
export const settledRewinds = ({ rewinds }: Archive, now: Instant): readonly Rewind[] =>
  rewinds.filter(({ at }) => after(at, SETTLES) <= now)

/** The archive without rewinds that have nothing to deliver any more. */
export const without = (archive: Archive, done: readonly Rewind[]): Archive => ({
  ...archive,
  rewinds: archive.rewinds.filter((rewind) => !done.includes(rewind)),
})
