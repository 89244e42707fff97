import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { selfSigned } from './certificate.ts'

/** A web server made of sockets, which can do what no decent one does. */
export interface Subscriber {
  readonly port: number
  /** Its URL by the address it listens on. */
  readonly url: string
  /** What it was sent, byte by byte as latin1, one element a request. */
  readonly requests: readonly string[]
  /** Its connections, in order, also those that are closed. */
  readonly connections: readonly Socket[]
  /** Resolves once each of its connections is closed. */
  readonly left: () => Promise<unknown>
}

/** What it does with a request. The number counts its requests from 1. */
export type Answer = (socket: Socket, number: number) => void

interface SubscriberOptions {
  readonly isTls?: boolean
  /** What it does with a connection before anything has come. */
  readonly greet?: (socket: Socket) => void
}

const servers = new Map<Server, readonly Socket[]>()

/** Starts one on a free port of 127.0.0.1. */
export async function subscriber(answer: Answer, { isTls, greet }: SubscriberOptions = {}): Promise<Subscriber> {
  const requests: string[] = []
  const connections: Socket[] = []
  const accept = (socket: Socket) => {
    connections.push(socket)
    socket.on('error', () => {})
    greet?.(socket)
    let received = ''
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1')
      const length = lengthOfRequest(received)
      if (received.length < length) return
      requests.push(received.slice(0, length))
      received = received.slice(length)
      answer(socket, requests.length)
    })
  }
  const server = isTls ? createTlsServer(selfSigned, accept) : createServer(accept)
  servers.set(server, connections)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: `${isTls ? 'https' : 'http'}://127.0.0.1:${port}/`,
    requests,
    connections,
    left: () => Promise.all(connections.map(closed)),
  }
}

/** For `afterEach`: ends all of them, and every connection. */
export async function endSubscribers(): Promise<void> {
  for (const [server, connections] of servers) {
    const ended = once(server, 'close')
    server.close()
    for (const socket of connections) socket.destroy()
    await ended
  }
  servers.clear()
}

/** A complete answer. Its connection stays open. */
export const answering = (status: string, body = '', ...headers: string[]): string =>
  [`HTTP/1.1 ${status}`, `Content-Length: ${Buffer.byteLength(body)}`, ...headers, '', body].join('\r\n')

/** Sends this over and over, as fast as it is taken, until the connection is closed. */
export function flood(socket: Socket, part: string | Buffer) {
  const fill = () => {
    while (socket.writable && socket.write(part));
  }
  socket.on('drain', fill)
  fill()
}

function lengthOfRequest(received: string): number {
  const head = received.indexOf('\r\n\r\n')
  const [, length] = /^content-length: (\d+)\r$/im.exec(received.slice(0, head + 1)) ?? []
  return head === -1 ? Infinity : head + 4 + Number(length ?? 0)
}

async function closed(socket: Socket): Promise<void> {
  if (!socket.closed) await new Promise((done) => socket.once('close', done))
}
