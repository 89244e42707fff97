import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import { inSeconds, type Instant } from '../domain/time.ts'
import type { Item } from './database.ts'

/** Values to be stored, by the names of their attributes. */
export type Values = Readonly<Record<string, string | number | Uint8Array | undefined>>

/** Values as DynamoDB's attributes. What is undefined is left out. */
export const attributesOf = (values: Values): Item =>
  Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, attributeOf(value)]])),
  )

/** One value as an attribute. */
export const attributeOf = (value: string | number | Uint8Array): AttributeValue =>
  typeof value === 'string' ? { S: value } : typeof value === 'number' ? { N: String(value) } : { B: value }

/** The text of an attribute; undefined where there is none. */
export const textIn = (item: Item, name: string): string | undefined => item[name]?.S

/** The number of an attribute; undefined where there is none. */
export const numberIn = (item: Item, name: string): number | undefined =>
  item[name]?.N === undefined ? undefined : Number(item[name].N)

/** A required attribute. An item of ours that lacks it was written by something else, or by a later version. */
export function required<Value>(value: Value | undefined, name: string): Value {
  if (value === undefined) throw new Error(`an item of the store lacks its attribute ${name}`)
  return value
}

/** The bytes that DynamoDB counts for an item: names, texts, and a number's digits two to a byte. */
export const sizeOf = (item: Item): number =>
  Object.entries(item).reduce((sum, [name, value]) => sum + name.length + sizeOfValue(value), 0)

const sizeOfValue = ({ S, N, B }: AttributeValue): number =>
  S !== undefined ? Buffer.byteLength(S) : N !== undefined ? Math.ceil(N.length / 2) + 1 : (B?.byteLength ?? 1)

/**
 * DynamoDB's TTL wants whole epoch seconds, rounded up so that nothing is removed early. With the millisecond at which
 * the same life began it says the exact end again, so no second attribute has to.
 */
export const ttlOf = (endsAt: Instant): number => inSeconds(endsAt + 999)

/** The end of a life, in milliseconds, from its TTL and its beginning. */
export const endOf = (ttl: number, beganAt: Instant): Instant => {
  const millisecond = beganAt % 1000
  return millisecond === 0 ? ttl * 1000 : (ttl - 1) * 1000 + millisecond
}

/** Yes or no as one attribute. */
export const writeFlag = (flag: boolean | undefined): number | undefined =>
  flag === undefined ? undefined : Number(flag)

/** The answer of such an attribute; undefined where there is none. */
export const flagIn = (item: Item, name: string): boolean | undefined =>
  item[name] === undefined ? undefined : numberIn(item, name) === 1

/** A list of texts as one attribute. */
export const writeTexts = (texts: readonly string[]): string => JSON.stringify(texts)

/** The texts of such an attribute; none where there is none. */
export const textsIn = (item: Item, name: string): readonly string[] =>
  JSON.parse(textIn(item, name) ?? '[]') as readonly string[]
