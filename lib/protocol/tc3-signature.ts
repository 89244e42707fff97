import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { signedHosts } from './signature.ts'

/** What a client of API 3.0 signs, as it was received. */
export interface Tc3Request {
  readonly method: string
  /** The Host header, and the path. */
  readonly host: string
  readonly path: string
  readonly query: string
  /** By names in small letters. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly payload: string
}

/** When the client says that it signed, in epoch seconds. */
export const timestampOf = ({ headers }: Tc3Request): string => headers['x-tc-timestamp'] ?? ''

/** What an Authorization header says. */
export interface Tc3Authorization {
  readonly secretId: string
  readonly date: string
  /** Whatever the client calls it: SDKs name the product, or the first label of the endpoint. */
  readonly service: string
  /** In small letters, in the order in which they were signed. */
  readonly headers: readonly string[]
  readonly signature: string
}

const ALGORITHM = 'TC3-HMAC-SHA256'
const UNSIGNED = 'UNSIGNED-PAYLOAD'
const form = new RegExp(
  [
    String.raw`^TC3-HMAC-SHA256\s+Credential=([^/\s,]+)/(\d{4}-\d\d-\d\d)/([^/\s,]+)/tc3_request`,
    String.raw`SignedHeaders=([\w;-]+)`,
    'Signature=([0-9a-f]{64})$',
  ].join(String.raw`\s*,\s*`),
)

/** Reads an Authorization header; undefined when it is none of TC3, or when it leaves the host or the type unsigned. */
export function readAuthorization({ headers: received }: Tc3Request): Tc3Authorization | undefined {
  const header = received['authorization'] ?? ''
  const [, secretId = '', date = '', service = '', names = '', signature = ''] = form.exec(header.trim()) ?? []
  const headers = names.toLowerCase().split(';')
  if (!headers.includes('host') || !headers.includes('content-type')) return undefined
  return { secretId, date, service, headers, signature }
}

/**
 * Whether the request was signed with this key by TC3-HMAC-SHA256: an HMAC over time, scope and the canonical request, by
 * a key of the day and the service. The day has to be that of the timestamp.
 */
export function isTc3SignedWith(
  secretKey: string,
  request: Tc3Request,
  { date, service, headers, signature }: Tc3Authorization,
  publicHosts: readonly string[],
): boolean {
  const timestamp = timestampOf(request)
  if (date !== dayOf(timestamp)) return false
  const key = hmac(hmac(hmac(`TC3${secretKey}`, date), service), 'tc3_request')
  const scope = `${ALGORITHM}\n${timestamp}\n${date}/${service}/tc3_request\n`
  const claimed = Buffer.from(signature, 'hex')
  for (const canonical of canonicalForms(request, headers, publicHosts)) {
    if (timingSafeEqual(hmac(key, scope + sha256(canonical)), claimed)) return true
  }
  return false
}

/** The request as clients may have signed it: they differ in what they call the host, and in the case of headers. */
function canonicalForms(request: Tc3Request, names: readonly string[], publicHosts: readonly string[]): Set<string> {
  const { method, path, query, headers } = request
  const isUnsigned = headers['x-tc-content-sha256'] === UNSIGNED
  const payload = sha256(isUnsigned ? UNSIGNED : request.payload)
  const hosts = [...signedHosts(request.host, publicHosts)]
  const forms = new Set<string>()
  // The Node SDK leaves out the port even where it is not the scheme's own.
  for (const host of new Set([...hosts, ...hosts.map((name) => name.replace(/:\d+$/, ''))])) {
    // A client may name whatever it likes, also what every object has.
    const received = (name: string) => (Object.hasOwn(headers, name) ? (headers[name] ?? '') : '')
    const valueOf = (name: string) => (name === 'host' ? host : received(name).trim())
    const signed = names.map((name) => `${name}:${valueOf(name)}\n`).join('')
    // The documents have values in small letters; SDKs sign them as they are.
    for (const lines of [signed, signed.toLowerCase()])
      forms.add(`${method}\n${path}\n${query}\n${lines}\n${names.join(';')}\n${payload}`)
  }
  return forms
}

/** The UTC date of a time in epoch seconds; none of what is no such time. */
const dayOf = (timestamp: string): string =>
  /^\d{1,11}$/.test(timestamp) ? new Date(Number(timestamp) * 1000).toISOString().slice(0, 10) : ''

const hmac = (key: string | Uint8Array, text: string): Buffer => createHmac('sha256', key).update(text).digest()

const sha256 = (data: string): string => createHash('sha256').update(data).digest('hex')
