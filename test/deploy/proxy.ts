import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Agent, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { lookupLocalhost, type Access } from '../support/cmq-client.ts'

/** Passes what is sent to it on to the endpoint, under the endpoint's host name in place of whichever it was sent to. */
export interface Proxy extends AsyncDisposable {
  readonly port: number
}

export async function proxyTo({ endpoint, ca }: Pick<Access, 'endpoint' | 'ca'>): Promise<Proxy> {
  const { hostname, host, port } = new URL(endpoint)
  const agent = new Agent(ca === undefined ? {} : { ca })

  async function pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method, url: path, headers } = incoming
    const to = { agent, hostname, port, lookup: lookupLocalhost, method, path, headers: { ...headers, host } }
    const onward = request(to)
    const [[response]] = (await Promise.all([once(onward, 'response'), pipeline(incoming, onward)])) as [
      [IncomingMessage],
      void,
    ]
    outgoing.writeHead(response.statusCode ?? 502, response.headers)
    await pipeline(response, outgoing)
  }

  const server = createServer((incoming, outgoing) => {
    pass(incoming, outgoing).catch(() => outgoing.destroy())
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')

  return {
    port: (server.address() as AddressInfo).port,

    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      agent.destroy()
      await once(server, 'close')
    },
  }
}
