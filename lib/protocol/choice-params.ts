import * as v from 'valibot'
import { list, page, searchWord, structures } from './params.ts'

/** Filters of one call, and values of one filter: API 3.0 of cmq has one of each, that of tdmq more. */
const MOST_FILTERS = 10
const MOST_VALUES = 10

const filter = v.object({ name: v.string(), values: list(v.string(), MOST_VALUES) })

/** Which things of a list are wanted, by filters, and which page of those. */
export const choice = {
  searchWord,
  filters: v.optional(structures(filter, MOST_FILTERS), []),
  ...page(1, 50),
}

/** The same for things with names of their own and tags. */
export const namedChoice = { ...choice, names: v.optional(list(v.string(), 50)), tagKey: v.optional(v.string()) }
