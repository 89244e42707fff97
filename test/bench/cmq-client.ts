import { createHmac } from 'node:crypto'
import { Agent, request } from 'node:http'
import type { Answer } from '../support/service.ts'

export type Parameters = Readonly<Record<string, string | number>>

/** Speaks CMQ over kept connections, as cheaply as node:http lets it, so that the server and not the client is measured. */
export interface CmqClient {
  /** Signs a request once; it may be sent as often as wanted, since CMQ lets a nonce repeat. */
  prepare(action: string, parameters: Parameters): () => Promise<Answer>
  /** As `prepare`, for one that is sent once. */
  ask(action: string, parameters: Parameters): Promise<Answer>
  end(): void
}

export const KEY_PAIR = { secretId: 'AKIDlocal', secretKey: 'local-secret' }

const PATH = '/v2/index.php'

export function cmqClient(url: string): CmqClient {
  const { host, hostname, port } = new URL(url)
  const agent = new Agent({ keepAlive: true, maxSockets: 256 })

  const post = (form: Buffer): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': form.length }
      const sent = request({ agent, hostname, port, path: PATH, method: 'POST', headers }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString()) as Answer))
        response.on('error', reject)
      })
      sent.on('error', reject)
      sent.end(form)
    })

  const prepare: CmqClient['prepare'] = (action, parameters) => {
    const form = signedForm(host, { Action: action, ...parameters })
    return () => post(form)
  }

  return { prepare, ask: (action, parameters) => prepare(action, parameters)(), end: () => agent.destroy() }
}

function signedForm(host: string, parameters: Parameters): Buffer {
  const { secretId, secretKey } = KEY_PAIR
  const Timestamp = Math.floor(Date.now() / 1000)
  const pairs = Object.entries({ Nonce: 1, SecretId: secretId, Timestamp, ...parameters })
  pairs.sort(([a], [b]) => (a < b ? -1 : 1))
  const source = pairs.map(([name, value]) => `${name}=${value}`).join('&')
  const Signature = createHmac('sha1', secretKey).update(`POST${host}${PATH}?${source}`).digest('base64')
  const form = [...pairs, ['Signature', Signature] as const]
  return Buffer.from(form.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&'))
}

/** The answer, unless it is a refusal that its caller does not expect. */
export function accepted(answer: Answer): Answer {
  if (answer.code !== 0) throw new Error(`refused: ${answer.code} ${answer.message}`)
  return answer
}

export const NO_MESSAGE = 7000

/** The parameters of a list: `name.1`, `name.2`, … */
export const listed = (name: string, values: readonly string[]): Parameters =>
  Object.fromEntries(values.map((value, index) => [`${name}.${index + 1}`, value]))
