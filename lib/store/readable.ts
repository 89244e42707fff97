import { textIn } from './attributes.ts'
import type { Item } from './database.ts'
import type { Report } from './messages.ts'

/** Reads items as what they are. */
export type Readable = <Thing>(items: readonly Item[], read: (item: Item) => Thing) => readonly Thing[]

/**
 * Reads what can be read. An item that cannot was written by something else, or by a later version: it is told and passed
 * over, and stays until its time is over. One such item must not keep back all others of its lane.
 */
export const readableIn =
  (table: string, report: Report): Readable =>
  (items, read) =>
    items.flatMap((item) => {
      try {
        return [read(item)]
      } catch (error) {
        report('an item cannot be read', { table, pk: textIn(item, 'pk'), sk: textIn(item, 'sk'), error })
        return []
      }
    })
