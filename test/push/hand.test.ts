import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { newDelivery, type Delivery } from '../../lib/domain/delivery.ts'
import { newHand, type Hand } from '../../lib/push/hand.ts'

const NOW = Date.UTC(2026, 0, 5, 12)

/** The so-many-th delivery of a lane, in order. */
const delivery = (place: number, attempt = 0): Delivery => ({
  ...newDelivery({ id: `m${place}`, labels: { tags: [], routingKey: '' }, body: { text: '' } }, NOW + place),
  attempt,
})
const lane = (...places: number[]) => places.map((place) => delivery(place))
const look = (hand: Hand, deliveries: readonly Delivery[], isAll = true) =>
  hand.look('anew', () => Promise.resolve({ deliveries, isAll }))
/** Reads on, and says beyond what. */
async function lookOn(hand: Hand, deliveries: readonly Delivery[], isAll = true): Promise<Delivery | undefined> {
  let from: Delivery | undefined
  await hand.look('on', (beyond) => {
    from = beyond
    return Promise.resolve({ deliveries, isAll })
  })
  return from
}
const placesOf = (deliveries: readonly Delivery[]) => deliveries.map(({ id }) => Number(id.slice(1)))
const waiting = (hand: Hand) => placesOf(hand.waiting())

describe('given an empty hand', () => {
  it('when nothing was read yet, then nothing is known', () => {
    const hand = newHand()
    expect(hand.waiting()).toEqual([])
    expect(hand.underWay()).toEqual([])
    expect(hand.isAllKnown()).toBe(false)
  })

  it('when it looks, then it takes up what it reads in the order of publishing, and knows whether that is all', async () => {
    const hand = newHand()
    await look(hand, lane(3, 1, 2), false)
    expect(waiting(hand)).toEqual([1, 2, 3])
    expect(hand.isAllKnown()).toBe(false)
    await look(hand, lane(1, 2, 3))
    expect(hand.isAllKnown()).toBe(true)
  })

  it('when two were published in one millisecond, then their ids order them', async () => {
    const hand = newHand()
    const [a, b] = [
      { ...delivery(1), id: 'a' },
      { ...delivery(1), id: 'b' },
    ]
    await look(hand, [b, a])
    expect(hand.waiting()).toEqual([a, b])
  })
})

describe('given deliveries in hand', () => {
  const given = async (...places: number[]) => {
    const hand = newHand()
    await look(hand, lane(...places))
    return hand
  }
  const begin = (hand: Hand, place: number) => hand.begin(delivery(place))

  it('when one is begun, then it is under way and waits no more, also after another look', async () => {
    const hand = await given(1, 2)
    begin(hand, 1)
    expect([waiting(hand), placesOf(hand.underWay())]).toEqual([[2], [1]])
    await look(hand, lane(1, 2))
    expect([waiting(hand), placesOf(hand.underWay())]).toEqual([[2], [1]])
  })

  it('when a try ends and the delivery waits again, then it is back in its place as it is now', async () => {
    const hand = await given(1, 2, 3)
    begin(hand, 2)
    hand.end(delivery(2), delivery(2, 1))
    expect(hand.waiting()).toEqual([delivery(1), delivery(2, 1), delivery(3)])
    expect(hand.underWay()).toEqual([])
  })

  it('when a try ends and the delivery is gone, then it is gone', async () => {
    const hand = await given(1, 2)
    begin(hand, 1)
    hand.end(delivery(1))
    expect([waiting(hand), hand.underWay()]).toEqual([[2], []])
  })

  it('when others have added, removed or postponed meanwhile, then a look shows it', async () => {
    const hand = await given(1, 2, 3)
    await look(hand, [delivery(0), delivery(2, 5), delivery(3)])
    expect(hand.waiting()).toEqual([delivery(0), delivery(2, 5), delivery(3)])
  })

  it('when a look reads only the first of the lane, then what lies beyond them stays known', async () => {
    const hand = await given(1, 2, 3, 4, 5)
    await look(hand, lane(1, 3), false)
    expect(waiting(hand)).toEqual([1, 3, 4, 5])
    await look(hand, lane(1, 3))
    expect(waiting(hand)).toEqual([1, 3])
  })

  it('when a look reads on from the last, then what lies before stays known, and what is gone beyond is forgotten', async () => {
    const hand = await given(1, 2, 5, 6)
    await look(hand, lane(1, 2), false)
    expect(await lookOn(hand, lane(3, 5), false)).toEqual(delivery(2))
    expect([waiting(hand), hand.isAllKnown()]).toEqual([[1, 2, 3, 5, 6], false])
    expect(await lookOn(hand, [])).toEqual(delivery(5))
    expect([waiting(hand), hand.isAllKnown()]).toEqual([[1, 2, 3, 5], true])
    expect(await lookOn(hand, [])).toEqual(delivery(5))
  })
})

describe('given a look that takes its time', () => {
  /** Takes up deliveries, and begins to look; `read` is what the table answers in the end. */
  async function given(places: readonly number[], read: readonly Delivery[], isAll = true) {
    const hand = newHand()
    await look(hand, lane(...places))
    let answer = () => undefined as void
    const isAnswered = new Promise<void>((resolve) => (answer = resolve))
    const startLook = () => {
      const looked = hand.look('anew', () => isAnswered.then(() => ({ deliveries: read, isAll })))
      return () => {
        answer()
        return looked
      }
    }
    return { hand, startLook }
  }

  it('when a try succeeds meanwhile, then the delivery does not come back from what was read', async () => {
    const { hand, startLook } = await given([1, 2], lane(1, 2))
    hand.begin(delivery(1))
    const finish = startLook()
    hand.end(delivery(1))
    await finish()
    expect(waiting(hand)).toEqual([2])
  })

  it('when a try fails meanwhile, then the delivery waits as it is now, and not as it was read', async () => {
    const { hand, startLook } = await given([1, 2], lane(1, 2))
    hand.begin(delivery(1))
    const finish = startLook()
    hand.end(delivery(1), delivery(1, 1))
    await finish()
    expect(hand.waiting()).toEqual([delivery(1, 1), delivery(2)])
  })

  it('when a try fails meanwhile and was not read at all, then the delivery is kept', async () => {
    const { hand, startLook } = await given([1, 2], lane(2))
    hand.begin(delivery(1))
    const finish = startLook()
    hand.end(delivery(1), delivery(1, 1))
    await finish()
    expect(hand.waiting()).toEqual([delivery(1, 1), delivery(2)])
  })

  it('when a try had ended before the look began, then what is read is believed', async () => {
    const { hand, startLook } = await given([1], [delivery(1, 7)])
    hand.begin(delivery(1))
    hand.end(delivery(1), delivery(1, 1))
    await startLook()()
    expect(hand.waiting()).toEqual([delivery(1, 7)])
  })
})

describe('given any course of looks and tries', () => {
  const someStep = fc.oneof(
    fc.record({ kind: fc.constant('look' as const), limit: fc.integer({ min: 1, max: 12 }), isOn: fc.boolean() }),
    fc.record({ kind: fc.constant('begin' as const), which: fc.nat() }),
    fc.record({ kind: fc.constant('end' as const), which: fc.nat(), isDelivered: fc.boolean() }),
    fc.record({ kind: fc.constant('add' as const), place: fc.nat({ max: 30 }) }),
  )

  it('when nobody else touches the lane, then no delivery is in hand twice, nor one that is gone', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(someStep, { maxLength: 60 }), async (steps) => {
        const hand = newHand()
        const stored = new Map<string, Delivery>()
        const inOrder = () => [...stored.values()].toSorted((a, b) => a.publishedAt - b.publishedAt)
        const used = new Set<string>()
        for (const step of steps) {
          if (step.kind === 'look') {
            let read: readonly Delivery[] = []
            await hand.look(step.isOn ? 'on' : 'anew', (beyond) => {
              const all = inOrder().filter(({ publishedAt }) => publishedAt > (beyond?.publishedAt ?? 0))
              read = all.slice(0, step.limit)
              return Promise.resolve({ deliveries: read, isAll: all.length <= step.limit })
            })
            const seen = [...hand.waiting(), ...hand.underWay()]
            for (const one of read) expect(seen).toContainEqual(one)
          } else if (step.kind === 'add') {
            const one = delivery(step.place)
            if (!used.has(one.id)) stored.set(one.id, one)
            used.add(one.id)
          } else {
            const from = step.kind === 'begin' ? hand.waiting() : hand.underWay()
            const one = from[step.which % Math.max(1, from.length)]
            if (!one) continue
            if (step.kind === 'begin') hand.begin(one)
            else if (step.isDelivered) {
              stored.delete(one.id)
              hand.end(one)
            } else {
              const next = { ...one, attempt: one.attempt + 1 }
              stored.set(one.id, next)
              hand.end(one, next)
            }
          }
          const all = [...hand.waiting(), ...hand.underWay()]
          expect(new Set(all.map(({ id }) => id)).size).toBe(all.length)
          for (const one of all) expect(stored.get(one.id)).toEqual(one)
          expect(placesOf(hand.waiting())).toEqual(placesOf(hand.waiting()).toSorted((a, b) => a - b))
        }
      }),
    )
  })
})
