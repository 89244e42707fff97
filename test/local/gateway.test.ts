import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { Agent, request as httpRequest } from 'node:http'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  type Gateway,
  type GatewayOptions,
  type LocalContext,
  type LocalHandler,
  serve,
} from '../../lib/local/gateway.ts'
import { LocalError } from '../../lib/local/local-error.ts'

const tooLarge = () => ({ statusCode: 200, headers: { 'content-type': 'application/json' }, body: '{"code":4000}' })
const gateways: Gateway[] = []

afterEach(async () => {
  vi.useRealTimers()
  await Promise.all(gateways.splice(0).map(({ close }) => close()))
})

/** A gateway before this handler, and a way to talk to it that hides nothing. */
async function gatewayOf(handler: LocalHandler, options: Partial<GatewayOptions> = {}) {
  const gateway = await serve(handler, { host: '127.0.0.1', port: 0, tooLarge, ...options })
  gateways.push(gateway)
  const port = Number(new URL(gateway.url).port)
  async function opened(): Promise<Socket> {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    await once(socket, 'connect')
    return socket
  }
  /** Sends this and returns all that comes back until the server ends the connection. */
  async function exchange(...parts: string[]): Promise<string> {
    const socket = await opened()
    for (const part of parts) socket.write(part)
    return text(socket)
  }
  return { ...gateway, port, opened, exchange }
}

/** A handler that answers as soon as its client has left or the gateway closes, as a long poll does. */
function waitingHandler() {
  const contexts: LocalContext[] = []
  const handler: LocalHandler = async (_event, context) => {
    contexts.push(context)
    await new Promise((done) => context.signal.addEventListener('abort', done))
    return { body: 'nothing came' }
  }
  const began = (count: number) => expect.poll(() => contexts.length).toBe(count)
  return { handler, contexts, began }
}

const echo: LocalHandler = async (event) => Promise.resolve({ body: JSON.stringify(event) })
const pathOnly: LocalHandler = async (event) => Promise.resolve({ body: `<${event.rawPath}>` })
const eventIn = (answer: string) => JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)) as APIGatewayProxyEventV2
const last = 'Host: h\r\nConnection: close\r\n\r\n'

describe('given a request', () => {
  it('when it is handed on, then the event is that of an HTTP API', async () => {
    const { exchange } = await gatewayOf(echo)
    const answer = await exchange(
      'POST /v2/index.php?a=%2F+b&a=?c&d HTTP/1.1\r\nHost: Queue.Example.com:8080\r\nUser-Agent: old/1\r\n' +
        'X-Twice: 1\r\nx-twice: 2\r\nUser-Agent: again\r\nconstructor: c\r\nContent-Length: 4\r\nConnection: close\r\n\r\na=%2',
    )
    const event = eventIn(answer)
    expect(event).toEqual({
      version: '2.0',
      routeKey: '$default',
      rawPath: '/v2/index.php',
      rawQueryString: 'a=%2F+b&a=?c&d',
      headers: {
        host: 'Queue.Example.com:8080',
        'user-agent': 'old/1,again',
        'x-twice': '1,2',
        constructor: 'c',
        'content-length': '4',
        connection: 'close',
      },
      requestContext: {
        accountId: 'local',
        apiId: 'local',
        domainName: 'Queue.Example.com',
        domainPrefix: 'Queue',
        http: {
          method: 'POST',
          path: '/v2/index.php',
          protocol: 'HTTP/1.1',
          sourceIp: '127.0.0.1',
          userAgent: 'old/1,again',
        },
        requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        routeKey: '$default',
        stage: '$default',
        time: expect.stringMatching(/^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/),
        timeEpoch: expect.any(Number),
      },
      body: Buffer.from('a=%2').toString('base64'),
      isBase64Encoded: true,
    })
  })

  it('when it has no body, then neither has the event', async () => {
    const { url } = await gatewayOf(echo)
    const event = (await (await fetch(`${url}/path`)).json()) as APIGatewayProxyEventV2
    expect(event).toMatchObject({ rawPath: '/path', rawQueryString: '', isBase64Encoded: false })
    expect(event).not.toHaveProperty('body')
  })

  it('when its body comes in chunks, then they are put together', async () => {
    const { exchange } = await gatewayOf(echo)
    const head = `POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n${last}`
    const { body } = eventIn(await exchange(head, '3\r\nabc\r\n', '2\r\nde\r\n', '0\r\n\r\n'))
    expect(body).toBe(Buffer.from('abcde').toString('base64'))
  })

  it('when its body is binary and in many chunks, then the handler gets its bytes', async () => {
    const { url } = await gatewayOf(async ({ body = '' }) => Promise.resolve({ body, isBase64Encoded: true }))
    const sent = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7) % 256))
    const answer = await fetch(url, { method: 'POST', body: sent })
    expect(Buffer.from(await answer.arrayBuffer()).equals(sent)).toBe(true)
    expect(answer.headers.get('content-length')).toBe('300000')
  })

  it('when its target is a whole URL, as proxies write it, then the event has its path', async () => {
    const { exchange } = await gatewayOf(pathOnly)
    expect(await exchange(`GET http://host:80/path?q HTTP/1.1\r\n${last}`)).toMatch(/<\/path>$/)
    expect(await exchange(`GET http://host HTTP/1.1\r\n${last}`)).toMatch(/<\/>$/)
    expect(await exchange(`GET HTTPS://host?q HTTP/1.1\r\n${last}`)).toMatch(/<\/>$/)
    expect(await exchange(`GET //twice HTTP/1.1\r\n${last}`)).toMatch(/<\/\/twice>$/)
  })

  it('when it waits to be told to go on, then it is told, and its body is read', async () => {
    const { exchange } = await gatewayOf(echo)
    const answer = await exchange(`POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n${last}`, 'ab')
    expect(answer).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/)
  })

  it('when it offers HTTP/2, as Java does, then it is answered in HTTP/1.1', async () => {
    const { exchange } = await gatewayOf(pathOnly)
    const upgrade = 'Upgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\nConnection: Upgrade, HTTP2-Settings, close\r\n'
    expect(await exchange(`GET /path HTTP/1.1\r\nHost: h\r\n${upgrade}\r\n`)).toMatch(/^HTTP\/1\.1 200 OK[^]*<\/path>$/)
  })

  it('when it is of HTTP/1.0, then it is answered and the connection ends', async () => {
    const { exchange } = await gatewayOf(pathOnly)
    expect(await exchange('GET /path HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 OK[^]*<\/path>$/)
  })

  it('when its URL is as long as a large message, then it is read', async () => {
    const { url } = await gatewayOf(echo)
    const query = 'q'.repeat(48 * 1024)
    expect(await (await fetch(`${url}/?${query}`)).json()).toMatchObject({ rawQueryString: query })
  })

  it('when it asks for the head only, then it gets the length of the body and no body', async () => {
    const { exchange } = await gatewayOf(async () => Promise.resolve({ body: 'four' }))
    const answer = await exchange(`HEAD / HTTP/1.1\r\n${last}`)
    expect(answer).toMatch(/content-length: 4\r\n/i)
    expect(answer).toMatch(/\r\n\r\n$/)
  })

  it('when the handler answers with a status, headers and cookies, then the client gets them', async () => {
    const { url } = await gatewayOf(async () =>
      Promise.resolve({
        statusCode: 418,
        headers: { 'x-number': 7, 'content-type': 'text/tea' },
        cookies: ['a=1', 'b=2'],
      }),
    )
    const { status, headers } = await fetch(url)
    expect(status).toBe(418)
    expect([headers.get('x-number'), headers.get('content-type')]).toEqual(['7', 'text/tea'])
    expect(headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    expect(headers.get('content-length')).toBe('0')
  })

  it('when the handler throws, then the answer is 500 and the next request is served', async () => {
    const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    const { url } = await gatewayOf((event, context) => {
      if (event.rawPath === '/throw') throw new Error('a bug')
      return pathOnly(event, context)
    })
    const answer = await fetch(`${url}/throw`)
    expect([answer.status, await answer.json()]).toEqual([500, { message: 'Internal Server Error' }])
    expect(stderr).toHaveBeenCalledWith(expect.stringContaining('a bug'))
    stderr.mockRestore()
    expect(await (await fetch(`${url}/next`)).text()).toBe('</next>')
  })

  it('when the handler asks how long it has, then it is told, and its id is that of the event', async () => {
    const { url } = await gatewayOf(
      async ({ requestContext }, { awsRequestId, getRemainingTimeInMillis }) =>
        Promise.resolve({
          body: JSON.stringify([requestContext.requestId === awsRequestId, getRemainingTimeInMillis()]),
        }),
      { timeLimit: 5_000 },
    )
    const [same, remaining] = (await (await fetch(url)).json()) as [boolean, number]
    expect(same).toBe(true)
    expect(remaining).toBeGreaterThan(4_000)
    expect(remaining).toBeLessThanOrEqual(5_000)
  })
})

describe('given a connection', () => {
  it('when it is used again, then it is kept', async () => {
    const { port } = await gatewayOf(pathOnly)
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const ports = new Set<number | undefined>()
    for (let count = 0; count < 5; count++) {
      const request = httpRequest({ port, host: '127.0.0.1', agent }).end()
      const [answer] = (await once(request, 'response')) as [NodeJS.ReadableStream]
      ports.add(request.socket?.localPort)
      await text(answer)
    }
    agent.destroy()
    expect(ports.size).toBe(1)
  })

  it('when several requests are sent at once, then their answers come in order', async () => {
    let release = () => {}
    const { opened } = await gatewayOf(async (event, context) => {
      if (event.rawPath === '/1') await new Promise<void>((done) => (release = done))
      if (event.rawPath === '/3') release()
      return pathOnly(event, context)
    })
    const socket = await opened()
    socket.write(`GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\nGET /3 HTTP/1.1\r\n${last}`)
    expect((await text(socket)).match(/<.*?>/g)).toEqual(['</1>', '</2>', '</3>'])
  })

  it('when it sends requests without end and reads no answer, then it is cut', async () => {
    const { handler, contexts } = waitingHandler()
    const { exchange } = await gatewayOf(handler)
    await expect(exchange('GET / HTTP/1.1\r\nHost: h\r\n\r\n'.repeat(10_000))).rejects.toThrow('ECONNRESET')
    expect(contexts.length).toBeLessThanOrEqual(100)
    await expect.poll(() => contexts.every(({ signal }) => signal.aborted)).toBe(true)
  })

  it.each([
    ['closed', (socket: Socket) => socket.destroy()],
    ['reset', (socket: Socket) => socket.resetAndDestroy()],
  ])('when it is %s before the answer, then the handler is told, and its answer harms nobody', async (_how, leave) => {
    const { handler, contexts, began } = waitingHandler()
    const { opened, exchange } = await gatewayOf((event, context) =>
      event.rawPath === '/wait' ? handler(event, context) : pathOnly(event, context),
    )
    const socket = await opened()
    socket.write('GET /wait HTTP/1.1\r\nHost: h\r\n\r\nGET /wait HTTP/1.1\r\nHost: h\r\n\r\n')
    await began(2)
    expect(contexts.map(({ signal }) => signal.aborted)).toEqual([false, false])
    leave(socket)
    await expect.poll(() => contexts.map(({ signal }) => signal.aborted)).toEqual([true, true])
    expect(await exchange(`GET /next HTTP/1.1\r\n${last}`)).toMatch(/<\/next>$/)
  })

  it('when the answer has been sent, then the signal stays quiet', async () => {
    const signals: AbortSignal[] = []
    const { exchange, opened } = await gatewayOf(async (_event, { signal }) => {
      signals.push(signal)
      return Promise.resolve({ body: 'done' })
    })
    await exchange(`GET / HTTP/1.1\r\n${last}`)
    await opened()
    expect(signals.map(({ aborted }) => aborted)).toEqual([false])
  })

  it('when it is closed while a body is sent, then no handler is called', async () => {
    const handler = vi.fn(echo)
    const { opened, exchange } = await gatewayOf(handler)
    const socket = await opened()
    socket.write('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc')
    socket.destroySoon()
    await once(socket, 'close')
    await exchange(`GET / HTTP/1.1\r\n${last}`)
    expect(handler).toHaveBeenCalledOnce()
  })
})

describe('given a body beyond the limit', () => {
  const megabyte = Buffer.alloc(1024 * 1024, 'x')

  it.each([
    ['announces its length', `Content-Length: ${20 * megabyte.length}`, (part: Buffer) => part],
    [
      'comes in chunks',
      'Transfer-Encoding: chunked',
      (part: Buffer) => Buffer.concat([Buffer.from('100000\r\n'), part, Buffer.from('\r\n')]),
    ],
  ])('when it %s, then the answer comes and the rest is thrown away', async (_how, header, framed) => {
    const handler = vi.fn(echo)
    const { opened } = await gatewayOf(handler)
    const socket = await opened()
    let answer = ''
    let accepted: Socket | undefined
    const note = (message: unknown) => (accepted = (message as { socket: Socket }).socket)
    subscribe('http.server.request.start', note)
    socket.on('data', (part: Buffer) => (answer += part.toString()))
    socket.write(`POST / HTTP/1.1\r\nHost: h\r\n${header}\r\n\r\n`)
    for (let count = 0; count < 20; count++) socket.write(framed(megabyte))
    if (header.startsWith('Transfer')) socket.write('0\r\n\r\n')
    await new Promise((closed) => socket.once('close', closed))
    unsubscribe('http.server.request.start', note)
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*Connection: close[^]*\r\n\r\n\{"code":4000\}$/i)
    expect(accepted?.bytesRead).toBeLessThan(20.5 * megabyte.length)
    expect(handler).not.toHaveBeenCalled()
  })

  it('when its sender reads only after having sent, then it still finds the answer', async () => {
    const { opened } = await gatewayOf(echo, { bodyLimit: 1000 })
    const socket = await opened()
    socket.pause()
    const length = 20 * megabyte.length
    socket.write(`POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${length}\r\n\r\n`)
    await new Promise((sent) => socket.write(Buffer.alloc(length), sent))
    expect(await text(socket)).toMatch(/\{"code":4000\}$/)
  })

  it('when it has no end, then the connection ends', async () => {
    const { opened } = await gatewayOf(echo, { bodyLimit: 1000 })
    const socket = await opened()
    let isOpen = true
    socket.once('close', () => (isOpen = false)).on('error', () => undefined)
    socket.resume()
    socket.write('POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n')
    const part = Buffer.concat([Buffer.from('100000\r\n'), megabyte, Buffer.from('\r\n')])
    for (let sent = 0; isOpen && sent < 100; sent++) await new Promise((done) => socket.write(part, done))
    await expect.poll(() => isOpen).toBe(false)
  })

  it('when it is just within the limit, then it is handed on', async () => {
    const { url } = await gatewayOf(async ({ body = '' }) => Promise.resolve({ body: `${body.length}` }))
    const answer = await fetch(url, { method: 'POST', body: Buffer.alloc(4 * megabyte.length) })
    expect(await answer.text()).toBe('5592408')
  })
})

describe('given more bodies at once than there is room for', () => {
  const head = (length: number) => `POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ${length}\r\n\r\n`
  const length = ({ body = '' }: APIGatewayProxyEventV2) =>
    Promise.resolve({ body: `<${Buffer.from(body, 'base64').length}>` })

  it('when one that is slow has the most, then it is refused, and those after it are handled', async () => {
    const { opened, url } = await gatewayOf(length, { bodiesLimit: 1_500_000 })
    const slow = await opened()
    slow.write(head(1_000_000))
    await new Promise((sent) => slow.write(Buffer.alloc(999_999), sent))
    const answers = []
    for (let sent = 0; sent < 3; sent++)
      answers.push(await (await fetch(url, { method: 'POST', body: Buffer.alloc(1_000_000) })).text())
    expect(answers).toEqual(Array(3).fill('<1000000>'))
    slow.write('x')
    expect(await text(slow)).toMatch(/^HTTP\/1.1 503 [^]*Connection: close[^]*\{"message":"Service Unavailable"\}$/i)
  })

  it('when those that are handled fill it, then the next is refused until they are done', async () => {
    let finish = (): void => undefined
    const finished = new Promise<void>((done) => (finish = done))
    let begun = 0
    const handler: LocalHandler = async (event) => {
      begun++
      await finished
      return length(event)
    }
    const { url } = await gatewayOf(handler, { bodiesLimit: 1_500_000 })
    const post = async () => (await fetch(url, { method: 'POST', body: Buffer.alloc(1_000_000) })).status
    const first = post()
    await expect.poll(() => begun).toBe(1)
    expect(await post()).toBe(503)
    finish()
    expect(await first).toBe(200)
    expect(await post()).toBe(200)
  })

  it('when their senders leave before the end, then there is room again', async () => {
    const { opened, url } = await gatewayOf(length, { bodiesLimit: 1_500_000 })
    for (let left = 0; left < 4; left++) {
      const socket = await opened()
      socket.write(head(1_400_000))
      await new Promise((sent) => socket.write(Buffer.alloc(1_000_000), sent))
      socket.destroy()
    }
    const answer = await fetch(url, { method: 'POST', body: Buffer.alloc(1_400_000) })
    expect(await answer.text()).toBe('<1400000>')
  })
})

describe('given what is not HTTP', () => {
  it.each([
    ['garbage', 'HELO\r\n\r\n', '400 Bad Request'],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', '400 Bad Request'],
    ['two lengths', `POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n${last}`, '400 Bad Request'],
    ['a chunk without a size', `POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n${last}zz\r\n`, '400 Bad Request'],
    ['headers without end', `GET / HTTP/1.1\r\nx: ${'x'.repeat(100_000)}`, '431 Request Header Fields Too Large'],
  ])('when %s comes, then it is refused and the connection ends', async (_what, sent, status) => {
    const { exchange } = await gatewayOf(pathOnly)
    expect(await exchange(sent)).toBe(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`)
    expect(await exchange(`GET /next HTTP/1.1\r\n${last}`)).toMatch(/<\/next>$/)
  })

  it('when it follows a request that waits, then that one is not given its refusal as the answer', async () => {
    const { handler, contexts } = waitingHandler()
    const { exchange } = await gatewayOf(handler)
    expect(await exchange('GET / HTTP/1.1\r\nHost: h\r\n\r\n', 'garbage\r\n\r\n')).toBe('')
    expect(contexts.every(({ signal }) => signal.aborted)).toBe(true)
  })
})

describe('given a gateway that closes', () => {
  it('when requests wait, then they are answered, and idle connections end', async () => {
    const { handler, began } = waitingHandler()
    const { close, opened, port } = await gatewayOf(handler)
    const idle = await opened()
    const waiting = await Promise.all(Array.from({ length: 5 }, () => opened()))
    for (const socket of waiting) socket.write('GET / HTTP/1.1\r\nHost: h\r\n\r\n')
    await began(5)
    const answers = Promise.all(waiting.map((socket) => text(socket)))
    // No time passes: nothing is waited for.
    vi.useFakeTimers({ toFake: ['setTimeout'] })
    await close()
    expect(await text(idle)).toBe('')
    for (const answer of await answers) expect(answer).toMatch(/Connection: close[^]*nothing came$/)
    const late = connect(port, '127.0.0.1')
    await expect(once(late, 'connect')).rejects.toThrow('ECONNREFUSED')
  })

  it('when a handler does not answer, or a client does not end its request, then it waits for a second at most', async () => {
    const handler = vi.fn(() => new Promise<never>(() => {}))
    const { close, opened } = await gatewayOf(handler)
    const [answered, sent] = await Promise.all([opened(), opened()])
    answered.write('GET / HTTP/1.1\r\nHost: h\r\n\r\n')
    sent.write('POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc')
    await expect.poll(() => handler.mock.calls.length).toBe(1)
    vi.useFakeTimers({ toFake: ['setTimeout'] })
    const closing = close()
    vi.advanceTimersByTime(1_000)
    await closing
  })

  it('when it is closed twice, then both are done', async () => {
    const { close } = await gatewayOf(echo)
    await Promise.all([close(), close()])
  })
})

describe('given a port', () => {
  it('when it is in use, then that is said in one line', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const starting = serve(echo, { host: '127.0.0.1', port, tooLarge })
    await expect(starting).rejects.toEqual(
      new LocalError(`port ${port} is in use on 127.0.0.1: give another one by --port`),
    )
    other.close()
  })

  it('when its host is not here, then that is said in one line', async () => {
    const starting = serve(echo, { host: '192.0.2.1', port: 0, tooLarge })
    await expect(starting).rejects.toThrow(LocalError)
    await expect(starting).rejects.toThrow(/^cannot listen on 192\.0\.2\.1, port 0: .*EADDRNOTAVAIL.*$/)
  })
})
