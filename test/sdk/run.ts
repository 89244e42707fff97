import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { keyPair, startLocalServer } from '../clients/local-server.ts'
import { findPython, preparePython } from './python.ts'

/** `npm run test:sdk`: the quick starts of CMQ's documents by CMQ's own Python SDK, against the server of `npm start`. */

const programs = ['queue_quick_start.py', 'topic_quick_start.py', 'dead_letters.py']

/** How the SDK can be set to sign and to send. */
const settings = [
  ['sha1', 'POST'],
  ['sha256', 'POST'],
  ['sha1', 'GET'],
  ['sha256', 'GET'],
] as const

const count = { passed: 0, failed: 0, skipped: 0 }
const stopped = new AbortController()

async function main(): Promise<void> {
  const python = findPython()
  if (typeof python === 'string') {
    console.log(`skipped: ${python}`)
    count.skipped++
    return
  }
  const prepared = await preparePython(python, stopped.signal)
  const server = await startLocalServer()
  // The SDK writes a log file into its working directory.
  const directory = await mkdtemp(join(tmpdir(), 'cmq-sdk-'))
  try {
    for (const program of programs)
      for (const setting of settings) {
        console.log(`${program} ${setting.join(' ')}, Python ${python.version}`)
        const file = fileURLToPath(new URL(program, import.meta.url))
        const args = ['-E', '-s', '-B', '-u', '-X', 'utf8', file, server.url, ...Object.values(keyPair), ...setting]
        await run(prepared, args, directory)
      }
  } finally {
    await server.stop()
    await rm(directory, { recursive: true, force: true })
  }
}

/** Shows what a program prints, and counts its steps. One that fails without having said so counts as a failure too. */
async function run(python: string, args: readonly string[], cwd: string): Promise<void> {
  const { signal } = stopped
  const failedBefore = count.failed
  const child = spawn(python, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'], signal })
  const ended = once(child, 'close')
  ended.catch(() => {})
  for await (const line of createInterface(child.stdout)) {
    console.log(`  ${line}`)
    if (line.startsWith('ok ')) count.passed++
    if (line.startsWith('FAILED ')) count.failed++
  }
  const [status] = await ended
  if (status === 0 || count.failed > failedBefore) return
  console.log(`  FAILED: the program ended with ${status}`)
  count.failed++
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stopped.abort())

await main().catch((error: Error) => {
  console.log(`FAILED ${stopped.signal.aborted ? 'stopped by a signal' : error.message}`)
  count.failed++
})
console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`)
process.exitCode = count.failed > 0 ? 1 : 0
