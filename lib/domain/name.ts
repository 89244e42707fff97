/** Names are compared without regard to case (406/6902). */
export const canonicalName = (name: string): string => name.toLowerCase()

/** Whether two names are the same. */
export const isSameName = (name: string, other: string): boolean => canonicalName(name) === canonicalName(other)

/** Whether the thing has that name. */
export const isNamed = (thing: { readonly name: string }, name: string): boolean => isSameName(thing.name, name)

/** Those whose names contain the word, without regard to case (406/5833). */
export const named = <Thing extends { readonly name: string }>(
  things: readonly Thing[],
  word: string,
): readonly Thing[] => things.filter(({ name }) => canonicalName(name).includes(canonicalName(word)))
