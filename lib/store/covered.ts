import { isExpired } from '../domain/message.ts'
import { coveredFrom, isCovered, type Rewind } from '../domain/rewind.ts'
import type { Instant } from '../domain/time.ts'
import { archiveKeyAt, archivePlaceOf, type Archived, type Archives } from './archives.ts'

/** Which archived messages to look for. */
export interface Search {
  readonly laneId: string
  readonly shard: number
  /** Those that one of these covers; there is at least one. */
  readonly rewinds: readonly Rewind[]
  /** Nothing produced earlier is still alive. */
  readonly oldest: Instant
  /** How many of each count are enough, the first ones of them. */
  readonly wanted: number
  /** How many are read at once. */
  readonly limit: number
  readonly consistent: boolean
}

/**
 * The first archived messages that are covered: of each count `wanted` or more, or all there are. Of what was deleted
 * between many rewinds each count is passed over by one query once there is enough of it.
 */
export async function firstCovered(archives: Archives, search: Search, now: Instant): Promise<readonly Archived[]> {
  const { laneId, shard, rewinds, oldest, wanted, limit, consistent } = search
  const beginOf = (archivedIn: number) => {
    const from = coveredFrom(rewinds, archivedIn)
    return archiveKeyAt(archivedIn, from === undefined ? 0 : Math.max(from, oldest))
  }
  /** Where to go on: behind what is not covered, and behind the rest of a count of which there is enough. */
  const after = (next: string) => {
    const { archivedIn } = archivePlaceOf(next)
    const isEnough = found.filter((one) => one.archivedIn === archivedIn).length >= wanted
    const isOver = isEnough || coveredFrom(rewinds, archivedIn) === undefined
    const begin = beginOf(isOver ? archivedIn + 1 : archivedIn)
    return next > begin ? next : begin
  }
  const found: Archived[] = []
  const to = archiveKeyAt(Math.max(...rewinds.map(({ below }) => below)))
  let from: string | undefined = beginOf(Math.min(...rewinds.map(({ since }) => since)))
  while (from !== undefined) {
    const { archived, next } = await archives.page(laneId, shard, { from, to, limit, consistent })
    found.push(...archived.filter((one) => isCovered(rewinds, one) && !isExpired(one.message, now)))
    from = next === undefined ? undefined : after(next)
  }
  return found
}
