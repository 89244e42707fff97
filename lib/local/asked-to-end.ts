/** Two signals within as many milliseconds are one: npm passes on the Ctrl-C that the terminal sent to all. */
const SAME_SIGNAL = 500

/**
 * Aborted by the first of these signals, right before `first` is called. Whoever asks again later does not want to wait:
 * `again` ends the process.
 */
export function askedToEnd<Name extends NodeJS.Signals>(
  names: readonly Name[],
  first: (name: Name) => void,
  again: (name: Name) => never,
): AbortSignal {
  const ending = new AbortController()
  let askedAt = 0
  for (const name of names)
    process.on(name, () => {
      if (ending.signal.aborted) return performance.now() - askedAt > SAME_SIGNAL ? again(name) : undefined
      askedAt = performance.now()
      ending.abort()
      first(name)
    })
  return ending.signal
}
