import { actionNames } from './actions.ts'
import type { Instant } from './time.ts'

/** A key pair: whose it is, what it may do, and what its requests may be signed with. */
export interface Key {
  readonly secretId: string
  /** appId of the owner. */
  readonly account: string
  readonly status: KeyStatus
  /** What it is limited to; without, it may do everything that its account may. */
  readonly allow?: readonly Permission[] | undefined
  /** The newest first. While a key is rotated there is a second one, which ends by itself. */
  readonly secrets: readonly Secret[]
}

export const keyStatuses = ['enabled', 'disabled'] as const
export type KeyStatus = (typeof keyStatuses)[number]

/** Something that is good until then, or for ever. */
export interface Lasting {
  readonly until?: Instant
}

export interface Secret extends Lasting {
  readonly secretKey: string
}

/**
 * Actions by their names in API 2.0, and what they may be done to: `queue/<name>` and `topic/<name>`. In both a `*` stands
 * for any characters, none included, and case does not count.
 */
export interface Permission {
  readonly actions: readonly string[]
  readonly resources: readonly string[]
}

/** Whether one of the key's permissions covers the action on that resource. */
export function may({ allow }: Pick<Key, 'allow'>, action: string, resource: string): boolean {
  if (!allow) return true
  const covers = (patterns: readonly string[], text: string) => patterns.some((pattern) => matches(pattern, text))
  return allow.some(({ actions, resources }) => covers(actions, action) && covers(resources, resource))
}

/**
 * Whether the text is of the pattern. Each piece between two `*` is taken where it first occurs after the one before: if
 * that leads nowhere, no later place does, so nothing is ever tried again.
 */
export function matches(pattern: string, text: string): boolean {
  const [first = '', ...pieces] = pattern.toLowerCase().split('*')
  const whole = text.toLowerCase()
  const last = pieces.pop()
  if (last === undefined) return whole === first
  if (!whole.startsWith(first)) return false
  let at = first.length
  for (const piece of pieces) {
    const found = whole.indexOf(piece, at)
    if (found < 0) return false
    at = found + piece.length
  }
  return whole.length - last.length >= at && whole.endsWith(last)
}

/** Those that are good at `now`. */
export const lasting = <Thing extends Lasting>(things: readonly Thing[], now: Instant): readonly Thing[] =>
  things.filter(({ until }) => until === undefined || now < until)

/** The secrets after a rotation: the new one, and the present one until then; without a then it ends whatever any clock says. */
export function rotated<Sealed extends Lasting>(
  [present]: readonly Sealed[],
  fresh: Sealed,
  until?: Instant,
): readonly Sealed[] {
  return present && until !== undefined ? [fresh, { ...present, until }] : [fresh]
}

/** Letters, digits and whatever else a pair of one's own may have: what is longer was never given to anybody. */
export const isSecretId = (text: string): boolean => text.length > 0 && text.length <= 128

/** An appId, as CMQ numbers its customers. */
export const isAccount = (text: string): boolean => /^[1-9]\d{0,14}$/.test(text)

/** What a permission may say: enough for a service of many queues, and little to read with each key. */
const permissionLimits = { permissions: 20, patterns: 50, characters: 128 } as const

/** What is wrong with the permissions that were asked for, in one line; undefined when nothing is. */
export function faultIn(allow: readonly Permission[]): string | undefined {
  const { permissions, patterns, characters } = permissionLimits
  if (allow.length === 0 || allow.length > permissions) return `1 to ${permissions} permissions are needed`
  for (const { actions, resources } of allow) {
    for (const [name, list] of Object.entries({ actions, resources }))
      if (list.length === 0 || list.length > patterns) return `1 to ${patterns} ${name} are needed in each permission`
    const action = actions.find((pattern) => !/^[A-Za-z*]+$/.test(pattern) || pattern.length > characters)
    if (action !== undefined) return `${action} is no action: letters and *`
    const unknown = actions.find((pattern) => !actionNames.some((name) => matches(pattern, name)))
    if (unknown !== undefined) return `API 2.0 has no action ${unknown}`
    const resource = resources.find((pattern) => !RESOURCE.test(pattern) || pattern.length > characters)
    if (resource !== undefined) return `${resource} is no resource: *, queue/NAME or topic/NAME, with * in the name`
  }
  return undefined
}

const RESOURCE = /^(\*|(queue|topic)\/[\w*-]+)$/i
