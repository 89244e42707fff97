import { readFileSync, truncateSync } from 'node:fs'
import { mkdir, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { firstLine, LocalError } from './local-error.ts'
import { endProcess, identify, isRunning, type ProcessIdentity, startedWith } from './processes.ts'

/** A data directory that is this process's alone, until it releases it or ends, however it ends. */
export interface OwnedDirectory {
  /** By its one true name. */
  readonly folder: string
  readonly databaseFile: string
  /**
   * Remembers the engine that works on the database file: should this process be killed, the next owner ends it. While it
   * runs, others that look after the same data find it by its endpoint, if that is told.
   */
  readonly noteEngine: (engine: { readonly pid: number; readonly endpoint?: string }) => Promise<void>
  /** Gives the directory up; the engine must have been stopped before. */
  readonly release: () => Promise<void>
}

/** What an owner leaves in the directory: for others to name it, and for the next one to clean up after it. */
interface Owner {
  readonly server: number
  readonly engine?: ProcessIdentity
  readonly endpoint?: string
}

const patienceForOwner = 1_000
const patienceForEngine = 1_000

/** Keeps each lock reachable: one that is garbage collected is given up. */
const locks = new Set<DatabaseSync>()

/**
 * Makes the directory if it is missing, and this process its only owner.
 *
 * The lock is SQLite's on an empty database, which is the operating system's on a file: it is gone the moment its
 * process is, so no lock is ever stale and there is no taking over to race for. What a killed owner can leave behind is
 * its engine, at work on the database file; that is ended before this resolves.
 */
export async function ownDirectory(directory: string): Promise<OwnedDirectory> {
  const folder = await refusing(directory, () => made(directory))
  const ownerFile = join(folder, 'owner.json')
  const databaseFile = join(folder, 'dynamodb.sqlite')
  const note = (owner: Owner) => refusing(directory, () => replace(ownerFile, JSON.stringify(owner)))
  const server = process.pid

  const lock = await locked(directory, folder, ownerFile)
  try {
    for (const engine of enginesLeft(ownerFile, folder, databaseFile)) {
      await note({ server, engine })
      if (!(await endProcess(engine, patienceForEngine)))
        throw new LocalError(`data directory ${directory} is in use by a database engine with process id ${engine.pid}`)
    }
    await note({ server })
  } catch (error) {
    unlock(lock)
    throw error
  }

  return {
    folder,
    databaseFile,
    async noteEngine({ pid, endpoint }) {
      const engine = identify(pid)
      await note({ server, ...(engine && { engine, ...(endpoint !== undefined && { endpoint }) }) })
    },
    async release() {
      if (!locks.has(lock)) return
      await rm(ownerFile, { force: true })
      unlock(lock)
    },
  }
}

/** The directory that a running server owns, and where its engine answers; undefined while there is no such server. */
export async function ownedElsewhere(
  directory: string,
): Promise<{ readonly folder: string; readonly endpoint: string } | undefined> {
  const folder = await realpath(directory).catch(() => undefined)
  if (folder === undefined) return undefined
  const { server, engine, endpoint } = readOwner(join(folder, 'owner.json')) ?? {}
  const isServed = server !== undefined && identify(server) !== undefined && engine !== undefined && isRunning(engine)
  return isServed && endpoint !== undefined ? { folder, endpoint } : undefined
}

/** Waits for an owner only while it cannot be named: it is one that has just begun or is just ending. */
async function locked(directory: string, folder: string, ownerFile: string): Promise<DatabaseSync> {
  const deadline = performance.now() + patienceForOwner
  for (;;) {
    const lock = await refusing(directory, () => tryLock(join(folder, 'lock')))
    if (lock) return lock
    const server = readOwner(ownerFile)?.server
    const named = server !== undefined && identify(server) !== undefined
    if (named) throw new LocalError(`data directory ${directory} is in use by the server with process id ${server}`)
    if (performance.now() > deadline) throw new LocalError(`data directory ${directory} is in use by another server`)
    await sleep(10)
  }
}

function tryLock(file: string): DatabaseSync | undefined {
  const lock = new DatabaseSync(file, { timeout: 0 })
  try {
    lock.exec('BEGIN EXCLUSIVE')
    locks.add(lock)
    return lock
  } catch (error) {
    lock.close()
    if (is(error, sqlite.busy)) return undefined
    if (!is(error, sqlite.notADatabase)) throw error
    // Nothing is ever written to a lock, so what somebody else wrote there can go.
    truncateSync(file)
    return tryLock(file)
  }
}

function unlock(lock: DatabaseSync) {
  locks.delete(lock)
  lock.close()
}

const sqlite = { busy: 5, notADatabase: 26 }
const is = (error: unknown, code: number) => (error as { errcode?: number }).errcode === code

/**
 * An owner that ended well took its file away, and its engine with it. One that was killed has noted its engine, unless
 * it was killed between starting one and noting it: that one is known by the file it was started with.
 */
function enginesLeft(ownerFile: string, folder: string, databaseFile: string): ProcessIdentity[] {
  const owner = readOwner(ownerFile)
  if (owner === undefined) return []
  if (owner.engine && isRunning(owner.engine)) return [owner.engine]
  return startedWith([
    ['--db-path', databaseFile],
    ['-dbPath', folder],
  ])
}

/** Undefined if there is no such file; an owner of whom nothing is known if it cannot be read. */
function readOwner(file: string): Partial<Owner> | undefined {
  try {
    const owner: unknown = JSON.parse(readFileSync(file, 'utf8'))
    return typeof owner === 'object' && owner !== null ? owner : {}
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : {}
  }
}

/** A reader finds the old text or the new one, whenever the writer is killed. */
async function replace(file: string, text: string) {
  await writeFile(`${file}.new`, text)
  await rename(`${file}.new`, file)
}

/** The directory under its one true name: two ways to write it must not make two databases of it. */
async function made(directory: string): Promise<string> {
  await make(resolve(directory))
  return realpath(directory)
}

/** Node's own recursive mkdir never returns from `/proc`, where a folder can neither be found nor made. */
async function make(folder: string): Promise<void> {
  if (await isFolder(folder)) return
  if (dirname(folder) !== folder) await make(dirname(folder))
  await mkdir(folder).catch(async (error: unknown) => {
    // Another process may have made it in between.
    if (!(await isFolder(folder))) throw error
  })
}

const isFolder = (path: string) =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )

/** Says in one line what is wrong with the directory: not writable, a file, no space left. */
async function refusing<Result>(directory: string, action: () => Result | Promise<Result>): Promise<Result> {
  try {
    return await action()
  } catch (error) {
    throw new LocalError(`data directory ${directory} cannot be used: ${firstLine(error)}`, { cause: error })
  }
}
