import type { Notes, Tag } from '../domain/notes.ts'
import { flagIn, textIn, writeFlag } from './attributes.ts'
import type { Item } from './database.ts'

/** A record's values, of which its notes are attributes of one kind each. */
export const writeNotes = <Record extends Notes>({ trace, tags, ...others }: Record) => ({
  ...others,
  trace: writeFlag(trace),
  tags: tags && JSON.stringify(tags),
})

/** The notes of an item. */
export function notesOf(item: Item): Notes {
  const tags = textIn(item, 'tags')
  return { trace: flagIn(item, 'trace'), tags: tags === undefined ? undefined : (JSON.parse(tags) as readonly Tag[]) }
}
