import * as v from 'valibot'
import { CmqError, failures, type Failure } from '../domain/errors.ts'
import { batchLimits, LONGEST_DELAY } from '../domain/queue.ts'

/**
 * An action's parameters, under CMQ's names: `v.object({ queueName, delaySeconds })`. Whatever a block refuses carries the
 * failure's name as its message, and `readParams` makes CMQ's answer of it.
 */
export type Params = v.ObjectSchema<v.ObjectEntries, undefined>

/** Text of `min` to `max` characters. */
export const text = (min: number, max: number, failure: Failure = 'parameterOutOfRange') =>
  v.pipe(v.string(), v.minLength(min, failure), v.maxLength(max, failure))

/** A whole number from `min` to `max`, in decimal digits. */
export const integer = (min: number, max: number, failure: Failure = 'parameterOutOfRange') =>
  v.pipe(
    v.string(),
    v.regex(/^-?\d{1,15}$/, 'parameterTypeWrong' satisfies Failure),
    // Adding 0 makes a plain 0 of `-0`.
    v.transform((digits) => Number(digits) + 0),
    v.minValue(min, failure),
    v.maxValue(max, failure),
  )

/** A duration in whole seconds. */
export const seconds = integer

/** A letter, then letters, digits, `-` and, as newer pages have it, `_`; 64 in all (406/5832). */
export const name = (failure: Failure) => v.pipe(v.string(), v.regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/, failure))

export const queueName = name('queueNameWrong')

/** What a name must contain to be listed; nothing when all are wanted (406/5833). */
export const searchWord = v.optional(v.string(), '')

/** A page of a list, of `min` to `max` elements (406/5833). */
export const page = (min: number, max: number) => ({
  offset: v.optional(integer(0, Number.MAX_SAFE_INTEGER), '0'),
  limit: v.optional(integer(min, max), '20'),
})

/** A body of at least one byte; how long it may be is its queue's to say (406/5837). */
export const msgBody = v.pipe(v.string(), v.minLength(1, 'bodyEmpty' satisfies Failure))

/** How long a message stays hidden once it is sent (406/8128). A deployment may allow less. */
export const delaySeconds = v.optional(seconds(0, LONGEST_DELAY, 'delayOutOfRange'), '0')

/** At most 256 characters; whether it is a handle of ours is the domain's question (406/5840). */
export const receiptHandle = text(0, 256)

interface ListRules {
  readonly max: number
  /** Another name that SDKs give the list, as `bindindKey` for `bindingKey`. */
  readonly alias?: string
  /** What is answered to more than `max` elements. */
  readonly failure?: Failure
  /** What the elements consist of, where they are no plain values. */
  readonly element?: Params
}

/** True or false, in whatever case; SDKs in Python capitalise it. */
export const flag = v.pipe(
  v.string(),
  v.toLowerCase(),
  v.picklist(['true', 'false', '1', '0'], 'parameterTypeWrong' satisfies Failure),
  v.transform((word) => word === 'true' || word === '1'),
)

/** A list of 1 to `max` elements, sent as `name.0`, `name.1`, … or `name.1`, `name.2`, … (406/5838). */
export const list = <Element extends v.GenericSchema<string, unknown>>(
  element: Element,
  max: number = batchLimits.messages,
  rules: Omit<ListRules, 'max'> = {},
) => v.pipe(v.array(element), v.metadata({ list: { ...rules, max } }))

/** A list of 1 to `max` elements of several values each, sent as `name.0.key`, `name.0.value`, `name.1.key`, … */
export const structures = <Element extends Params>(element: Element, max: number) =>
  v.pipe(v.array(element), v.metadata({ list: { max, element } satisfies ListRules }))

/**
 * The parameters that `schema` names, checked and converted, or the CmqError of one that is wrong. `values` has
 * lower-cased names. Parameters that the schema does not name are ignored, since SDKs send private ones; unless `common`
 * says which others there may be: then they are refused.
 */
export function readParams<Schema extends Params>(
  schema: Schema,
  values: ReadonlyMap<string, string>,
  common?: ReadonlySet<string>,
): v.InferOutput<Schema> {
  const parameters = parametersOf(schema)
  const given = gathered(parameters, values)
  if (common) checkKnown(parameters, values, common)
  const result = v.safeParse(schema, given, { abortEarly: true })
  if (result.success) return result.output
  const [issue] = result.issues
  throw new CmqError(failureOf(issue), String(issue.path?.[0].key))
}

type Given = string | readonly string[] | readonly GivenParameters[]
type GivenParameters = { [name: string]: Given }

/** What was given of the parameters, under their names. */
function gathered(parameters: readonly Parameter[], values: ReadonlyMap<string, string>): GivenParameters {
  const given: GivenParameters = {}
  for (const parameter of parameters) {
    const { list } = parameter
    const value = !list
      ? single(parameter, values)
      : list.parameters
        ? structured(parameter, list.parameters, list.max, values)
        : listed(parameter, list, values)
    if (value !== undefined) given[parameter.name] = value
  }
  return given
}

function checkKnown(
  parameters: readonly Parameter[],
  values: ReadonlyMap<string, string>,
  common: ReadonlySet<string>,
): void {
  const isKnown = (key: string) =>
    parameters.some(({ key: own, list }) => key === own || list?.keys.some((start) => key.startsWith(`${start}.`)))
  for (const key of values.keys()) if (!common.has(key) && !isKnown(key)) throw new CmqError('parameterUnknown', key)
}

function failureOf({ input, message }: v.BaseIssue<unknown>): Failure {
  if (input === undefined) return 'parameterMissing'
  return isFailure(message) ? message : 'parameterOutOfRange'
}

const isFailure = (message: string): message is Failure => Object.hasOwn(failures, message)

/** What is known of a parameter before any request arrives. Keys are lower-cased, as those of `values` are. */
interface Parameter {
  readonly name: string
  readonly key: string
  readonly firstKeys: readonly [string, string]
  readonly list: (Omit<ListRules, 'alias' | 'element'> & ListShape) | undefined
}

/** Under which keys a list may come, and what its elements consist of where they are no plain values. */
interface ListShape {
  readonly keys: readonly string[]
  readonly parameters: readonly Parameter[] | undefined
}

const described = new WeakMap<Params, readonly Parameter[]>()

function parametersOf(schema: Params): readonly Parameter[] {
  const known = described.get(schema)
  if (known) return known
  const parameters = Object.entries(schema.entries).map(([name, entry]) => parameter(name, entry))
  described.set(schema, parameters)
  return parameters
}

function parameter(name: string, entry: v.ObjectEntries[string]): Parameter {
  const key = name.toLowerCase()
  const rules = listRules(entry)
  const keys = [key, ...(rules?.alias === undefined ? [] : [rules.alias.toLowerCase()])]
  const parameters = rules?.element && parametersOf(rules.element)
  return { name, key, firstKeys: [`${key}.0`, `${key}.1`], list: rules && { ...rules, keys, parameters } }
}

/** The rules that `list` left on the block, also where the block was made optional. */
function listRules(entry: object): ListRules | undefined {
  const { list } = v.getMetadata(entry as v.GenericSchema) as { readonly list?: ListRules }
  return list ?? ('wrapped' in entry ? listRules(entry.wrapped as object) : undefined)
}

function single({ name, key, firstKeys }: Parameter, values: ReadonlyMap<string, string>): string | undefined {
  const value = values.get(key)
  if (value === undefined && firstKeys.some((first) => values.has(first))) throw new CmqError('parameterRepeated', name)
  return value
}

function listed(
  { name }: Parameter,
  { keys, max, failure = 'batchSizeOutOfRange' }: NonNullable<Parameter['list']>,
  values: ReadonlyMap<string, string>,
): readonly string[] | undefined {
  for (const key of keys) {
    if (values.has(key)) throw new CmqError('parameterKeyWrong', name)
    const count = countElements(name, `${key}.`, values)
    if (count > max) throw new CmqError(failure, name)
    if (count > 0) return elements(name, `${key}.`, count, values)
  }
  return undefined
}

/** How many elements were sent. One index has one spelling, so none can hide another: `name.01` is refused. */
function countElements(name: string, prefix: string, values: ReadonlyMap<string, string>): number {
  let count = 0
  for (const key of values.keys()) {
    if (!key.startsWith(prefix)) continue
    if (!/^(0|[1-9]\d*)$/.test(key.slice(prefix.length))) throw new CmqError('parameterKeyWrong', name)
    count++
  }
  return count
}

function structured(
  { name, key }: Parameter,
  parameters: readonly Parameter[],
  max: number,
  values: ReadonlyMap<string, string>,
): readonly GivenParameters[] | undefined {
  if (values.has(key)) throw new CmqError('parameterKeyWrong', name)
  const parts = partsOf(name, `${key}.`, values)
  if (parts.size > max) throw new CmqError('batchSizeOutOfRange', name)
  return parts.size === 0 ? undefined : elements(name, '', parts.size, parts).map((part) => gathered(parameters, part))
}

/** The values of each element, by its number: those of `name.0.key` and `name.0.value` are `key` and `value` of `0`. */
function partsOf(
  name: string,
  prefix: string,
  values: ReadonlyMap<string, string>,
): ReadonlyMap<string, ReadonlyMap<string, string>> {
  const parts = new Map<string, Map<string, string>>()
  for (const [key, value] of values) {
    if (!key.startsWith(prefix)) continue
    const [, number = '', part] = /^(0|[1-9]\d*)\.(.+)$/.exec(key.slice(prefix.length)) ?? []
    if (part === undefined) throw new CmqError('parameterKeyWrong', name)
    const found = parts.get(number) ?? new Map<string, string>()
    parts.set(number, found.set(part, value))
  }
  return parts
}

/** The elements in the order of their numbers. If `count` numbers in a row from 0 or 1 are there, they are all there is. */
function elements<Value>(
  name: string,
  prefix: string,
  count: number,
  values: ReadonlyMap<string, Value>,
): readonly Value[] {
  const base = values.has(`${prefix}0`) ? 0 : 1
  return Array.from({ length: count }, (_, index) => {
    const value = values.get(`${prefix}${base + index}`)
    if (value === undefined) throw new CmqError('batchNotConsecutive', name)
    return value
  })
}
