import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Instant, Seconds } from '../domain/time.ts'
import type { CmqRequest } from './request.ts'

type Pair = readonly [name: string, value: string]

/**
 * Whether the request was signed with this key (406/5906): base64 of the HMAC of `METHOD host path ? k1=v1&k2=v2…`, over
 * decoded values, names in byte order, without the parameter Signature. HmacSHA256 selects SHA-256, anything else SHA-1.
 *
 * The SDKs differ in what they sign, so each form they are known to sign is tried, the likeliest first; an ordinary
 * request costs one HMAC. `publicHosts` are the names under which clients may know this service.
 */
export function isSignedWith(
  secretKey: string,
  request: CmqRequest,
  publicHosts: readonly string[],
  formsOf: (request: CmqRequest) => Iterable<readonly Pair[]> = signedForms,
): boolean {
  const claimed = Buffer.from(request.parameters.get('Signature') ?? '')
  const algorithm = request.values.get('signaturemethod') === 'HmacSHA256' ? 'sha256' : 'sha1'
  if (claimed.length !== signatureLength[algorithm]) return false
  const hosts = signedHosts(request.host, publicHosts)
  const paths = signedPaths(request.path)
  for (const pairs of formsOf(request)) {
    const query = Buffer.from(pairs.map(([name, value]) => `${name}=${value}`).join('&'))
    for (const host of hosts) {
      for (const path of paths) {
        const hmac = createHmac(algorithm, secretKey).update(`${request.method}${host}${path}?`).update(query)
        if (timingSafeEqual(Buffer.from(hmac.digest('base64')), claimed)) return true
      }
    }
  }
  return false
}

/** The request's Timestamp, as it was sent. */
export const clientTimeOf = ({ values }: CmqRequest): string => values.get('timestamp') ?? ''

/** Whether the request's Timestamp, in seconds, lies within the window around `now`. Nonces may repeat: SDKs repeat them. */
export const isTimely = (request: CmqRequest, now: Instant, window: Seconds): boolean =>
  isWithinWindow(clientTimeOf(request), now, window)

/** Whether a time in seconds lies within the window around `now`. */
export const isWithinWindow = (timestamp: string, now: Instant, window: Seconds): boolean =>
  /^\d{1,15}$/.test(timestamp) && Math.abs(Number(timestamp) * 1000 - now) <= window * 1000

/** Characters of base64. A signature of any other length is wrong, which is no secret. */
const signatureLength = { sha1: 28, sha256: 44 } as const

/** SDKs sign the endpoint as it was typed; their HTTP clients leave a scheme's own port out of the Host header. */
export function signedHosts(host: string, publicHosts: readonly string[]): ReadonlySet<string> {
  return new Set([host, ...(/:\d+$/.test(host) ? [] : [`${host}:80`, `${host}:443`]), ...publicHosts])
}

/** The PHP SDK signs /v2/index.php whatever path its endpoint makes of it, and proxies may merge slashes. */
function signedPaths(path: string): ReadonlySet<string> {
  return new Set([path, '/v2/index.php', '/', path.replace(/\/{2,}/g, '/')])
}

/**
 * The parameters as SDKs sign them. In a POST the Python and PHP SDKs leave out a value that begins with `@`, which is
 * then not authenticated, as on CMQ itself. The Node SDK signs the tags of PublishMessage as one pair but sends a list.
 */
function* signedForms({ method, parameters }: CmqRequest): Generator<readonly Pair[]> {
  const pairs = signedPairs(parameters)
  yield* spellings(pairs)
  const unmarked = method === 'POST' ? pairs.filter(([, value]) => !value.startsWith('@')) : pairs
  if (unmarked.length < pairs.length) yield* spellings(unmarked)
  const tags = listOf('msgTag', parameters)
  if (tags.size > 0) {
    const others = pairs.filter(([name]) => !tags.has(name))
    yield* spellings([...others, ['msgTag', [...tags.values()].join()] as const].sort(byName))
  }
}

/** The parameters as clients of API 3.0 sign them in the older way: all of them, as they are. */
export const plainForms = ({ parameters }: CmqRequest): Iterable<readonly Pair[]> => spellings(signedPairs(parameters))

const signedPairs = (parameters: ReadonlyMap<string, string>): readonly Pair[] =>
  [...parameters].filter(([name]) => name !== 'Signature').sort(byName)

/** Most SDKs sign a dot for an underscore in a name, after they have sorted. */
function* spellings(pairs: readonly Pair[]): Generator<readonly Pair[]> {
  if (pairs.some(([name]) => name.includes('_'))) yield pairs.map(([name, value]) => [name.replaceAll('_', '.'), value])
  yield pairs
}

/** The list's elements from number 0 on, under their names. What does not belong to it stays signed by its own name. */
function listOf(name: string, parameters: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const list = new Map<string, string>()
  for (;;) {
    const key = `${name}.${list.size}`
    const value = parameters.get(key)
    if (value === undefined) return list
    list.set(key, value)
  }
}

/** Orders as the UTF-8 bytes do, which is by code point; strings compare by UTF-16 unit, and differ beyond U+FFFF. */
function byName([a]: Pair, [b]: Pair): number {
  let at = 0
  while (at < a.length && a.charCodeAt(at) === b.charCodeAt(at)) at++
  return (a.codePointAt(at) ?? -1) - (b.codePointAt(at) ?? -1)
}
