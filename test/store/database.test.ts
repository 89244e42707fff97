import { DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb'
import { mockClient } from 'aws-sdk-client-mock'
import { describe, expect, it } from 'vitest'
import { database, PATIENCE, Refused, settle, Throttled, Uncertain } from '../../lib/store/database.ts'
import { manualClock, whilePassing } from '../support/clock.ts'

const failure = (name: string, httpStatusCode?: number) =>
  Object.assign(new Error(name), { name, $metadata: httpStatusCode === undefined ? {} : { httpStatusCode } })
const throttle = failure('ProvisionedThroughputExceededException', 400)

const get = new GetItemCommand({ TableName: 't', Key: {} })
const put = new PutItemCommand({ TableName: 't', Item: {} })

/** A client that meets these failures, one after the other, and then succeeds. */
function given(...failures: Error[]) {
  const clock = manualClock()
  const client = new DynamoDBClient({ region: 'local' })
  const mock = mockClient(client)
  mock.onAnyCommand().callsFake(() => {
    const next = failures.shift()
    return next ? Promise.reject(next) : Promise.resolve({})
  })
  return { clock, db: database(client, clock), calls: () => mock.calls().length }
}

describe('given a call that was throttled', () => {
  it('when it reads or writes, then it is repeated until it succeeds', async () => {
    for (const command of ['read', 'write'] as const) {
      const { clock, db, calls } = given(throttle, throttle, throttle)
      await whilePassing(clock, command === 'read' ? db.read(get) : db.write(put))
      expect(calls()).toBe(4)
    }
  })

  it('when it may be attempted but once, then that is told', async () => {
    const { db, calls } = given(throttle)
    await expect(db.attempt(put)).rejects.toBeInstanceOf(Throttled)
    expect(calls()).toBe(1)
  })

  it('when it goes on for longer than there is patience for, then it fails', async () => {
    const { clock, db } = given(...Array<Error>(10_000).fill(throttle))
    const startedAt = clock.now()
    await expect(whilePassing(clock, db.write(put))).rejects.toBeInstanceOf(Throttled)
    expect(clock.now() - startedAt).toBeGreaterThanOrEqual(PATIENCE)
    expect(clock.now() - startedAt).toBeLessThan(2 * PATIENCE)
  })
})

describe('given a call whose answer is lost', () => {
  const losses = [failure('TimeoutError'), failure('ECONNRESET'), failure('InternalServerError', 500)]

  it.each(losses)('when it reads and meets %s, then it is repeated', async (loss) => {
    const { clock, db, calls } = given(loss)
    await whilePassing(clock, db.read(get))
    expect(calls()).toBe(2)
  })

  it.each(losses)('when it writes and meets %s, then nobody knows, and it is not repeated', async (loss) => {
    const { db, calls } = given(loss)
    await expect(db.write(put)).rejects.toBeInstanceOf(Uncertain)
    expect(calls()).toBe(1)
  })
})

it('given a call that DynamoDB refuses for good, when it is made, then it fails at once with the cause', async () => {
  const { db, calls } = given(failure('ValidationException', 400))
  await expect(db.write(put)).rejects.toMatchObject({ name: 'ValidationException' })
  expect(calls()).toBe(1)
})

describe('given a conditional write', () => {
  const refusal = (id?: string) => new Refused(id === undefined ? undefined : { id: { S: id } })
  const ours = (found: Refused['found']) => found?.['id']?.S === 'ours'

  /** What settling comes to when the attempts end like this; undefined is a success. */
  const settled = (...ends: (Error | undefined)[]) => {
    const clock = manualClock()
    const write = () => {
      const end = ends.shift()
      return end ? Promise.reject(end) : Promise.resolve()
    }
    return whilePassing(clock, settle(clock, write, ours))
  }

  it('when the first attempt is refused, then it lost, even to what looks like ours', async () => {
    expect(await settled(refusal('ours'))).toMatchObject({ won: false })
  })

  it('when an answer is lost and the repeat is refused by our own value, then it won', async () => {
    expect(await settled(new Uncertain(), refusal('ours'))).toEqual({ won: true })
  })

  it('when an answer is lost and the repeat is refused by that of another, then it lost', async () => {
    expect(await settled(new Uncertain(), refusal('theirs'))).toEqual({ won: false, found: { id: { S: 'theirs' } } })
  })

  it('when an answer is lost and the repeat succeeds, then it won', async () => {
    expect(await settled(new Uncertain(), undefined)).toEqual({ won: true })
  })
})
