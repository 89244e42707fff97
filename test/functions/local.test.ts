import { GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer, request as httpRequest } from 'node:http'
import { connect as connectTo, createServer, type AddressInfo, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startEngine } from '../../lib/local/engine.ts'
import { identify, startedWith } from '../../lib/local/processes.ts'
import { createTables } from '../../lib/store/create-tables.ts'
import {
  endServers,
  enginesOf,
  launch,
  startServer,
  withoutSettings,
  type LocalServer,
  type ServerProcess,
  type StartOptions,
} from '../support/local-server.ts'
import { patientClient } from '../support/engine.ts'
import type { Answer } from '../support/service.ts'
import { signedEvent } from '../support/signed-request.ts'

/** What `npm start` runs, as real processes: how it starts, how it ends, and what is left when it is killed. */

/** Bounds in milliseconds for a busy machine; alone on one, a start takes half a second and an end some 30 ms. */
const START_TAKES = 45_000
const END_TAKES = 10_000
const GIVING_UP_TAKES = 60_000

const defaultPair = { secretId: 'AKIDlocal', secretKey: 'local-secret' }
const endedWell = { code: 0, signal: null }

let parent = ''
let directories = 0
const listeners: Server[] = []

beforeAll(async () => {
  parent = await realpath(await mkdtemp(join(tmpdir(), 'local-')))
})
afterAll(async () => {
  for (const listener of listeners) listener.close()
  await endServers()
  // An engine that was killed may write for a moment more.
  await rm(parent, { recursive: true, maxRetries: 5 })
})

/** The name of a directory that does not exist yet. */
const newDirectory = () => join(parent, `data ${++directories}`)

const start = (directory: string, ...args: string[]) => startServer(['--port', '0', '--data', directory, ...args])

type Fields = Readonly<Record<string, string | number>>

/** Calls the server as a client does. */
async function ask(
  { url }: LocalServer,
  Action: string,
  parameters: Fields = {},
  { pair = defaultPair, ...options }: { pair?: typeof defaultPair; method?: string; signal?: AbortSignal } = {},
): Promise<Answer> {
  const texts = Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, String(value)]))
  const { body = '' } = signedEvent({ Action, ...texts }, { host: new URL(url).host, ...pair })
  const answer = await fetch(`${url}/v2/index.php`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: Buffer.from(body, 'base64').toString(),
    ...options,
  })
  return (await answer.json()) as Answer
}

/** Asks, and is answered with success. */
async function done(...call: Parameters<typeof ask>): Promise<Answer> {
  const answer = await ask(...call)
  expect(answer).toMatchObject({ code: 0 })
  return answer
}

const queue = { queueName: 'orders' }
const noMessage = { code: 7000, message: '(10200)no message' }
const queueIsMissing = { code: 4440 }
const send = (server: LocalServer, msgBody: string) => done(server, 'SendMessage', { ...queue, msgBody })
const receive = (server: LocalServer, pollingWaitSeconds: number) =>
  ask(server, 'ReceiveMessage', { ...queue, pollingWaitSeconds })

/** A consumer that waits for a message, and has begun to: what it comes to, be that the end of its connection. */
async function poll(server: LocalServer, signal?: AbortSignal) {
  const parameters = { ...queue, pollingWaitSeconds: 30 }
  const polling = ask(server, 'ReceiveMessage', parameters, signal ? { signal } : {}).then(
    ({ code }) => code,
    () => 'closed',
  )
  await done(server, 'GetQueueAttributes', queue)
  await done(server, 'GetQueueAttributes', queue)
  return { outcome: polling }
}

const enginesOn = (directory: string) =>
  startedWith([
    ['--db-path', join(directory, 'dynamodb.sqlite')],
    ['-dbPath', directory],
  ])

/** Ends the server and everything of it, without a word. */
async function expectToEndWell(server: LocalServer, end: () => unknown) {
  const from = performance.now()
  await end()
  const { at, ...how } = await server.ended
  expect(identify(server.engine)).toBeUndefined()
  expect(how).toEqual(endedWell)
  expect(at - from).toBeLessThan(END_TAKES)
  expect(server.errors()).toBe('')
}

const stop = (server: LocalServer) => expectToEndWell(server, () => server.kill('SIGTERM'))

/** It has ended with exit code 1 and one line on stderr, which is returned. */
async function refusalOf(server: ServerProcess): Promise<string> {
  expect(await server.ended).toMatchObject({ code: 1, signal: null })
  const [line, ...more] = server.errors().split('\n')
  expect(more).toEqual([''])
  return line ?? ''
}

/** Waits for what is certain to come; the test's own time limit is the bound. */
async function until(isSo: () => Promise<boolean>) {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 2))
}

const isAnswering = ({ url }: LocalServer) =>
  fetch(url).then(
    () => true,
    () => false,
  )

/** A port of this process, held until the end. */
async function listening(server: Server): Promise<number> {
  listeners.push(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return (server.address() as AddressInfo).port
}

describe('given a server', () => {
  let server: LocalServer
  beforeAll(async () => {
    server = await start(newDirectory())
    await done(server, 'CreateQueue', queue)
  })

  it('when it has started, then it says in three lines how to call it, and in its last one where it listens', () => {
    const { output, url, startedIn } = server
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect(output).toHaveLength(4)
    expect(output.at(-1)).toBe(`CMQ listening on ${url}`)
    for (const line of output.slice(0, 3))
      for (const part of [url, defaultPair.secretId, defaultPair.secretKey]) expect(line).toContain(part)
    expect(output.filter((line) => line.includes('CMQ listening'))).toHaveLength(1)
    expect(server.errors()).toBe('')
    expect(startedIn).toBeLessThan(START_TAKES)
  })

  it.runIf(process.platform === 'linux')(
    'when another address than its own is called, then nobody answers',
    async () => {
      await expect(fetch(`http://127.0.0.2:${server.port}`)).rejects.toThrow()
    },
  )

  it('when a waiting consumer leaves, then the next message goes to another one, as its first', async () => {
    const leaving = new AbortController()
    const { outcome } = await poll(server, leaving.signal)
    leaving.abort()
    expect(await outcome).toBe('closed')
    await done(server, 'GetQueueAttributes', queue)
    await send(server, 'who gets it')
    const received = await receive(server, 10)
    expect(received).toMatchObject({ code: 0, msgBody: 'who gets it', dequeueCount: 1 })
  })

  it('when a body is without end, then it is refused while it is read', async () => {
    const request = httpRequest(server.url, { method: 'POST', headers: { 'transfer-encoding': 'chunked' } })
    request.on('error', () => {})
    for (let megabytes = 0; megabytes < 20; megabytes++) request.write(Buffer.alloc(1024 * 1024, 'a'))
    const [response] = (await once(request, 'response')) as [NodeJS.ReadableStream & { statusCode: number }]
    expect(response.statusCode).toBe(200)
    expect(JSON.parse(await text(response))).toEqual({
      code: 4000,
      message: '(10420)cannot parse body, or request size is more than 1MB',
      requestId: expect.any(String) as string,
    })
    request.destroy()
  })

  it('when a body of API 3.0 is without end, then it is refused in its envelope', async () => {
    const headers = { 'x-tc-action': 'CreateQueue', 'content-length': 5 * 1024 * 1024 }
    const request = httpRequest(server.url, { method: 'POST', headers })
    request.on('error', () => {})
    request.flushHeaders()
    const [response] = (await once(request, 'response')) as [NodeJS.ReadableStream]
    // Until its end is sent the answer is not over.
    request.end(Buffer.alloc(5 * 1024 * 1024, ' '))
    expect(JSON.parse(await text(response))).toMatchObject({
      Response: { Error: { Code: 'RequestSizeLimitExceeded' }, RequestId: expect.any(String) as string },
    })
  })

  it('when it gets what is not HTTP, then it says so', async () => {
    const socket = connectTo(server.port, '127.0.0.1')
    socket.write('garbage\r\n\r\n')
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/)
  })

  it.each(['', '%%%', 'Action', '\0\xff', '{"Action":"ListQueue"}', '='.repeat(100_000)])(
    'when it gets a form that is none (%#), then it is refused',
    async (body) => {
      const response = await fetch(server.url, { method: 'POST', body })
      expect(response.status).toBe(200)
      expect(await response.json()).toMatchObject({ code: 4000, requestId: expect.any(String) as string })
    },
  )

  it('when a method is not one of CMQ, then it is refused', async () => {
    expect(await ask(server, 'ListQueue', {}, { method: 'PUT' })).toMatchObject({
      code: 4000,
      message: '(10410)unexpected http PUT only GET or POST is supported',
    })
  })

  it('when all that is over, then it has not complained, and ends well', async () => {
    await done(server, 'ListQueue')
    await stop(server)
  })
})

describe.concurrent('given a server with a key pair of its own', () => {
  it('when it is called from anywhere, then that pair alone is good, and is nowhere shown', async () => {
    const own = { secretId: 'AKIDmine7Q', secretKey: 'mine/secret+1' }
    const server = await startServer(['--port', '0', '--host', '0.0.0.0', '--memory', '--verbose'], {
      cwd: parent,
      env: { CMQ_SECRET_ID: own.secretId, CMQ_SECRET_KEY: own.secretKey },
    })
    expect(server.url).toBe(`http://0.0.0.0:${server.port}`)
    const elsewhere = process.platform === 'linux' ? '127.0.0.2' : '127.0.0.1'
    const called = { ...server, url: `http://${elsewhere}:${server.port}` }
    expect(await ask(called, 'ListQueue', {}, { pair: own })).toMatchObject({ code: 0 })
    const halfOwn = { ...own, secretKey: defaultPair.secretKey }
    expect(await ask(called, 'ListQueue')).toMatchObject({ code: 4100 })
    expect(await ask(called, 'ListQueue', {}, { pair: halfOwn })).toMatchObject({ code: 4100 })
    server.kill('SIGTERM')
    expect(await server.ended).toMatchObject(endedWell)
    expect(server.output[3]).toBe(`CMQ listening on ${server.url}`)
    // The three calls are logged, so that it is known that the log does not show the pair either.
    const lines = [...server.output, ...server.errors().split('\n')]
    expect(lines.filter((line) => line.includes('"message":"request"'))).toHaveLength(3)
    expect(server.errors()).toMatch(/^.*"failure":"signatureWrong".*\n$/)
    const shown = lines.join('\n')
    for (const secret of Object.values({ ...own, ...defaultPair })) expect(shown).not.toContain(secret)
  })
})

describe.concurrent('given a server with a waiting consumer', () => {
  const serverWithQueue = async (options: StartOptions = {}) => {
    const directory = newDirectory()
    const server = await startServer(['--port', '0', '--data', directory], options)
    await done(server, 'CreateQueue', queue)
    return { server, directory }
  }

  const ends: [how: string, options: StartOptions, end: (server: LocalServer) => unknown][] = [
    ['SIGINT goes to it', {}, ({ kill }) => kill('SIGINT')],
    ['SIGTERM goes to it', {}, ({ kill }) => kill('SIGTERM')],
    ['SIGHUP goes to it', {}, ({ kill }) => kill('SIGHUP')],
    ['SIGQUIT goes to it', {}, ({ kill }) => kill('SIGQUIT')],
    ['a terminal sends SIGINT to its process group', { ownGroup: true }, ({ pid }) => process.kill(-pid, 'SIGINT')],
  ]
  it.each(ends)('when %s, then all of it ends well and soon', async (_how, options, end) => {
    const { server, directory } = await serverWithQueue(options)
    const { outcome } = await poll(server)
    await expectToEndWell(server, () => end(server))
    expect([7000, 'closed']).toContain(await outcome)
    expect(enginesOn(directory)).toEqual([])
    expect(await readdir(directory)).not.toContain('owner.json')
  })

  // Half a second after the first one the second is another: a machine that pauses in between has it try again.
  const passedOn = 'when npm passes on a SIGINT that the terminal has sent too, then it ends well all the same'
  it(passedOn, { retry: 1 }, async () => {
    const { server } = await serverWithQueue()
    // A request that is never complete keeps it from ending at once.
    const halfSent = connectTo(server.port, '127.0.0.1').on('error', () => {})
    halfSent.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n')
    await done(server, 'ListQueue')
    await expectToEndWell(server, async () => {
      server.kill('SIGINT')
      await until(async () => !(await isAnswering(server)))
      server.kill('SIGINT')
    })
  })
})

describe.concurrent('given a server that npm has started', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)(
    'when %s goes to npm alone, then server and engine end all the same, and the directory is free',
    async (signal) => {
      const directory = newDirectory()
      const npm = await startServer(['--port', '0', '--data', directory], { byNpm: true })
      const server = npm.engine
      const [engine = 0] = enginesOf(server)
      expect([server, engine].map(identify)).not.toContain(undefined)
      npm.kill(signal)
      await until(() => Promise.resolve(identify(server) === undefined))
      expect(identify(engine)).toBeUndefined()
      expect(await readdir(directory)).not.toContain('owner.json')
    },
  )
})

describe('given the script of the README for tests', () => {
  it.each([0, 3])('when the tests end with %i, then so does the script, and nobody listens any more', async (code) => {
    const readme = await readFile(join(import.meta.dirname, '../../README.md'), 'utf8')
    const [, script = ''] = /```sh\n(log=[^`]*your-tests)\n```/.exec(readme) ?? []
    const tests = script.replace('your-tests', 'sh -c "$0"')
    const program = `echo $ENDPOINT; exit ${code}`
    const cwd = join(import.meta.dirname, '../..')
    const { stdout, ...ended } = spawnSync('bash', ['-c', tests, program], {
      cwd,
      env: { ...withoutSettings(process.env), TMPDIR: parent },
      encoding: 'utf8',
    })
    expect(ended).toMatchObject({ status: code, stderr: '' })
    expect(stdout).toMatch(/^http:\/\/127\.0\.0\.1:\d+\n$/)
    await until(() =>
      fetch(stdout.trim()).then(
        () => false,
        () => true,
      ),
    )
  })
})

describe('given a server that is starting', () => {
  it.each(['server', 'engine', 'engine', 'engine'])(
    'when SIGINT goes to it as soon as its %s is noted (%#), then it ends without a word and leaves no engine',
    async (sign) => {
      const directory = newDirectory()
      const server = launch(['--port', '0', '--data', directory])
      const ownerFile = join(directory, 'owner.json')
      await until(async () => (await readFile(ownerFile, 'utf8').catch(() => '')).includes(sign))
      server.kill('SIGINT')
      expect(await server.ended).toMatchObject(endedWell)
      expect(server.errors()).toBe('')
      expect(enginesOn(directory)).toEqual([])
    },
  )
})

describe.concurrent('given a server that ended well', () => {
  it('when it starts again, then messages are kept, in flight if they were, and those deleted are gone', async () => {
    const directory = newDirectory()
    const first = await start(directory)
    await done(first, 'CreateQueue', queue)
    for (const body of ['a', 'b', 'c']) await send(first, body)
    const inFlight = await receive(first, 10)
    const deleted = await receive(first, 10)
    const { receiptHandle } = deleted
    await done(first, 'DeleteMessage', { ...queue, receiptHandle })
    await stop(first)

    const second = await start(directory)
    const rest = await receive(second, 10)
    const bodies = [inFlight, deleted, rest].map(({ msgBody }) => String(msgBody))
    expect(bodies.toSorted()).toEqual(['a', 'b', 'c'])
    expect(rest).toMatchObject({ dequeueCount: 1 })
    expect(await receive(second, 1)).toMatchObject(noMessage)
    expect(await ask(second, 'DeleteMessage', { ...queue, receiptHandle })).toMatchObject({ code: 4430 })
    await done(second, 'DeleteMessage', { ...queue, receiptHandle: inFlight.receiptHandle })
    await stop(second)
  })

  it('when it keeps nothing, then it writes no file, and starts again with nothing', async () => {
    const cwd = await mkdtemp(join(parent, 'cwd-'))
    const inMemory = () => startServer(['--port', '0', '--memory'], { cwd })
    const first = await inMemory()
    await done(first, 'CreateQueue', queue)
    await send(first, 'soon forgotten')
    await stop(first)
    const second = await inMemory()
    expect(await ask(second, 'GetQueueAttributes', queue)).toMatchObject(queueIsMissing)
    await stop(second)
    expect(await readdir(cwd)).toEqual([])
  })
})

/** What clients were told, over all the servers that they have talked to. */
interface Told {
  readonly sent: Set<string>
  readonly deleted: Set<string>
  /** Deletions that were asked for; of those not acknowledged nobody knows whether they took place. */
  readonly deletionAsked: Set<string>
  /** Messages that were received after their deletion had been acknowledged. */
  readonly cameBack: string[]
}

/** Sends, receives and deletes until the server is gone; calls `acknowledged` at each acknowledgement. */
async function useUntilGone(server: LocalServer, told: Told, acknowledged: () => void): Promise<void> {
  const sendOne = async () => {
    const { code, msgId } = await ask(server, 'SendMessage', { ...queue, msgBody: 'hello' })
    if (code !== 0) return
    told.sent.add(String(msgId))
    acknowledged()
  }
  const deleteOne = async () => {
    const { code, msgId, receiptHandle } = await receive(server, 0)
    if (code !== 0) return
    if (told.deleted.has(String(msgId))) told.cameBack.push(String(msgId))
    told.deletionAsked.add(String(msgId))
    const answer = await ask(server, 'DeleteMessage', { ...queue, receiptHandle: String(receiptHandle) })
    if (answer.code !== 0) return
    told.deleted.add(String(msgId))
    acknowledged()
  }
  try {
    for (;;) {
      await sendOne()
      await sendOne()
      await deleteOne()
    }
  } catch {
    // The server is gone, and with it the answer to the last call.
  }
}

describe.concurrent.each([
  ['a server alone', ({ kill }: LocalServer) => void kill('SIGKILL')],
  [
    'a server and its engine together',
    ({ kill, engine }: LocalServer) => {
      process.kill(engine, 'SIGKILL')
      kill('SIGKILL')
    },
  ],
])('given kill -9 of %s amid sending and deleting', (_what, kill) => {
  it('when it starts again, then what was acknowledged is so, and one engine runs on the file', async () => {
    const directory = newDirectory()
    const told: Told = { sent: new Set(), deleted: new Set(), deletionAsked: new Set(), cameBack: [] }
    let server = await start(directory)
    // A lease of one second: what is in flight when the server is killed comes back soon.
    await done(server, 'CreateQueue', { ...queue, visibilityTimeout: 1 })

    for (const moment of [1, 17, 60]) {
      const killed = server
      let acknowledgements = 0
      const acknowledged = () => {
        if (++acknowledgements === moment) kill(killed)
      }
      await Promise.all(Array.from({ length: 4 }, () => useUntilGone(killed, told, acknowledged)))
      await killed.ended
      server = await start(directory)
      expect(server.startedIn).toBeLessThan(START_TAKES)
      expect(identify(killed.engine)).toBeUndefined()
      expect(enginesOn(directory)).toMatchObject([{ pid: server.engine }])
    }

    // What is found now is to be deleted, however long a busy machine takes to do so.
    await done(server, 'SetQueueAttributes', { ...queue, visibilityTimeout: 600 })
    const found: string[] = []
    for (;;) {
      const { code, msgId, receiptHandle } = await receive(server, 2)
      if (code !== 0) break
      found.push(String(msgId))
      await done(server, 'DeleteMessage', { ...queue, receiptHandle: String(receiptHandle) })
    }
    const { sent, deleted, deletionAsked, cameBack } = told
    expect(sent.size).toBeGreaterThan(30)
    expect(deleted.size).toBeGreaterThan(0)
    expect([...sent].filter((id) => !deletionAsked.has(id) && !found.includes(id))).toEqual([])
    expect([...cameBack, ...found.filter((id) => deleted.has(id))]).toEqual([])
    await stop(server)
  })
})

describe.concurrent('given a server whose engine dies', () => {
  it('when a consumer waits, then the server ends and says in one line why', async () => {
    const server = await start(newDirectory())
    await done(server, 'CreateQueue', queue)
    const { outcome } = await poll(server)
    const from = performance.now()
    process.kill(server.engine, 'SIGKILL')
    const { at } = await server.ended
    expect(at - from).toBeLessThan(END_TAKES)
    const line = await refusalOf(server)
    expect(line).toMatch(/^the database engine \(.*\) ended: signal SIGKILL$/)
    expect(line).toContain(`process id ${server.engine}`)
    expect(await outcome).toBe('closed')
  })
})

describe.concurrent('given a DynamoDB of somebody else', () => {
  it('when the server uses it, then what has expired is removed from it, and it outlives the server', async () => {
    const engine = await startEngine()
    const client = patientClient(engine.endpoint)
    const tables = {
      registry: 'cmq-registry',
      messages: 'cmq-messages',
      deliveries: 'cmq-deliveries',
      bodies: 'cmq-bodies',
    }
    await createTables(client, tables)
    const now = Math.floor(Date.now() / 1000)
    const put = (TableName: string, pk: string, expiresAt: number) =>
      client.send(
        new PutItemCommand({ TableName, Item: { pk: { S: pk }, sk: { S: '0' }, expiresAt: { N: `${expiresAt}` } } }),
      )
    const isThere = async (TableName: string, pk: string) =>
      (await client.send(new GetItemCommand({ TableName, Key: { pk: { S: pk }, sk: { S: '0' } } }))).Item !== undefined
    for (const name of Object.values(tables)) {
      await put(name, 'expired', now - 60)
      await put(name, 'not expired', now + 3_600)
    }

    const cwd = await mkdtemp(join(parent, 'cwd-'))
    const server = await startServer(['--port', '0', '--dynamodb', engine.endpoint], { cwd })
    expect(server.engine).toBe(0)
    for (const name of Object.values(tables)) {
      await until(async () => !(await isThere(name, 'expired')))
      expect(await isThere(name, 'not expired')).toBe(true)
    }
    await done(server, 'CreateQueue', queue)
    await send(server, 'kept elsewhere')
    expect(await receive(server, 10)).toMatchObject({ msgBody: 'kept elsewhere' })
    await stop(server)
    expect(await readdir(cwd)).toEqual([])
    expect(identify(engine.pid)).toBeDefined()
    client.destroy()
    await engine.stop()
  })

  it('when it stops answering, then the server ends all the same', async () => {
    // It has the tables already, and answers nothing else: not even the sweep that begins with the server.
    const hung = createHttpServer(({ headers }, response) => {
      if (headers['x-amz-target'] !== 'DynamoDB_20120810.CreateTable') return
      response.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' })
      response.end('{"__type":"com.amazonaws.dynamodb.v20120810#ResourceInUseException"}')
    })
    const endpoint = `http://127.0.0.1:${await listening(hung)}`
    const server = await startServer(['--port', '0', '--dynamodb', endpoint], { cwd: parent })
    const asking = ask(server, 'ListQueue').catch(() => 'closed')
    await stop(server)
    expect(await asking).toBe('closed')
  })
})

describe.concurrent('given a server that cannot start', () => {
  let file = ''
  let neverMade = ''
  let port = 0
  let silent = 0
  let web = 0
  beforeAll(async () => {
    file = join(parent, 'file')
    neverMade = join(parent, 'never made')
    await writeFile(file, '')
    port = await listening(createServer())
    silent = await listening(createServer((socket) => socket.on('error', () => {})))
    web = await listening(createHttpServer((_request, response) => response.end('<html>\nhello')))
  })

  const cases: [
    why: string,
    args: (directory: string) => string[],
    line: () => string | RegExp,
    env?: Record<string, string>,
  ][] = [
    ['an option is unknown', () => ['--nope'], () => "Unknown option '--nope'; see npm start -- --help"],
    ['the port is none', () => ['--port', '65536'], () => '--port takes a port number, not 65536'],
    [
      'it is to keep nothing, and in a directory',
      () => ['--memory', '--data', 'x'],
      () => 'give --memory or --data, not both',
    ],
    [
      'a setting is wrong',
      () => ['--memory'],
      () => 'CMQ_LAYERED_ERRORS must be on or off, not maybe',
      { CMQ_LAYERED_ERRORS: 'maybe' },
    ],
    [
      'no client could use its SecretId',
      () => ['--memory'],
      () => 'CMQ_SECRET_ID must begin with AKID, or CMQ_ANY_SECRET_ID must be on',
      { CMQ_SECRET_ID: 'mine', CMQ_SECRET_KEY: 'secret' },
    ],
    [
      'others may reach it, and know its key pair',
      () => ['--memory', '--host', '0.0.0.0'],
      () => 'refusing to listen on 0.0.0.0 with a key pair that everybody knows: set CMQ_SECRET_ID and CMQ_SECRET_KEY',
    ],
    [
      'its port is in use',
      (directory) => ['--data', directory, '--port', `${port}`],
      () => `port ${port} is in use on 127.0.0.1: give another one by --port`,
    ],
    [
      'its port is in use, and its data directory is new',
      () => ['--data', neverMade, '--port', `${port}`],
      () => `port ${port} is in use on 127.0.0.1: give another one by --port`,
    ],
    [
      'its data directory is a file',
      () => ['--data', file],
      () => `data directory ${file} cannot be used: EEXIST: file already exists, mkdir '${file}'`,
    ],
    [
      'its data directory lies in a file',
      () => ['--data', join(file, 'a', 'b')],
      () => /^data directory .* cannot be used: EEXIST: file already exists, mkdir .*$/,
    ],
    [
      'its data directory cannot be made',
      () => ['--data', '/proc/x/y'],
      () => /^data directory \/proc\/x\/y cannot be used: E[A-Z]+: .*$/,
    ],
    [
      'nothing listens at its DynamoDB',
      () => ['--dynamodb', 'http://127.0.0.1:1'],
      () => 'cannot use the DynamoDB at http://127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1',
    ],
    [
      // Where localhost has two addresses, there is one error for both, and it has no message.
      'nothing listens at any address of its DynamoDB',
      () => ['--dynamodb', 'http://localhost:1'],
      () => /^cannot use the DynamoDB at http:\/\/localhost:1: .*ECONNREFUSED.*$/,
    ],
    [
      'its DynamoDB does not answer',
      () => ['--dynamodb', `http://127.0.0.1:${silent}`],
      () => `cannot use the DynamoDB at http://127.0.0.1:${silent}: no answer within 5 s`,
    ],
    [
      'its DynamoDB is none',
      () => ['--dynamodb', `http://127.0.0.1:${web}`],
      () => /^cannot use the DynamoDB at .*: .+$/,
    ],
  ]

  it.each(cases)(
    'when %s, then it says so in one line and leaves nothing running',
    async (_why, args, line, env = {}) => {
      const directory = newDirectory()
      const from = performance.now()
      const server = launch(['--port', '0', ...args(directory)], { cwd: parent, env })
      const refusal = await refusalOf(server)
      const expected = line()
      if (typeof expected === 'string') expect(refusal).toBe(expected)
      else expect(refusal).toMatch(expected)
      expect(performance.now() - from).toBeLessThan(GIVING_UP_TAKES)
      expect(server.output).toEqual([])
      expect(enginesOn(directory)).toEqual([])
      expect(existsSync(neverMade)).toBe(false)
    },
  )

  it('when its data directory is in use by another one, then it says by whom, and leaves that one alone', async () => {
    const directory = newDirectory()
    const owner = await start(directory)
    const line = `data directory ${directory} is in use by the server with process id ${owner.pid}`
    expect(await refusalOf(launch(['--port', '0', '--data', directory]))).toBe(line)
    await done(owner, 'ListQueue')
    expect(enginesOn(directory)).toMatchObject([{ pid: owner.engine }])
    await stop(owner)
  })
})
