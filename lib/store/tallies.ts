import { GetItemCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import type { Marks } from '../domain/level.ts'
import type { Pace } from '../domain/rate.ts'
import { isWithin, type Clock, type Instant } from '../domain/time.ts'
import { attributesOf, numberIn, ttlOf } from './attributes.ts'
import type { Beside } from './beside.ts'
import { boundedMap } from './bounded-map.ts'
import { Throttled, Uncertain, type Database, type Item } from './database.ts'

/** What is counted of a queue or a topic, each message by itself. */
export type Counts = keyof Marks | 'delete' | 'publish'

/**
 * Totals that all processes share: pk `tally#<id of the queue or topic>`, sk what is counted. They only rise.
 *
 * A process adds what it did in portions, beside the request that makes one full, and is told the total. What does not come
 * to a portion soon is never added, so little traffic costs nothing. What a process that dies had not added is lost.
 */
export interface Tallies {
  add(id: string, what: Counts, messages: number): void
  /** The total as this process was last told it, with what it has done since; and what it has done in all its life. */
  total(id: string, what: Counts): { readonly all: number; readonly own: number }
  /** How fast it rises, as this process has seen it in the last seconds; undefined where it has seen nothing. */
  pace(id: string, what: Counts): Pace | undefined
  /** The total as it is now, as far as it was added. */
  read(id: string, what: Counts): Promise<number>
}

/** A portion is so many messages: in its life a message is in three tallies, which is a twentieth of a write unit. */
const PORTION = 64

/** All processes together add no more often than this, in portions a second. */
const MOST_PORTIONS = 250

/** What comes to no portion within so many milliseconds is not added. */
const FORGOTTEN_AFTER = 20_000

/** A pace is that of at least so many milliseconds, and holds for so many. */
const PACE_OVER = 1_000
const PACE_HOLDS = 30_000

/** An answer that took longer was frozen with its process: it says nothing of when. */
const PROMPT = 1_000

/** A total to which nobody has added for a week begins anew. */
const KEPT = 7 * 86_400_000

/** Of how many queues and topics a process keeps its part. */
const KNOWN = 10_000

interface Tally {
  /** The total as it was last told, and what this process had done by then. */
  told: number
  ownWhenTold: number
  /** What this process has done in all. */
  own: number
  /** What it has done and not added, since when. */
  open: number
  openSince: Instant
  isAdding: boolean
  since?: { readonly at: Instant; readonly all: number; readonly own: number }
  pace?: Pace & { readonly at: Instant }
}

/** What tallies are kept with. */
export interface TallyOptions {
  readonly beside: Beside
  /** Whether no other process uses the tables: then there is nobody to tell. */
  readonly isAlone: boolean
}

/** The tallies in a table. */
export function tallies(db: Database, table: string, clock: Clock, { beside, isAlone }: TallyOptions): Tallies {
  const known = boundedMap<Tally>(KNOWN)
  const keyOf = (id: string, what: Counts): Item => attributesOf({ pk: `tally#${id}`, sk: what })

  function tallyOf(id: string, what: Counts): Tally {
    const key = `${id}#${what}`
    const fresh = () => ({ told: 0, ownWhenTold: 0, own: 0, open: 0, openSince: clock.now(), isAdding: false })
    const tally = known.get(key) ?? fresh()
    known.set(key, tally)
    return tally
  }

  async function tell(id: string, what: Counts, tally: Tally): Promise<void> {
    const now = clock.now()
    const { own, open } = tally
    Object.assign(tally, { open: 0, openSince: now, isAdding: true })
    try {
      const { Attributes = {} } = await db.attempt(
        new UpdateItemCommand({
          TableName: table,
          Key: keyOf(id, what),
          UpdateExpression: 'SET expiresAt = :end ADD counted :open',
          ExpressionAttributeValues: attributesOf({ ':end': ttlOf(now + KEPT), ':open': open }),
          ReturnValues: 'UPDATED_NEW',
        }),
      )
      const all = numberIn(Attributes, 'counted') ?? 0
      Object.assign(tally, { told: all, ownWhenTold: own })
      if (isWithin(now, clock.now(), PROMPT)) measure(tally, { at: now, all, own })
    } catch (error) {
      // One portion more or less is no matter, and adding it twice would be one more.
      if (!(error instanceof Throttled || error instanceof Uncertain)) throw error
    } finally {
      tally.isAdding = false
    }
  }

  function measure(tally: Tally, next: { at: Instant; all: number; own: number }): void {
    const { since } = tally
    const passed = since ? next.at - since.at : 0
    if (since && passed >= 0 && passed < PACE_OVER) return
    tally.since = next
    if (!since || passed < 0 || passed > PACE_HOLDS || next.all < since.all) delete tally.pace
    else {
      const inASecond = (messages: number) => (messages * 1000) / passed
      tally.pace = { at: next.at, all: inASecond(next.all - since.all), own: inASecond(next.own - since.own) }
    }
  }

  const paceOf = ({ pace }: Tally): Pace | undefined =>
    pace && isWithin(pace.at, clock.now(), PACE_HOLDS) ? pace : undefined

  return {
    add(id, what, messages) {
      const tally = tallyOf(id, what)
      tally.own += messages
      if (isAlone) return
      const now = clock.now()
      if (!isWithin(tally.openSince, now, FORGOTTEN_AFTER)) Object.assign(tally, { open: 0, openSince: now })
      tally.open += messages
      const portion = Math.max(PORTION, (paceOf(tally)?.all ?? 0) / MOST_PORTIONS)
      if (tally.open >= portion && !tally.isAdding) beside.begin('adding to a tally', () => tell(id, what, tally))
    },

    total(id, what) {
      const { told, own, ownWhenTold } = tallyOf(id, what)
      return { all: told + own - ownWhenTold, own }
    },

    pace: (id, what) => paceOf(tallyOf(id, what)),

    async read(id, what) {
      const tally = tallyOf(id, what)
      if (isAlone) return tally.own
      const { Item = {} } = await db.read(new GetItemCommand({ TableName: table, Key: keyOf(id, what) }))
      const all = numberIn(Item, 'counted') ?? 0
      if (all > tally.told) Object.assign(tally, { told: all, ownWhenTold: tally.own - tally.open })
      return all
    },
  }
}
