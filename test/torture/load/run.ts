import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { endServers, startServer } from '../../support/local-server.ts'
import type { Answer } from '../../support/service.ts'
import { failing } from '../interruption.ts'
import { newClient, type Client } from '../processes/client.ts'
import { hesitant, opened, silent, slowReader, slowWriter, type Connection, type Habit } from './connections.ts'
import { POLL_SECONDS, type LoadOutcome, type Poll } from './outcome.ts'

const CONNECTIONS = 2_000
const SLOW_READERS = 50
const SLOW_WRITERS = 200
const POLLS = 500
const REQUESTS = 30

/** How long slow writers get to be heard at most, in milliseconds: a server may leave them unread. */
const WRITING_TAKES = 10_000

/**
 * Leans on a server with connections that do nothing, or do it slowly, and with hundreds of polls; then lets go. Whoever
 * interrupts it gets no outcome but a failure, and nothing is left behind.
 */
export async function loadServer(interrupted: AbortSignal): Promise<LoadOutcome> {
  const directory = mkdtempSync(join(tmpdir(), 'load-'))
  const open: Connection[] = []
  // Where there is no time to close it, as when nobody reads the report any more.
  const abandon = () => void endServers()
  process.once('exit', abandon)
  try {
    // The terminal's Ctrl-C is for us, who have to end what runs.
    const server = await startServer(['--port', '0', '--data', directory], { ownGroup: true })
    return await Promise.race([course(server.port, server.pid, open), failing(interrupted)])
  } finally {
    for (const { close } of open) close()
    await endServers()
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
    process.off('exit', abandon)
  }
}

async function course(port: number, pid: number, open: Connection[]): Promise<LoadOutcome> {
  const client = newClient(port)
  for (const queueName of ['idle', 'busy', 'large'])
    await client.ask('CreateQueue', { queueName, maxMsgSize: 1_048_576, visibilityTimeout: 3_600 })
  await client.ask('SendMessage', { queueName: 'large', msgBody: 'x'.repeat(1_000_000) })
  const { now: before } = memoryOf(pid)

  for (let index = 0; index < CONNECTIONS; index++) open.push(await opened(port, habitOf(index)))
  const writers = open.slice(SLOW_READERS, SLOW_READERS + SLOW_WRITERS)
  await written(writers)
  const polling = Promise.all(Array.from({ length: POLLS }, () => poll(port)))
  await sleep(1_000)
  const times = await askForLittle(client)
  const sent = await sendAll(client)
  const polls = await polling

  const connections = open.length
  const refusedWriters = writers.filter((writer) => writer.isRefused()).length
  for (const { close } of open.splice(0)) close()
  const rest = await receiveRest(client)
  const { peak } = memoryOf(pid)

  for (let index = 0; index < SLOW_WRITERS; index++) open.push(await opened(port, slowWriter))
  await written(open)
  times.push(...(await askForLittle(client)))
  client.close()
  const received = new Set([...polls.flatMap(({ msgIds }) => msgIds), ...rest])
  return {
    connections,
    writers: SLOW_WRITERS,
    refusedWriters,
    polls,
    sent: sent.length,
    received: sent.filter((msgId) => received.has(msgId)).length,
    times,
    memory: [before, peak, memoryOf(pid).peak],
  }
}

const habitOf = (index: number): Habit => {
  if (index < SLOW_READERS) return slowReader('large')
  if (index < SLOW_READERS + SLOW_WRITERS) return slowWriter
  return index % 2 === 0 ? hesitant : silent
}

/** One of many who wait at once, each by a connection of its own. */
async function poll(port: number): Promise<Poll & { readonly msgIds: readonly string[] }> {
  const client = newClient(port)
  const from = performance.now()
  const answer = await client.ask('ReceiveMessage', { queueName: 'idle', pollingWaitSeconds: POLL_SECONDS })
  client.close()
  return {
    code: answer?.code,
    took: performance.now() - from,
    msgIds: answer?.code === 0 ? [String(answer['msgId'])] : [],
  }
}

/** Milliseconds of each of some requests; undefined where one was not answered. */
async function askForLittle(client: Client): Promise<(number | undefined)[]> {
  const times: (number | undefined)[] = []
  for (let request = 0; request < REQUESTS; request++) {
    const startedAt = performance.now()
    const answer = await client.ask('SendMessage', { queueName: 'busy', msgBody: 'hello' })
    times.push(answer?.code === 0 ? performance.now() - startedAt : undefined)
  }
  return times
}

const TEN_BODIES = Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`msgBody.${index}`, 'hello']))

/** One message for each poll. Returns the ids of those that were acknowledged. */
async function sendAll(client: Client): Promise<readonly string[]> {
  const ids: string[] = []
  for (let sent = 0; sent < POLLS; sent += 10)
    ids.push(...idsIn(await client.ask('BatchSendMessage', { queueName: 'idle', ...TEN_BODIES }), 'msgList'))
  return ids
}

/** What no poll was given. */
async function receiveRest(client: Client): Promise<readonly string[]> {
  const ids: string[] = []
  for (;;) {
    const wants = { queueName: 'idle', numOfMsg: 16, pollingWaitSeconds: 1 }
    const got = idsIn(await client.ask('BatchReceiveMessage', wants), 'msgInfoList')
    if (got.length === 0) return ids
    ids.push(...got)
  }
}

const idsIn = (answer: Answer | undefined, list: 'msgList' | 'msgInfoList'): readonly string[] =>
  answer?.code === 0 ? (answer[list] as readonly { readonly msgId: string }[]).map(({ msgId }) => msgId) : []

/** Waits until all has been taken that they say, or refused, or for long enough. */
async function written(writers: readonly Connection[]): Promise<void> {
  const giveUpAt = performance.now() + WRITING_TAKES
  while (!writers.every((writer) => writer.isDone()) && performance.now() < giveUpAt) await sleep(50)
}

/** What the process keeps in memory, and has kept at most, in MB; of Linux alone are they known, elsewhere they are 0. */
function memoryOf(pid: number): { readonly now: number; readonly peak: number } {
  const status = readStatus(pid)
  const megabytes = (name: string) =>
    Math.round(Number(new RegExp(`^${name}:\\s*(\\d+) kB`, 'm').exec(status)?.[1] ?? 0) / 1_024)
  return { now: megabytes('VmRSS'), peak: megabytes('VmHWM') }
}

function readStatus(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8')
  } catch {
    return ''
  }
}
