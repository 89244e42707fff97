import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

/** A web server to which messages are pushed: it keeps what it gets, and answers as it is told. */
export interface Subscriber extends AsyncDisposable {
  readonly port: number
  /** Its root, by the address that it listens on. */
  readonly url: string
  /** What has come so far, in order. */
  readonly pushes: readonly Push[]
  /** The push of this number, the first being 1: once it has come. */
  push(number: number): Promise<Push>
  /** Resolves once nobody is connected. If all who push are dead, what they have sent has come then, and no more will. */
  deserted(): Promise<void>
  /** How it answers from now on: the last reply goes on for ever. */
  answer(...replies: readonly Reply[]): void
}

export interface Push {
  /** When it began to arrive, in milliseconds of `performance.now()`. */
  readonly at: number
  readonly method: string
  readonly path: string
  /** In their order and spelling. Their bytes are read as UTF-8. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: string
}

/** A status; or what no decent server does: it never answers, or breaks the connection. */
export type Reply = number | 'hang' | 'reset'

/** Starts one on a free port of 127.0.0.1: `await using subscriber = await subscriberThat(500, 200)` fails once. */
export async function subscriberThat(...replies: readonly Reply[]): Promise<Subscriber> {
  const pushes: Push[] = []
  const awaited: { readonly number: number; readonly arrived: (push: Push) => void }[] = []
  let next = replies

  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const at = performance.now()
    const { method = '', url: path = '' } = request
    const headers = pairsOf(request.rawHeaders)
    const push: Push = { at, method, path, headers, body: await text(request) }
    pushes.push(push)
    const [reply = 200, ...rest] = next
    if (rest.length > 0) next = rest
    for (const { number, arrived } of awaited) if (number === pushes.length) arrived(push)
    if (reply === 'reset') request.socket.resetAndDestroy()
    else if (reply !== 'hang') response.writeHead(reply).end()
  }

  const server = createServer((request, response) => {
    // Whoever leaves amid a request has pushed nothing.
    receive(request, response).catch(() => {})
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const connections = promisify(server.getConnections.bind(server))
  return {
    port,
    url: `http://127.0.0.1:${port}/`,
    pushes,

    push(number) {
      const push = pushes[number - 1]
      if (push) return Promise.resolve(push)
      return new Promise((arrived) => awaited.push({ number, arrived }))
    },

    async deserted() {
      // It is accepted after all that were there before.
      const last = connect(port, '127.0.0.1').resume().end()
      await once(last, 'close')
      while ((await connections()) > 0) await sleep(2)
    },

    answer(...replies) {
      next = replies
    },

    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

function pairsOf(rawHeaders: readonly string[]): readonly (readonly [string, string])[] {
  const inUtf8 = (value = '') => Buffer.from(value, 'latin1').toString()
  return Array.from({ length: rawHeaders.length / 2 }, (_, index) => [
    rawHeaders[2 * index] ?? '',
    inUtf8(rawHeaders[2 * index + 1]),
  ])
}
