import { Socket } from 'node:net'
import { vi } from 'vitest'

export interface WatchedSockets {
  /** Every address that a socket of this process has begun to connect to. */
  readonly attempts: readonly string[]
  /** Resolves once each of the sockets is closed. */
  readonly closed: () => Promise<unknown>
  /** Watches no longer. */
  readonly restore: () => void
}

/** Watches the sockets by which this process connects to others, from now on. */
export function watchSockets(): WatchedSockets {
  const attempts: string[] = []
  const closings: Promise<unknown>[] = []
  const connect = Socket.prototype.connect as (this: Socket, ...args: unknown[]) => Socket
  const spy = vi.spyOn(Socket.prototype, 'connect').mockImplementation(function (this: Socket, ...args: unknown[]) {
    closings.push(new Promise((closed) => this.once('close', closed)))
    this.on('connectionAttempt', (address) => attempts.push(address))
    return connect.apply(this, args)
  })
  return { attempts, closed: () => Promise.all(closings), restore: () => spy.mockRestore() }
}
