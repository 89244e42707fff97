import { createHmac, randomInt, randomUUID } from 'node:crypto'
import type { APIGatewayProxyEventV2 } from 'aws-lambda'

export interface SigningOptions {
  readonly method?: 'GET' | 'POST'
  readonly host?: string
  readonly path?: string
  readonly secretId?: string
  readonly secretKey?: string
  readonly signatureMethod?: 'HmacSHA1' | 'HmacSHA256'
  /** Epoch milliseconds. */
  readonly now?: number
  readonly sourceIp?: string
}

type Pairs = readonly (readonly [name: string, value: string])[]

/** The parameters of a request that is signed as CMQ's SDKs sign, independently of lib/protocol; its signature is the last. */
export function signedPairs(parameters: Readonly<Record<string, string>>, options: SigningOptions = {}): Pairs {
  const { method = 'POST', host = '127.0.0.1:8080', path = '/v2/index.php', now = Date.now() } = options
  const { secretId = 'AKIDlocal', secretKey = 'local-secret', signatureMethod = 'HmacSHA1' } = options
  const all: Readonly<Record<string, string>> = {
    Nonce: String(randomInt(1, 2 ** 47)),
    SecretId: secretId,
    SignatureMethod: signatureMethod,
    Timestamp: String(Math.floor(now / 1000)),
    ...parameters,
  }
  const names = Object.keys(all).map(toBytes).sort(Buffer.compare).map(String)
  const source = method + host + path + '?' + names.map((name) => name + '=' + all[name]).join('&')
  const algorithm = signatureMethod === 'HmacSHA256' ? 'sha256' : 'sha1'
  const signature = createHmac(algorithm, secretKey).update(source).digest('base64')
  return [...Object.entries(all), ['Signature', signature]]
}

/** What a client sends: the event of a signed request. */
export const signedEvent = (
  parameters: Readonly<Record<string, string>>,
  options: SigningOptions = {},
): APIGatewayProxyEventV2 => formEvent(signedPairs(parameters, options), options)

const toBytes = (text: string): Buffer => Buffer.from(text)

type EventOptions = Pick<SigningOptions, 'method' | 'host' | 'path' | 'now' | 'sourceIp'>

/** The event of a request with these parameters: a form in the body of a POST, the query string of a GET. */
export function formEvent(
  pairs: Iterable<readonly [name: string, value: string]>,
  options: EventOptions = {},
): APIGatewayProxyEventV2 {
  const form = formOf(pairs)
  return options.method === 'GET'
    ? httpEvent({ ...options, rawQueryString: form })
    : httpEvent({ ...options, body: Buffer.from(form) })
}

/** Parameters as a form or a query string has them. */
export const formOf = (pairs: Iterable<readonly [name: string, value: string]>): string =>
  [...pairs].map(([name, value]) => `${escaped(name)}=${escaped(value)}`).join('&')

const escaped = (text: string) => encodeURIComponent(text).replaceAll('%20', '+')

/** The event that an HTTP API makes of a request (payload format 2.0), base64 in its body as for any form. */
export function httpEvent({
  method = 'POST',
  host = '127.0.0.1:8080',
  path = '/v2/index.php',
  now = Date.now(),
  sourceIp = '127.0.0.1',
  rawQueryString = '',
  body,
}: EventOptions & { readonly rawQueryString?: string; readonly body?: Uint8Array }): APIGatewayProxyEventV2 {
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: path,
    rawQueryString,
    headers: {
      accept: '*/*',
      host,
      'user-agent': 'cmq-test',
      'x-forwarded-for': sourceIp,
      'x-forwarded-proto': 'https',
      ...(body && { 'content-type': 'application/x-www-form-urlencoded', 'content-length': String(body.length) }),
    },
    requestContext: {
      accountId: '123456789012',
      apiId: 'api',
      domainName: host.replace(/:\d+$/, ''),
      domainPrefix: 'api',
      http: { method, path, protocol: 'HTTP/1.1', sourceIp, userAgent: 'cmq-test' },
      requestId: randomUUID(),
      routeKey: '$default',
      stage: '$default',
      time: new Date(now).toUTCString(),
      timeEpoch: now,
    },
    ...(body && { body: Buffer.from(body).toString('base64') }),
    isBase64Encoded: body !== undefined,
  }
}
