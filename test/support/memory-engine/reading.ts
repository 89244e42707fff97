import { invalid } from './exceptions.ts'
import {
  attributeName,
  readCondition,
  readProjection,
  type Bindings,
  type Condition,
  type Item,
  type Operand,
} from './expressions.ts'
import { rankOf, type Partition } from './table.ts'
import { compareTexts, sizeOfItem } from './values.ts'

/** What one call reads of a range. */
export interface Page {
  readonly items: readonly Item[]
  /** What was read last, where there may be more. */
  readonly last: Item | undefined
  readonly bytes: number
}

/** The most bytes that one call reads. */
const MOST_BYTES = 1_048_576

/** The sort keys from one to another. */
export interface KeyRange {
  readonly low: string
  readonly isLowOut?: boolean
  /** Undefined: to the end. */
  readonly high?: string
  readonly isHighOut?: boolean
}

/** Reads the condition of a query: the partition by equality, the sort key by any of DynamoDB's comparisons. */
export function rangeOf(expression: string, bindings: Bindings): { readonly pk: string; readonly range: KeyRange } {
  const condition = readCondition(expression)
  const parts = condition.is === 'and' ? condition.parts : [condition]
  const own = parts.find((part) => part.is === 'compared' && part.by === '=' && nameOf(part.left, bindings) === 'pk')
  const pk = own?.is === 'compared' ? textOf(own.right, bindings) : undefined
  const [sort, ...others] = parts.filter((part) => part !== own)
  if (pk === undefined || others.length > 0) throw invalid('Query condition missed key schema element: pk')
  return { pk, range: sort ? sortRange(sort, bindings) : { low: '' } }
}

function sortRange(condition: Condition, bindings: Bindings): KeyRange {
  const text = (operand: Operand | undefined) => textOf(operand, bindings) ?? unsupported()
  const checkName = (operand: Operand | undefined) => (nameOf(operand, bindings) === 'sk' ? undefined : unsupported())
  if (condition.is === 'between') {
    checkName(condition.of)
    const [low, high] = [text(condition.low), text(condition.high)]
    if (compareTexts(low, high) > 0)
      throw invalid('The BETWEEN operator requires upper bound to be greater than or equal to lower bound')
    return { low, high }
  }
  if (condition.is === 'called' && condition.name === 'begins_with') {
    checkName(condition.args[0])
    const low = text(condition.args[1])
    return { low, high: `${low}\u{10ffff}` }
  }
  if (condition.is !== 'compared') return unsupported()
  checkName(condition.left)
  const bound = text(condition.right)
  const ranges: Partial<Record<typeof condition.by, KeyRange>> = {
    '=': { low: bound, high: bound },
    '>': { low: bound, isLowOut: true },
    '>=': { low: bound },
    '<': { low: '', high: bound, isHighOut: true },
    '<=': { low: '', high: bound },
  }
  return ranges[condition.by] ?? unsupported()
}

function unsupported(): never {
  throw invalid('Query key condition not supported')
}

const nameOf = (operand: Operand | undefined, bindings: Bindings): string | undefined =>
  operand?.is === 'path' ? attributeName(operand.name, bindings) : undefined

const textOf = (operand: Operand | undefined, { values }: Bindings): string | undefined =>
  operand?.is === 'value' ? values[operand.name]?.S : undefined

/** How far and which way one call reads. */
export interface Reading {
  readonly limit?: number | undefined
  readonly isForward?: boolean | undefined
  /** Reads on from behind this key. */
  readonly startKey?: string | undefined
}

/** Reads the range of a partition, as far as the limits allow. */
export function pageOf({ keys, items }: Partition, range: KeyRange, reading: Reading): Page {
  const { limit = Infinity, isForward = true, startKey } = reading
  if (limit < 1) throw invalid('Limit must be at least 1')
  let first = beyond(keys, range.low, range.isLowOut)
  let end = range.high === undefined ? keys.length : beyond(keys, range.high, !range.isHighOut)
  if (startKey !== undefined && isForward) first = Math.max(first, beyond(keys, startKey, true))
  if (startKey !== undefined && !isForward) end = Math.min(end, beyond(keys, startKey))
  const step = isForward ? 1 : -1
  const found: Item[] = []
  let bytes = 0
  for (let at = isForward ? first : end - 1; at >= first && at < end; at += step) {
    const item = items.get(keys[at] ?? '') ?? {}
    found.push(item)
    bytes += sizeOfItem(item)
    if (found.length >= limit || bytes >= MOST_BYTES) return { items: found, last: item, bytes }
  }
  return { items: found, last: undefined, bytes }
}

/** The place of the first key that does not come before this one, or that comes after it. */
function beyond(keys: readonly string[], key: string, isAfter = false): number {
  const rank = rankOf(keys, key)
  return isAfter && keys[rank] === key ? rank + 1 : rank
}

/** The attributes that a projection names; all of them where there is none. */
export function projected(item: Item, expression: string | undefined, bindings: Bindings): Item {
  if (expression === undefined) return { ...item }
  const names = readProjection(expression).map((name) => attributeName(name, bindings))
  return Object.fromEntries(names.flatMap((name) => (item[name] ? [[name, item[name]]] : [])))
}
