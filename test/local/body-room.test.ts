import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { newBodyRoom } from '../../lib/local/body-room.ts'

describe('given room for ten bytes', () => {
  it('when more come, then the oldest that still grow give up, as many as must', () => {
    const room = newBodyRoom(10)
    const given = [vi.fn(), vi.fn(), vi.fn()]
    const [a, b, c] = given.map((giveUp) => room.enter(giveUp))
    a?.grow(4)
    b?.grow(4)
    a?.received()
    c?.grow(3)
    expect(given.map(({ mock }) => mock.calls.length)).toEqual([0, 1, 0])
    c?.grow(4)
    expect(given.map(({ mock }) => mock.calls.length)).toEqual([0, 1, 1])
    a?.leave()
    room.enter(given[0] as () => void).grow(10)
    expect(given.map(({ mock }) => mock.calls.length)).toEqual([0, 1, 1])
  })

  it('when bodies come, grow and leave in any order, then never more is held, and all of it is free in the end', () => {
    const step = fc.tuple(fc.constantFrom('grow', 'received', 'leave'), fc.nat(5), fc.integer({ min: 1, max: 6 }))
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const room = newBodyRoom(10)
        const held = new Map<number, number>()
        const enter = (index: number) => room.enter(() => held.delete(index))
        const places = Array.from({ length: 6 }, (_, index) => enter(index))
        for (const [what, index, bytes] of steps) {
          const place = places[index]
          if (!place) continue
          if (what === 'received') place.received()
          if (what === 'leave') {
            place.leave()
            held.delete(index)
            places[index] = enter(index)
          }
          if (what === 'grow' && !place.isReceived()) {
            held.set(index, (held.get(index) ?? 0) + bytes)
            place.grow(bytes)
            // One that gave up gets nothing more.
            if (!held.has(index)) places[index] = enter(index)
          }
          expect([...held.values()].reduce((sum, one) => sum + one, 0)).toBeLessThanOrEqual(10)
        }
        for (const place of places) place.leave()
        const giveUp = vi.fn()
        room.enter(giveUp).grow(10)
        expect(giveUp).not.toHaveBeenCalled()
      }),
    )
  })
})
