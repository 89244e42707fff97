import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** A way to the server that can be cut. */
export interface Proxy {
  readonly port: number
  /** Breaks all connections, whatever is on its way in them. */
  cut(): void
  close(): void
}

/** Passes all bytes on to whatever port the server has at the time. */
export async function openProxy(portOf: () => number): Promise<Proxy> {
  const sockets = new Set<Socket>()

  const kept = (socket: Socket): Socket => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    return socket
  }

  const server = createServer((client) => {
    const way = kept(connect(portOf(), '127.0.0.1'))
    kept(client).pipe(way).pipe(client)
    for (const [one, other] of [
      [client, way],
      [way, client],
    ] as const) {
      one.on('error', () => other.destroy())
      one.once('close', () => other.destroy())
    }
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const cut = () => {
    for (const socket of sockets) socket.resetAndDestroy()
  }
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    close() {
      server.close()
      cut()
    },
  }
}
