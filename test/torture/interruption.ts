import { constants } from 'node:os'

/** Two signals within as many milliseconds are one: npm passes on the Ctrl-C that the terminal sent to all. */
const SAME_SIGNAL = 500

/**
 * Aborted by the first Ctrl-C or its like, whose exit code is then ours, unless something fails. Whoever asks again later
 * does not want to wait.
 */
export function untilInterrupted(): AbortSignal {
  const interruption = new AbortController()
  let askedAt = 0
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => {
      const code = 128 + constants.signals[name]
      if (interruption.signal.aborted) return performance.now() - askedAt > SAME_SIGNAL ? process.exit(code) : undefined
      askedAt = performance.now()
      process.exitCode ??= code
      console.error('ending; once more ends at once')
      interruption.abort()
    })
  return interruption.signal
}
