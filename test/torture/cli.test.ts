import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { withoutSettings } from '../support/local-server.ts'

const program = fileURLToPath(new URL('cli.ts', import.meta.url))

// The next file of tests may look for its `TMPDIR` before its first test begins.
afterEach(() => vi.unstubAllEnvs())

interface Ended {
  readonly code: number | null
  readonly output: string
  readonly errors: string
}

/** Runs the command as a process of its own, which is sent signals once it has begun. */
async function run(args: readonly string[], ...signals: readonly NodeJS.Signals[]): Promise<Ended> {
  const child = spawn(process.execPath, [program, ...args], {
    env: { ...withoutSettings(process.env), POWERTOOLS_LOG_LEVEL: 'SILENT' },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = once(child, 'close') as Promise<[number | null]>
  const said = Promise.all([text(child.stdout), text(child.stderr)])
  if (signals.length > 0) await once(child.stdout, 'data')
  for (const signal of signals) child.kill(signal)
  const [output, errors] = await said
  return { code: (await ended)[0], output, errors }
}

const FOR_LONG = ['--seeds', '1000000', '--no-corpus', '--workers', '1', '--ops', '30', '--seed', '1']

describe('given a torture that runs', () => {
  it('when its options are wrong, then one line says so', async () => {
    expect(await run(['--frob'])).toEqual({
      code: 1,
      output: '',
      errors: "Unknown option '--frob'; see npm run torture -- --help\n",
    })
  })

  it('when all of it was done, then the last line says that nothing failed', async () => {
    const { code, output } = await run(['--seeds', '1', '--no-corpus', '--workers', '1', '--ops', '30', '--seed', '1'])
    expect(output).toMatch(/^lost 0\n(?:.*\n)*\nnothing failed\n$/m)
    expect(code).toBe(0)
  })

  it('when it is interrupted, as npm does by two signals, then the report of what was done comes', async () => {
    const { code, output } = await run(FOR_LONG, 'SIGINT', 'SIGINT')
    expect(output).toMatch(/^lost 0\n(?:.*\n)*\nnothing failed\n$/m)
    expect(code).toBe(130)
  })

  it('when it is ended by SIGTERM, then its exit code tells', async () => {
    expect((await run(FOR_LONG, 'SIGTERM')).code).toBe(143)
  })

  it('when real processes are interrupted, then nothing is left of them', async () => {
    const place = mkdtempSync(join(tmpdir(), 'cli-test-'))
    vi.stubEnv('TMPDIR', place)
    const { code, output } = await run(['--processes', '--seed', '5'], 'SIGINT')
    expect(output).toBe('seed 5, 60 s\ninterrupted: nothing more was judged\n')
    expect(code).toBe(130)
    expect(readdirSync(place)).toEqual([])
    rmSync(place, { recursive: true })
  })
})
