import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { newFront } from '../../lib/store/front.ts'
import { newShards } from '../../lib/store/shards.ts'
import { keyAt } from '../../lib/store/message-item.ts'
import { START } from '../support/clock.ts'

const key = (instant: number) => `${keyAt(instant)}#id`
const END = ':'

/** A front that has looked at everything up to `now` and found nothing. */
function lookedAt(now: number) {
  const front = newFront()
  const look = front.begin(now)
  front.passed(look, END, true)
  front.finished(look)
  return front
}

describe('given a shard of which nothing is known', () => {
  it('when a look begins, then it begins at the lower bound', () => {
    expect(newFront().begin(START)).toMatchObject({ from: '', front: '' })
  })
})

describe('given a front that found nothing', () => {
  it('when the next look begins, then it begins there, but leaves puts in progress their time', () => {
    expect(lookedAt(START).begin(START + 100)).toMatchObject({ from: keyAt(START - 250), marks: [] })
  })

  it('when 2 s, 10 s and 15 min have passed, then looks begin at the marks and at the lower bound', () => {
    const front = lookedAt(START)
    expect(front.begin(START + 2_000).from).toBe(keyAt(START - 5_000))
    expect(front.begin(START + 10_000).from).toBe(keyAt(START - 11_000))
    expect(front.begin(START + 900_000).from).toBe('')
  })

  it('when looks at a mark go on, then each begins where the last one cannot have seen what was late', () => {
    const front = lookedAt(START)
    for (let now = START + 2_000; now <= START + 8_000; now += 2_000) {
      const look = front.begin(now)
      expect(look.from).toBe(keyAt(now - 2_000 - 5_000))
      front.passed(look, END, true)
      front.finished(look)
    }
  })

  it('when a look fails, then the mark is looked at again', () => {
    const front = lookedAt(START)
    front.begin(START + 2_000)
    expect(front.begin(START + 2_001).from).toBe(keyAt(START - 5_000))
  })

  it('when this process puts a message behind it, then that is looked at again at once', () => {
    const front = lookedAt(START)
    front.landed(key(START - 1_000))
    expect(front.due(START, 10)).toEqual([key(START - 1_000)])
  })
})

describe('given messages in flight', () => {
  it('when their leases end, then they are due, the first in order first', () => {
    const front = lookedAt(START)
    front.hold(key(START - 3_000), START + 2_000)
    front.hold(key(START - 2_000), START + 1_000)
    front.hold(key(START - 1_000), START + 9_000)
    expect(front.due(START + 999, 10)).toEqual([])
    expect(front.due(START + 1_000, 10)).toEqual([key(START - 2_000)])
    expect(front.due(START + 2_000, 10)).toEqual([key(START - 3_000), key(START - 2_000)])
    expect(front.due(START + 2_000, 1)).toEqual([key(START - 3_000)])
  })

  it('when one is taken again or deleted, then it is no longer due', () => {
    const front = lookedAt(START)
    front.hold(key(START - 2_000), START + 1_000)
    front.hold(key(START - 1_000), START + 1_000)
    front.hold(key(START - 2_000), START + 5_000)
    front.forget([key(START - 1_000)])
    expect(front.due(START + 1_000, 10)).toEqual([])
    expect(front.due(START + 5_000, 10)).toEqual([key(START - 2_000)])
  })

  it('when a lease past the front ends, then the look finds it there and nothing is due', () => {
    const front = newFront()
    front.hold(key(START), START + 1_000)
    expect(front.isHeld(key(START), START + 999)).toBe(true)
    expect(front.due(START + 1_000, 10)).toEqual([])
    expect(front.isHeld(key(START), START + 1_000)).toBe(false)
  })

  it('when as many are held as a process remembers, then the shard is crowded', () => {
    const front = newFront(2)
    front.hold(key(1), START)
    expect(front.isCrowded(0)).toBe(false)
    front.hold(key(2), START)
    expect(front.isCrowded(0)).toBe(true)
    front.forget([key(1)])
    expect(front.isCrowded(0)).toBe(false)
  })
})

describe('given a message that was left ready', () => {
  it('when the next look begins, then it begins there', () => {
    const front = lookedAt(START)
    front.stopAt(key(START - 4_000))
    expect(front.begin(START + 1).from).toBe(key(START - 4_000))
  })

  it('when a look that began behind it passes, then the front does not', () => {
    const front = lookedAt(START)
    const later = front.begin(START + 1_000)
    front.stopAt(key(START - 4_000))
    front.passed(later, END, true)
    expect(front.begin(START + 1_001).from).toBe(key(START - 4_000))
  })
})

it('given any holds and forgets, when time passes, then exactly what is held and over is due, in order', () => {
  const step = fc.record({ message: fc.nat(30), until: fc.nat(50), forget: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 3_000 }), fc.nat(60), (steps, now) => {
      const front = lookedAt(START)
      const model = new Map<string, number>()
      for (const { message, until, forget } of steps) {
        const held = key(START - 10_000 + message)
        if (forget) front.forget([held])
        else front.hold(held, until)
        if (forget) model.delete(held)
        else model.set(held, until)
      }
      const expected = [...model].filter(([, until]) => until <= now).map(([held]) => held)
      expect(front.due(now, 1_000)).toEqual(expected.toSorted())
      expect(front.heldBetween('', END)).toBe(model.size)
      for (const [held, until] of model) expect(front.isHeld(held, now)).toBe(until > now)
    }),
    { numRuns: 50 },
  )
})

describe('given many shards', () => {
  it('when one more is read than a process remembers, then the one read longest ago is forgotten', () => {
    const shards = newShards()
    const first = shards.of('0')
    for (let shard = 1; shard < 2_000; shard++) shards.of(String(shard))
    expect(shards.of('0')).toBe(first)
    shards.of('2000')
    expect(shards.known('1')).toBeUndefined()
    expect(shards.known('0')).toBe(first)
  })

  it('when much is in flight in all of them, then no more leases are remembered than there is memory for', () => {
    const shards = newShards({ leases: 100 })
    for (const partition of ['a', 'b', 'c'])
      for (let lease = 0; lease < 40; lease++) shards.of(partition).front.hold(key(START + lease), START + 60_000)
    shards.of('c')
    expect(['a', 'b', 'c'].map((partition) => shards.known(partition)?.front.held())).toEqual([undefined, 40, 40])
  })

  it('when one alone holds more than all may, then it is remembered while it is used', () => {
    const shards = newShards({ leases: 100 })
    for (let lease = 0; lease < 150; lease++) shards.of('a').front.hold(key(START + lease), START + 60_000)
    expect(shards.of('a').front.held()).toBe(150)
  })
})
