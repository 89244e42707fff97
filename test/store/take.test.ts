import { afterAll, beforeAll, expect, it } from 'vitest'
import { randomIds } from '../../lib/domain/ids.ts'
import { ANSWER_ROOM, newMessage } from '../../lib/domain/message.ts'
import { connect, database } from '../../lib/store/database.ts'
import { newFront } from '../../lib/store/front.ts'
import { lane } from '../../lib/store/lane.ts'
import { taker } from '../../lib/store/take.ts'
import { manualClock } from '../support/clock.ts'
import { testEngine } from '../support/engine.ts'
import { newTables } from '../support/service.ts'

let engine: Awaited<ReturnType<typeof testEngine>>
beforeAll(async () => {
  engine = await testEngine()
})
afterAll(() => engine.stop())

it('given as many in flight as a process remembers, when it receives, then it is refused until some come free', async () => {
  const clock = manualClock()
  const ids = randomIds()
  const { messages } = await newTables(engine.endpoint)
  const theLane = lane(database(connect({ endpoint: engine.endpoint, attemptTimeout: 20_000 }), clock), messages, clock)
  const sending = () => ({ id: ids.messageId(clock.now()), leaseId: ids.leaseId(), body: { text: 'x' } })
  const life = { delaySeconds: 0, retentionSeconds: 600 }
  const put = Array.from({ length: 12 }, () => newMessage({ ...sending(), ...life }, clock.now()))
  await theLane.put('lane-crowd#0', put)

  const take = taker(theLane, clock, ids, Math.random)
  const want = {
    partition: 'lane-crowd#0',
    front: newFront(10),
    visibilityTimeout: 30,
    oldest: 0,
    room: { messages: 5, bytes: ANSWER_ROOM },
    claimUntil: Infinity,
    consistent: true,
  }
  expect(await take(want)).toHaveLength(5)
  expect(await take(want)).toHaveLength(5)
  await expect(take(want)).rejects.toMatchObject({ code: 6070, moduleCode: 10690 })
  await clock.advance(30_000)
  expect(await take(want)).toHaveLength(5)
})
