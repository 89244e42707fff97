import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

export interface ProgramOptions {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  readonly signal: AbortSignal
  /** Gets what the program prints, by lines. Without it stdout goes where this process's goes. */
  readonly onLine?: (line: string) => void
  /** Gets what it writes to stderr, which otherwise goes where this process's goes. */
  readonly onError?: (line: string) => void
}

/** The process groups of what runs. */
const groups = new Set<number>()
process.on('exit', () => groups.forEach(end))

function end(group: number): void {
  try {
    process.kill(-group, 'SIGKILL')
  } catch {
    // Its last process has just ended.
  }
}

/**
 * Runs a program in a process group of its own, and resolves to its exit code. With the signal, and with this process, all
 * that it has started ends.
 */
export async function run(command: string, args: readonly string[], options: ProgramOptions): Promise<number | null> {
  const { cwd, env, signal, onLine, onError } = options
  signal.throwIfAborted()
  const stdio = ['ignore', onLine ? 'pipe' : 'inherit', onError ? 'pipe' : 'inherit'] as const
  const child = spawn(command, args, { cwd, env, detached: true, stdio: [...stdio] })
  const group = child.pid
  const stop = () => group !== undefined && end(group)
  signal.addEventListener('abort', stop)
  if (group !== undefined) groups.add(group)
  if (child.stdout && onLine) createInterface(child.stdout).on('line', onLine)
  if (child.stderr && onError) createInterface(child.stderr).on('line', onError)
  try {
    const [code] = (await once(child, 'close')) as [number | null]
    return code
  } finally {
    signal.removeEventListener('abort', stop)
    if (group !== undefined) groups.delete(group)
  }
}

/**
 * Aborted when somebody asks this process to end, or when it has run for so many seconds. It is then to end by itself, after
 * it has ended what it started.
 */
export function endSignal(longest: number): AbortSignal {
  const over = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => over.abort(new Error('stopped by a signal')))
  setTimeout(() => over.abort(new Error(`not done within ${longest} s`)), longest * 1_000).unref()
  return over.signal
}
