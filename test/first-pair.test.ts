import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { originOf } from '../lib/first-pair.ts'
import { connect } from '../lib/store/connection.ts'

const pair = { secretId: 'AKIDfirst', secretKey: 'first-secret' }
const arn = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:pair'

let manager: Server
const seen: { readonly headers: IncomingHttpHeaders; readonly body: string }[] = []
/** What becomes of the next requests: a status with a body, or a connection that is cut. After them all, the pair. */
let answers: (readonly [status: number, body: string] | 'cut')[] = []

beforeAll(async () => {
  manager = createServer((request, response) => {
    void text(request).then((body) => {
      seen.push({ headers: request.headers, body })
      const answer = answers.shift() ?? [200, JSON.stringify({ ARN: arn, SecretString: JSON.stringify(pair) })]
      if (answer === 'cut') return request.socket.destroy()
      response.writeHead(answer[0]).end(answer[1])
    })
  })
  await new Promise<void>((resolve) => manager.listen(0, '127.0.0.1', resolve))
})
afterAll(() => new Promise((resolve) => manager.close(resolve)))
beforeEach(() => {
  const { port } = manager.address() as AddressInfo
  vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', `http://127.0.0.1:${port}`)
  seen.length = 0
  answers = []
})
afterEach(() => vi.unstubAllEnvs())

const access = connect({ endpoint: 'http://unused' }).config
const origin = originOf({ CMQ_SECRET_ARN: arn }, access)

describe('given a deployment whose pair is in Secrets Manager', () => {
  it('when its origin is asked for, then that is the pair, and its key is what seals the others', async () => {
    expect(await origin()).toEqual({ first: pair, root: 'first-secret' })
    expect(seen).toHaveLength(1)
    expect(seen[0]?.headers).toMatchObject({
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': 'secretsmanager.GetSecretValue',
      authorization: expect.stringMatching(
        /^AWS4-HMAC-SHA256 Credential=local\/\d{8}\/local\/secretsmanager\//,
      ) as string,
    })
    expect(JSON.parse(seen[0]?.body ?? '')).toEqual({ SecretId: arn })
  })

  it('when an answer fails or is lost, then it is asked for again', async () => {
    answers = [[500, ''], 'cut']
    expect(await origin()).toHaveProperty('first', pair)
    expect(seen).toHaveLength(3)
  })

  it('when it is never given, then the reason is told', async () => {
    const denied = [400, '{"__type":"AccessDeniedException"}'] as const
    answers = [denied, denied, denied]
    await expect(origin()).rejects.toThrow('Secrets Manager gave no secret: 400 {"__type":"AccessDeniedException"}')
  })

  it.each(['hunter2', '"hunter2"', 'null', '{}', '{"secretId":"AKIDfirst"}', '{"password":"hunter2"}'])(
    'when the secret is %s, then that is said without a word of it',
    async (SecretString) => {
      answers = [[200, JSON.stringify({ SecretString })]]
      await expect(origin()).rejects.toThrow(new Error(`the secret ${arn} holds no secretId and secretKey`))
    },
  )
})

describe('given an environment', () => {
  it('when it holds a pair, then that is the origin, and nothing is asked for', async () => {
    const { secretId, secretKey } = pair
    expect(await originOf({ CMQ_SECRET_ID: secretId, CMQ_SECRET_KEY: secretKey }, access)()).toHaveProperty(
      'first',
      pair,
    )
    expect(seen).toEqual([])
  })

  it('when it holds neither a pair nor a secret, then that is said', async () => {
    await expect(originOf({ CMQ_SECRET_ID: 'AKIDfirst' }, access)()).rejects.toThrow('neither a key pair nor a secret')
  })
})
