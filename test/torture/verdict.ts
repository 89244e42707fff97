/** The last line of a report, by the rows that are to be 0 and are not. */
export const verdictOf = (failed: readonly string[]): string =>
  failed.length > 0 ? `failed: ${failed.join(', ')}` : 'nothing failed'
