import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { randomIds } from '../../lib/domain/ids.ts'
import { newMessage } from '../../lib/domain/message.ts'
import { newQueue, withDefaults } from '../../lib/domain/queue.ts'
import { withArchive } from '../../lib/store/archive-counts.ts'
import { archiveKeyAt, archiveOf, archives } from '../../lib/store/archives.ts'
import { attributesOf } from '../../lib/store/attributes.ts'
import { database, writeBatch } from '../../lib/store/database.ts'
import { itemOf } from '../../lib/store/message-item.ts'
import { metered, noUsage } from '../../lib/store/meter.ts'
import { manualClock } from '../support/clock.ts'
import { patientClient, testEngine } from '../support/engine.ts'
import { newTables } from '../support/service.ts'

let engine: Awaited<ReturnType<typeof testEngine>>
beforeAll(async () => {
  engine = await testEngine()
})
afterAll(() => engine.stop())

/** A queue that was rewound to half an hour ago, and messages that were deleted before and after, one a second for an hour. */
async function given() {
  const clock = manualClock()
  const ids = randomIds()
  const { messages: table } = await newTables(engine.endpoint)
  const db = database(patientClient(engine.endpoint), clock)
  const named = { account: '1', name: 'q', id: 'queue-1', laneId: 'lane-1', changeId: 'c' }
  const rewind = { since: 0, below: 1, from: clock.now() - 1_800_000, at: clock.now() }
  const archive = { count: 1, since: 0, keptFrom: 0, rewinds: [rewind] }
  const queue = { ...newQueue(named, withDefaults({ rewindSeconds: 2_700 }), 1, clock.now()), archive }
  const put = async (archivedIn: number, count: number) => {
    const items = Array.from({ length: count }, (_, index) => {
      const at = clock.now() - 3_600_000 + Math.floor((3_600_000 * index) / count)
      const sending = { id: ids.messageId(at), leaseId: ids.leaseId(), body: { text: 'x' }, delaySeconds: 0 }
      const message = newMessage({ ...sending, retentionSeconds: 345_600 }, at)
      const sk = `${archiveKeyAt(archivedIn, at)}#${message.id}`
      return { ...itemOf(archiveOf(queue.laneId, 0), message), ...attributesOf({ sk }) }
    })
    for (let at = 0; at < count; at += 25) await writeBatch(db.write, table, items.slice(at, at + 25))
  }
  const stored = archives(db, table, clock, ids)
  /** Each reading takes so many milliseconds. */
  const counter = (most?: number, slowness = 0) =>
    withArchive(
      () => Promise.resolve({ active: 5, inactive: 6, delayed: 7, oldestSentAt: clock.now() - 2_000_000 }),
      {
        archives: {
          ...stored,
          async survey(...asked) {
            clock.set(clock.now() + slowness)
            return stored.survey(...asked)
          },
        },
        clock,
      },
      most,
    )
  return { clock, queue, put, counter }
}

describe('given an archive of ordinary size', () => {
  it('when it is counted, then what is rewound is active, and what could be within rewindSeconds is rewindable', async () => {
    const { clock, queue, put, counter } = await given()
    await put(0, 360)
    await put(1, 720)
    expect(await counter()(queue)).toEqual({
      active: 5 + 180,
      inactive: 6,
      delayed: 7,
      rewindable: 90 + 540,
      oldestSentAt: clock.now() - 2_000_000,
    })
  })

  it('when nothing can be rewound and nothing is, then the archive is not read', async () => {
    const { queue, put, counter } = await given()
    await put(0, 20)
    const plain = newQueue(queue, withDefaults({}), 1, queue.createdAt)
    const usage = noUsage()
    expect(await metered(usage, () => counter()(plain))).toMatchObject({ active: 5, rewindable: 0 })
    expect(usage.calls).toBe(0)
  })
})

describe('given a very deep archive', () => {
  it('when it is counted, then the rest is estimated, count by count, and then kept for a while', async () => {
    const { queue, put, counter } = await given()
    await put(0, 3_000)
    await put(1, 3_000)
    const count = counter(500)
    const { active, rewindable } = await count(queue)
    expect(Math.abs(active - 5 - 1_500)).toBeLessThan(0.03 * 1_500)
    expect(Math.abs(rewindable - 750 - 2_250)).toBeLessThan(0.03 * 3_000)
    await put(1, 25)
    expect(await count(queue)).toMatchObject({ active, rewindable })
  })

  it('when it was rewound very often, then its counts are no longer looked at when the time is over', async () => {
    const { clock, queue, put, counter } = await given()
    for (let archivedIn = 1; archivedIn < 100; archivedIn++) await put(archivedIn, 3)
    const begun = clock.now()
    expect(await counter(25, 10)(queue)).toMatchObject({ inactive: 6, delayed: 7 })
    expect(clock.now() - begun).toBeLessThan(2_000)
  })
})
