import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** One process and no other: ids are used again, so its start time belongs to it. */
export interface ProcessIdentity {
  readonly pid: number
  readonly startedAt: string
}

/** The process that has this id now, unless there is none or it has ended and only waits to be collected. */
export function identify(pid: number): ProcessIdentity | undefined {
  // A signal to 0 or to less would reach whole groups of processes.
  if (!Number.isInteger(pid) || pid <= 0) return undefined
  const startedAt = process.platform === 'linux' ? startedAtByProc(pid) : startedAtByPs(pid)
  return startedAt === undefined ? undefined : { pid, startedAt }
}

export function isRunning({ pid, startedAt }: ProcessIdentity): boolean {
  const found = identify(pid)
  return found !== undefined && found.startedAt === startedAt
}

/** The processes that were started with one of these options and its value. */
export function startedWith(options: readonly (readonly [option: string, value: string])[]): ProcessIdentity[] {
  const found = process.platform === 'linux' ? commandLinesByProc() : commandLinesByPs()
  const wanted = options.map(([option, value]) => separated(`\0${option}\0${value}\0`))
  return found
    .filter(([, line]) => wanted.some((part) => separated(line).includes(part)))
    .map(([pid]) => identify(pid))
    .filter((running) => running !== undefined)
}

/** Asks the process to end, then ends it; false if it runs even then. One that is stopped does not hear the asking. */
export async function endProcess(running: ProcessIdentity, patience: number): Promise<boolean> {
  return (await ends(running, 'SIGTERM', patience)) || (await ends(running, 'SIGKILL', patience))
}

async function ends(identity: ProcessIdentity, signal: NodeJS.Signals, patience: number): Promise<boolean> {
  const deadline = performance.now() + patience
  if (isRunning(identity)) kill(identity.pid, signal)
  while (isRunning(identity)) {
    if (performance.now() > deadline) return false
    await sleep(10)
  }
  return true
}

/** A process that ended in between, or that belongs to somebody else, is told by its still running or not. */
function kill(pid: number, signal: NodeJS.Signals) {
  try {
    process.kill(pid, signal)
  } catch {
    return
  }
}

/** Clock ticks since boot, the 22nd field of `stat`; the boot's own id keeps two boots apart. */
function startedAtByProc(pid: number): string | undefined {
  const stat = read(`/proc/${pid}/stat`)
  // The second field is the program's name in brackets and may hold anything: count from behind it.
  const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = fields[18]
  if (ticks === undefined || state === 'Z' || state === 'X') return undefined
  return `${read('/proc/sys/kernel/random/boot_id').trim()} ${ticks}`
}

function startedAtByPs(pid: number): string | undefined {
  const [state, ...startedAt] = ps('-o', 'stat=,lstart=', '-p', String(pid)).trim().split(/\s+/)
  return !state || state.startsWith('Z') ? undefined : startedAt.join(' ')
}

/** Linux ends each argument with a zero byte, and `ps` puts blanks between them: told apart no more, they compare. */
const separated = (line: string) => line.replaceAll(' ', '\0')

function commandLinesByProc(): [pid: number, line: string][] {
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger)
  return pids.map((pid) => [pid, read(`/proc/${pid}/cmdline`)])
}

function commandLinesByPs(): [pid: number, line: string][] {
  const lines = ps('-axww', '-o', 'pid=,args=').split('\n')
  return lines.map((line) => {
    const [, pid, args] = /^\s*(\d+)\s(.*)$/.exec(line) ?? []
    return [Number(pid), `${args}\0`]
  })
}

function ps(...args: string[]): string {
  return spawnSync('ps', args, { encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' } }).stdout ?? ''
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
