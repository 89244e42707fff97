import { createHash } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { lambdaStart } from '../lib/starts.ts'
import { connect } from '../lib/store/connection.ts'
import type { Work } from '../lib/store/work.ts'

const work: Work = { duty: 'push', laneId: 'subsc-a', within: 'topic-a', name: 'mail' }

interface Seen {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

let lambda: Server
let endpoint = ''
const seen: Seen[] = []
/** What becomes of the next requests: a status, or a connection that is cut. After them all, 202. */
let answers: (number | 'cut')[] = []

beforeAll(async () => {
  lambda = createServer((request, response) => {
    void text(request).then((body) => {
      const { method = '', url = '', headers } = request
      seen.push({ method, path: url, headers, body })
      const answer = answers.shift() ?? 202
      if (answer === 'cut') request.socket.destroy()
      else response.writeHead(answer).end()
    })
  })
  await new Promise<void>((resolve) => lambda.listen(0, '127.0.0.1', resolve))
  endpoint = `http://127.0.0.1:${(lambda.address() as AddressInfo).port}`
})
afterAll(() => new Promise((resolve) => lambda.close(resolve)))
beforeEach(() => {
  seen.length = 0
  answers = []
})

const names = { push: 'push-function', release: 'release function' }
const start = () => lambdaStart(names, connect({ endpoint: 'http://unused' }).config, endpoint)

describe('given a lane that has to be worked through', () => {
  it('when its run is started, then the function of its duty is invoked, and nobody waits for its end', async () => {
    await start()(work)
    expect(seen).toHaveLength(1)
    expect(seen[0]).toMatchObject({
      method: 'POST',
      path: '/2015-03-31/functions/push-function/invocations',
      headers: { 'x-amz-invocation-type': 'Event', 'content-type': 'application/json' },
    })
    expect(JSON.parse(seen[0]?.body ?? '')).toEqual({ work })
  })

  it('when its duty is to release, then another function is invoked, whatever its name is', async () => {
    await start()({ ...work, duty: 'release' })
    expect(seen[0]?.path).toBe('/2015-03-31/functions/release%20function/invocations')
  })

  it('when it is invoked, then the request is signed for Lambda, with its body and its time', async () => {
    await start()(work)
    const { headers, body = '' } = seen[0] ?? {}
    const [, credential = '', signed = ''] =
      /^AWS4-HMAC-SHA256 Credential=([^,]+), SignedHeaders=([^,]+), Signature=[0-9a-f]{64}$/.exec(
        headers?.authorization ?? '',
      ) ?? []
    expect(credential).toMatch(/^local\/\d{8}\/local\/lambda\/aws4_request$/)
    expect(signed.split(';')).toEqual(
      expect.arrayContaining(['host', 'x-amz-content-sha256', 'x-amz-date', 'x-amz-invocation-type']),
    )
    expect(headers?.['x-amz-content-sha256']).toBe(createHash('sha256').update(body).digest('hex'))
  })
})

describe('given a run that starts another', () => {
  afterEach(() => vi.unstubAllEnvs())

  it('when it is traced, then the other is no part of its trace, so that Lambda does not take them for a loop', async () => {
    vi.stubEnv('AWS_LAMBDA_FUNCTION_NAME', 'push-function')
    vi.stubEnv('_X_AMZN_TRACE_ID', 'Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=a:1')
    await start()(work)
    expect(Object.keys(seen[0]?.headers ?? {})).not.toContain('x-amzn-trace-id')
  })
})

describe('given a Lambda that does not take an invocation', () => {
  it.each<[string, number | 'cut']>([
    ['throttles', 429],
    ['fails', 500],
    ['cuts the connection', 'cut'],
  ])('when it %s twice, then the third try is taken', async (_, trouble) => {
    answers = [trouble, trouble]
    await start()(work)
    expect(seen).toHaveLength(3)
    expect(new Set(seen.map(({ body }) => body)).size).toBe(1)
  })

  it('when it never takes it, then it is left to the net after three tries, and the caller hears why', async () => {
    answers = [429, 429, 429]
    await expect(start()(work)).rejects.toThrow('429')
    expect(seen).toHaveLength(3)
  })

  it('when no function has the duty, then that is said, and nothing is asked for', async () => {
    const unnamed = lambdaStart({ push: undefined, release: 'r' }, connect({ endpoint }).config, endpoint)
    await expect(unnamed(work)).rejects.toThrow('no function is named for the duty push')
    expect(seen).toEqual([])
  })
})
