/** Names are compared without regard to case (406/6902). */
export const canonicalName = (name: string): string => name.toLowerCase()

/** Those whose names contain the word, without regard to case (406/5833). */
export const named = <Thing extends { readonly name: string }>(
  things: readonly Thing[],
  word: string,
): readonly Thing[] => things.filter(({ name }) => canonicalName(name).includes(canonicalName(word)))
