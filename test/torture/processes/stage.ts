import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endServers, startServer, type Ending, type LocalServer } from '../../support/local-server.ts'
import type { Disk } from '../../support/small-disk.ts'
import { newLedger, type Ledger } from './ledger.ts'
import { openProxy, type Proxy } from './proxy.ts'

/** A server, the way to it, and what is known of both. */
export interface Stage {
  /** The one that runs now. */
  readonly server: LocalServer
  readonly proxy: Proxy
  readonly ledger: Ledger
  /** Ends the server, and says how it ended. */
  end(how: (server: LocalServer) => unknown): Promise<Ending>
  /** Starts the next one in the same directory, as whoever looks after it would do. */
  start(): Promise<void>
  /** Fails as soon as a server ends that nobody has ended. */
  readonly crash: Promise<never>
  /** Ends and removes all of it; no server is started afterwards. */
  close(): Promise<void>
}

/** A stage with a server in a new directory, which lies on this disk if there is one. */
export async function newStage(disk?: Disk): Promise<Stage> {
  const directory = disk?.directory ?? mkdtempSync(join(tmpdir(), 'torture-'))
  const { promise: crash, reject } = Promise.withResolvers<never>()
  const asked = new Set<LocalServer>()
  let isClosed = false

  async function started(): Promise<LocalServer> {
    if (isClosed) throw new Error('the stage is closed')
    const args = ['--port', '0', '--data', join(directory, 'data')]
    // The terminal's Ctrl-C is for us, who have to end what runs.
    const next = await startServer(args, { ownGroup: true, ...(disk && { prefix: disk.prefix }) })
    void next.ended.then(({ code, signal }) => {
      if (!asked.has(next)) reject(new Error(`a server ended by itself, by ${signal ?? code}: ${lastWords(next)}`))
    })
    return next
  }

  function remove(): void {
    // An engine that was killed may write for a moment more.
    if (!disk) rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  }

  /** Where there is no time to close it. */
  function abandon(): void {
    void endServers()
    remove()
  }

  async function clean(): Promise<void> {
    isClosed = true
    await endServers()
    remove()
    process.off('exit', abandon)
  }

  process.once('exit', abandon)
  let server = await started().catch(async (error: unknown) => {
    await clean()
    throw error
  })
  const proxy = await openProxy(() => server.port)
  return {
    get server() {
      return server
    },
    proxy,
    crash,
    ledger: newLedger(),

    async end(how) {
      asked.add(server)
      how(server)
      return server.ended
    },

    async start() {
      server = await started()
    },

    async close() {
      proxy.close()
      await clean()
    },
  }
}

const lastWords = (server: LocalServer): string => server.errors().slice(-1_000)
