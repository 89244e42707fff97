import { request as httpRequest, type Agent, type ClientRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Socket } from 'node:net'
import { hostOf } from './endpoint.ts'

/** What is posted. */
export interface Content {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The outcome where a connection that had been used before ended before anything came on it. */
export const CONNECTION_STALE = 'connection stale'

/** Bytes of an answer's body that are read for the sake of using its connection again. */
const MOST_READ = 64 * 1024

/**
 * Posts on a connection of the agent and resolves as soon as the status is there, to it, or else to what went wrong; when
 * `ending` is aborted, to its reason. What comes after the status is thrown away for at most `patience` milliseconds.
 */
export function send(
  url: URL,
  { headers, body }: Content,
  agent: Agent,
  patience: number,
  ending: AbortSignal,
): Promise<string> {
  return new Promise((resolve) => {
    if (ending.aborted) return resolve(String(ending.reason))
    // As text, it would take the headers along into UTF-8, in which they are already.
    const bytes = Buffer.from(body)
    const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)({
      agent,
      method: 'POST',
      host: hostOf(url),
      port: url.port,
      path: url.pathname + url.search,
      headers: { ...safe(headers), 'Content-Length': bytes.length },
    })
    // One that waits for a connection does not tell that it is destroyed, so its outcome comes first.
    ending.addEventListener('abort', () => {
      resolve(String(ending.reason))
      request.destroy()
    })
    let readBefore = 0
    request.once('socket', (socket) => (readBefore = socket.bytesRead))
    request.on('error', (error) => resolve(isStale(request, error, readBefore) ? CONNECTION_STALE : outcomeOf(error)))
    request.once('upgrade', (response: IncomingMessage, socket: Socket) => {
      resolve(String(response.statusCode))
      socket.destroy()
    })
    request.once('response', (response) => {
      resolve(String(response.statusCode))
      // Whoever says 101 speaks something else from then on.
      if (response.statusCode === 101) request.destroy()
      else drain(request, response, patience)
    })
    request.end(bytes)
  })
}

/** What is stored of an error: its code, cut to 24 characters. */
export function outcomeOf(error: unknown): string {
  const { code = 'failed' } = error as NodeJS.ErrnoException
  return code.startsWith('HPE_') ? 'garbled answer' : code.slice(0, 24)
}

/** Header values as bytes: their UTF-8, without the characters that would begin another header. */
function safe(headers: Content['headers']): Record<string, string> {
  const inUtf8 = (value: string) => Buffer.from(value.replace(/\p{Cc}/gu, '')).toString('latin1')
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, inUtf8(value)]))
}

/** Servers end idle connections when they like, and their word may cross our request on its way. */
function isStale(
  { reusedSocket, socket }: ClientRequest,
  { code }: NodeJS.ErrnoException,
  readBefore: number,
): boolean {
  return reusedSocket && (code === 'ECONNRESET' || code === 'EPIPE') && socket?.bytesRead === readBefore
}

/** Reads to the end of the answer, so that its connection can be used again. One that goes on too long is destroyed. */
function drain(request: ClientRequest, response: IncomingMessage, patience: number) {
  const late = setTimeout(() => request.destroy(), patience)
  request.once('close', () => clearTimeout(late))
  let read = 0
  response.on('data', (chunk: Buffer) => {
    read += chunk.length
    if (read > MOST_READ) request.destroy()
  })
  response.on('error', () => {})
}
