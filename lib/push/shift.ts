import { firstTriesAfter, firstTriesAtFirst, isFirstTry, plan, type Plan } from '../domain/window.ts'
import type { Delivery } from '../domain/delivery.ts'
import { escapedBytes } from '../domain/message.ts'
import type { Clock, Instant } from '../domain/time.ts'
import type { Bell } from '../store/bell.ts'
import type { Deliveries } from '../store/deliveries.ts'
import type { Rest } from '../store/work.ts'
import type { Duty } from './duty.ts'
import { newHand, type Where } from './hand.ts'
import { tryDelivery, type Tried } from './try-delivery.ts'

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

/** The lease under which a shift works. */
export interface HeldLease {
  /** Whether an attempt that begins now ends within the lease. */
  allowsAttempt(): boolean
  /** Aborted when the lease is lost. */
  readonly lost: AbortSignal
}

/** What a shift works with. */
export interface ShiftStores {
  readonly deliveries: Deliveries
  /** Rung when this process puts something into a lane. */
  readonly bell: Bell
  readonly clock: Clock
}

/** The work of one runner under one lease. */
export interface Shift {
  /** Works until nothing is left that is worth waiting for, and says what is. Throws what the store fails with. */
  workThrough(): Promise<Rest>
  /** Whether the lane is nobody's any more. */
  isGone(): boolean
  /** Whether the lane holds something that this shift did not know of, and that is due before anybody is back. */
  hasNew(rest: Rest): Promise<boolean>
}

/** How often a runner that waits looks for what others have put into the lane, in milliseconds. */
const LOOK_EVERY = 1_000

/** Most deliveries that one look reads. */
const MOST_READ = 1_000

/** Least that are read on at once, however few places are free: they cost a read unit or two, and are read once. */
const LEAST_READ_ON = 16

/** Bytes of bodies that are under way at once; one always is, however large. */
const MOST_BYTES = 32 * 1024 * 1024

/** The first of them whose bodies fit into memory beside those that are under way. */
function within(deliveries: readonly Delivery[], underWay: readonly Delivery[]): readonly Delivery[] {
  let bytes = underWay.reduce((sum, { body }) => sum + escapedBytes(body), 0)
  const tooMany = deliveries.findIndex(({ body }, index) => {
    bytes += escapedBytes(body)
    return bytes > MOST_BYTES && underWay.length + index > 0
  })
  return tooMany < 0 ? deliveries : deliveries.slice(0, tooMany)
}

/** A shift that has done nothing yet. `dutyNow` is asked every round; `count` is told what became of each try. */
export function newShift(
  { deliveries, bell, clock }: ShiftStores,
  laneId: string,
  dutyNow: () => Promise<Duty | undefined>,
  { longestWait, wokenFor = 0, endBy, signal }: RunBounds,
  lease: HeldLease,
  count: (tried: Tried) => void,
): Shift {
  const hand = newHand()
  const stopped = AbortSignal.any([signal, lease.lost])
  let allowed: number | undefined
  let nextLookAt: Instant | undefined
  let isGone = false
  /** Whether something may not begin yet that is due: the lease is short, or what is under way is large. */
  let isHeldUp = false
  let failure: { readonly error: unknown } | undefined
  /** Ends the pause between two rounds. */
  let pause = new AbortController()
  // With a reason: without one an error is made, stack and all.
  const goOn = () => pause.abort('over')

  const mustEnd = () => failure !== undefined || stopped.aborted || clock.now() >= endBy

  function begin(duty: Duty, delivery: Delivery): void {
    hand.begin(delivery)
    const { limits } = duty
    tryDelivery({ deliveries, clock }, laneId, duty, delivery, stopped)
      .then((tried) => {
        hand.end(delivery, tried.outcome === 'failed' ? tried.next : undefined)
        if (tried.outcome === 'delivered') allowed = firstTriesAfter(true, allowed ?? 1, limits)
        if (tried.outcome === 'failed') allowed = firstTriesAfter(false, allowed ?? 1, limits)
        count(tried)
      })
      .catch((error: unknown) => {
        hand.end(delivery)
        failure ??= { error }
      })
      .finally(goOn)
  }

  const planOf = ({ limits, waitOf }: Duty): Plan => {
    allowed ??= firstTriesAtFirst(limits)
    return plan({ waiting: hand.waiting(), underWay: hand.underWay(), allowed, waitOf }, limits, clock.now())
  }

  /** Where it is time to look. */
  function nextLook({ begin, room }: Plan): Where | undefined {
    if (nextLookAt === undefined) return 'anew'
    if (begin.length > 0 || room === 0) return undefined
    // A clock that has stepped back must not keep anybody from looking.
    if (clock.now() >= nextLookAt || nextLookAt > clock.now() + LOOK_EVERY) return 'anew'
    if (hand.isAllKnown() || hand.waiting().some(isFirstTry)) return undefined
    // Those under way need not be read again. With nothing under way all is in its place, what has landed late too.
    return hand.underWay().length === 0 ? 'anew' : 'on'
  }

  async function look(where: Where, { limits }: Duty, { room }: Plan): Promise<void> {
    const known = hand.waiting().filter((one) => !isFirstTry(one)).length + hand.underWay().length
    const atFirst = nextLookAt === undefined ? limits.failing + limits.firstTries : 0
    const wanted = where === 'on' ? Math.max(2 * room, LEAST_READ_ON) : Math.max(known + 2 * room, atFirst)
    if (where === 'anew') nextLookAt = clock.now() + LOOK_EVERY
    await hand.look(where, (beyond) => deliveries.first(laneId, Math.min(wanted, MOST_READ), beyond))
  }

  /** Begins what is to be begun now. */
  async function round(duty: Duty): Promise<Plan> {
    let next = planOf(duty)
    const where = nextLook(next)
    if (where) {
      await look(where, duty, next)
      next = planOf(duty)
    }
    const beginning = lease.allowsAttempt() ? within(next.begin, hand.underWay()) : []
    for (const delivery of beginning) begin(duty, delivery)
    isHeldUp = beginning.length < next.begin.length
    return next
  }

  /** Whether nothing happens before somebody has to come back for what is due later, or has nothing to come for. */
  function isIdle({ begin, isFull, nextDueAt = Infinity }: Plan): boolean {
    if (begin.length > 0) return false
    // What is not known lies behind a first try that is not due yet, and is due later.
    const isSure = isFull || hand.isAllKnown() || hand.waiting().some(isFirstTry)
    return isSure && nextDueAt > Math.max(clock.now() + longestWait, wokenFor)
  }

  /** Waits until a try ends, something is due, somebody rings, or it is time to look again. */
  async function rest(next: Plan | undefined): Promise<void> {
    const now = clock.now()
    const dueAt = isHeldUp ? Infinity : (next?.nextDueAt ?? Infinity)
    const lookAt = next && next.room > 0 && !isHeldUp ? (nextLookAt ?? now) : Infinity
    const until = Math.min(dueAt, lookAt, now + LOOK_EVERY)
    await clock.sleep(Math.max(1, until - now), pause.signal)
    pause = new AbortController()
  }

  /** The next round; undefined when there is none, and only what is under way is waited for. */
  async function nextRound(): Promise<Plan | undefined> {
    try {
      const duty = await dutyNow()
      isGone = duty === undefined
      return duty && !mustEnd() ? await round(duty) : undefined
    } catch (error) {
      // Thrown once nothing is under way any more: until then the lane is not to be let go.
      failure ??= { error }
      return undefined
    }
  }

  async function rounds(): Promise<Rest> {
    for (;;) {
      const next = await nextRound()
      if (hand.underWay().length === 0) {
        if (failure) throw failure.error
        if (!next) return { isFull: false }
        const { isFull, nextDueAt } = next
        if (isIdle(next)) return { isFull, ...(nextDueAt === undefined ? {} : { nextDueAt }) }
      }
      await rest(next)
    }
  }

  return {
    async workThrough() {
      stopped.addEventListener('abort', goOn)
      // Also while a look is under way, which may not see what is rung for.
      const stopListening = bell.listen(laneId, () => {
        nextLookAt &&= clock.now()
        goOn()
      })
      try {
        return await rounds()
      } finally {
        stopListening()
        stopped.removeEventListener('abort', goOn)
      }
    },

    isGone: () => isGone,

    async hasNew({ isFull, nextDueAt = Infinity }) {
      // Into a full window nothing new is taken, whatever there is.
      if (isFull) return false
      const known = new Set(hand.waiting().map(({ id }) => id))
      const page = await deliveries.first(laneId, Math.min(known.size + 1, MOST_READ))
      return page.deliveries.some(({ id, dueAt }) => !known.has(id) && dueAt < nextDueAt)
    },
  }
}
