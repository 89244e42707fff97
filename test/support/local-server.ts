import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { identify } from '../../lib/local/processes.ts'

/** `functions/start.ts` as a process of its own, which can be sent signals and killed. */
export interface ServerProcess {
  readonly pid: number
  /** The lines that it has printed so far. */
  readonly output: readonly string[]
  /** What it has written to stderr so far. */
  readonly errors: () => string
  readonly ended: Promise<Ending>
  readonly kill: (signal: NodeJS.Signals) => void
}

export interface LocalServer extends ServerProcess {
  readonly url: string
  readonly port: number
  /** Its database engine; 0 if it has none of its own. */
  readonly engine: number
  /** Milliseconds from its start until it said that it listens. */
  readonly startedIn: number
}

export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** In milliseconds of `performance.now()`. */
  readonly at: number
}

export interface StartOptions {
  /** Variables for the server alone. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** As a terminal starts it: in a process group of its own, which can be sent a signal as a whole. */
  readonly ownGroup?: boolean
  /** A command that is given the server's own, and becomes it. */
  readonly prefix?: readonly string[]
  /** By `npm start`, in the folder of the project: the process is npm, whose child is the server. */
  readonly byNpm?: boolean
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const program = `${root}functions/start.ts`
const MILLISECONDS_TO_LISTEN = 60_000
const children = new Set<ChildProcess>()
const engines = new Set<number>()

/** Starts the server and waits for nothing. */
export function launch(args: readonly string[], options: StartOptions = {}): ServerProcess {
  const own = options.byNpm ? ['npm', 'start', '--silent', '--', ...args] : [process.execPath, program, ...args]
  const [command = '', ...rest] = [...(options.prefix ?? []), ...own]
  const child = spawn(command, rest, {
    env: { ...withoutSettings(process.env), ...options.env },
    cwd: options.byNpm ? root : options.cwd,
    detached: options.ownGroup ?? false,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.add(child)
  const output: string[] = []
  createInterface(child.stdout).on('line', (line) => output.push(line))
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  return {
    pid: child.pid ?? 0,
    output,
    errors: () => errors,
    ended: ending(child),
    kill: (signal) => child.kill(signal),
  }
}

/** Starts the server and resolves once it listens: that is what its last line says. */
export async function startServer(args: readonly string[], options: StartOptions = {}): Promise<LocalServer> {
  const from = performance.now()
  const server = launch(args, options)
  const isOver = server.ended.then(() => true)
  for (;;) {
    const line = server.output.find((text) => text.startsWith('CMQ listening on '))
    const startedIn = performance.now() - from
    if (line !== undefined) {
      const url = line.slice('CMQ listening on '.length)
      const engine = enginesOf(server.pid)[0] ?? 0
      return { ...server, url, port: Number(new URL(url).port), engine, startedIn }
    }
    if (await Promise.race([isOver, tick()])) throw new Error(`the server ended before it listened: ${server.errors()}`)
    if (startedIn > MILLISECONDS_TO_LISTEN) throw new Error('the server does not listen')
  }
}

/** The engines that a process has started; npm's is the server. */
export function enginesOf(server: number): number[] {
  const { stdout } = spawnSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' })
  const rows = stdout.split('\n').map((line) => line.trim().split(/\s+/).map(Number))
  const found = rows.flatMap(([pid, parent]) => (pid !== undefined && parent === server ? pid : []))
  for (const pid of found) engines.add(pid)
  return found
}

/** For `afterAll`: ends whatever a failed test has left running. */
export async function endServers(): Promise<void> {
  for (const { pid } of children) if (pid !== undefined) enginesOf(pid)
  const running = [...children].filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
  const gone = running.map((child) => once(child, 'exit'))
  for (const child of running) child.kill('SIGKILL')
  for (const engine of engines) if (identify(engine)) process.kill(engine, 'SIGKILL')
  await Promise.all(gone)
}

function ending(child: ChildProcess): Promise<Ending> {
  return new Promise((tell) => {
    let at = 0
    child.once('exit', () => (at = performance.now()))
    child.once('close', (code, signal) => {
      children.delete(child)
      tell({ code, signal, at })
    })
  })
}

const tick = () => new Promise<false>((resolve) => setTimeout(resolve, 5, false))

/** The tests want the server as it is by default, whatever is set where they run. */
export function withoutSettings(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !/^(CMQ_|POWERTOOLS_)/.test(name)))
}
