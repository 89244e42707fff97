import type { AttributeValue } from '@aws-sdk/client-dynamodb'
import { invalid } from './exceptions.ts'
import { bytesOf, compareValues, isSameValue } from './values.ts'

/** DynamoDB's expressions over top-level attributes, read once for each text and then kept. */

export type Item = Readonly<Record<string, AttributeValue>>

/** The names and values that an expression stands on. */
export interface Bindings {
  readonly names: Readonly<Record<string, string>>
  readonly values: Readonly<Record<string, AttributeValue>>
}

export type Operand =
  | { readonly is: 'path'; readonly name: string }
  | { readonly is: 'value'; readonly name: string }
  | { readonly is: 'size'; readonly of: Operand }

export type Comparator = '=' | '<>' | '<' | '<=' | '>' | '>='

export type Condition =
  | { readonly is: 'and' | 'or'; readonly parts: readonly Condition[] }
  | { readonly is: 'not'; readonly part: Condition }
  | { readonly is: 'compared'; readonly by: Comparator; readonly left: Operand; readonly right: Operand }
  | { readonly is: 'between'; readonly of: Operand; readonly low: Operand; readonly high: Operand }
  | { readonly is: 'in'; readonly of: Operand; readonly list: readonly Operand[] }
  | { readonly is: 'called'; readonly name: string; readonly args: readonly Operand[] }

/** One change that an update makes. */
export type Change =
  | { readonly does: 'set'; readonly name: string; readonly to: Source }
  | { readonly does: 'remove'; readonly name: string }
  | { readonly does: 'add'; readonly name: string; readonly value: Operand }

/** What an attribute is set to. */
export type Source =
  | { readonly is: 'operand'; readonly operand: Operand }
  | { readonly is: 'sum'; readonly sign: 1 | -1; readonly left: Source; readonly right: Source }
  | { readonly is: 'if_not_exists'; readonly name: string; readonly otherwise: Source }

const TOKEN = /\s*(<>|<=|>=|[=<>(),+-]|[:#]?[A-Za-z_][\w]*)/gy

interface Tokens {
  next(): string
  peek(): string | undefined
  /** Takes the next token if it is this word, in any case. */
  takes(word: string): boolean
  expect(word: string): void
}

function tokensOf(text: string): Tokens {
  const tokens: string[] = []
  TOKEN.lastIndex = 0
  let end = 0
  for (let found = TOKEN.exec(text); found; found = TOKEN.exec(text)) {
    tokens.push(found[1] ?? '')
    end = TOKEN.lastIndex
  }
  if (text.slice(end).trim() !== '') throw invalid(`Invalid expression: Syntax error; near: "${text.slice(end)}"`)
  let at = 0
  const takes = (word: string) => {
    if (tokens[at]?.toUpperCase() !== word) return false
    at++
    return true
  }
  return {
    next: () => tokens[at++] ?? fail(text),
    peek: () => tokens[at],
    takes,
    expect(word) {
      if (!takes(word)) fail(text)
    },
  }
}

function fail(text: string): never {
  throw invalid(`Invalid expression: Syntax error in "${text}"`)
}

function cached<Result>(read: (tokens: Tokens, text: string) => Result): (text: string) => Result {
  const known = new Map<string, Result>()
  return (text) => {
    let result = known.get(text)
    if (result === undefined) {
      const tokens = tokensOf(text)
      result = read(tokens, text)
      if (tokens.peek() !== undefined) fail(text)
      known.set(text, result)
    }
    return result
  }
}

/** Reads a condition, a filter, or a condition on keys. */
export const readCondition = cached((tokens) => disjunction(tokens))

/** Reads the names of a projection. */
export const readProjection = cached((tokens) => {
  const names = [tokens.next()]
  while (tokens.takes(',')) names.push(tokens.next())
  return names
})

/** Reads what an update changes. */
export const readUpdate = cached((tokens, text) => {
  const changes: Change[] = []
  while (tokens.peek() !== undefined) {
    const clause = tokens.next().toUpperCase()
    do changes.push(changeOf(clause, tokens, text))
    while (tokens.takes(','))
  }
  return changes
})

function changeOf(clause: string, tokens: Tokens, text: string): Change {
  const name = tokens.next()
  if (clause === 'REMOVE') return { does: 'remove', name }
  if (clause === 'ADD') return { does: 'add', name, value: operand(tokens) }
  if (clause !== 'SET') return fail(text)
  tokens.expect('=')
  return { does: 'set', name, to: sum(tokens) }
}

function sum(tokens: Tokens): Source {
  const left = source(tokens)
  if (tokens.takes('+')) return { is: 'sum', sign: 1, left, right: source(tokens) }
  if (tokens.takes('-')) return { is: 'sum', sign: -1, left, right: source(tokens) }
  return left
}

function source(tokens: Tokens): Source {
  if (!tokens.takes('IF_NOT_EXISTS')) return { is: 'operand', operand: operand(tokens) }
  tokens.expect('(')
  const name = tokens.next()
  tokens.expect(',')
  const otherwise = source(tokens)
  tokens.expect(')')
  return { is: 'if_not_exists', name, otherwise }
}

function disjunction(tokens: Tokens): Condition {
  const parts = [conjunction(tokens)]
  while (tokens.takes('OR')) parts.push(conjunction(tokens))
  return parts.length === 1 && parts[0] ? parts[0] : { is: 'or', parts }
}

function conjunction(tokens: Tokens): Condition {
  const parts = [factor(tokens)]
  while (tokens.takes('AND')) parts.push(factor(tokens))
  return parts.length === 1 && parts[0] ? parts[0] : { is: 'and', parts }
}

const FUNCTIONS = new Set(['attribute_exists', 'attribute_not_exists', 'begins_with', 'contains'])

function factor(tokens: Tokens): Condition {
  if (tokens.takes('NOT')) return { is: 'not', part: factor(tokens) }
  if (tokens.takes('(')) {
    const inner = disjunction(tokens)
    tokens.expect(')')
    return inner
  }
  const name = tokens.peek() ?? ''
  if (!FUNCTIONS.has(name)) return comparison(tokens)
  tokens.next()
  return { is: 'called', name, args: listed(tokens) }
}

function comparison(tokens: Tokens): Condition {
  const left = operand(tokens)
  if (tokens.takes('BETWEEN')) {
    const low = operand(tokens)
    tokens.expect('AND')
    return { is: 'between', of: left, low, high: operand(tokens) }
  }
  if (tokens.takes('IN')) return { is: 'in', of: left, list: listed(tokens) }
  const by = tokens.next()
  if (!/^(=|<>|<=?|>=?)$/.test(by)) fail(by)
  return { is: 'compared', by: by as Comparator, left, right: operand(tokens) }
}

function listed(tokens: Tokens): readonly Operand[] {
  tokens.expect('(')
  const list = [operand(tokens)]
  while (tokens.takes(',')) list.push(operand(tokens))
  tokens.expect(')')
  return list
}

function operand(tokens: Tokens): Operand {
  const name = tokens.next()
  if (name === 'size' && tokens.takes('(')) {
    const of = operand(tokens)
    tokens.expect(')')
    return { is: 'size', of }
  }
  return { is: name.startsWith(':') ? 'value' : 'path', name }
}

/** The attribute that a name or its placeholder means. */
export const attributeName = (name: string, { names }: Bindings): string =>
  name.startsWith('#') ? (names[name] ?? missing(name)) : name

function missing(name: string): never {
  throw invalid(`An expression attribute name or value used in expression is not defined: ${name}`)
}

function valueOf(operand: Operand, item: Item, bindings: Bindings): AttributeValue | undefined {
  if (operand.is === 'value') return bindings.values[operand.name] ?? missing(operand.name)
  if (operand.is === 'path') return item[attributeName(operand.name, bindings)]
  const of = valueOf(operand.of, item, bindings)
  return of && { N: String(bytesOf(of)) }
}

/** Whether the condition holds for the item; one that is absent has no attributes. */
export function holds(condition: Condition, item: Item, bindings: Bindings): boolean {
  switch (condition.is) {
    case 'and':
      return condition.parts.every((part) => holds(part, item, bindings))
    case 'or':
      return condition.parts.some((part) => holds(part, item, bindings))
    case 'not':
      return !holds(condition.part, item, bindings)
    case 'compared':
      return isCompared(condition.by, valueOf(condition.left, item, bindings), valueOf(condition.right, item, bindings))
    case 'between': {
      const of = valueOf(condition.of, item, bindings)
      const isOver = isCompared('>=', of, valueOf(condition.low, item, bindings))
      return isOver && isCompared('<=', of, valueOf(condition.high, item, bindings))
    }
    case 'in': {
      const of = valueOf(condition.of, item, bindings)
      return condition.list.some((one) => isCompared('=', of, valueOf(one, item, bindings)))
    }
    case 'called':
      return isTrue(
        condition.name,
        condition.args.map((one) => valueOf(one, item, bindings)),
      )
  }
}

function isTrue(name: string, [first, second]: readonly (AttributeValue | undefined)[]): boolean {
  if (name === 'attribute_exists') return first !== undefined
  if (name === 'attribute_not_exists') return first === undefined
  if (first?.S === undefined || second?.S === undefined) return false
  return name === 'begins_with' ? first.S.startsWith(second.S) : first.S.includes(second.S)
}

function isCompared(by: Comparator, left: AttributeValue | undefined, right: AttributeValue | undefined): boolean {
  // What is absent, or of another type, is unequal to everything and in no order to anything.
  if (!left || !right) return by === '<>'
  if (by === '=' || by === '<>') return isSameValue(left, right) === (by === '=')
  const order = compareValues(left, right)
  if (order === undefined) return false
  if (by === '<') return order < 0
  if (by === '<=') return order <= 0
  return by === '>' ? order > 0 : order >= 0
}

/** The item with the changes made, each by what the item was before. */
export function updated(changes: readonly Change[], item: Item, bindings: Bindings): Record<string, AttributeValue> {
  const next = { ...item }
  for (const change of changes) {
    const name = attributeName(change.name, bindings)
    if (change.does === 'remove') delete next[name]
    else if (change.does === 'set') next[name] = sourceOf(change.to, item, bindings)
    else next[name] = added(item[name] ?? { N: '0' }, valueOf(change.value, item, bindings), 1)
  }
  return next
}

function sourceOf(source: Source, item: Item, bindings: Bindings): AttributeValue {
  if (source.is === 'sum')
    return added(sourceOf(source.left, item, bindings), sourceOf(source.right, item, bindings), source.sign)
  if (source.is === 'if_not_exists')
    return item[attributeName(source.name, bindings)] ?? sourceOf(source.otherwise, item, bindings)
  return valueOf(source.operand, item, bindings) ?? absent()
}

function absent(): never {
  throw invalid('The provided expression refers to an attribute that does not exist in the item')
}

function added(left: AttributeValue, right: AttributeValue | undefined, sign: 1 | -1): AttributeValue {
  if (left.N === undefined || right?.N === undefined)
    throw invalid('An operand in the update expression has an incorrect data type')
  return { N: String(Number(left.N) + sign * Number(right.N)) }
}

const placeholders = new Map<string, ReadonlySet<string>>()

/** The placeholders of a text. */
function placeholdersIn(text: string): ReadonlySet<string> {
  let found = placeholders.get(text)
  if (!found) {
    found = new Set(text.match(/[:#]\w+/g))
    placeholders.set(text, found)
  }
  return found
}

/** Every placeholder in the texts of a call has to be there, and none beside them. */
export function checkBindings(texts: readonly (string | undefined)[], { names, values }: Bindings): void {
  const used = placeholdersIn(texts.join(' '))
  for (const name of used) if (!(name in (name.startsWith('#') ? names : values))) missing(name)
  for (const given of [names, values])
    for (const name in given)
      if (!used.has(name)) throw invalid(`Value provided in expression attributes unused in expressions: ${name}`)
}
