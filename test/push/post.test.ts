import { execFile } from 'node:child_process'
import type { LookupAddress } from 'node:dns'
import { getEventListeners } from 'node:events'
import { isIPv6, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { targets } from '../../lib/push/addresses.ts'
import type { Lookup } from '../../lib/push/guard.ts'
import { poster, type Poster, type PosterOptions } from '../../lib/push/post.ts'
import { selfSigned } from './certificate.ts'
import { type Answer, answering, endSubscribers, flood, subscriber } from './subscriber.ts'
import { watchSockets } from './watch-sockets.ts'

const posters: Poster[] = []

afterEach(async () => {
  vi.restoreAllMocks()
  for (const { close } of posters.splice(0)) close()
  await endSubscribers()
})

/** A poster to this machine, of which only the outcomes are wanted. */
function localPoster(options: Partial<PosterOptions> = {}) {
  const made = poster({ targets: targets(['127.0.0.0/8']), ...options })
  posters.push(made)
  const push = async (url: string, signal?: AbortSignal) => {
    const { isDelivered, outcome } = await made.post(url, { headers: {}, body: 'hello' }, signal)
    return isDelivered ? `delivered, ${outcome}` : outcome
  }
  return { ...made, push }
}

/** Answers each question for a name with the next of these answers. */
function lookupOf(...answers: string[][]) {
  return vi.fn<Lookup>((_name, _options, answer) => {
    const addresses = answers.shift() ?? []
    answer(
      null,
      addresses.map((address): LookupAddress => ({ address, family: isIPv6(address) ? 6 : 4 })),
    )
  })
}

const ok: Answer = (socket) => socket.write(answering('200 OK', 'thanks'))
const nothing: Answer = () => {}
const closing: Answer = (socket) => socket.destroy()
const megabyte = Buffer.alloc(1024 * 1024, 'x')

describe('given a subscriber', () => {
  it('when a message is posted, then it gets exactly that', async () => {
    const { port, requests } = await subscriber(ok)
    const headers = {
      'Content-Type': 'text/plain',
      'User-Agent': 'Qcloud Notification Service Agent',
      'x-cmq-request-id': '2394928734',
      'x-cmq-message-tag': '',
    }
    const attempt = await localPoster().post(`http://127.0.0.1:${port}/a/../hook?b=%20&c#part`, {
      headers,
      body: '你好',
    })
    expect(attempt).toEqual({ isDelivered: true, outcome: '200', milliseconds: expect.any(Number) })
    expect(Number.isInteger(attempt.milliseconds) && attempt.milliseconds >= 0).toBe(true)
    expect(requests).toEqual([
      'POST /hook?b=%20&c HTTP/1.1\r\nContent-Type: text/plain\r\nUser-Agent: Qcloud Notification Service Agent\r\n' +
        `x-cmq-request-id: 2394928734\r\nx-cmq-message-tag: \r\nContent-Length: 6\r\nHost: 127.0.0.1:${port}\r\n` +
        `Connection: keep-alive\r\n\r\n${Buffer.from('你好').toString('latin1')}`,
    ])
  })

  it('when a message is empty, then its length is sent all the same', async () => {
    const { url, requests } = await subscriber(ok)
    await localPoster().post(url, { headers: {}, body: '' })
    expect(requests[0]).toMatch(/^Content-Length: 0\r$/m)
  })

  it('when a header holds other characters than HTTP allows, then they are UTF-8, and begin no other header', async () => {
    const { url, requests } = await subscriber(ok)
    const headers = { 'x-cmq-message-tag': '红, é\r\nx-injected: 1\r\n\r\n\0\x7f\x85🙂' }
    await localPoster().post(url, { headers, body: '红' })
    const [head = '', body = ''] = requests[0]?.split('\r\n\r\n') ?? []
    expect(Buffer.from(head, 'latin1').toString()).toMatch(/^x-cmq-message-tag: 红, éx-injected: 1🙂\r$/m)
    expect(Buffer.from(body, 'latin1').toString()).toBe('红')
  })

  it('when a header has a name that HTTP forbids, then that fails', async () => {
    const { url } = await subscriber(ok)
    const attempt = await localPoster().post(url, { headers: { 'a b': 'c' }, body: '' })
    expect(attempt).toMatchObject({ isDelivered: false, outcome: 'ERR_INVALID_HTTP_TOKEN' })
  })

  it('when the URL is no web address, then that fails', async () => {
    const { push } = localPoster()
    expect([await push('queue'), await push('ftp://127.0.0.1/')]).toEqual(['endpoint wrong', 'endpoint wrong'])
  })
})

describe('given a subscriber that answers', () => {
  it.each(['200', '201', '202', '204', '299'])(
    'when its status is %s, then the message is delivered',
    async (status) => {
      const { url } = await subscriber((socket) => socket.write(answering(status)))
      expect(await localPoster().push(url)).toBe(`delivered, ${status}`)
    },
  )

  it.each(['300', '304', '400', '401', '404', '410', '429', '500', '503', '599', '999', '099'])(
    'when its status is %s, then it is not',
    async (status) => {
      const { url } = await subscriber((socket) => socket.write(answering(status)))
      expect(await localPoster().push(url)).toBe(String(Number(status)))
    },
  )

  it.each(['301', '302', '303', '307', '308'])('when it redirects by %s, then nobody follows', async (status) => {
    const other = await subscriber(ok)
    const { url } = await subscriber((socket) => socket.write(answering(status, '', `Location: ${other.url}`)))
    expect(await localPoster().push(url)).toBe(status)
    expect(other.connections).toEqual([])
  })

  it('when it says before that it will, then only the answer counts', async () => {
    const before = 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n'
    const { url } = await subscriber((socket) => socket.write(`${before}${answering('200')}`))
    expect(await localPoster().push(url)).toBe('delivered, 200')
  })

  it.each([
    [
      'switches to another protocol',
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n',
    ],
    ['says so without a protocol', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
  ])('when it %s, then that is a failure, and the connection is not used again', async (_what, answer) => {
    const { url, connections, left } = await subscriber((socket) => socket.write(answer))
    const { push } = localPoster()
    expect([await push(url), await push(url)]).toEqual(['101', '101'])
    expect(connections.length).toBe(2)
    await left()
  })

  it('when it answers before it has read the message, then that counts', async () => {
    const { url } = await subscriber(nothing, { greet: (socket) => socket.pause().write(answering('200')) })
    const { post } = localPoster({ timeout: 2_000 })
    const watched = watchSockets()
    const body = megabyte.toString().repeat(20)
    expect(await post(url, { headers: {}, body })).toMatchObject({ isDelivered: true, outcome: '200' })
    await watched.closed()
  })

  it('when it answers as HTTP/1.0 does, then that counts', async () => {
    const { url } = await subscriber((socket) => socket.end('HTTP/1.0 200 OK\r\n\r\nthanks'))
    expect(await localPoster().push(url)).toBe('delivered, 200')
  })
})

describe('given a connection that was used', () => {
  it('when more is posted, then it is used again', async () => {
    const { url, connections, requests } = await subscriber(ok)
    const { push } = localPoster()
    for (let count = 0; count < 5; count++) expect(await push(url)).toBe('delivered, 200')
    expect([requests.length, connections.length]).toEqual([5, 1])
  })

  it('when a failure with a body came over it, then it is used again all the same', async () => {
    const { url, connections } = await subscriber((socket) => socket.write(answering('503', 'x'.repeat(1_000))))
    const { push } = localPoster()
    expect([await push(url), await push(url)]).toEqual(['503', '503'])
    expect(connections.length).toBe(1)
  })

  it.each([
    ['nothing more is posted', answering('200')],
    ['its server says for how long it is kept', answering('200', '', 'Keep-Alive: timeout=2')],
  ])('when %s, then it is closed before its server would', async (_what, answer) => {
    const { url, connections, left } = await subscriber((socket) => socket.write(answer))
    const { push } = localPoster()
    expect([await push(url), await push(url)]).toEqual(['delivered, 200', 'delivered, 200'])
    await left()
    expect(connections.length).toBe(1)
  })

  it.each<[string, Answer]>([
    ['closed', (socket) => socket.destroy()],
    ['ended', (socket) => socket.end()],
    ['reset', (socket) => socket.resetAndDestroy()],
  ])('when it is %s as the next message comes, then that goes over a new one', async (_how, end) => {
    const { url, connections, requests } = await subscriber((socket, number) =>
      number === 2 ? end(socket, number) : ok(socket, number),
    )
    const { push } = localPoster()
    expect([await push(url), await push(url)]).toEqual(['delivered, 200', 'delivered, 200'])
    expect([requests.length, connections.length]).toEqual([3, 2])
  })

  it('when the new one is closed too, then that is a failure', async () => {
    const { url, connections } = await subscriber((socket, number) => (number === 1 ? ok(socket, 1) : socket.destroy()))
    const { push } = localPoster()
    expect([await push(url), await push(url)]).toEqual(['delivered, 200', 'ECONNRESET'])
    expect(connections.length).toBe(2)
  })

  it('when others are kept that may be closed as well, then the new one is none of them', async () => {
    const kept: Socket[] = []
    const { url, connections } = await subscriber((socket, number) => {
      if (number <= 2) kept.push(socket)
      if (number === 2) for (const one of kept) ok(one, number)
      if (number > 2) (kept.includes(socket) ? closing : ok)(socket, number)
    })
    const { push } = localPoster()
    await Promise.all([push(url), push(url)])
    expect(await push(url)).toBe('delivered, 200')
    expect(connections.length).toBe(3)
  })

  it('when something has come for the next message before it ends, then that is a failure', async () => {
    const { url, connections } = await subscriber((socket, number) =>
      number === 1 ? ok(socket, 1) : socket.end('HTTP/1.1 200 OK\r\nContent-Le'),
    )
    const { push } = localPoster()
    expect([await push(url), await push(url)]).toEqual(['delivered, 200', 'ECONNRESET'])
    expect(connections.length).toBe(1)
  })

  it('when two answers have come for one message, then the second is not that of the next', async () => {
    const { url } = await subscriber((socket, number) =>
      socket.write(number === 1 ? `${answering('200')}${answering('200')}` : answering('503')),
    )
    const { push } = localPoster()
    expect([await push(url), await push(url)]).toEqual(['delivered, 200', '503'])
  })
})

describe('given a connection that is new', () => {
  it.each<[string, Answer, string]>([
    ['closes it', (socket) => socket.destroy(), 'ECONNRESET'],
    ['resets it', (socket) => socket.resetAndDestroy(), 'ECONNRESET'],
    ['ends it within the headers', (socket) => socket.end('HTTP/1.1 200 OK\r\nA: b\r\n'), 'ECONNRESET'],
    ['speaks another protocol', (socket) => socket.end('SSH-2.0-OpenSSH_9.6\r\n'), 'garbled answer'],
    ['answers without a status', (socket) => socket.end('<html>'), 'garbled answer'],
    ['gives two lengths', (socket) => socket.write(answering('200', '', 'Content-Length: 7')), 'garbled answer'],
    [
      'sends headers without end',
      (socket) => flood(socket, `HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(1_000)}`),
      'garbled answer',
    ],
    [
      'sends a header without end',
      (socket) => flood(socket, `HTTP/1.1 200 OK\r\nA: ${'b'.repeat(10_000)}`),
      'garbled answer',
    ],
  ])('when the subscriber %s, then that is a failure, and it is tried once', async (_what, answer, outcome) => {
    const { url, connections, left } = await subscriber(answer)
    expect(await localPoster().push(url)).toBe(outcome)
    expect(connections.length).toBe(1)
    await left()
  })

  it('when it is closed before anything was sent, then that is a failure', async () => {
    const { url } = await subscriber(nothing, { greet: (socket) => socket.resetAndDestroy() })
    expect(['ECONNRESET', 'EPIPE']).toContain(await localPoster().push(url))
  })

  it('when nobody listens, then that is a failure', async () => {
    const { url } = await subscriber(ok)
    await endSubscribers()
    expect(await localPoster().push(url)).toBe('ECONNREFUSED')
  })
})

describe('given a subscriber that takes its time', () => {
  it.each<[string, Answer]>([
    ['does not answer', nothing],
    ['does not end its headers', (socket) => socket.write('HTTP/1.1 200 OK\r\n')],
    ['sends its headers byte by byte', (socket) => everyTick(socket, 'HTTP/1.1 200 OK\r\nA: ', 'b')],
    ['says without end that it will', (socket) => everyTick(socket, '', 'HTTP/1.1 102 Processing\r\n\r\n')],
  ])('when it %s, then that is a timeout, and the connection ends', async (_what, answer) => {
    const { url, left } = await subscriber(answer)
    const { isDelivered, outcome, milliseconds } = await localPoster({ timeout: 100 }).post(url, {
      headers: {},
      body: '',
    })
    expect([isDelivered, outcome]).toEqual([false, 'timeout'])
    expect(milliseconds).toBeGreaterThanOrEqual(99)
    await left()
  })

  it('when it does not read the message, then that is a timeout', async () => {
    const { url } = await subscriber(nothing, { greet: (socket) => socket.pause() })
    const watched = watchSockets()
    const { post } = localPoster({ timeout: 100 })
    expect(await post(url, { headers: {}, body: megabyte.toString().repeat(20) })).toMatchObject({ outcome: 'timeout' })
    await watched.closed()
  })

  it('when it does not answer to TLS, then that is a timeout', async () => {
    const { port, left } = await subscriber(nothing)
    expect(await localPoster({ timeout: 100 }).push(`https://127.0.0.1:${port}/`)).toBe('timeout')
    await left()
  })

  it('when its name server does not answer, then that is a timeout', async () => {
    const lookup = vi.fn<Lookup>()
    expect(await localPoster({ timeout: 100, lookup }).push('http://name.test/')).toBe('timeout')
    expect(lookup).toHaveBeenCalledOnce()
  })

  it.each<[string, Answer]>([
    ['does not come', nothing],
    ['comes byte by byte', (socket) => everyTick(socket, '', 'x')],
  ])(
    'when only the rest of its answer %s, then the message is delivered, and the connection ends',
    async (_what, rest) => {
      const { url, left } = await subscriber((socket, number) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n')
        rest(socket, number)
      })
      const { push } = localPoster({ timeout: 2_000 })
      expect(await push(url)).toBe('delivered, 200')
      await left()
    },
  )

  it.each(['200', '500'])('when a body without end follows its %s, then little of it is read', async (status) => {
    const { url, left, connections } = await subscriber((socket) => {
      socket.write(`HTTP/1.1 ${status} Whatever\r\n\r\n`)
      flood(socket, megabyte)
    })
    expect(await localPoster({ timeout: 60_000 }).push(url)).toContain(status)
    await left()
    // Most of that is what the two ends of the connection hold in the system.
    expect(connections[0]?.bytesWritten).toBeLessThan(32 * megabyte.length)
  })

  it('when the rest of its answer is garbled or cut, then the message is delivered', async () => {
    const { url } = await subscriber((socket, number) =>
      socket.end(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${number === 1 ? 'nonsense\r\n' : 'ff\r\nx'}`),
    )
    const { push } = localPoster()
    expect([await push(url), await push(url)]).toEqual(['delivered, 200', 'delivered, 200'])
  })
})

/** Sends the beginning, and then this part again and again, at each turn of the event loop. */
function everyTick(socket: Socket, beginning: string, part: string) {
  socket.write(beginning)
  const timer = setInterval(() => socket.write(part), 1)
  socket.once('close', () => clearInterval(timer))
}

describe('given an attempt under way', () => {
  it('when it is stopped, then it ends at once, and so does its connection', async () => {
    const controller = new AbortController()
    const { url, left } = await subscriber(() => controller.abort())
    expect(await localPoster().push(url, controller.signal)).toBe('stopped')
    await left()
  })

  it('when it was stopped before, then nothing is connected to', async () => {
    const { url, connections } = await subscriber(ok)
    const { push } = localPoster()
    expect(await push(url, AbortSignal.abort())).toBe('stopped')
    expect(await push(url)).toBe('delivered, 200')
    expect(connections.length).toBe(1)
  })

  it('when it is stopped after the status has come, then it stays delivered', async () => {
    const controller = new AbortController()
    const { url } = await subscriber(ok)
    const { push } = localPoster()
    expect(await push(url, controller.signal)).toBe('delivered, 200')
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    controller.abort()
    expect(await push(url)).toBe('delivered, 200')
  })

  it('when the poster closes, then it is stopped, as is what waits and what comes later', async () => {
    let began = () => {}
    const { url, connections, left } = await subscriber(() => began())
    const { push, close } = localPoster({ maxSockets: 1 })
    const underWay = new Promise<void>((resolve) => (began = resolve))
    const pushed = Promise.all([push(url), push(url), push(url)])
    await underWay
    close()
    expect([...(await pushed), await push(url)]).toEqual(['stopped', 'stopped', 'stopped', 'stopped'])
    await left()
    expect(connections.length).toBe(1)
  })

  it('when the poster closes, then unused connections and rests of answers end too', async () => {
    const { url, left } = await subscriber((socket, number) =>
      number === 1 ? ok(socket, 1) : socket.write('HTTP/1.1 200 OK\r\n\r\nthan'),
    )
    const { push, close } = localPoster()
    await Promise.all([push(url), push(url)])
    close()
    await left()
  })
})

describe('given a limit of connections', () => {
  it('when more is posted at once, then it waits for its turn', async () => {
    const { url, connections } = await subscriber(ok)
    const { push } = localPoster({ maxSockets: 2 })
    const outcomes = await Promise.all(Array.from({ length: 10 }, () => push(url)))
    expect(outcomes).toEqual(Array.from({ length: 10 }, () => 'delivered, 200'))
    expect(connections.length).toBe(2)
  })

  it('when its turn does not come in time, then that is a timeout', async () => {
    const { url, requests } = await subscriber(nothing)
    const { push } = localPoster({ maxSockets: 1, timeout: 200 })
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => push(url)))
    expect(outcomes).toEqual(Array.from({ length: 20 }, () => 'timeout'))
    // Whoever is next as the first one's time ends may still be sent within its own, which ends a moment later.
    expect(requests.length).toBeLessThan(10)
  })
})

describe('given a subscriber with a name', () => {
  it('when it is posted to, then its name is looked up once a connection, and sent as the host', async () => {
    const { port, requests, connections } = await subscriber(ok)
    const lookup = lookupOf(['127.0.0.1'])
    const { push } = localPoster({ lookup })
    const url = `http://Name.test:${port}/`
    expect([await push(url), await push(url)]).toEqual(['delivered, 200', 'delivered, 200'])
    expect(lookup.mock.calls.map(([name]) => name)).toEqual(['name.test'])
    expect(requests[0]).toContain(`\r\nHost: name.test:${port}\r\n`)
    expect(connections.length).toBe(1)
  })

  it('when nobody listens at the first of its addresses, then the next is tried', async () => {
    const { port } = await subscriber(ok)
    const watched = watchSockets()
    const { push } = localPoster({ lookup: lookupOf(['127.0.0.2', '127.0.0.1']) })
    expect(await push(`http://name.test:${port}/`)).toBe('delivered, 200')
    expect(watched.attempts).toEqual(['127.0.0.2', '127.0.0.1'])
  })

  it.each([
    ['public', 'private', ['127.0.0.1'], ['10.0.0.1']],
    ['public', 'one of both', ['127.0.0.1'], ['127.0.0.1', '10.0.0.1']],
    ['public', 'the metadata of AWS', ['127.0.0.1'], ['fd00:ec2::254']],
  ])('when its address was %s and is now %s, then nothing more is connected to', async (_first, _then, first, then) => {
    const { port, connections } = await subscriber((socket) => socket.end(answering('200', '', 'Connection: close')))
    const { push } = localPoster({ lookup: lookupOf(first, then) })
    const url = `http://name.test:${port}/`
    expect(await push(url)).toBe('delivered, 200')
    const watched = watchSockets()
    expect(await push(url)).toBe('address refused')
    expect(watched.attempts).toEqual([])
    expect(connections.length).toBe(1)
  })

  it('when one of its addresses is forbidden, then none is connected to, in whichever order', async () => {
    const { port, connections } = await subscriber(ok)
    const { push } = localPoster({ lookup: lookupOf(['127.0.0.1', '192.168.0.1'], ['::1', '127.0.0.1']) })
    const watched = watchSockets()
    for (const scheme of ['http', 'https']) expect(await push(`${scheme}://name.test:${port}/`)).toBe('address refused')
    expect(watched.attempts).toEqual([])
    expect(connections).toEqual([])
  })

  it('when a connection closed meanwhile and its name leads elsewhere now, then the second try is refused', async () => {
    const { port, connections } = await subscriber((socket, number) =>
      number === 1 ? ok(socket, 1) : socket.destroy(),
    )
    const { push } = localPoster({ lookup: lookupOf(['127.0.0.1'], ['10.0.0.1']) })
    const url = `http://name.test:${port}/`
    expect([await push(url), await push(url)]).toEqual(['delivered, 200', 'address refused'])
    expect(connections.length).toBe(1)
  })

  it('when it has no address, or cannot be looked up, then that is a failure', async () => {
    const lookup: Lookup = (name, _options, answer) =>
      name === 'none.test' ? answer(null, []) : answer(Object.assign(new Error(), { code: 'EAI_AGAIN' }), [])
    const { push } = localPoster({ lookup })
    expect([await push('http://none.test/'), await push('http://broken.test/')]).toEqual(['ENOTFOUND', 'EAI_AGAIN'])
  })

  it('when it redirects to where nobody may be sent, then nobody is', async () => {
    const location = 'Location: http://169.254.169.254/latest/meta-data/'
    const { url } = await subscriber((socket) => socket.write(answering('302 Found', '', location)))
    const watched = watchSockets()
    expect(await localPoster().push(url)).toBe('302')
    expect(watched.attempts).toEqual(['127.0.0.1'])
  })
})

describe('given a subscriber with a certificate', () => {
  const trusted = getCACertificates('default')
  afterEach(() => setDefaultCACertificates(trusted))

  it('when nobody vouches for it, then that is a failure, with its code cut to 24 characters', async () => {
    const { url, requests } = await subscriber(ok, { isTls: true })
    expect(await localPoster().push(url)).toBe('DEPTH_ZERO_SELF_SIGNED_C')
    expect(requests).toEqual([])
  })

  it('when it is trusted, then the message is delivered, and the connection used again', async () => {
    setDefaultCACertificates([...trusted, selfSigned.cert])
    const { port, connections } = await subscriber(ok, { isTls: true })
    const { push } = localPoster({ lookup: lookupOf(['127.0.0.1']) })
    const url = `https://subscriber.test:${port}/`
    expect([await push(url), await push(url)]).toEqual(['delivered, 200', 'delivered, 200'])
    expect(connections.length).toBe(1)
  })

  it('when it is for another name, then that is a failure', async () => {
    setDefaultCACertificates([...trusted, selfSigned.cert])
    const { url, requests } = await subscriber(ok, { isTls: true })
    expect(await localPoster().push(url)).toBe('ERR_TLS_CERT_ALTNAME_INV')
    expect(requests).toEqual([])
  })

  it('when it speaks without TLS, then that is a failure', async () => {
    const { port } = await subscriber(nothing, { greet: (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n') })
    expect(await localPoster().push(`https://127.0.0.1:${port}/`)).toMatch(/^(ERR_SSL_\w{1,16}|EPROTO)$/)
  })
})

describe('given a process that has posted to all sorts of subscribers', () => {
  it('when its poster is closed, then no timer and no connection is left behind', async () => {
    const urls = [
      await subscriber(nothing),
      await subscriber(ok),
      await subscriber((socket) => socket.write('HTTP/1.1 200 OK\r\n\r\nthan')),
      await subscriber((socket) => socket.destroy()),
      await subscriber((socket) => socket.write('nonsense\r\n')),
    ].map(({ url }) => url)
    const program = fileURLToPath(new URL('left-behind.ts', import.meta.url))
    const { stdout } = await promisify(execFile)(process.execPath, [program, ...urls])
    expect(JSON.parse(stdout)).toEqual({
      outcomes: ['stopped', '200', '200', 'ECONNRESET', 'garbled answer'],
      resources: [],
    })
  })
})
