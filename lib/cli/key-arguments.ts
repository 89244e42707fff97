import { readFileSync } from 'node:fs'
import * as v from 'valibot'
import { faultIn, isAccount, type Permission } from '../domain/key.ts'
import type { Seconds } from '../domain/time.ts'
import { firstLine, LocalError } from '../local/local-error.ts'

/** What arguments say, checked. Whatever is wrong is said in one line. */

/** An appId, in digits. */
export function account(text: string): string {
  if (!isAccount(text)) throw new LocalError(`--account takes an appId of up to 15 digits, not ${text}`)
  return text
}

const units = { s: 1, m: 60, h: 3_600, d: 86_400 } as const

/** The longest that two secrets of a key are good together. */
const LONGEST: Seconds = 90 * 86_400

/** `0`, or a number of seconds, minutes, hours or days: `90m`, `12h`, `7d`. */
export function duration(text: string): Seconds {
  const [, digits, unit] = /^(\d{1,9})([smhd])$/.exec(text === '0' ? '0s' : text) ?? []
  const seconds = Number(digits) * units[unit as keyof typeof units]
  if (!(seconds <= LONGEST)) throw new LocalError(`--overlap takes 0 or a time like 90m, 12h or 7d, not ${text}`)
  return seconds
}

const permissions = v.array(v.strictObject({ actions: v.array(v.string()), resources: v.array(v.string()) }))
const form = v.union([v.strictObject({ allow: permissions }), permissions])

interface Limits {
  readonly allow?: string
  readonly actions?: string
  readonly resources?: string
}

/** What a key is limited to; undefined where nothing is said, for everything. */
export function allowed({ allow, actions, resources }: Limits): readonly Permission[] | undefined {
  if (allow === undefined && actions === undefined && resources === undefined) return undefined
  if (allow !== undefined && (actions !== undefined || resources !== undefined))
    throw new LocalError('give --allow, or --actions and --resources')
  const list = (text = '*') => text.split(',').map((word) => word.trim())
  const wanted = allow === undefined ? [{ actions: list(actions), resources: list(resources) }] : permissionsIn(allow)
  const fault = faultIn(wanted)
  if (fault !== undefined) throw new LocalError(`the permissions cannot be used: ${fault}`)
  return wanted
}

function permissionsIn(text: string): readonly Permission[] {
  const read = v.safeParse(form, json(text))
  if (!read.success)
    throw new LocalError('--allow takes {"allow":[{"actions":["SendMessage"],"resources":["queue/orders-*"]}]}')
  return 'allow' in read.output ? read.output.allow : read.output
}

function json(text: string): unknown {
  try {
    return JSON.parse(text.startsWith('@') ? readFileSync(text.slice(1), 'utf8') : text)
  } catch (error) {
    throw new LocalError(`--allow cannot be read: ${firstLine(error)}`)
  }
}
