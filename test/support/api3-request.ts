import { createHash, createHmac } from 'node:crypto'
import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { httpEvent, signedEvent } from './signed-request.ts'

export type Parameters = Readonly<Record<string, unknown>>

export interface Api3Options {
  readonly version?: string
  readonly method?: 'GET' | 'POST'
  /** TC3-HMAC-SHA256 unless told otherwise. */
  readonly signatureMethod?: 'HmacSHA1' | 'HmacSHA256'
  readonly host?: string
  /** What is signed as the host, where that is another than is sent. */
  readonly signedHost?: string
  readonly path?: string
  readonly secretId?: string
  readonly secretKey?: string
  /** Epoch milliseconds. */
  readonly now?: number
  readonly service?: string
  /** The date of the scope, where it is not that of the time. */
  readonly date?: string
  /** Headers beside those that every request has, in small letters. */
  readonly headers?: Readonly<Record<string, string>>
  readonly signedHeaders?: readonly string[]
  /** The body, where it is not the parameters as JSON. */
  readonly body?: string
}

/** The event of a request as the cloud's SDKs make it, independently of lib/protocol. */
export function api3Event(Action: string, parameters: Parameters, options: Api3Options = {}): APIGatewayProxyEventV2 {
  const { signatureMethod, version = '2019-03-04', path = '/' } = options
  if (!signatureMethod) return tc3Event(Action, parameters, options)
  const all = { Action, ...(version && { Version: version }), Region: 'ap-guangzhou', ...flat(parameters) }
  const { method, host, secretId, secretKey, now } = options
  const given = { method, host, secretId, secretKey, now }
  const signing = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
  return signedEvent(all, { path, signatureMethod, ...signing })
}

function tc3Event(Action: string, parameters: Parameters, options: Api3Options): APIGatewayProxyEventV2 {
  const { method = 'POST', host = '127.0.0.1:8080', signedHost = host, path = '/', now = Date.now() } = options
  const { secretId = 'AKIDlocal', secretKey = 'local-secret', version = '2019-03-04', service = 'cmq' } = options
  const timestamp = Math.floor(now / 1000)
  const { date = new Date(timestamp * 1000).toISOString().slice(0, 10) } = options
  const { signedHeaders = ['content-type', 'host'] } = options
  const query = method === 'GET' ? new URLSearchParams(flat(parameters)).toString() : ''
  const body = method === 'GET' ? '' : (options.body ?? JSON.stringify(parameters))
  const headers: Record<string, string> = {
    host,
    'content-type': method === 'GET' ? 'application/x-www-form-urlencoded' : 'application/json',
    'x-tc-action': Action,
    'x-tc-version': version,
    'x-tc-timestamp': String(timestamp),
    'x-tc-region': 'ap-guangzhou',
    ...options.headers,
  }
  const lines = signedHeaders.map((name) => `${name}:${name === 'host' ? signedHost : headers[name]}\n`).join('')
  const payload = headers['x-tc-content-sha256'] ?? body
  const canonical = [method, path, query, lines, signedHeaders.join(';'), sha256(payload)].join('\n')
  const scope = `${date}/${service}/tc3_request`
  const key = ['tc3_request', service, date].reduceRight<Buffer | string>(
    (last, text) => createHmac('sha256', last).update(text).digest(),
    `TC3${secretKey}`,
  )
  const toSign = `TC3-HMAC-SHA256\n${timestamp}\n${scope}\n${sha256(canonical)}`
  const signature = createHmac('sha256', key).update(toSign).digest('hex')
  const signed = `SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`
  const event = httpEvent({ method, host, path, now, rawQueryString: query, body: Buffer.from(body) })
  event.headers = { ...headers, authorization: `TC3-HMAC-SHA256 Credential=${secretId}/${scope}, ${signed}` }
  return { ...event, body: Buffer.from(body).toString('base64') }
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** Parameters as forms and query strings have them: `Filters.0.Name`. */
function flat(value: unknown, name = ''): Record<string, string> {
  if (typeof value !== 'object' || value === null) return { [name]: String(value) }
  return Object.fromEntries(
    Object.entries(value).flatMap(([member, inner]) =>
      Object.entries(flat(inner, name === '' ? member : `${name}.${member}`)),
    ),
  )
}
