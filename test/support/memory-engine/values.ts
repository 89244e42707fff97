import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import type { Item } from './expressions.ts'

/** Texts in the order of their bytes in UTF-8: that of UTF-16 but for characters beyond the first plane. */
export function compareTexts(a: string, b: string): number {
  if (a === b) return 0
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at++) {
    const left = a.charCodeAt(at)
    const right = b.charCodeAt(at)
    if (left === right) continue
    if (left < 0xd800 || right < 0xd800) return left - right
    return (a.codePointAt(at) ?? 0) - (b.codePointAt(at) ?? 0)
  }
  return a.length - b.length
}

/** The order of two values of one type; undefined where they have none. */
export function compareValues(left: AttributeValue, right: AttributeValue): number | undefined {
  if (left.S !== undefined && right.S !== undefined) return compareTexts(left.S, right.S)
  if (left.N !== undefined && right.N !== undefined) return Number(left.N) - Number(right.N)
  if (left.B !== undefined && right.B !== undefined) return Buffer.compare(left.B, right.B)
  return undefined
}

export function isSameValue(left: AttributeValue, right: AttributeValue): boolean {
  if (left.BOOL !== undefined) return left.BOOL === right.BOOL
  if (left.NULL !== undefined) return right.NULL !== undefined
  return compareValues(left, right) === 0
}

/** The bytes that DynamoDB counts for a value: a number's digits two to a byte, and one more. */
export function bytesOf({ S, N, B }: AttributeValue): number {
  if (S !== undefined) return Buffer.byteLength(S)
  if (N !== undefined) return Math.ceil(N.replace(/^-|\.|0+$/g, '').length / 2) + 1
  return B?.byteLength ?? 1
}

const sizes = new WeakMap<Item, number>()

/** The bytes of an item, its names included. An item is never changed, only replaced, so it is measured once. */
export function sizeOfItem(item: Item): number {
  const known = sizes.get(item)
  if (known !== undefined) return known
  let bytes = 0
  for (const name in item) bytes += Buffer.byteLength(name) + bytesOf(item[name] as AttributeValue)
  sizes.set(item, bytes)
  return bytes
}
