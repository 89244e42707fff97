import { once } from 'node:events'
import { constants } from 'node:os'
import { askedToEnd } from '../../lib/local/asked-to-end.ts'

const codeOf = (name: keyof typeof constants.signals): number => 128 + constants.signals[name]

/** Aborted by the first Ctrl-C or its like, whose exit code is then ours, unless something fails. */
export const untilInterrupted = (): AbortSignal =>
  askedToEnd(
    ['SIGINT', 'SIGTERM', 'SIGHUP'],
    (name) => {
      process.exitCode ??= codeOf(name)
      console.error('ending; once more ends at once')
    },
    (name) => process.exit(codeOf(name)),
  )

/** Fails once it is aborted. */
export async function failing(signal: AbortSignal): Promise<never> {
  if (!signal.aborted) await once(signal, 'abort')
  throw signal.reason
}
