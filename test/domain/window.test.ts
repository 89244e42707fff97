import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { newDelivery, type Delivery } from '../../lib/domain/delivery.ts'
import {
  firstTriesAfter,
  firstTriesAtFirst,
  isFirstTry,
  plan,
  windowLimits,
  type Lane,
} from '../../lib/domain/window.ts'

const NOW = Date.UTC(2026, 0, 5, 12)

let made = 0
const fresh = (dueAt = NOW): Delivery =>
  newDelivery({ id: `m${++made}`, labels: { tags: [], routingKey: '' }, body: { text: '' } }, dueAt)
/** One that has failed, and waits: since when and for how long shows in its due time and its count. */
const failed = (dueAt = NOW, attempt = 1): Delivery => ({ ...fresh(), attempt, dueAt })
const many = <Made>(count: number, make: (index: number) => Made): Made[] =>
  Array.from({ length: count }, (_, at) => make(at))

/** The waits of EXPONENTIAL_DECAY_RETRY. */
const waitOf = ({ attempt }: Delivery) => Math.min(2 ** (attempt - 1), 512)

const standard = windowLimits(16, 100)
const strict = windowLimits(1, 100)
const planned = (lane: Partial<Lane>, limits = standard, now = NOW) =>
  plan({ waiting: [], underWay: [], allowed: 16, waitOf, ...lane }, limits, now)

describe('given the limits of a window', () => {
  it('when it is 1, then it is strict: one at a time, first tries too', () => {
    expect(windowLimits(1, 100)).toEqual({ failing: 1, firstTries: 1 })
    expect(windowLimits(2, 100)).toEqual({ failing: 2, firstTries: 100 })
  })

  it('when nothing is known of a subscriber, then 16 first tries may run, or as many as there may be at all', () => {
    expect(firstTriesAtFirst(standard)).toBe(16)
    expect(firstTriesAtFirst(windowLimits(16, 5))).toBe(5)
    expect(firstTriesAtFirst(strict)).toBe(1)
  })

  it('when tries succeed, then one more may run after each, up to 100', () => {
    expect(firstTriesAfter(true, 16, standard)).toBe(17)
    expect(firstTriesAfter(true, 99, standard)).toBe(100)
    expect(firstTriesAfter(true, 100, standard)).toBe(100)
    expect(firstTriesAfter(true, 1, strict)).toBe(1)
  })

  it('when a try fails, then half as many may run, and never fewer than one', () => {
    expect([100, 16, 15, 2, 1].map((allowed) => firstTriesAfter(false, allowed, standard))).toEqual([50, 8, 7, 1, 1])
  })
})

describe('given first tries', () => {
  it('when more are due than may run, then the first in order begin, and there is no room for others', () => {
    const waiting = many(30, () => fresh())
    expect(planned({ waiting, underWay: many(4, () => fresh()), allowed: 16 })).toEqual({
      begin: waiting.slice(0, 12),
      room: 0,
      isFull: false,
      nextDueAt: undefined,
    })
  })

  it('when fewer are due, then all begin, and it is said how many others could', () => {
    const waiting = many(3, () => fresh())
    expect(planned({ waiting })).toMatchObject({ begin: waiting, room: 13 })
  })

  it('when more are under way than may be by now, then none begins', () => {
    const waiting = [fresh()]
    expect(planned({ waiting, underWay: many(16, () => fresh()), allowed: 8 })).toMatchObject({ begin: [], room: 0 })
  })

  it('when one is not due yet, then it waits for its very millisecond', () => {
    const waiting = [fresh(NOW + 500), fresh(NOW + 900)]
    expect(planned({ waiting })).toMatchObject({ begin: [], nextDueAt: NOW + 500 })
    expect(planned({ waiting }, standard, NOW + 499).begin).toEqual([])
    expect(planned({ waiting }, standard, NOW + 500)).toMatchObject({ begin: [waiting[0]], nextDueAt: NOW + 900 })
  })
})

describe('given deliveries that have failed', () => {
  it('when 15 of them wait, then first tries begin beside them', () => {
    const first = fresh()
    expect(planned({ waiting: [...many(15, () => failed(NOW + 9_000)), first] })).toMatchObject({
      begin: [first],
      isFull: false,
      nextDueAt: NOW + 9_000,
    })
  })

  it('when there are 16, waiting or being tried again, then nothing new begins, however many may run', () => {
    const lanes = [
      { waiting: many(16, () => failed(NOW + 9_000)), underWay: [] },
      { waiting: many(10, () => failed(NOW + 9_000)), underWay: many(6, () => failed()) },
    ]
    for (const { waiting, underWay } of lanes)
      expect(planned({ waiting: [...waiting, fresh()], underWay, allowed: 100 })).toEqual({
        begin: [],
        room: 0,
        isFull: true,
        nextDueAt: NOW + 9_000,
      })
  })

  it('when the window is full, then those that are due begin all the same, as many as there are', () => {
    const due = many(20, (index) => failed(NOW - index))
    const waiting = [...due, failed(NOW + 1)]
    expect(planned({ waiting, allowed: 1 }).begin).toEqual(due)
  })

  it('when a full window waits, then first tries that become due before do not count as the next to begin', () => {
    const waiting = [...many(16, () => failed(NOW + 9_000)), fresh(NOW + 10)]
    expect(planned({ waiting }).nextDueAt).toBe(NOW + 9_000)
  })
})

describe('given a full window that waits long', () => {
  const eighth = (dueAt: number) => failed(dueAt, 8)

  it('when all waits are 128 s or more, then its deliveries wait for the latest of them', () => {
    const waiting = many(16, (index) => eighth(NOW + index * 1_000))
    expect(planned({ waiting })).toMatchObject({ begin: [], nextDueAt: NOW + 15_000 })
    expect(planned({ waiting }, standard, NOW + 14_999).begin).toEqual([])
    expect(planned({ waiting }, standard, NOW + 15_000).begin).toEqual(waiting)
  })

  it('when one wait is shorter, then each is retried at its own time', () => {
    const waiting = [...many(15, (index) => eighth(NOW + index * 1_000)), failed(NOW + 20_000, 7)]
    expect(planned({ waiting })).toMatchObject({ begin: [waiting[0]], nextDueAt: NOW + 1_000 })
  })

  it('when the window is not full, then each is retried at its own time', () => {
    const waiting = many(15, (index) => eighth(NOW + index * 1_000))
    expect(planned({ waiting })).toMatchObject({ begin: [waiting[0]], nextDueAt: NOW + 1_000 })
  })

  it('when some are being tried, then the others wait for the latest of themselves', () => {
    const waiting = many(10, (index) => eighth(NOW + index * 1_000))
    const underWay = many(6, () => failed(NOW, 8))
    expect(planned({ waiting, underWay })).toMatchObject({ begin: [], nextDueAt: NOW + 9_000 })
  })
})

describe('given a window of 1', () => {
  it.each([
    ['being tried', { underWay: [fresh()] }],
    ['being tried again', { underWay: [failed()] }],
    ['waiting for its retry', { waiting: [failed(NOW + 1_000)] }],
  ])('when a delivery is %s, then no later one begins', (_, { waiting = [], underWay = [] }: Partial<Lane>) => {
    const later = many(3, () => fresh())
    expect(planned({ waiting: [...waiting, ...later], underWay, allowed: 1 }, strict).begin).toEqual([])
  })

  it('when nothing is under way, then the first begins alone', () => {
    const waiting = many(3, () => fresh())
    expect(planned({ waiting, allowed: 1 }, strict).begin).toEqual([waiting[0]])
  })

  it('when deliveries succeed and fail at random, then each comes to its end before the next begins', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 60 }), (fates) => {
        let lane = many(10, () => fresh())
        const order = lane.map(({ id }) => id)
        const ended: string[] = []
        let now = NOW
        for (const isDelivered of fates) {
          const { begin, nextDueAt } = planned({ waiting: lane, allowed: 1 }, strict, now)
          expect(begin.length).toBeLessThanOrEqual(1)
          const [one] = begin
          if (!one) now = nextDueAt ?? now
          else if (isDelivered) {
            ended.push(one.id)
            lane = lane.filter((other) => other !== one)
          } else
            lane = lane.map((other) =>
              other === one ? { ...one, attempt: one.attempt + 1, dueAt: now + 1_000 } : other,
            )
        }
        expect(ended).toEqual(order.slice(0, ended.length))
      }),
    )
  })
})

describe('given any lane', () => {
  const someDelivery = fc
    .record({ attempt: fc.nat({ max: 12 }), due: fc.integer({ min: -2_000, max: 2_000 }) })
    .map(({ attempt, due }): Delivery => ({ ...fresh(), attempt, dueAt: NOW + due }))
  const someLane = fc.record({
    waiting: fc.array(someDelivery, { maxLength: 40 }),
    underWay: fc.array(someDelivery, { maxLength: 40 }),
    allowed: fc.integer({ min: 1, max: 100 }),
  })
  const someLimits = fc.tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 100 }))

  it('when it is planned, then nothing begins early, nor beyond what may run, and what comes next is later', () => {
    fc.assert(
      fc.property(someLane, someLimits, (lane, [failing, firstTries]) => {
        const limits = windowLimits(failing, firstTries)
        const { begin, room, isFull, nextDueAt } = planned(lane, limits)
        const failures = [...lane.waiting, ...lane.underWay].filter((one) => !isFirstTry(one)).length
        const running = lane.underWay.filter(isFirstTry).length
        expect(isFull).toBe(failures >= failing)
        expect(begin.every(({ dueAt }) => dueAt <= NOW)).toBe(true)
        expect(begin.every((one) => lane.waiting.includes(one))).toBe(true)
        const first = begin.filter(isFirstTry)
        if (isFull) expect([first.length, room]).toEqual([0, 0])
        else expect(first.length + room).toBe(Math.max(0, lane.allowed - running))
        if (nextDueAt !== undefined) expect(nextDueAt).toBeGreaterThan(NOW)
      }),
    )
  })

  it('when time goes on to what is due next, then something begins, or there was room for nothing', () => {
    fc.assert(
      fc.property(someLane, (lane) => {
        const { nextDueAt, isFull } = planned(lane)
        if (nextDueAt === undefined) return
        const then = planned(lane, standard, nextDueAt)
        const isHeldUp = !isFull && lane.underWay.filter(isFirstTry).length >= lane.allowed
        expect(then.begin.length > 0 || isHeldUp).toBe(true)
      }),
    )
  })
})
