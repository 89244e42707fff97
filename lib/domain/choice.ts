import { CmqError } from './errors.ts'
import { canonicalName, named } from './name.ts'
import type { Notes } from './notes.ts'

/** Which things of a list somebody wants to see. What is absent narrows nothing. */
export interface Choice {
  /** A word that their names contain. */
  readonly searchWord: string
  /** Names, of which theirs is one. */
  readonly names?: readonly string[] | undefined
  /** A tag that they carry, whatever its value. */
  readonly tagKey?: string | undefined
  readonly filters: readonly Filter[]
}

/** By the name of the thing, of which a value is a part, or by the tag `tag:<key>`, whose value is one of these. */
export interface Filter {
  readonly name: string
  readonly values: readonly string[]
}

interface Listed extends Pick<Notes, 'tags'> {
  readonly name: string
}

/** The things that somebody wants to see; `nameOfName` is what a filter by name is called, as `QueueName`. */
export function chosen<Thing extends Listed>(
  things: readonly Thing[],
  { searchWord, names, tagKey, filters }: Choice,
  nameOfName: string,
): readonly Thing[] {
  const wanted = names && new Set(names.map(canonicalName))
  const tests = filters.map((filter) => testOf(filter, nameOfName))
  return named(things, searchWord).filter(
    (thing) =>
      (!wanted || wanted.has(canonicalName(thing.name))) &&
      (tagKey === undefined || hasTag(thing, tagKey)) &&
      tests.every((test) => test(thing)),
  )
}

const BY_TAG = 'tag:'

function testOf({ name, values }: Filter, nameOfName: string): (thing: Listed) => boolean {
  if (name === nameOfName) return (thing) => values.some((word) => named([thing], word).length > 0)
  if (name.startsWith(BY_TAG)) return (thing) => hasTag(thing, name.slice(BY_TAG.length), values)
  throw new CmqError('parameterOutOfRange', 'filters')
}

const hasTag = ({ tags = [] }: Listed, key: string, values?: readonly string[]): boolean =>
  tags.some(({ tagKey, tagValue }) => tagKey === key && (values?.includes(tagValue) ?? true))
