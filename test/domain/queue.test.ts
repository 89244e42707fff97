import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CmqError } from '../../lib/domain/errors.ts'
import {
  changeOf,
  cleared,
  longestRetention,
  mayRetireShards,
  newQueue,
  queueLimits,
  reshaped,
  withDefaults,
  type Queue,
  type QueueAttributes,
  type QueueChange,
} from '../../lib/domain/queue.ts'

const start = 1_767_614_400_000
const named = { account: '1250000000', name: 'orders', id: 'queue-1', laneId: 'lane-1', changeId: 'queue-1' }
const queueOf = (given: Partial<QueueAttributes> = {}, shards = 1): Queue =>
  newQueue(named, withDefaults(given), shards, start)

/** The queue as the store has it after a change: what is not named stays. */
function changed(queue: Queue, change: QueueChange): Queue {
  const { modifiedAt, writeShards, readShards, shrunkAt, formerRetention, ...attributes } = change
  const rest = { modifiedAt, writeShards, readShards, shrunkAt, formerRetention }
  const given = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined))
  return { ...queue, ...given, attributes: { ...queue.attributes, ...attributes } }
}

const defaults: QueueAttributes = {
  maxMsgHeapNum: 100_000_000,
  pollingWaitSeconds: 0,
  visibilityTimeout: 30,
  maxMsgSize: 65_536,
  msgRetentionSeconds: 345_600,
  rewindSeconds: 0,
}

const numbers = (({ rewindSeconds: _, shards: __, ...others }) => others)(queueLimits)

/** Some of the attributes, each within its range; those not given are absent or undefined. */
const someAttributes: fc.Arbitrary<Partial<QueueAttributes>> = fc
  .record(
    Object.fromEntries(
      Object.entries(numbers).map(([name, { min, max }]) => [
        name,
        fc.option(fc.integer({ min, max }), { nil: undefined }),
      ]),
    ),
    { requiredKeys: [] },
  )
  .map((attributes) => attributes as Partial<QueueAttributes>)
const given = (attributes: object) =>
  Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined))

describe('given attributes of a new queue', () => {
  it('when some are given, then these have their values, and the others their defaults', () => {
    fc.assert(
      fc.property(someAttributes, (attributes) => {
        expect(withDefaults(attributes)).toEqual({ ...defaults, ...given(attributes) })
      }),
    )
  })

  it.each([
    [{ rewindSeconds: 345_600 }, true],
    [{ rewindSeconds: 345_601 }, false],
    [{ rewindSeconds: 60, msgRetentionSeconds: 60 }, true],
    [{ rewindSeconds: 61, msgRetentionSeconds: 60 }, false],
  ])('when they are %j, then they are accepted: %s', (attributes, isAccepted) => {
    const create = () => withDefaults(attributes)
    if (isAccepted) expect(create()).toMatchObject(attributes)
    else expect(create).toThrow(new CmqError('rewindBeyondRetention'))
  })
})

describe('given a change of a queue', () => {
  it('when some attributes are given, then these have their values, and the others keep theirs', () => {
    fc.assert(
      fc.property(someAttributes, someAttributes, (before, wanted) => {
        const queue = queueOf(before)
        const after = changed(queue, changeOf(queue, wanted, start + 5))
        expect(after.attributes).toEqual({ ...queue.attributes, ...given(wanted) })
        expect(after).toMatchObject({
          ...named,
          createdAt: start,
          modifiedAt: start + 5,
          writeShards: 1,
          readShards: 1,
        })
      }),
    )
  })

  it.each([{ rewindSeconds: 601 }, { msgRetentionSeconds: 99 }])(
    'when %j makes the rewinding longer than the retention, then it is refused',
    (wanted) => {
      const queue = queueOf({ msgRetentionSeconds: 600, rewindSeconds: 100 })
      expect(() => changeOf(queue, wanted, start)).toThrow(new CmqError('rewindBeyondRetention'))
    },
  )

  it('when shards are not given, then nothing is said of them', () => {
    const change = changeOf(queueOf({}, 4), { visibilityTimeout: 1, shards: undefined }, start)
    expect(change).not.toHaveProperty('writeShards')
    expect(change).not.toHaveProperty('readShards')
  })
})

describe('given a retention that changes again and again', () => {
  interface Step {
    readonly wait: number
    readonly retention: number
    /** How old the record may be from which the next message is sent, in milliseconds. */
    readonly lag: number
  }
  const step: fc.Arbitrary<Step> = fc.record({
    wait: fc.integer({ min: 0, max: 400_000 }),
    retention: fc.integer({ min: 60, max: 600 }),
    lag: fc.integer({ min: 0, max: 30_000 }),
  })

  it('when a message still lives, then nothing of its age and retention is passed over', () => {
    fc.assert(
      fc.property(fc.integer({ min: 60, max: 600 }), fc.array(step, { maxLength: 30 }), (first, steps) => {
        let now = start
        const history = [{ since: start, queue: queueOf({ msgRetentionSeconds: first }) }]
        const messages: { sentAt: number; retention: number }[] = []
        const send = (lag: number) => {
          const known = history.findLast(({ since }) => since <= now - lag) ?? history[0]
          const retention = known?.queue.attributes.msgRetentionSeconds ?? first
          messages.push({ sentAt: now, retention })
        }
        const check = () => {
          const longest = longestRetention(history.at(-1)?.queue ?? queueOf(), now)
          for (const { sentAt, retention } of messages)
            if (sentAt + retention * 1_000 > now) expect(longest).toBeGreaterThanOrEqual(retention)
        }
        for (const { wait, retention, lag } of steps) {
          now += wait
          send(lag)
          check()
          const queue = history.at(-1)?.queue ?? queueOf()
          history.push({ since: now, queue: changed(queue, changeOf(queue, { msgRetentionSeconds: retention }, now)) })
          send(lag)
          check()
        }
      }),
      { numRuns: 1_000 },
    )
  })

  it('when it was shortened twice, then what was sent in between lives as long as it was sent to', () => {
    const first = queueOf({ msgRetentionSeconds: 1_000 })
    const second = changed(first, changeOf(first, { msgRetentionSeconds: 500 }, start))
    const third = changed(second, changeOf(second, { msgRetentionSeconds: 60 }, start + 900_000))
    expect(longestRetention(third, start + 1_399_999)).toBeGreaterThanOrEqual(500)
  })

  it('when nothing sent before it was shortened can be alive, then it counts alone', () => {
    const queue = queueOf({ msgRetentionSeconds: 1_000 })
    const shortened = changed(queue, changeOf(queue, { msgRetentionSeconds: 60 }, start))
    expect(longestRetention(shortened, start + 1_000_000)).toBe(1_000)
    expect(longestRetention(shortened, start + 1_031_000)).toBe(60)
  })

  it('when other attributes change, then that is forgotten no later', () => {
    const queue = queueOf({ msgRetentionSeconds: 1_000 })
    const shortened = changed(queue, changeOf(queue, { msgRetentionSeconds: 60 }, start))
    const later = changed(shortened, changeOf(shortened, { visibilityTimeout: 7 }, start + 1_000_000))
    expect(later.formerRetention).toEqual(shortened.formerRetention)
  })

  it.each([1_000, 1_001])(
    'when it is set to %d s from 1000, then there is nothing to remember',
    (msgRetentionSeconds) => {
      const change = changeOf(queueOf({ msgRetentionSeconds: 1_000 }), { msgRetentionSeconds }, start)
      expect(change).not.toHaveProperty('formerRetention')
    },
  )
})

describe('given a queue that can be rewound', () => {
  const archive = {
    count: 7,
    since: 2,
    keptFrom: start - 5_000,
    rewinds: [{ since: 2, below: 7, from: start - 5_000, at: start }],
  }
  const queue = { ...queueOf({ rewindSeconds: 600 }, 8), writeShards: 2, archive }

  it('when it is cleared, then it has another lane and no rewinds, and its count goes on', () => {
    expect(cleared(queue, 'lane-2')).toEqual({ laneId: 'lane-2', readShards: 2, archive: { ...archive, rewinds: [] } })
  })

  it('when rewindSeconds is lowered or zeroed, then its archive changes with it, and at no other time', () => {
    expect(changeOf(queue, { rewindSeconds: 1 }, start).archive).toEqual({ ...archive, keptFrom: start - 1_000 })
    expect(changeOf(queue, { rewindSeconds: 0 }, start).archive).toEqual({ ...archive, count: 8, since: 8 })
    for (const change of [{}, { rewindSeconds: 600 }, { rewindSeconds: 601 }, { visibilityTimeout: 9 }])
      expect(changeOf(queue, change, start)).not.toHaveProperty('archive')
  })
})

describe('given shards', () => {
  const count = fc.integer({ min: 1, max: 64 })

  it('when their number changes again and again, then all that were ever written are read', () => {
    fc.assert(
      fc.property(count, fc.array(count, { maxLength: 20 }), (first, steps) => {
        let queue = queueOf({}, first)
        let most = first
        for (const [index, shards] of steps.entries()) {
          queue = changed(queue, changeOf(queue, { shards }, start + index * 1_000))
          most = Math.max(most, shards)
          expect(queue.writeShards).toBe(shards)
          expect(queue.readShards).toBe(most)
        }
      }),
    )
  })

  it('when their number grows, then both are raised at once', () => {
    expect(reshaped(queueOf({}, 4), 8, start)).toEqual({ writeShards: 8, readShards: 8 })
  })

  it('when their number shrinks, then the upper ones are read on, and may be given up 30 s later', () => {
    const queue = queueOf({}, 8)
    const shrunk = { ...queue, ...reshaped(queue, 2, start) }
    expect(shrunk).toMatchObject({ writeShards: 2, readShards: 8, shrunkAt: start })
    expect(mayRetireShards(shrunk, start + 29_999)).toBe(false)
    expect(mayRetireShards(shrunk, start + 30_000)).toBe(true)
  })

  it('when they shrink again, then the 30 s begin anew, and growing leaves them', () => {
    const queue = queueOf({}, 8)
    const shrunk = { ...queue, ...reshaped(queue, 4, start) }
    const again = { ...shrunk, ...reshaped(shrunk, 2, start + 20_000) }
    expect(mayRetireShards(again, start + 49_999)).toBe(false)
    expect(mayRetireShards(again, start + 50_000)).toBe(true)
    const grown = { ...again, ...reshaped(again, 3, start + 60_000) }
    expect(grown).toMatchObject({ writeShards: 3, readShards: 8, shrunkAt: start + 20_000 })
  })

  it('when all that are read are written, then there is none to give up', () => {
    expect(mayRetireShards(queueOf({}, 8), start + 1_000_000)).toBe(false)
  })
})
