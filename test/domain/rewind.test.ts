import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CmqError } from '../../lib/domain/errors.ts'
import {
  coveredFrom,
  emptyArchive,
  isCovered,
  MOST_REWINDS,
  narrowed,
  rewindableFrom,
  rewoundTo,
  settledRewinds,
  without,
  type Archive,
} from '../../lib/domain/rewind.ts'

const second = 1_767_614_400
const now = second * 1000 + 137

describe('given a time to rewind to', () => {
  it('when it lies within rewindSeconds, counted in whole seconds, then it is taken', () => {
    for (const to of [second - 60, second - 1, second])
      expect(rewoundTo(to, emptyArchive, 60, now)).toEqual({
        ...emptyArchive,
        count: 1,
        rewinds: [{ since: 0, below: 1, from: to * 1000, at: now }],
      })
  })

  it.each([second - 61, second + 1, 0, -1])('when it is %d, beyond that, then it is refused', (to) => {
    expect(() => rewoundTo(to, emptyArchive, 60, now)).toThrow(new CmqError('rewindTimeWrong'))
  })

  it('when rewindSeconds is 0, then that is what is refused, whatever the time', () => {
    for (const to of [0, second])
      expect(() => rewoundTo(to, emptyArchive, 0, now)).toThrow(new CmqError('notRewindable'))
  })

  it('when what is kept begins later, within that second, then nothing earlier than that is covered', () => {
    const archive = { ...emptyArchive, keptFrom: now - 10_000 }
    expect(() => rewoundTo(second - 11, archive, 60, now)).toThrow(new CmqError('rewindTimeWrong'))
    expect(rewoundTo(second - 10, archive, 60, now).rewinds).toMatchObject([{ from: now - 10_000 }])
  })
})

describe('given a rewind', () => {
  it('when another one covers all that it does, then that takes its place', () => {
    const first = rewoundTo(second - 5, emptyArchive, 60, now)
    const earlier = rewoundTo(second - 10, first, 60, now + 1)
    expect(earlier).toMatchObject({ count: 2, rewinds: [{ below: 2, from: (second - 10) * 1000 }] })
    expect(rewoundTo(second - 1, earlier, 60, now + 2).rewinds).toHaveLength(2)
  })

  it('when 100 are under way of which each covers something of its own, then one more is refused', () => {
    let archive = emptyArchive
    for (let offset = 0; offset < MOST_REWINDS; offset++) archive = rewoundTo(second - 200 + offset, archive, 600, now)
    expect(() => rewoundTo(second, archive, 600, now)).toThrow(new CmqError('rewindTimeWrong'))
    expect(rewoundTo(second - 200, archive, 600, now).rewinds).toHaveLength(1)
  })

  it('when 30 s have passed, then it is settled, and can be taken from the record alone', () => {
    const first = rewoundTo(second - 10, emptyArchive, 60, now)
    const both = rewoundTo(second - 5, first, 60, now + 20_000)
    expect(settledRewinds(both, now + 29_999)).toEqual([])
    const settled = settledRewinds(both, now + 30_000)
    expect(settled).toEqual(first.rewinds)
    expect(without(both, settled)).toEqual({ ...both, rewinds: both.rewinds.slice(1) })
  })
})

describe('given rewindSeconds', () => {
  const archive: Archive = { count: 3, since: 1, keptFrom: now - 50_000, rewinds: [] }

  it('when it stays or grows, then nothing changes', () => {
    expect(narrowed(archive, 60, 60, now)).toBeUndefined()
    expect(narrowed(archive, 60, 61, now)).toBeUndefined()
    expect(narrowed(archive, 0, 0, now)).toBeUndefined()
  })

  it('when it is lowered, then what is kept begins later, but never earlier than before', () => {
    expect(narrowed(archive, 60, 10, now)).toEqual({ ...archive, keptFrom: now - 10_000 })
    expect(narrowed(archive, 60, 55, now)).toEqual(archive)
  })

  it('when it is zeroed, then what was archived so far is forgotten, but not what is rewound', () => {
    const rewound = rewoundTo(second - 10, archive, 60, now)
    expect(narrowed(rewound, 60, 0, now)).toEqual({ ...rewound, count: 5, since: 5 })
  })

  it('when it is asked what could be rewound, then that depends on it, on what is kept, and on the count', () => {
    expect(rewindableFrom(archive, 60, 1, now)).toBe(now - 50_000)
    expect(rewindableFrom(archive, 40, 1, now)).toBe(now - 40_000)
    expect(rewindableFrom(archive, 60, 0, now)).toBeUndefined()
    expect(rewindableFrom(archive, 0, 1, now)).toBeUndefined()
  })
})

/** What may happen to a queue, one after the other; seconds are counted back from now. */
type Event =
  | { readonly do: 'delete'; readonly sentBefore: number }
  | { readonly do: 'rewind'; readonly secondsBefore: number }
  | { readonly do: 'set'; readonly rewindSeconds: number }

const event: fc.Arbitrary<Event> = fc.oneof(
  fc.record({ do: fc.constant('delete'), sentBefore: fc.nat(100_000) }),
  fc.record({ do: fc.constant('rewind'), secondsBefore: fc.nat(110) }),
  fc.record({ do: fc.constant('set'), rewindSeconds: fc.constantFrom(0, 10, 50, 100) }),
)

describe('given deletions, rewinds and changes of rewindSeconds in any order', () => {
  it('when it is asked what is covered, then it is what was kept at a rewind and produced from its time on', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), (events) => {
        let archive = emptyArchive
        let rewindSeconds = 100
        // The same, told message by message.
        let keptFrom = 0
        const deleted: { archivedIn: number; sentAt: number; isKept: boolean; isCovered: boolean }[] = []
        for (const one of events)
          if (one.do === 'delete') {
            const isKept = rewindSeconds > 0
            deleted.push({ archivedIn: archive.count, sentAt: now - one.sentBefore, isKept, isCovered: false })
          } else if (one.do === 'set') {
            archive = narrowed(archive, rewindSeconds, one.rewindSeconds, now) ?? archive
            if (one.rewindSeconds === 0) for (const message of deleted) message.isKept = false
            else if (one.rewindSeconds < rewindSeconds) keptFrom = Math.max(keptFrom, now - one.rewindSeconds * 1000)
            rewindSeconds = one.rewindSeconds
          } else {
            const to = second - one.secondsBefore
            try {
              archive = rewoundTo(to, archive, rewindSeconds, now)
            } catch {
              continue
            }
            for (const message of deleted)
              if (message.isKept && message.sentAt >= Math.max(to * 1000, keptFrom)) message.isCovered = true
          }
        for (const message of deleted)
          // What is not even archived was deleted while rewinding was off.
          if (message.isKept || message.isCovered)
            expect(isCovered(archive.rewinds, message), JSON.stringify(message)).toBe(message.isCovered)
        expect(coveredFrom(archive.rewinds, archive.count)).toBeUndefined()
      }),
      { numRuns: 500 },
    )
  })
})
