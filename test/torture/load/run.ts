import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { signedEvent } from '../../support/signed-request.ts'
import { endServers, startServer } from '../../support/local-server.ts'
import { newClient, type Client } from '../processes/client.ts'

/** What a server that is asked for more than it can do came to. */
export interface LoadOutcome {
  readonly connections: number
  /** Of so many that waited at once, how many were answered, and how many with a message. */
  readonly polls: number
  readonly answeredPolls: number
  readonly servedPolls: number
  /** Requests of one who asks for little meanwhile: how many were not answered, and how long the slowest took. */
  readonly starved: number
  readonly slowest: number
  /** Memory before, at most, and some time after, in MB. */
  readonly memory: readonly [before: number, peak: number, after: number]
}

const CONNECTIONS = 2_000
const POLLS = 500
const SLOW_READERS = 50
const REQUESTS = 30

/** A message, or that there is none: on a busy machine there may not be one in time. */
const ANSWERS = [0, 7_000]

/** Whoever has the server's memory at more than this has found a leak, in MB. */
const MOST_MEMORY = 700

/** Leans on a server with connections that do nothing, or do it slowly, and with hundreds of polls; then lets go. */
export async function loadServer(): Promise<LoadOutcome> {
  const directory = mkdtempSync(join(tmpdir(), 'load-'))
  const server = await startServer(['--port', '0', '--data', directory])
  const sockets: Socket[] = []
  const client = newClient(server.port)
  const memory = () => residentMegabytes(server.pid)
  let peak = 0
  const watching = setInterval(() => (peak = Math.max(peak, memory())), 100)
  try {
    for (const queueName of ['idle', 'busy', 'large'])
      await client.ask('CreateQueue', { queueName, maxMsgSize: 1_048_576 })
    await client.ask('SendMessage', { queueName: 'large', msgBody: 'x'.repeat(1_000_000) })
    const before = memory()
    for (let index = 0; index < CONNECTIONS; index++) sockets.push(await opened(server.port, index))
    const pollers = Array.from({ length: POLLS }, () => newClient(server.port))
    const polling = pollers.map((poller) => poller.ask('ReceiveMessage', { queueName: 'idle', pollingWaitSeconds: 30 }))
    await sleep(1_000)

    const times = await askForLittle(client)
    for (let sent = 0; sent < POLLS; sent += 10)
      await client.ask('BatchSendMessage', { queueName: 'idle', ...TEN_BODIES })
    const answers = await Promise.all(polling)
    for (const poller of pollers) poller.close()
    for (const socket of sockets) socket.destroy()
    await sleep(2_000)
    const after = await askForLittle(client)
    return {
      connections: sockets.length,
      polls: POLLS,
      answeredPolls: answers.filter((answer) => answer && ANSWERS.includes(answer.code)).length,
      servedPolls: answers.filter((answer) => answer?.code === 0).length,
      starved: [...times, ...after].filter((time) => time === undefined).length,
      slowest: Math.max(...[...times, ...after].map((time) => time ?? Infinity)),
      memory: [before, peak, memory()],
    }
  } finally {
    clearInterval(watching)
    client.close()
    for (const socket of sockets) socket.destroy()
    await endServers()
    rmSync(directory, { recursive: true, force: true })
  }
}

const TEN_BODIES = Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`msgBody.${index}`, 'hello']))

/** Milliseconds of each of some requests; undefined where one was not answered. */
async function askForLittle(client: Client): Promise<readonly (number | undefined)[]> {
  const times: (number | undefined)[] = []
  for (let request = 0; request < REQUESTS; request++) {
    const startedAt = performance.now()
    const answer = await client.ask('SendMessage', { queueName: 'busy', msgBody: 'hello' })
    times.push(answer?.code === 0 ? performance.now() - startedAt : undefined)
  }
  return times
}

/** A connection that says nothing, or half of a request, or asks for much and does not read it. */
function opened(port: number, index: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      socket.on('error', () => undefined)
      if (index < SLOW_READERS) {
        socket.pause()
        socket.write(requestFor(port))
      } else if (index % 2 === 0)
        socket.write('POST /v2/index.php HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\nAct')
      resolve(socket)
    })
  })
}

function requestFor(port: number): string {
  const host = `127.0.0.1:${port}`
  const { body = '' } = signedEvent({ Action: 'ReceiveMessage', queueName: 'large' }, { host })
  const form = Buffer.from(body, 'base64').toString()
  const head = `POST /v2/index.php HTTP/1.1\r\nhost: ${host}\r\ncontent-length: ${form.length}\r\n\r\n`
  return head + form
}

/** What the process keeps in memory; of Linux alone is it known. */
function residentMegabytes(pid: number): number {
  try {
    const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1])
    return Math.round((pages * 4_096) / 1_048_576)
  } catch {
    return 0
  }
}

/** The report, whose last lines are the rows. */
export function loadReport({
  connections,
  polls,
  answeredPolls,
  servedPolls,
  starved,
  slowest,
  memory,
}: LoadOutcome): string {
  const [before, peak, after] = memory
  return [
    `connections ${connections}`,
    `polls ${polls}, answered ${answeredPolls}, with a message ${servedPolls}`,
    `memory ${before} MB before, ${peak} MB at most, ${after} MB after`,
    `slowest ${Math.round(slowest)} ms`,
    `starved ${starved}`,
  ].join('\n')
}

export const bearsLoad = ({ polls, answeredPolls, starved, memory }: LoadOutcome): boolean =>
  answeredPolls === polls && starved === 0 && memory[1] < MOST_MEMORY
