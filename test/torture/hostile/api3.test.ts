import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import fc from 'fast-check'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { handler as api } from '../../../functions/api.ts'
import type { Services } from '../../../functions/services.ts'
import { api3Event, type Api3Options } from '../../support/api3-request.ts'
import { expectCleanPrototypes, furnishedService } from './service.ts'
import { hostileText } from './texts.ts'

const actions: readonly (readonly [version: string, names: readonly string[]])[] = [
  [
    '2019-03-04',
    [
      ...['ClearQueue', 'ClearSubscriptionFilterTags', 'CreateQueue', 'CreateSubscribe', 'CreateTopic', 'DeleteQueue'],
      ...['DeleteSubscribe', 'DeleteTopic', 'DescribeDeadLetterSourceQueues', 'DescribeQueueDetail', 'RewindQueue'],
      ...['DescribeSubscriptionDetail', 'DescribeTopicDetail', 'ModifyQueueAttribute', 'ModifyTopicAttribute'],
      ...['ModifySubscriptionAttribute', 'UnbindDeadLetter'],
    ],
  ],
  [
    '2020-02-17',
    [
      ...['ClearCmqQueue', 'CreateCmqQueue', 'CreateCmqSubscribe', 'CreateCmqTopic', 'DeleteCmqQueue', 'SendCmqMsg'],
      ...['DescribeCmqQueueDetail', 'DescribeCmqQueues', 'DescribeCmqSubscriptionDetail', 'DescribeCmqTopicDetail'],
      ...['DescribeCmqTopics', 'ModifyCmqQueueAttribute', 'ModifyCmqSubscriptionAttribute', 'ModifyCmqTopicAttribute'],
      ...['PublishCmqMsg', 'RewindCmqQueue', 'UnbindCmqDeadLetter', 'DeleteCmqTopic', 'DeleteCmqSubscribe'],
    ],
  ],
]

const names = [
  ...['QueueName', 'TopicName', 'SubscriptionName', 'MsgContent', 'DelaySeconds', 'Endpoint', 'Protocol', 'MsgTag'],
  ...['VisibilityTimeout', 'MsgRetentionSeconds', 'RewindSeconds', 'StartConsumeTime', 'SourceQueueName', 'Trace'],
  ...['DeadLetterQueueName', 'MaxReceiveCount', 'Policy', 'Transaction', 'FilterType', 'FilterTags', 'BindingKey'],
  ...['Filters', 'Tags', 'QueueNameList', 'TopicNameList', 'IsTagFilter', 'TagKey', 'SearchWord', 'Offset', 'Limit'],
  ...['NotifyStrategy', 'NotifyContentFormat', 'RoutingKey', 'Qps', '__proto__', 'constructor', 'Filters.0', 'Tags.0.'],
] as const

/** Values that get past the first checks are among them, so that what lies behind is reached. */
const valid = [
  'orders',
  'news',
  'mail',
  '1',
  1,
  true,
  'http',
  'http://example.com/',
  'JSON',
  ['a.b'],
  ['mail'],
] as const

const named = (value: fc.Arbitrary<unknown>, more: readonly string[] = names) =>
  fc
    .array(fc.tuple(fc.oneof({ weight: 12, arbitrary: fc.constantFrom(...more) }, hostileText), value), {
      maxLength: 7,
    })
    // An object made of entries has whatever name they have, also `__proto__`.
    .map((entries): Record<string, unknown> => Object.fromEntries(entries))

const leaf = fc.oneof({ weight: 2, arbitrary: fc.constantFrom<unknown>(...valid) }, hostileText, fc.jsonValue())
const structure = named(fc.oneof(leaf, fc.array(leaf, { maxLength: 12 })), ['Name', 'Values', 'TagKey', 'TagValue'])
const parameters = named(
  fc.oneof({ weight: 4, arbitrary: leaf }, { weight: 1, arbitrary: fc.array(structure, { maxLength: 12 }) }, structure),
)

const action = fc
  .constantFrom(...actions)
  .chain(([version, known]) => fc.tuple(fc.constant(version), fc.constantFrom(...known)))

const headerName = fc.oneof(
  fc.constantFrom('x-tc-version', 'x-tc-region', 'x-tc-token', 'x-tc-language', 'x-tc-content-sha256', 'content-type'),
  fc.constantFrom('x-tc-action', 'x-tc-timestamp', 'constructor', '__proto__', 'toString'),
)
/** Headers hold no line of their own, nor blanks at their ends: whatever receives them sees to that. */
const headerText = hostileText.map((text) => text.replace(/[^\x20-\x7e\x80-\xff]/g, '').trim())
const headers = fc.array(fc.tuple(headerName, headerText), { maxLength: 2 }).map((pairs) => Object.fromEntries(pairs))

const form = 'application/x-www-form-urlencoded'
const signing: fc.Arbitrary<Api3Options> = fc.oneof(
  { weight: 4, arbitrary: headers.map((headers) => ({ headers })) },
  { weight: 1, arbitrary: hostileText.map((body) => ({ body })) },
  { weight: 1, arbitrary: hostileText.map((body) => ({ body, headers: { 'content-type': form } })) },
  { weight: 2, arbitrary: fc.constant({ method: 'GET' } as const) },
  fc.record({
    method: fc.constantFrom('GET', 'POST'),
    signatureMethod: fc.constantFrom('HmacSHA1', 'HmacSHA256'),
  }),
)

let services: Services
beforeAll(async () => {
  services = await furnishedService()
})

afterEach(expectCleanPrototypes)

const RUNS = Number(process.env['HOSTILE_RUNS'] ?? 500)

/** What is said of a request that is at fault is no longer than a client can read, however long the request was. */
const LONGEST_REFUSAL = 2_000

interface Response {
  readonly RequestId: string
  readonly Error?: { readonly Code: string; readonly Message: string }
}

/** The answer, in whichever envelope: a request that does not say which protocol it speaks is one of API 2.0. */
async function answerTo(event: APIGatewayProxyEventV2): Promise<Response> {
  const { statusCode, body = '' } = await api(event, { awsRequestId: 'request-1', services })
  expect(statusCode).toBe(200)
  const answer = JSON.parse(body) as { Response: Response }
  expect(answer).toHaveProperty('Response.RequestId', 'request-1')
  if (answer.Response.Error) expect(body.length).toBeLessThan(LONGEST_REFUSAL)
  return answer.Response
}

/** What is answered to whom nobody knows: that it cannot be read, or is signed wrongly, and nothing of what it asks for. */
const shut = /^(AuthFailure\..+|InvalidParameter|MissingParameter)$/

describe('given a request of API 3.0 that is signed, and of hostile content', () => {
  it('when it is answered, then by a refusal or not, but never by a failure of the server', async () => {
    await fc.assert(
      fc.asyncProperty(action, parameters, signing, async ([version, name], sent, options) => {
        const event = api3Event(name, sent, { version, now: services.clock.now(), ...options })
        expect((await answerTo(event)).Error?.Code).not.toBe('InternalError')
      }),
      { numRuns: RUNS },
    )
  })
})

describe('given a request of API 3.0 that is signed, and has a name as long as the request may be', () => {
  it.each<[string, Record<string, unknown>]>([
    ['a parameter', { ['\u0001'.repeat(600_000)]: 'x' }],
    ['a list', { ['a'.repeat(3_000_000)]: { b: 'x' } }],
  ])('when it is that of %s, then the refusal does not repeat it', async (_, sent) => {
    const event = api3Event('CreateQueue', sent, { now: services.clock.now() })
    expect((await answerTo(event)).Error?.Code).toMatch(/^(UnknownParameter|InvalidParameter)$/)
  })
})

describe('given a request of API 3.0 that nobody signed who may', () => {
  const headerNames = [
    'content-type',
    'host',
    'constructor',
    '__proto__',
    'x-tc-action',
    'x-tc-timestamp',
    'absent',
    '',
  ]
  const credential = fc.constantFrom('AKIDlocal/2026-01-05/cmq', 'AKIDlocal/2026-01-05/__proto__', 'AKID/1/', '')
  const authorization = fc.oneof(
    fc
      .tuple(
        credential,
        fc.array(fc.constantFrom(...headerNames), { maxLength: 9 }),
        fc.constantFrom('0', 'f', 'g', ''),
      )
      .map(
        ([who, signed, digit]) =>
          `TC3-HMAC-SHA256 Credential=${who}/tc3_request, ` +
          `SignedHeaders=content-type;host;${signed.join(';')}, Signature=${digit.repeat(64)}`,
      ),
    headerText,
    headerText.map((text) => `TC3-HMAC-SHA256 Credential=AKIDlocal/${text}`),
  )

  it('when its Authorization is whatever one can think of, then nobody is let in', async () => {
    await fc.assert(
      fc.asyncProperty(action, parameters, headers, authorization, async ([version, name], sent, others, claimed) => {
        const event = api3Event(name, sent, { version, now: services.clock.now(), headers: others })
        event.headers['authorization'] = claimed
        expect((await answerTo(event)).Error?.Code).toMatch(shut)
      }),
      { numRuns: RUNS },
    )
  })

  it('when a character of what was signed is another one, then nobody is let in', async () => {
    const changes = fc.tuple(fc.constantFrom('body', 'query', 'path', 'authorization', 'host'), fc.nat(), fc.boolean())
    await fc.assert(
      fc.asyncProperty(changes, async ([part, at, isGet]) => {
        const options = { method: isGet ? 'GET' : 'POST', version: '2020-02-17', now: services.clock.now() } as const
        const event = api3Event('DescribeCmqQueueDetail', { QueueName: 'orders' }, options)
        expect((await answerTo(changed(event, part, at))).Error?.Code).toMatch(shut)
      }),
      { numRuns: 200 },
    )
  })

  function changed(event: APIGatewayProxyEventV2, part: string, at: number): APIGatewayProxyEventV2 {
    const { headers, rawPath, rawQueryString, body = '' } = event
    if (part === 'query') return { ...event, rawQueryString: other(rawQueryString, at) }
    if (part === 'path') return { ...event, rawPath: other(rawPath, at) }
    if (part === 'body' && body !== '') {
      const text = other(Buffer.from(body, 'base64').toString(), at)
      return { ...event, body: Buffer.from(text).toString('base64') }
    }
    const name = part === 'host' ? 'host' : 'authorization'
    return { ...event, headers: { ...headers, [name]: other(headers[name] ?? '', at) } }
  }

  const other = (text: string, at: number): string => {
    const place = at % (text.length + 1)
    return `${text.slice(0, place)}${text[place] === '7' ? '8' : '7'}${text.slice(place + 1)}`
  }
})

describe('given a request in the older way of API 3.0 that nobody signed who may', () => {
  it('when it is answered, then nobody is let in', async () => {
    await fc.assert(
      fc.asyncProperty(
        action,
        parameters,
        fc.boolean(),
        hostileText,
        async ([version, name], sent, isGet, secretKey) => {
          const method = isGet ? 'GET' : 'POST'
          const options = {
            version,
            method,
            signatureMethod: 'HmacSHA256',
            now: services.clock.now(),
            secretKey,
          } as const
          expect((await answerTo(api3Event(name, sent, options))).Error?.Code).toMatch(shut)
        },
      ),
      { numRuns: 200 },
    )
  })
})
