import type { Ids } from '../domain/ids.ts'
import type { Instant } from '../domain/time.ts'
import { NEARLY_OVER, type Work, type WorkLease, type WorkList } from '../store/work.ts'
import type { Duty } from './duty.ts'
import { newShift, type HeldLease, type RunBounds, type ShiftStores } from './shift.ts'
import type { Tried } from './try-delivery.ts'

/**
 * Works through one lane, unless somebody else does. `duty` is asked every round; undefined when the lane is nobody's any
 * more.
 */
export type Runner = (work: Work, duty: () => Promise<Duty | undefined>, bounds: RunBounds) => Promise<RunSummary>

/** What came of a run: how many deliveries were made, tries failed, and deliveries were given up. */
export interface RunSummary {
  readonly delivered: number
  readonly failed: number
  readonly dropped: number
}

/** What a runner works with. */
export interface RunnerStores extends ShiftStores {
  readonly workList: WorkList
  readonly ids: Ids
  /** Has the lane worked through again, now. */
  readonly start: (work: Work) => Promise<void>
  /** Has the lane worked through again, in time for what is due then. */
  readonly wake: (work: Work, dueAt: Instant) => Promise<void>
}

const RENEW_EVERY = 10_000

/** No attempt begins with less of the lease left, in milliseconds: it may take 15 s, and must end within the lease. */
const LONGEST_ATTEMPT = 16_000

/** A runner over these stores. */
export function runner(stores: RunnerStores): Runner {
  const { workList, clock, ids } = stores

  /** The lease; where another's is nearly over, a little later. */
  async function take({ laneId }: Work): Promise<WorkLease | undefined> {
    const leaseId = ids.leaseId()
    const first = await workList.take(laneId, leaseId)
    if ('leaseId' in first) return first
    const left = first.heldUntil - clock.now()
    if (left > NEARLY_OVER) return undefined
    await clock.sleep(left)
    const second = await workList.take(laneId, leaseId)
    return 'leaseId' in second ? second : undefined
  }

  return async (work, duty, bounds) => {
    const { endBy, signal } = bounds
    const summary = { delivered: 0, failed: 0, dropped: 0 }
    const count = ({ outcome }: Tried) => {
      if (outcome !== 'stopped') summary[outcome]++
    }

    for (;;) {
      const taken = await take(work)
      if (!taken) return summary
      const lease = holding(stores, work, taken)
      const shift = newShift(stores, work.laneId, duty, bounds, lease, count)
      const rest = await shift
        .workThrough()
        .then(async (rest) => {
          // Let go first: nobody else can work through the lane while a wake-up is slow to make.
          await lease.letGo(rest)
          if (rest.nextDueAt !== undefined) await stores.wake(work, rest.nextDueAt)
          return rest
        })
        .catch(async (error: unknown) => {
          await lease.letGo({ isFull: false })
          throw error
        })
      if (shift.isGone()) await workList.forget(work)
      if (shift.isGone() || lease.lost.aborted || signal.aborted) return summary
      if (clock.now() >= endBy) {
        await stores.start(work)
        return summary
      }
      // Whoever has stored something before the lease was given up saw it, and called nobody.
      if (!(await shift.hasNew(rest))) return summary
    }
  }
}

/** A lease that is renewed until it is given up, or found lost. */
function holding({ workList, clock }: RunnerStores, { laneId }: Work, taken: WorkLease) {
  const ended = new AbortController()
  const lost = new AbortController()
  let lease: WorkLease = taken

  async function keep(): Promise<void> {
    for (;;) {
      await clock.sleep(RENEW_EVERY, ended.signal)
      if (ended.signal.aborted) return
      const renewed = await workList.renew(laneId, lease)
      if (!renewed) return lost.abort()
      lease = renewed
    }
  }
  // A lease that cannot be renewed is as good as lost.
  const keeping = keep().catch(() => lost.abort())

  return {
    allowsAttempt: () => lease.until - clock.now() >= LONGEST_ATTEMPT,
    lost: lost.signal,

    async letGo(rest: Parameters<WorkList['letGo']>[2]): Promise<void> {
      ended.abort()
      await keeping
      if (!lost.signal.aborted) await workList.letGo(laneId, lease, rest)
    },
  } satisfies HeldLease & Record<string, unknown>
}
