import { Agent, request } from 'node:http'
import { text } from 'node:stream/consumers'
import type { Answer } from '../../support/service.ts'
import { signedEvent } from '../../support/signed-request.ts'

/** One connection of a real client, which gives up after a while. */
export interface Client {
  /** The answer; undefined where none came. */
  ask(Action: string, parameters?: Readonly<Record<string, string | number>>): Promise<Answer | undefined>
  close(): void
}

/** How long a client waits for an answer, in milliseconds. */
const PATIENCE = 40_000

export function newClient(port: number): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const host = `127.0.0.1:${port}`

  function post(body: Buffer): Promise<string> {
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': body.length }
      const call = request({ host: '127.0.0.1', port, path: '/v2/index.php', method: 'POST', headers, agent })
      call.setTimeout(PATIENCE, () => call.destroy(new Error('no answer in time')))
      call.once('error', reject)
      call.once('response', (response) => void text(response).then(resolve, reject))
      call.end(body)
    })
  }

  return {
    async ask(Action, parameters = {}) {
      const texts = Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, String(value)]))
      const { body = '' } = signedEvent({ Action, ...texts }, { host })
      return post(Buffer.from(body, 'base64')).then(
        (answer) => JSON.parse(answer) as Answer,
        () => undefined,
      )
    },
    close: () => agent.destroy(),
  }
}
