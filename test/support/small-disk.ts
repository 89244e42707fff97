import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A disk in memory, so small that it can be filled. */
export interface Disk {
  /** Where it is, for those who are run on it, and for us. */
  readonly directory: string
  readonly path: string
  /** A command that runs another one where the disk is there. */
  readonly prefix: readonly string[]
  /** Leaves so many bytes free, whatever was free before. */
  fill(spare: number): void
  /** Makes room again. */
  empty(): void
  close(): Promise<void>
}

/**
 * Mounts a disk where only a process of ours sees it, and those that are sent there: it outlives the servers that it is
 * for. Undefined where this machine lets nobody do so.
 */
export async function mountDisk(megabytes: number): Promise<Disk | undefined> {
  const directory = mkdtempSync(join(tmpdir(), 'disk-'))
  const mount = `mount -t tmpfs -o size=${megabytes}m none '${directory}' && echo mounted && exec cat`
  // It ends with its input, and so with this process, however that ends; the terminal's Ctrl-C is for us alone.
  const keeper = spawn('unshare', ['--map-root-user', '--mount', 'sh', '-c', mount], {
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true,
  })
  if (!(await says(keeper))) {
    rmSync(directory, { recursive: true })
    return undefined
  }
  const pid = String(keeper.pid)
  const path = join('/proc', pid, 'root', directory)
  const ballast = join(path, 'ballast')
  return {
    directory,
    path,
    prefix: ['nsenter', '--preserve-credentials', '--user', '--mount', '--target', pid, '--'],
    fill: (spare) => fill(ballast, spare),
    empty: () => rmSync(ballast, { force: true }),

    async close() {
      const gone = once(keeper, 'exit')
      keeper.stdin?.end()
      await gone
      rmSync(directory, { recursive: true })
    },
  }
}

/** Whether it says something before it ends. */
function says(child: ChildProcess): Promise<boolean> {
  return new Promise((tell) => {
    child.stdout?.once('data', () => tell(true))
    child.once('error', () => tell(false))
    child.once('exit', () => tell(false))
  })
}

function fill(ballast: string, spare: number): void {
  const file = openSync(ballast, 'a')
  try {
    for (const size of [1_048_576, 4_096]) writeUntilFull(file, Buffer.alloc(size))
    ftruncateSync(file, Math.max(0, statSync(ballast).size - spare))
  } finally {
    closeSync(file)
  }
}

function writeUntilFull(file: number, block: Buffer): void {
  try {
    for (;;) writeSync(file, block)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
  }
}
