import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { CmqError } from '../domain/errors.ts'

/** A request, decoded, with nothing checked yet but its form. */
export interface CmqRequest {
  readonly method: 'GET' | 'POST'
  /** The Host header as received, since the client signs it. */
  readonly host: string
  /** The path as received, since the client signs it. */
  readonly path: string
  /** What was sent, under the very names that were sent: this is what the client signs. */
  readonly parameters: ReadonlyMap<string, string>
  /** The same under lower-cased, trimmed names: some SDKs send `limit ` for `limit`, and case does not count (406/5906). */
  readonly values: ReadonlyMap<string, string>
  /** The action that is asked for, by its name in API 2.0. */
  readonly action: string | undefined
  /** The handler that runs it, where that is not the one of API 2.0. */
  readonly by?: string | undefined
}

/** Largest body on the wire, in bytes. Escaping triples what is not ASCII, so 1 MB of messages needs some 3 MB (406/5903). */
export const largestBody = 4 * 1024 * 1024

const parsed = new WeakMap<APIGatewayProxyEventV2, CmqRequest>()

/**
 * Reads the parameters of the query string and, for POST, of the body, which is a form whatever its content type says:
 * several SDKs send none. Of a name given twice the last value counts. Each event is parsed once, however often asked.
 * Refuses other methods, and text that is not well-formed UTF-8 (406/5903).
 */
export function parseRequest(event: APIGatewayProxyEventV2): CmqRequest {
  const known = parsed.get(event)
  if (known) return known
  const request = parse(event)
  parsed.set(event, request)
  return request
}

function parse(event: APIGatewayProxyEventV2): CmqRequest {
  const method = methodOf(event)
  const found = { parameters: new Map<string, string>(), values: new Map<string, string>() }
  readForm(found, 'query string', () => event.rawQueryString)
  if (method === 'POST') readForm(found, 'body', () => bodyOf(event))
  const { host = '' } = event.headers
  return { method, host, path: event.rawPath, ...found, action: found.values.get('action') }
}

/** The method. Refuses what CMQ does not answer (406/5903). */
export function methodOf(event: APIGatewayProxyEventV2): 'GET' | 'POST' {
  const { method } = event.requestContext.http
  if (method !== 'GET' && method !== 'POST') throw new CmqError('methodUnsupported', method)
  return method
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The body as text. Throws a RangeError when it is too large, and a TypeError when it is not UTF-8. */
export function bodyOf({ body = '', isBase64Encoded }: APIGatewayProxyEventV2): string {
  if (Buffer.byteLength(body, isBase64Encoded ? 'base64' : 'utf8') > largestBody) throw new RangeError('body too large')
  return isBase64Encoded ? utf8.decode(Buffer.from(body, 'base64')) : body
}

interface Found {
  readonly parameters: Map<string, string>
  readonly values: Map<string, string>
}

/** Adds the form's pairs to what was found. Whatever makes the text unreadable is answered as CMQ answers it (406/5903). */
export function readForm({ parameters, values }: Found, part: string, read: () => string): void {
  try {
    const text = read()
    if (!text.isWellFormed()) throw new URIError('half a character')
    for (const pair of text.split('&')) {
      if (pair === '') continue
      const equals = pair.indexOf('=')
      const name = decoded(equals < 0 ? pair : pair.slice(0, equals))
      const value = equals < 0 ? '' : decoded(pair.slice(equals + 1))
      parameters.set(name, value)
      values.set(name.trim().toLowerCase(), value)
    }
  } catch {
    throw new CmqError('requestUnreadable', part)
  }
}

/** Most pieces need no decoding, and looking is cheaper than decoding. */
function decoded(piece: string): string {
  const blanked = piece.includes('+') ? piece.replaceAll('+', ' ') : piece
  return blanked.includes('%') ? decodeURIComponent(blanked) : blanked
}
