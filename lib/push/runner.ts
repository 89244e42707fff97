import { isOver, type Delivery } from '../domain/delivery.ts'
import type { Ids } from '../domain/ids.ts'
import type { Clock, Instant, Seconds } from '../domain/time.ts'
import { firstTriesAfter, firstTriesAtFirst, isFirstTry, plan, type Plan, type WindowLimits } from '../domain/window.ts'
import type { Bell } from '../store/bell.ts'
import type { Deliveries } from '../store/deliveries.ts'
import { NEARLY_OVER, type Rest, type Work, type WorkLease, type WorkList } from '../store/work.ts'

/** What is done with the deliveries of one lane. */
export interface Duty {
  readonly limits: WindowLimits
  /** Makes the delivery. Never throws for what the other side does. */
  attempt(delivery: Delivery, signal: AbortSignal): Promise<Attempt>
  /** The delivery after a failure; undefined when it is given up. */
  next(delivery: Delivery, failure: string, now: Instant): Delivery | undefined
  /** The wait that was chosen when the delivery failed last. */
  waitOf(delivery: Delivery): Seconds
  /** Told of each attempt. `nextDueAt` is undefined when there will be no other. */
  tried(delivery: Delivery, attempt: Attempt, nextDueAt: Instant | undefined): void
  /** Told of each delivery that will never be made, and why. */
  dropped(delivery: Delivery, why: string): void
}

/** How one attempt went. */
export interface Attempt {
  readonly isDelivered: boolean
  /** What came of it, in a word: a status, or what went wrong. */
  readonly outcome: string
  readonly milliseconds: number
  /** Whether no other attempt can do better. */
  readonly isHopeless?: boolean
}

/** The bounds of one run. */
export interface RunBounds {
  /** What is due within so many milliseconds is waited for; for what is due later the lane is woken again. */
  readonly longestWait: number
  /** What is due until then is waited for in any case: it is what this run was woken for. */
  readonly wokenFor?: Instant
  /** Nothing begins later: who runs ends soon. */
  readonly endBy: Instant
  /** Aborted when everything has to be let go at once. */
  readonly signal: AbortSignal
}

/** What came of a run. */
export interface RunSummary {
  readonly delivered: number
  readonly failed: number
  readonly dropped: number
}

/** What a runner works with. */
export interface RunnerStores {
  readonly deliveries: Deliveries
  readonly workList: WorkList
  /** Rung when this process puts something into a lane. */
  readonly bell: Bell
  readonly clock: Clock
  readonly ids: Ids
  /** Has the lane worked through again, now. */
  readonly start: (work: Work) => Promise<void>
  /** Has the lane worked through again, in time for what is due then. */
  readonly wake: (work: Work, dueAt: Instant) => Promise<void>
}

/** Works through one lane, if nobody else does. `duty` is asked every round; undefined when the lane is nobody's any more. */
export type Runner = (work: Work, duty: () => Promise<Duty | undefined>, bounds: RunBounds) => Promise<RunSummary>

const RENEW_EVERY = 10_000

/** No attempt begins with less of the lease left, in milliseconds: it may take 15 s, and must end within the lease. */
const LONGEST_ATTEMPT = 16_000

/** How often a runner that waits looks for what others have put into the lane, in milliseconds. */
const LOOK_EVERY = 1_000

const MOST_READ = 1_000

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
    const summary = { delivered: 0, failed: 0, dropped: 0 }
    for (;;) {
      const lease = await take(work)
      if (!lease) return summary
      const shift = newShift(stores, work, duty, bounds, lease, summary)
      let rest: Rest = { isFull: false }
      try {
        rest = await shift.workThrough()
        if (rest.nextDueAt !== undefined) await stores.wake(work, rest.nextDueAt)
      } finally {
        await shift.letGo(rest)
      }
      if (shift.isOver()) return summary
      if (clock.now() >= bounds.endBy || bounds.signal.aborted) {
        if (!bounds.signal.aborted) await stores.start(work)
        return summary
      }
      // Whoever has stored something meanwhile saw the lease and called nobody.
      if (!(await shift.hasNew(rest))) return summary
    }
  }
}

/** The work of one runner under one lease. */
function newShift(
  { deliveries, workList, bell, clock }: RunnerStores,
  work: Work,
  dutyNow: () => Promise<Duty | undefined>,
  { longestWait, wokenFor = 0, endBy, signal }: RunBounds,
  taken: WorkLease,
  summary: { delivered: number; failed: number; dropped: number },
) {
  const { laneId } = work
  let lease: WorkLease | undefined = taken
  let waiting: readonly Delivery[] = []
  const underWay = new Map<string, Delivery>()
  /** What changed since the last look began: the look may show it as it was. */
  let touched = new Set<string>()
  let allowed: number | undefined
  let isAllKnown = false
  let lookAt = 0
  let isGone = false
  let failure: { readonly error: unknown } | undefined
  let pause = new AbortController()
  /** Ends the attempts when the lease is lost, or everything has to end. */
  const stopped = new AbortController()
  const stop = () => {
    stopped.abort()
    pause.abort()
  }

  async function keepLease(ended: AbortSignal): Promise<void> {
    while (!ended.aborted) {
      await clock.sleep(RENEW_EVERY, ended)
      if (ended.aborted || !lease) return
      lease = await workList.renew(laneId, lease)
      if (!lease) stop()
      pause.abort()
    }
  }

  const mayBegin = () =>
    lease !== undefined && lease.until - clock.now() >= LONGEST_ATTEMPT && clock.now() < endBy && !signal.aborted

  const keep = (delivery: Delivery) => {
    waiting = [...waiting, delivery].toSorted(inOrder)
  }

  /** Reads the first deliveries of the lane, which tell the truth about all but what changed meanwhile. */
  async function look(duty: Duty, { room }: Plan): Promise<void> {
    const isFirst = lookAt === 0
    const known = waiting.filter(({ attempt }) => attempt > 0).length + underWay.size
    const limit = isFirst ? duty.limits.failing + duty.limits.firstTries : known + 2 * room
    lookAt = clock.now() + LOOK_EVERY
    touched = new Set(underWay.keys())
    const page = await deliveries.first(laneId, Math.min(limit, MOST_READ))
    const last = page.deliveries.at(-1)
    const beyond = (delivery: Delivery) => !page.isAll && last !== undefined && inOrder(delivery, last) > 0
    const found = page.deliveries.filter(({ id }) => !touched.has(id))
    waiting = [...found, ...waiting.filter((one) => touched.has(one.id) || beyond(one))].toSorted(inOrder)
    isAllKnown = page.isAll
  }

  async function makeOne(duty: Duty, delivery: Delivery): Promise<void> {
    if (isOver(delivery, clock.now())) return drop(duty, delivery, delivery.failure ?? 'never tried')
    const attempt = await duty.attempt(delivery, stopped.signal)
    if (stopped.signal.aborted && !attempt.isDelivered) return
    allowed = firstTriesAfter(attempt.isDelivered, allowed ?? 1, duty.limits)
    if (attempt.isDelivered) {
      await deliveries.remove(laneId, delivery)
      summary.delivered++
      return duty.tried(delivery, attempt, undefined)
    }
    summary.failed++
    const next = attempt.isHopeless ? undefined : duty.next(delivery, attempt.outcome, clock.now())
    duty.tried(delivery, attempt, next?.dueAt)
    if (!next) return drop(duty, delivery, attempt.outcome)
    const stored = await deliveries.postpone(laneId, delivery, next)
    if (stored) keep(stored)
  }

  async function drop(duty: Duty, delivery: Delivery, why: string): Promise<void> {
    await deliveries.remove(laneId, delivery)
    summary.dropped++
    duty.dropped(delivery, why)
  }

  function begin(duty: Duty, delivery: Delivery): void {
    waiting = waiting.filter(({ id }) => id !== delivery.id)
    underWay.set(delivery.id, delivery)
    makeOne(duty, delivery)
      .catch((error: unknown) => (failure ??= { error }))
      .finally(() => {
        underWay.delete(delivery.id)
        touched.add(delivery.id)
        pause.abort()
      })
  }

  const planOf = (duty: Duty): Plan =>
    plan(
      {
        waiting,
        underWay: [...underWay.values()],
        allowed: (allowed ??= firstTriesAtFirst(duty.limits)),
        waitOf: duty.waitOf,
      },
      duty.limits,
      clock.now(),
    )

  /** Whether there may be something to begin that is not known yet. */
  const wantsLook = ({ room, isFull }: Plan): boolean => {
    if (lookAt === 0) return true
    if (isFull || room === 0) return false
    // Those under way are read again each time, so not for every one that ends.
    return clock.now() >= lookAt || (!isAllKnown && !waiting.some(isFirstTry) && underWay.size <= room)
  }

  async function rounds(): Promise<Rest> {
    for (;;) {
      const duty = await dutyNow()
      isGone = duty === undefined
      const mustEnd = !duty || failure !== undefined || !lease || signal.aborted || clock.now() >= endBy
      let next: Plan | undefined
      if (duty && !mustEnd) {
        next = planOf(duty)
        if (next.begin.length === 0 && wantsLook(next)) {
          await look(duty, next)
          next = planOf(duty)
        }
        if (mayBegin()) for (const delivery of next.begin) begin(duty, delivery)
      }
      if (underWay.size === 0) {
        if (failure) throw failure.error
        if (mustEnd || !next) return { isFull: false }
        const { nextDueAt, isFull } = next
        // What is not known lies behind what is, and is due later than a first try that is not due yet.
        const isIdle = next.begin.length === 0 && (isFull || isAllKnown || waiting.some(isFirstTry))
        if (isIdle && (nextDueAt ?? Infinity) > Math.max(clock.now() + longestWait, wokenFor))
          return { isFull, ...(nextDueAt === undefined ? {} : { nextDueAt }) }
      }
      await rest(next)
    }
  }

  /** Waits until an attempt ends, something is due, somebody rings, or it is time to look again. */
  async function rest(next: Plan | undefined): Promise<void> {
    const now = clock.now()
    const isHeldUp = next !== undefined && next.begin.length > 0 && !mayBegin()
    const dueAt = isHeldUp ? Infinity : (next?.nextDueAt ?? Infinity)
    const nextLookAt = next && next.room > 0 && !isHeldUp ? lookAt : Infinity
    const until = Math.min(dueAt, nextLookAt, now + LOOK_EVERY)
    if (!pause.signal.aborted) {
      const rung = await bell.wait(laneId, Math.max(1, until - now), pause.signal)
      if (rung !== undefined) lookAt = clock.now()
    }
    pause = new AbortController()
  }

  return {
    async workThrough(): Promise<Rest> {
      const ended = new AbortController()
      const keeping = keepLease(ended.signal).catch((error: unknown) => {
        failure ??= { error }
        stop()
      })
      signal.addEventListener('abort', stop)
      try {
        return await rounds()
      } finally {
        signal.removeEventListener('abort', stop)
        ended.abort()
        await keeping
      }
    },

    async letGo(rest: Rest): Promise<void> {
      if (lease) await workList.letGo(laneId, lease, rest)
    },

    /** Whether nobody has to go on with this lane: it is nobody's any more, or somebody else's. */
    isOver: () => isGone || !lease,

    /** Whether there is something that was not known when the lease was given up, and is due before anybody is back. */
    async hasNew({ isFull, nextDueAt = Infinity }: Rest): Promise<boolean> {
      if (isFull) return false
      const known = new Set(waiting.map(({ id }) => id))
      const page = await deliveries.first(laneId, Math.min(known.size + 1, MOST_READ))
      return page.deliveries.some(({ id, dueAt }) => !known.has(id) && dueAt < nextDueAt)
    },
  }
}

const inOrder = (a: Delivery, b: Delivery): number =>
  a.publishedAt - b.publishedAt || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
