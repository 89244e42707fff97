import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { CmqError } from '../domain/errors.ts'
import { actionOf, type Api3Action } from './api3-names.ts'
import { bodyOf, methodOf, parseRequest, readForm, type CmqRequest } from './request.ts'
import type { Tc3Request } from './tc3-signature.ts'

/** A request of API 3.0, decoded; its parameters have the names that its action knows them by. */
export interface Api3Request extends CmqRequest {
  /** The action and the version as the request names them. */
  readonly asked: { readonly action: string | undefined; readonly version: string }
  /** What is known of that action; undefined when there is none. */
  readonly known: Api3Action | undefined
  /** What the request itself calls each of `values`. */
  readonly spellings: ReadonlyMap<string, string>
  /** What TC3 signs; absent where the parameters carry a signature of the older kind. */
  readonly tc3?: Tc3Request
}

const read = new WeakMap<APIGatewayProxyEventV2, Api3Request>()

/** Headers by their names in small letters. */
export type Headers = Readonly<Record<string, unknown>>

/** Whether a request speaks API 3.0 by its headers, which name its action. */
export const isApi3 = (headers: Headers): boolean => headers['x-tc-action'] !== undefined

/** Reads a request of API 3.0: parameters as JSON, in the query string or as a form. Each event is read once. */
export function readApi3(event: APIGatewayProxyEventV2): Api3Request {
  const known = read.get(event)
  if (known) return known
  const request = isApi3(event.headers) ? readTc3(event) : readOlder(event)
  read.set(event, request)
  return request
}

/** Signed by the header Authorization, with the action and the version in headers. */
function readTc3(event: APIGatewayProxyEventV2): Api3Request {
  const method = methodOf(event)
  const { headers, rawPath: path, rawQueryString: query } = event
  const { host = '', 'x-tc-action': action, 'x-tc-version': version = '' } = headers
  const payload = method === 'POST' ? textOf(event) : ''
  const isForm = headers['content-type']?.startsWith('application/x-www-form-urlencoded')
  const parameters = method === 'GET' ? formOf(query) : isForm ? formOf(payload) : jsonOf(payload)
  const tc3 = { method, host, path, query, headers, payload }
  return { method, host, path, parameters, ...translated(parameters, action, version), tc3 }
}

/** Signed by a parameter like a request of API 2.0, with the action and the version in parameters. */
function readOlder(event: APIGatewayProxyEventV2): Api3Request {
  const request = parseRequest(event)
  const { action, values } = request
  return { ...request, ...translated(request.parameters, action, values.get('version') ?? '') }
}

/** The parameters as the action knows them. What it has no use for is left out. */
function translated(parameters: Iterable<readonly [string, string]>, action: string | undefined, version: string) {
  const known = actionOf(version, action ?? '')
  const values = new Map<string, string>()
  const spellings = new Map<string, string>()
  for (const [name, value] of parameters) {
    const [first = ''] = name.split('.', 1)
    const { as = first, read = same } = known?.parameters?.get(first) ?? {}
    if (as === '') continue
    const key = `${as}${name.slice(first.length)}`.trim().toLowerCase()
    values.set(key, read(value))
    spellings.set(key, name)
  }
  return { action: known?.runs, by: known?.by, asked: { action, version }, known, values, spellings }
}

const same = (value: string): string => value

function textOf(event: APIGatewayProxyEventV2): string {
  try {
    return bodyOf(event)
  } catch (error) {
    throw new CmqError(error instanceof RangeError ? 'requestTooLarge' : 'requestUnreadable', 'body')
  }
}

function formOf(text: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>()
  readForm({ parameters, values: new Map() }, 'parameters', () => text)
  return parameters
}

/** The parameters of a JSON object as a form would have them: `Filters.0.Name`. None of nothing. */
function jsonOf(text: string): ReadonlyMap<string, string> {
  const parameters = new Map<string, string>()
  if (text === '') return parameters
  try {
    const value = JSON.parse(text) as Member
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError('no object')
    flatten(value, '', 0, parameters)
  } catch {
    throw new CmqError('requestUnreadable', 'body')
  }
  return parameters
}

/** No parameter is deeper than `Filters.0.Values.0`. */
const DEEPEST = 4

/** Nor is any name of a list longer: each of its members repeats it, so megabytes of them would come to the square of that. */
const LONGEST_PREFIX = 256

function flatten(value: object, prefix: string, depth: number, parameters: Map<string, string>): void {
  if (depth === DEEPEST || prefix.length > LONGEST_PREFIX) throw new RangeError('too deep, or too long a name')
  for (const [name, member] of Object.entries(value) as [string, Member][]) {
    // SDKs send null for what was not set.
    if (member === null) continue
    if (typeof member === 'object') flatten(member, `${prefix}${name}.`, depth + 1, parameters)
    else parameters.set(`${prefix}${name}`, String(member))
  }
}

/** What JSON may hold. */
type Member = string | number | boolean | object | null
