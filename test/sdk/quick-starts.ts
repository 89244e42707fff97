import { fileURLToPath } from 'node:url'
import type { Access } from '../support/cmq-client.ts'
import { run } from '../support/programs.ts'
import type { Tally } from '../support/tally.ts'

const each = <Signature extends string>(signatures: readonly Signature[]) =>
  (['POST', 'GET'] as const).flatMap((method) => signatures.map((signature) => [signature, method] as const))

/** How the SDKs can be set to sign and to send. */
const api2 = each(['sha1', 'sha256'])
const api3 = each(['TC3-HMAC-SHA256', 'HmacSHA1', 'HmacSHA256'])

const programs = {
  queue_quick_start: api2,
  topic_quick_start: api2,
  dead_letters: api2,
  api3_quick_start: api3,
} as const

type Setting = readonly [signature: string, method: string]

/** The programs, each with every setting of the SDK that it is written with. */
export const quickStarts = (Object.keys(programs) as (keyof typeof programs)[]).flatMap((program) =>
  programs[program].map((setting: Setting) => ({ program, setting })),
)

export interface QuickStart {
  readonly program: keyof typeof programs
  readonly setting: Setting
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
