import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import fc from 'fast-check'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { handler as api } from '../../../functions/api.ts'
import type { Services } from '../../../functions/services.ts'
import { actionNames } from '../../../lib/domain/actions.ts'
import { CmqError } from '../../../lib/domain/errors.ts'
import { parseRequest } from '../../../lib/protocol/request.ts'
import { ask, key } from '../../support/service.ts'
import { formEvent, httpEvent } from '../../support/signed-request.ts'
import { expectCleanPrototypes, furnishedService } from './service.ts'
import { hostileText } from './texts.ts'

const parameters = [
  ...['queueName', 'topicName', 'subscriptionName', 'msgBody', 'msgBody.1', 'msgBody.2', 'delaySeconds', 'numOfMsg'],
  ...['receiptHandle', 'receiptHandle.1', 'receiptHandle.2', 'visibilityTimeout', 'msgRetentionSeconds', 'shards'],
  ...['maxMsgSize', 'maxMsgHeapNum', 'pollingWaitSeconds', 'rewindSeconds', 'searchWord', 'offset', 'limit'],
  ...['filterType', 'protocol', 'endpoint', 'notifyStrategy', 'notifyContentFormat', 'filterTag.1', 'bindingKey.1'],
  ...['msgTag.1', 'msgTag.9', 'routingKey', '__proto__', 'constructor', 'Timestamp', 'SignatureMethod', 'Nonce'],
] as const

/** Values that get past the first checks are among them, so that what lies behind is reached. */
const valid = [
  'orders',
  'news',
  'mail',
  '1',
  '2',
  'http',
  'queue',
  'http://example.com/',
  'JSON',
  'BACKOFF_RETRY',
  'a.b',
]

const request = fc.record({
  action: fc.oneof({ weight: 12, arbitrary: fc.constantFrom(...actionNames) }, { weight: 1, arbitrary: hostileText }),
  pairs: fc.array(
    fc.tuple(
      fc.oneof({ weight: 12, arbitrary: fc.constantFrom(...parameters) }, { weight: 1, arbitrary: hostileText }),
      fc.oneof({ weight: 2, arbitrary: fc.constantFrom(...valid) }, { weight: 1, arbitrary: hostileText }),
    ),
    { maxLength: 9 },
  ),
})

let services: Services
beforeAll(async () => {
  services = await furnishedService()
})

afterEach(expectCleanPrototypes)

const SERVER_FAILURE = 6_000

describe('given a request that is signed, and of hostile content', () => {
  it('when it is answered, then by a refusal or not, but never by a failure of the server', async () => {
    await fc.assert(
      fc.asyncProperty(request, async ({ action, pairs }) => {
        const answer = await ask(services, { ...Object.fromEntries(pairs), Action: action, pollingWaitSeconds: 0 })
        expect(answer.code).not.toBe(SERVER_FAILURE)
        expect(answer.requestId).toMatch(/^request-/)
      }),
      { numRuns: Number(process.env['HOSTILE_RUNS'] ?? 600) },
    )
  })
})

const bytes = fc.uint8Array({ maxLength: 300 })
const broken: fc.Arbitrary<APIGatewayProxyEventV2> = fc.oneof(
  fc
    .record({ body: bytes, rawQueryString: fc.string({ unit: 'binary', maxLength: 100 }) })
    .map((parts) => httpEvent({ ...parts, method: 'POST' })),
  fc.string({ unit: 'binary', maxLength: 200 }).map((rawQueryString) => httpEvent({ rawQueryString, method: 'GET' })),
  fc.array(fc.tuple(hostileText, hostileText), { maxLength: 12 }).map((pairs) => formEvent(pairs)),
  fc
    .array(fc.tuple(hostileText, hostileText), { maxLength: 12 })
    .map((pairs) =>
      formEvent([...pairs, ['SecretId', key.secretId], ['Timestamp', '1767614400'], ['Signature', 'A'.repeat(28)]]),
    ),
)

describe('given bytes that are no request', () => {
  it('when they are read, then something comes of it, or a refusal', () => {
    fc.assert(
      fc.property(broken, (event) => {
        try {
          expect(parseRequest(event).parameters).toBeInstanceOf(Map)
        } catch (error) {
          expect(error).toBeInstanceOf(CmqError)
          expect((error as CmqError).code).toBe(4_000)
        }
      }),
      { numRuns: 1_000 },
    )
  })

  it('when they are sent, then nobody is let in, and the answer is a refusal', async () => {
    await fc.assert(
      fc.asyncProperty(broken, async (event) => {
        const { statusCode, body = '' } = await api(event, { awsRequestId: 'request-1', services })
        const { code } = JSON.parse(body) as { code: number }
        expect(statusCode).toBe(200)
        expect([4_000, 4_100]).toContain(code)
      }),
      { numRuns: 400 },
    )
  })
})
