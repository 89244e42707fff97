import { lookup } from 'node:dns'
import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { LookupFunction } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Answer } from './service.ts'
import { formOf, signedPairs, type SigningOptions } from './signed-request.ts'

/** Where a CMQ service is, and who calls it. */
export interface Access {
  /** A URL. Without a path it is called on CMQ's own. */
  readonly endpoint: string
  readonly secretId: string
  readonly secretKey: string
  /** The certificate that is trusted beside those that Node trusts. */
  readonly ca?: string
}

export type Parameters = Readonly<Record<string, string | number>>

/** What may differ from a POST to the endpoint's path that is signed by HmacSHA1 now, with the client's own key. */
export type Manner = Omit<SigningOptions, 'host' | 'sourceIp'>

/** Calls a CMQ service over the network, each request signed, on a connection of its own. */
export interface CmqClient {
  /** The answer, be it a refusal. Throws when the answer is not CMQ's. */
  ask(action: string, parameters?: Parameters, manner?: Manner): Promise<Answer>
  /** The answer of a request that is not refused. */
  call(action: string, parameters?: Parameters, manner?: Manner): Promise<Answer>
}

/** Longer than API Gateway gives any request. */
const TIMEOUT = 60_000

export function cmqClient({ endpoint, ca, ...keyPair }: Access): CmqClient {
  const url = new URL(endpoint)
  const ownPath = url.pathname === '/' ? '/v2/index.php' : url.pathname
  const agent = url.protocol === 'https:' ? new HttpsAgent(ca === undefined ? {} : { ca }) : new HttpAgent()
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest

  async function ask(action: string, parameters: Parameters = {}, manner: Manner = {}): Promise<Answer> {
    const { method = 'POST', path = ownPath } = manner
    const values = Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, String(value)]))
    const options = { ...keyPair, ...manner, method, path, host: url.host }
    const form = formOf(signedPairs({ Action: action, ...values }, options))
    const isPost = method === 'POST'
    const { status, body } = await answerOf(isPost ? path : `${path}?${form}`, method, isPost ? form : '')
    try {
      const answer = JSON.parse(body) as Answer
      if (typeof answer.code === 'number') return answer
    } catch {
      // What stands in front of the service answers in its own way.
    }
    throw new Error(`${action} was answered by HTTP ${status}: ${body.slice(0, 200)}`)
  }

  function answerOf(path: string, method: string, body: string): Promise<{ status: number; body: string }> {
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) }
    const { hostname, port } = url
    return new Promise((resolve, reject) => {
      const sent = send(
        { agent, hostname, port, path, method, lookup: lookupLocalhost, timeout: TIMEOUT, ...(body && { headers }) },
        (response) =>
          void text(response).then((answer) => resolve({ status: response.statusCode ?? 0, body: answer }), reject),
      )
      sent.on('timeout', () => sent.destroy(new Error(`no answer within ${TIMEOUT / 1000} s`)))
      sent.on('error', reject)
      sent.end(body)
    })
  }

  return {
    ask,
    async call(action, parameters, manner) {
      const answer = await ask(action, parameters, manner)
      if (answer.code !== 0) throw new Error(`${action} is refused: ${answer.code} ${answer.message}`)
      return answer
    },
  }
}

/** Names below localhost are this machine's (RFC 6761), though not every resolver knows that. */
export const lookupLocalhost: LookupFunction = (hostname, options, callback) =>
  lookup(hostname.endsWith('.localhost') ? '127.0.0.1' : hostname, options, callback)

/** The parameters of a list: `name.0`, `name.1`, … */
export const listed = (name: string, values: readonly string[]): Parameters =>
  Object.fromEntries(values.map((value, index) => [`${name}.${index}`, value]))
