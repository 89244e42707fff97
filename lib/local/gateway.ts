import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { randomUUID } from 'node:crypto'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { newBodyRoom, type BodyPlace } from './body-room.ts'
import { eventOf } from './gateway-event.ts'
import { firstLine, LocalError } from './local-error.ts'

type Result = APIGatewayProxyStructuredResultV2

/** What a handler is told beside the event: Lambda's own two things, and whether anybody still waits for the answer. */
export interface LocalContext {
  readonly awsRequestId: string
  readonly getRemainingTimeInMillis: () => number
  /** Aborted when the client has left, or when the gateway closes: what waits for messages then stops waiting. */
  readonly signal: AbortSignal
}

export type LocalHandler = (event: APIGatewayProxyEventV2, context: LocalContext) => Promise<Result>

export interface GatewayOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  /** The answer to a body beyond the limit; the handler does not get to see it. */
  readonly tooLarge: (headers: IncomingHttpHeaders) => Result
  /** The largest body that is read, in bytes. @default 4 MB */
  readonly bodyLimit?: number
  /** The bytes of all bodies that are held at once; beyond it the slowest senders are answered by status 503. @default 128 MB */
  readonly bodiesLimit?: number
  /** The milliseconds a handler is told it has. @default 40 s, so that the longest poll of 30 s ends by itself */
  readonly timeLimit?: number
}

export interface Gateway {
  readonly url: string
  /** Stops accepting, has waiting requests answered at once, and is done within a second. */
  readonly close: () => Promise<void>
}

/** Limits of one connection. Headers hold the whole request of those who send it by GET. */
const limits = {
  keepAliveTimeout: 75_000,
  headersTimeout: 60_000,
  requestTimeout: 60_000,
  connectionsCheckingInterval: 5_000,
  maxHeaderSize: 64 * 1024,
}

/** Requests that one connection may have under way; only pipelining has more than one. */
const pipelineLimit = 100
const patienceForAnswers = 800
const patienceForReader = 5_000
const mostThrownAway = 32 * 1024 * 1024

/** What API Gateway says of what is not the service's own answer. */
const said = (statusCode: number, message: string): Result => ({
  statusCode,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ message }),
})

const failed = said(500, 'Internal Server Error')
const busy = said(503, 'Service Unavailable')

interface Connection {
  /** The requests that are not answered yet, each by what tells its handler to answer. */
  readonly waiting: Set<AbortController>
  /** Whether the last of them is still being received. */
  receiving: boolean
}

type Connections = Map<Socket, Connection>

/** Listens, and calls the handler for each request as an HTTP API calls its function. */
export async function serve(handler: LocalHandler, options: GatewayOptions): Promise<Gateway> {
  const { bodyLimit = 4 * 1024 * 1024, bodiesLimit = 128 * 1024 * 1024, timeLimit = 40_000 } = options
  const room = newBodyRoom(bodiesLimit)
  const connections: Connections = new Map()

  async function answer(request: IncomingMessage, body: Buffer | undefined, signal: AbortSignal): Promise<Result> {
    const awsRequestId = randomUUID()
    const deadline = Date.now() + timeLimit
    const getRemainingTimeInMillis = () => deadline - Date.now()
    try {
      return await handler(eventOf(request, body, awsRequestId), { awsRequestId, getRemainingTimeInMillis, signal })
    } catch (error) {
      report(error)
      return failed
    }
  }

  const server = createServer(limits, (request, response) => {
    const connection = connections.get(request.socket)
    if (connection === undefined || connection.waiting.size >= pipelineLimit) return request.socket.destroy()
    const { waiting } = connection
    const controller = new AbortController()
    waiting.add(controller)
    connection.receiving = true
    const refuse = (result: Result) => {
      place.leave()
      waiting.delete(controller)
      sendUnread(response, result)
    }
    const place = room.enter(() => refuse(busy))
    const read = (body?: Buffer) => {
      place.received()
      connection.receiving = false
      void answer(request, body, controller.signal).then((result) => {
        place.leave()
        waiting.delete(controller)
        send(response, result, server.listening)
      })
    }
    // Whose client leaves while it sends is never handled.
    response.once('close', () => {
      if (!place.isReceived()) place.leave()
    })
    readBody(request, bodyLimit, place, read, () => refuse(options.tooLarge(request.headers)))
  })

  server.on('connection', (socket) => {
    const waiting = new Set<AbortController>()
    connections.set(socket, { waiting, receiving: false })
    socket.once('close', () => {
      connections.delete(socket)
      for (const controller of waiting) controller.abort()
    })
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) =>
    refuseUnreadable(error, socket, connections.get(socket)),
  )

  await listen(server, options)
  return { url: urlOf(server, options.host), close: () => close(server, connections) }
}

/** Whether there can be a gateway, before anything else is made that a start without one would leave behind. */
export async function checkPort(options: Pick<GatewayOptions, 'host' | 'port'>): Promise<void> {
  const server = createServer()
  await listen(server, options)
  await new Promise((done) => server.close(done))
}

/** Gathers the body, unless there is none; beyond the limit nothing more is read. */
function readBody(
  request: IncomingMessage,
  limit: number,
  place: BodyPlace,
  read: (body?: Buffer) => void,
  refuse: () => void,
) {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers
  if (length === undefined && encoding === undefined) return read()
  if (Number(length) > limit) return refuse()
  const chunks: Buffer[] = []
  let size = 0
  request.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size <= limit) {
      chunks.push(chunk)
      return place.grow(chunk.length)
    }
    chunks.length = 0
    request.pause()
    refuse()
  })
  request.on('end', () => read(chunks.length > 1 ? Buffer.concat(chunks, size) : chunks[0]))
}

function send(response: ServerResponse, result: Result, keepAlive: boolean) {
  if (!keepAlive) response.shouldKeepAlive = false
  try {
    response.end(begin(response, result))
  } catch (error) {
    report(error)
    response.destroy()
  }
}

/**
 * Answers a request whose body is too long. To close at once on data that nobody has read may lose the answer, and a client
 * that sends everything before it reads must get to its end; so what follows is thrown away as it comes, up to a bound.
 */
function sendUnread(response: ServerResponse, result: Result) {
  const { socket } = response.req
  response.shouldKeepAlive = false
  const content = begin(response, result)
  response.flushHeaders()
  const end = setTimeout(() => socket.destroy(), patienceForReader)
  socket.once('close', () => clearTimeout(end))
  let thrownAway = 0
  response.req.removeAllListeners('end').removeAllListeners('data')
  response.req.on('data', (chunk: Buffer) => {
    thrownAway += chunk.length
    if (thrownAway > mostThrownAway) socket.destroy()
  })
  response.req.once('end', () => response.end())
  response.write(content, () => response.req.resume())
}

/** Writes the head and returns what is to follow it. */
function begin(response: ServerResponse, { statusCode = 200, headers, cookies, body, isBase64Encoded }: Result) {
  const content = isBase64Encoded ? Buffer.from(body ?? '', 'base64') : (body ?? '')
  response.writeHead(statusCode, {
    ...(headers as OutgoingHttpHeaders),
    ...(cookies && { 'set-cookie': cookies }),
    'content-length': Buffer.byteLength(content),
  })
  return content
}

/** What is not HTTP gets a bare status, unless that would come before the answers of requests ahead of it. */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Socket, connection: Connection | undefined) {
  const ahead = connection ? connection.waiting.size - (connection.receiving ? 1 : 0) : 0
  if (error.code === 'ECONNRESET' || !socket.writable || ahead > 0) return socket.destroy()
  const statuses: Record<string, string> = {
    ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
    HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  }
  socket.write(`HTTP/1.1 ${statuses[error.code ?? ''] ?? '400 Bad Request'}\r\nConnection: close\r\n\r\n`)
  socket.destroySoon()
}

function listen(server: Server, { host, port }: Pick<GatewayOptions, 'host' | 'port'>): Promise<void> {
  return new Promise((done, fail) => {
    server.on('error', (error: NodeJS.ErrnoException) => fail(new LocalError(whyNot(error, host, port))))
    server.listen(port, host, () => done())
  })
}

function whyNot(error: NodeJS.ErrnoException, host: string, port: number): string {
  if (error.code === 'EADDRINUSE') return `port ${port} is in use on ${host}: give another one by --port`
  return `cannot listen on ${host}, port ${port}: ${firstLine(error)}`
}

function urlOf(server: Server, host: string): string {
  const { port } = server.address() as AddressInfo
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

async function close(server: Server, connections: Connections): Promise<void> {
  const closed = new Promise<void>((done) => server.close(() => done()))
  for (const [socket, { waiting }] of connections) {
    for (const controller of waiting) controller.abort()
    if (waiting.size === 0) socket.destroySoon()
  }
  const late = setTimeout(() => {
    for (const socket of connections.keys()) socket.destroy()
  }, patienceForAnswers)
  await closed
  clearTimeout(late)
}

/** A handler answers whatever happens; one that throws all the same is our bug, and is told as one. */
function report(error: unknown) {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`)
}
