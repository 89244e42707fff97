import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

/** A Python that can run CMQ's SDK. */
export interface Python {
  readonly path: string
  readonly version: string
}

/** What a virtual environment holds. */
export interface Holding {
  /** The folder of test/ that has the requirements.txt. */
  readonly name: string
  /** What can be imported once everything is there. */
  readonly module: string
}

export const sdk: Holding = { name: 'sdk', module: 'cmq.cmq_client, tencentcloud.tdmq' }

const environments = fileURLToPath(new URL('../../.venv', import.meta.url))

/** The first Python 3 of this machine that the SDK can run on, or in a line why there is none. */
export function findPython(): Python | string {
  let tooNew: string | undefined
  for (const command of ['python3', 'python3.12', 'python3.11', 'python3.10', 'python3.9', 'python3.8']) {
    const found = probe(command)
    if (found?.hasMailcap) return found
    tooNew ??= found?.version
  }
  if (tooNew === undefined) return 'python3 is not installed'
  return `python3 is ${tooNew}, too new for the SDK: it imports mailcap, which Python 3.13 removed; 3.12 would do`
}

/** A command may be there and yet run nothing, as the shims of version managers do. */
function probe(command: string): (Python & { hasMailcap: boolean }) | undefined {
  const ask =
    'import sys, importlib.util as i; print(sys.executable, sys.version.split()[0], i.find_spec("mailcap"), sep="\\n")'
  const { status, stdout } = spawnSync(command, ['-I', '-c', ask], { encoding: 'utf8' })
  const [path, version, mailcap] = (stdout ?? '').split('\n')
  if (status !== 0 || !path || !version) return undefined
  return { path, version, hasMailcap: mailcap !== 'None' }
}

/**
 * The Python of a virtual environment that holds what a requirements.txt names, and nothing else. It is made once for
 * each Python and list of requirements, elsewhere at first: what has its name is complete, whoever else makes it now.
 */
export async function preparePython(
  { path, version }: Python,
  { name, module }: Holding,
  signal: AbortSignal,
): Promise<string> {
  const requirements = fileURLToPath(new URL(`../${name}/requirements.txt`, import.meta.url))
  const madeFor = createHash('sha256')
    .update(path)
    .update(await readFile(requirements))
  const directory = join(environments, `${name}-${version}-${madeFor.digest('hex').slice(0, 8)}`)
  if (!holds(directory, module)) {
    const draft = `${directory}-${process.pid}`
    try {
      await make(path, draft, requirements, signal)
      await rename(draft, directory).catch(async () => {
        if (holds(directory, module)) return
        await rm(directory, { recursive: true, force: true })
        await rename(draft, directory)
      })
    } finally {
      await rm(draft, { recursive: true, force: true })
    }
  }
  return pythonIn(directory)
}

const pythonIn = (directory: string) => join(directory, 'bin', 'python')

const holds = (directory: string, module: string) =>
  spawnSync(pythonIn(directory), ['-I', '-c', `import ${module}`]).status === 0

async function make(path: string, directory: string, requirements: string, signal: AbortSignal): Promise<void> {
  await mkdir(environments, { recursive: true })
  await succeed('python -m venv', path, ['-I', '-m', 'venv', directory], signal)
  const options = ['--quiet', '--disable-pip-version-check', '--no-input', '--retries', '2']
  const install = ['-I', '-m', 'pip', 'install', ...options, '--requirement', requirements]
  await succeed('pip install', pythonIn(directory), install, signal)
}

/** Runs a command that has to succeed; what it throws otherwise is the line in which the command says why. */
async function succeed(name: string, path: string, args: readonly string[], signal: AbortSignal): Promise<void> {
  const child = spawn(path, args, { stdio: ['ignore', 'pipe', 'pipe'], signal })
  const [[status], ...said] = await Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)])
  if (status === 0) return
  const lines = said.flatMap((output) => output.split('\n')).filter((line) => line.trim() !== '')
  // The last error of pip without a network is that it found nothing; only its warnings say why.
  const network = lines.find((line) => /connection broken|timed out|failed to establish/i.test(line))
  const why = network ?? lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1) ?? `it ended with ${status}`
  throw new Error(`${name}: ${why.trim()}`)
}
