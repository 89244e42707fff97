import { UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import { isWithin, type Clock, type Instant } from '../domain/time.ts'
import { attributesOf, numberIn, required, textIn, ttlOf } from './attributes.ts'
import { readBatch, Refused, settle, Throttled, Uncertain, type Database, type Item } from './database.ts'
import { pending } from './pending.ts'

/** A lane of deliveries that somebody has to work through: `push` a subscription's, `release` a topic's publications. */
export interface Work {
  readonly duty: 'push' | 'release'
  /** The id of the subscription or of the topic. */
  readonly laneId: string
  /** Where it is found again: the id of the subscription's topic, or the topic's account. */
  readonly within: string
  readonly name: string
}

/** What a function is given that works through a lane. */
export interface Run {
  readonly work: Work
  /** What is due then is what the run was woken for, so it is waited for. */
  readonly wokenFor?: Instant
}

/** The right to work through a lane, for as long as it holds. */
export interface WorkLease {
  readonly leaseId: string
  readonly until: Instant
}

/** What a runner leaves when it lets go. */
export interface Rest {
  /** When it, or another one, will be back by itself. */
  readonly nextDueAt?: Instant
  /** Whether nothing that arrives until then could be begun. */
  readonly isFull: boolean
}

/**
 * Who works through which lane. All of it lies in the table `registry`, and TTL removes what is two days old.
 *
 *     pk  work#<laneId>               sk  mark       one runner's lease of the lane, or who was called last
 *     pk  pending#<duty>#<0 to 15>    sk  <laneId>   that the lane may hold something
 *
 * A publisher stores its delivery and then reads the mark; a runner gives up its lease and then reads the lane. So one of
 * them always sees the other, and no delivery stays behind with nobody called.
 */
export interface WorkList {
  /** Notes that the lanes may hold something due then: before they do, and for longer than it lives in them. */
  note(works: readonly Work[], dueAt: Instant): Promise<void>
  /** Forgets a lane that is nobody's any more: whatever it holds will never be worked through. */
  forget(work: Work): Promise<void>
  /** Those of the lanes that nobody will look at in time for what is due at `dueAt`. Each is told to one caller. */
  callFor(works: readonly Work[], dueAt: Instant): Promise<readonly Work[]>
  /** Takes the lease of a lane, unless another has it: then until when. */
  take(laneId: string, leaseId: string): Promise<WorkLease | { readonly heldUntil: Instant }>
  /** Makes the lease hold longer; undefined when it is not the newest any more. */
  renew(laneId: string, lease: WorkLease): Promise<WorkLease | undefined>
  letGo(laneId: string, lease: WorkLease, rest: Rest): Promise<void>
  /** All lanes that may hold something and that nobody works through: what is due there would wait, unless a window rests. */
  left(duty: Work['duty']): Promise<readonly Work[]>
}

/** How long a lease of a lane holds, in milliseconds. */
export const WORK_LEASE = 30_000

/** Who finds a lease with less left than this waits for its end: its holder may not look again. */
export const NEARLY_OVER = 2_000

/** Who was called may take this long to come before somebody else is. */
const CALL_PATIENCE = 2_000

/** What is due so early is in time for nobody who comes back later. */
const NEVER = -Infinity

/** How long TTL leaves a mark that nobody has set. */
const KEPT = 2 * 86_400_000

/** Who this process is, and how it stands to others. */
export interface WorkListOptions {
  /** Whether no other process uses the tables: then marks that it has not made itself are a dead one's, and tell nothing. */
  readonly isAlone: boolean
  /** Another one for each process. */
  readonly processId: string
}

/** The work that a table knows of. */
export function workList(db: Database, table: string, clock: Clock, { isAlone, processId }: WorkListOptions): WorkList {
  const notes = pending(db, table, clock)
  const orDead = (who: 'heldBy' | 'calledBy') => (isAlone ? ` OR ${who} <> :me` : '')
  const keyOf = (laneId: string) => attributesOf({ pk: `work#${laneId}`, sk: 'mark' })
  const endOfMark = () => ttlOf(clock.now() + KEPT)

  /** What a mark tells. Where this process is alone, what another one has written is a dead one's, and tells nothing. */
  function markOf(item: Item | undefined): Mark {
    const told = (by: 'heldBy' | 'calledBy', name: string) =>
      item && (!isAlone || textIn(item, by) === processId) ? (numberIn(item, name) ?? 0) : 0
    return {
      leaseUntil: told('heldBy', 'leaseUntil'),
      nextDueAt: told('heldBy', 'nextDueAt'),
      isFull: told('heldBy', 'isFull') === 1,
      calledAt: told('calledBy', 'calledAt'),
    }
  }

  async function marksOf(works: readonly Work[], consistent: boolean): Promise<(work: Work) => Mark> {
    const keys = works.map(({ laneId }) => keyOf(laneId))
    const items = await readBatch(db, clock, table, keys, consistent)
    const marks = new Map(items.map((item) => [required(textIn(item, 'pk'), 'pk'), item]))
    return ({ laneId }) => markOf(marks.get(`work#${laneId}`))
  }

  /** Whether nobody else has been called a moment ago. */
  async function call(laneId: string): Promise<boolean> {
    const now = clock.now()
    try {
      await db.write(
        new UpdateItemCommand({
          TableName: table,
          Key: keyOf(laneId),
          ConditionExpression: `attribute_not_exists(calledAt) OR calledAt <= :before OR calledAt > :now${orDead('calledBy')}`,
          UpdateExpression: 'SET calledAt = :now, calledBy = :me, expiresAt = :end',
          ExpressionAttributeValues: attributesOf({
            ':me': processId,
            ':now': now,
            ':before': now - CALL_PATIENCE,
            ':end': endOfMark(),
          }),
        }),
      )
      return true
    } catch (error) {
      if (error instanceof Refused) return false
      // Called once too often does no harm: the lease lets one of them work.
      if (error instanceof Uncertain || error instanceof Throttled) return true
      throw error
    }
  }

  return {
    note: notes.note,
    forget: notes.forget,

    async callFor(works, dueAt) {
      const markOf = await marksOf(works, true)
      const now = clock.now()
      const left = works.filter((work) => !isWatched(markOf(work), dueAt, now) && !isCalled(markOf(work), now))
      const isOurs = await Promise.all(left.map(({ laneId }) => call(laneId)))
      return left.filter((_, index) => isOurs[index])
    },

    async take(laneId, leaseId) {
      const until = clock.now() + WORK_LEASE
      const outcome = await settle(
        clock,
        () =>
          db.write(
            new UpdateItemCommand({
              TableName: table,
              Key: keyOf(laneId),
              ConditionExpression: `attribute_not_exists(leaseUntil) OR leaseUntil <= :now${orDead('heldBy')}`,
              UpdateExpression:
                'SET leaseId = :lease, leaseUntil = :until, heldBy = :me, expiresAt = :end REMOVE nextDueAt, isFull',
              ExpressionAttributeValues: attributesOf({
                ':now': clock.now(),
                ':lease': leaseId,
                ':until': until,
                ':me': processId,
                ':end': endOfMark(),
              }),
              ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
            }),
          ),
        (found) => found !== undefined && textIn(found, 'leaseId') === leaseId,
      )
      if (outcome.won) return { leaseId, until }
      return { heldUntil: required(outcome.found && numberIn(outcome.found, 'leaseUntil'), 'leaseUntil') }
    },

    async renew(laneId, { leaseId }) {
      const until = clock.now() + WORK_LEASE
      const { won } = await settle(
        clock,
        () =>
          db.write(
            new UpdateItemCommand({
              TableName: table,
              Key: keyOf(laneId),
              ConditionExpression: 'leaseId = :lease',
              UpdateExpression: 'SET leaseUntil = :until',
              ExpressionAttributeValues: attributesOf({ ':lease': leaseId, ':until': until }),
            }),
          ),
        () => false,
      )
      return won ? { leaseId, until } : undefined
    },

    async letGo(laneId, { leaseId }, { nextDueAt, isFull }) {
      await settle(
        clock,
        () =>
          db.write(
            new UpdateItemCommand({
              TableName: table,
              Key: keyOf(laneId),
              ConditionExpression: 'leaseId = :lease',
              UpdateExpression:
                (nextDueAt === undefined ? '' : 'SET nextDueAt = :next, isFull = :full ') +
                'REMOVE leaseId, leaseUntil, calledAt',
              ExpressionAttributeValues: attributesOf({
                ':lease': leaseId,
                ...(nextDueAt === undefined ? {} : { ':next': nextDueAt, ':full': isFull ? 1 : 0 }),
              }),
            }),
          ),
        () => false,
      )
    },

    async left(duty) {
      const works = await notes.list(duty)
      const markOf = await marksOf(works, false)
      const now = clock.now()
      return works.filter((work) => !isWatched(markOf(work), NEVER, now))
    },
  }
}

/** What stands on the mark of a lane; 0 where it is silent. */
interface Mark {
  readonly leaseUntil: Instant
  readonly nextDueAt: Instant
  readonly isFull: boolean
  readonly calledAt: Instant
}

/** Whether somebody looks at the lane, or will be back by itself in time for what is due at `dueAt`. */
const isWatched = ({ leaseUntil, nextDueAt, isFull }: Mark, dueAt: Instant, now: Instant): boolean =>
  leaseUntil > now + NEARLY_OVER || (nextDueAt > now && (nextDueAt <= dueAt || isFull))

/** Whether somebody was called a moment ago, and has not come yet: who comes removes it when it goes. */
const isCalled = ({ calledAt }: Mark, now: Instant): boolean => isWithin(calledAt, now, CALL_PATIENCE)
