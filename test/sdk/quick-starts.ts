import { fileURLToPath } from 'node:url'
import type { Access } from '../support/cmq-client.ts'
import { run } from '../support/programs.ts'
import type { Tally } from '../support/tally.ts'

export const programs = ['queue_quick_start', 'topic_quick_start', 'dead_letters'] as const

/** How the SDK can be set to sign and to send. */
export const settings = [
  ['sha1', 'POST'],
  ['sha256', 'POST'],
  ['sha1', 'GET'],
  ['sha256', 'GET'],
] as const

export interface QuickStart {
  readonly program: (typeof programs)[number]
  readonly setting: (typeof settings)[number]
  /** A Python that has the SDK. */
  readonly python: string
  readonly access: Access
  readonly cwd: string
  readonly env?: NodeJS.ProcessEnv
  readonly results: Tally
  readonly signal: AbortSignal
}

/** Runs a program against a service, and counts its steps. One that fails without having said so counts as a failure too. */
export async function runProgram(quickStart: QuickStart): Promise<void> {
  const { program, setting, python, access, cwd, env = process.env, results, signal } = quickStart
  const failedBefore = results.failures
  const [launcher, file] = ['at_localhost.py', `${program}.py`].map((name) =>
    fileURLToPath(new URL(name, import.meta.url)),
  ) as [string, string]
  const { origin } = new URL(access.endpoint)
  const arguments_ = [origin, access.secretId, access.secretKey, ...setting]
  const args = ['-E', '-s', '-B', '-u', '-X', 'utf8', launcher, file, ...arguments_]
  const code = await run(python, args, { cwd, env, signal, onLine: results.relay })
  signal.throwIfAborted()
  if (code !== 0 && results.failures === failedBefore) throw new Error(`the program ended with ${code}`)
}
