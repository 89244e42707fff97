import { GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, describe, expect, it } from 'vitest'
import { connect } from '../../lib/store/connection.ts'
import { database, Uncertain } from '../../lib/store/database.ts'
import { manualClock, whilePassing } from '../support/clock.ts'

const put = new PutItemCommand({ TableName: 't', Item: {} })
const get = new GetItemCommand({ TableName: 't', Key: {} })

/** What becomes of an answer of which no more than the beginning was sent; an answer that is whole does without. */
type Rest = ((response: ServerResponse) => unknown) | undefined

const ends: (() => void)[] = []
afterAll(() => ends.forEach((end) => end()))

/** A DynamoDB whose answers go on like these, one after the other, and are whole from then on. */
async function given(...rests: Rest[]) {
  const server = createServer((request, response) => {
    request.resume()
    const rest = rests.shift()
    response.writeHead(200, { 'content-type': 'application/x-amz-json-1.0', 'content-length': 2 })
    response.write('{', () => (rest ? rest(response) : response.end('}')))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const client = connect({ endpoint: `http://127.0.0.1:${port}`, attemptTimeout: 100 })
  ends.push(() => {
    client.destroy()
    server.closeAllConnections()
    server.close()
  })
  const clock = manualClock()
  return { clock, db: database(client, clock) }
}

const incomplete = [
  ['stops', () => undefined],
  ['is cut off', (response: ServerResponse) => response.destroy()],
] as const

describe.each(incomplete)('given an answer that %s after its beginning', (_, rest) => {
  it('when it was to a write, then nobody knows what took place', async () => {
    const { db } = await given(rest)
    await expect(db.write(put)).rejects.toBeInstanceOf(Uncertain)
  })

  it('when it was to a read, then that is repeated', async () => {
    const { clock, db } = await given(rest)
    await expect(whilePassing(clock, db.read(get))).resolves.toBeDefined()
  })
})

it('given a thousand calls at once, when they are made, then few of them are under way at a time', async () => {
  const client = connect({ endpoint: 'http://127.0.0.1:1' })
  let [underWay, most] = [0, 0]
  const answer = async () => {
    most = Math.max(most, ++underWay)
    await new Promise((resolve) => setImmediate(resolve))
    underWay--
    return { output: { $metadata: {} }, response: {} }
  }
  client.middlewareStack.add(() => answer, { step: 'build' })
  const db = database(client, manualClock())
  await Promise.all(Array.from({ length: 1_000 }, () => db.read(get)))
  expect(most).toBe(32)
})

describe('given a connection that tells of what fails', () => {
  it('when nothing answers, then each attempt is told of, and fails as it would', async () => {
    const told: unknown[] = []
    const client = connect({ endpoint: 'http://127.0.0.1:1', onFailure: (error) => told.push(error) })
    await expect(database(client, manualClock()).attempt(put)).rejects.toBeInstanceOf(Uncertain)
    expect(told).toMatchObject([{ code: 'ECONNREFUSED' }])
    client.destroy()
  })
})
