import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { endServers, startServer, type LocalServer, type StartOptions } from '../../support/local-server.ts'
import { randomOf, type Random } from '../../support/random.ts'
import { newClient, type Client } from './client.ts'
import { newLedger, type Ledger, type LedgerTotals } from './ledger.ts'
import { openProxy, type Proxy } from './proxy.ts'

/** What real processes came to: lines of a report, and whether all is well. */
export interface Outcome {
  readonly totals: LedgerTotals
  readonly left: number
  readonly shapes: Readonly<Record<string, number>>
}

const QUEUE = { queueName: 'orders' }

/** Seconds that a message stays hidden: those of whoever was killed come again soon. */
const HIDDEN = 2

const PRODUCERS = 4
const CONSUMERS = 4

/** What is done to the processes, each for a time of the seed's. */
const shapes: Readonly<Record<string, (stage: Stage, random: Random) => Promise<void>>> = {
  'server killed': (stage) => restart(stage, () => stage.server.kill('SIGKILL')),
  'engine killed': (stage) => restart(stage, () => process.kill(stage.server.engine, 'SIGKILL')),
  'server ended': (stage) => restart(stage, () => stage.server.kill('SIGTERM')),
  'server stopped': (stage, random) => stopped(stage.server.pid, 200 + random.below(4_000)),
  'engine stopped': (stage, random) => stopped(stage.server.engine, 200 + random.below(4_000)),

  async 'connections cut'({ proxy }, random) {
    for (let cuts = 1 + random.below(20); cuts > 0; cuts--) {
      proxy.cut()
      await sleep(random.below(150))
    }
  },
}

interface Stage {
  server: LocalServer
  readonly directory: string
  readonly proxy: Proxy
}

const start = (directory: string, options: StartOptions = {}) =>
  startServer(['--port', '0', '--data', directory], options)

/** A disk of its own for the server, so small that it is soon full. It ends with the server. */
const smallDisk = (directory: string): readonly string[] => [
  ...['unshare', '--map-root-user', '--mount', 'sh', '-c'],
  `mount -t tmpfs -o size=${DISK_MEGABYTES}m none '${directory}' && exec "$@"`,
  'sh',
]

const DISK_MEGABYTES = 12

/** Fills the disk of the server, and some time later makes room again. */
async function fillDisk({ server, directory }: Stage, random: Random): Promise<void> {
  const ballast = join('/proc', String(server.pid), 'root', directory, 'ballast')
  const file = openSync(ballast, 'w')
  try {
    for (const block = Buffer.alloc(65_536); ;) writeSync(file, block)
  } catch {
    // Full.
  } finally {
    closeSync(file)
  }
  await sleep(1_000 + random.below(3_000))
  rmSync(ballast)
}

/** A server that has ended is started anew in its directory, as whoever looks after it would do. */
async function restart(stage: Stage, end: () => unknown): Promise<void> {
  end()
  await stage.server.ended
  stage.server = await start(stage.directory)
}

async function stopped(pid: number, milliseconds: number): Promise<void> {
  process.kill(pid, 'SIGSTOP')
  await sleep(milliseconds)
  process.kill(pid, 'SIGCONT')
}

/** Has clients work while processes are killed, stopped and cut off, for so long; then drains the queue and counts. */
export const tortureProcesses = (seed: number, seconds: number): Promise<Outcome> =>
  torture(seed, seconds, shapes, () => [])

/** The same while the disk is full now and then; undefined where this machine gives no small disk. */
export async function tortureDisk(seed: number, seconds: number): Promise<Outcome | undefined> {
  const canMount = spawnSync('unshare', ['--map-root-user', '--mount', 'mount', '-t', 'tmpfs', 'none', '/mnt'])
  return canMount.status === 0 ? torture(seed, seconds, { 'disk full': fillDisk }, smallDisk) : undefined
}

async function torture(
  seed: number,
  seconds: number,
  harms: typeof shapes,
  prefixOf: (directory: string) => readonly string[],
): Promise<Outcome> {
  const directory = mkdtempSync(join(tmpdir(), 'torture-'))
  const server = await start(directory, { prefix: prefixOf(directory) })
  const stage: Stage = { directory, server, proxy: await openProxy(() => stage.server.port) }
  const ledger = newLedger(`m${seed}`)
  const done = new AbortController()
  try {
    await makeQueue(stage)
    const clients = [
      ...Array.from({ length: PRODUCERS }, () => produce(newClient(stage.proxy.port), ledger, done.signal)),
      ...Array.from({ length: CONSUMERS }, () => consume(newClient(stage.proxy.port), ledger, done.signal)),
    ]
    const counts = await harm(stage, harms, randomOf(seed, 'processes'), seconds)
    done.abort('over')
    await Promise.all(clients)
    return { totals: await drained(stage, ledger), left: await countOf(stage), shapes: counts }
  } finally {
    done.abort('over')
    stage.proxy.close()
    await endServers()
    rmSync(directory, { recursive: true, force: true })
  }
}

async function makeQueue({ proxy }: Stage): Promise<void> {
  const client = newClient(proxy.port)
  const answer = await client.ask('CreateQueue', { ...QUEUE, visibilityTimeout: HIDDEN })
  client.close()
  if (answer?.code !== 0) throw new Error(`the queue could not be made: ${answer?.message ?? 'no answer'}`)
}

async function harm(
  stage: Stage,
  harms: typeof shapes,
  random: Random,
  seconds: number,
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {}
  const names = Object.keys(harms)
  for (const deadline = performance.now() + seconds * 1_000; performance.now() < deadline;) {
    await sleep(200 + random.below(1_500))
    const name = names[random.below(names.length)] ?? ''
    await harms[name]?.(stage, random)
    counts[name] = (counts[name] ?? 0) + 1
  }
  return counts
}

async function produce(client: Client, ledger: Ledger, over: AbortSignal): Promise<void> {
  while (!over.aborted) {
    const texts = Array.from({ length: 1 + ((performance.now() % 3) | 0) }, () => ledger.attempt())
    const bodies = Object.fromEntries(texts.map((text, index) => [`msgBody.${index}`, text]))
    const answer = await client.ask('BatchSendMessage', { ...QUEUE, ...bodies })
    if (answer?.code === 0) for (const text of texts) ledger.acknowledge(text)
    else await sleep(50)
  }
  client.close()
}

interface Got {
  readonly msgBody: string
  readonly receiptHandle: string
}

/** Takes some and deletes them; returns how many. Undefined where no answer came. */
async function take(client: Client, ledger: Ledger, wait: number): Promise<number | undefined> {
  const answer = await client.ask('BatchReceiveMessage', { ...QUEUE, numOfMsg: 16, pollingWaitSeconds: wait })
  const got = (answer?.['msgInfoList'] ?? []) as readonly Got[]
  for (const { msgBody } of got) ledger.receive(msgBody)
  if (got.length > 0) {
    const handles = got.map(({ receiptHandle }, index) => [`receiptHandle.${index}`, receiptHandle])
    await client.ask('BatchDeleteMessage', { ...QUEUE, ...Object.fromEntries(handles) })
  }
  return answer?.code === 0 || answer?.code === NO_MESSAGE ? got.length : undefined
}

const NO_MESSAGE = 7_000

async function consume(client: Client, ledger: Ledger, over: AbortSignal): Promise<void> {
  while (!over.aborted) if ((await take(client, ledger, 1)) === undefined) await sleep(50)
  client.close()
}

/** Whatever is there comes out, once leases that nobody holds any more have ended. */
async function drained({ server }: Stage, ledger: Ledger): Promise<LedgerTotals> {
  const client = newClient(server.port)
  for (let empty = 0; empty < 3;) {
    const found = await take(client, ledger, HIDDEN + 1)
    empty = found === 0 ? empty + 1 : 0
  }
  client.close()
  return ledger.totals()
}

async function countOf({ server }: Stage): Promise<number> {
  const client = newClient(server.port)
  const answer = await client.ask('GetQueueAttributes', QUEUE)
  client.close()
  return Number(answer?.['activeMsgNum']) + Number(answer?.['inactiveMsgNum']) + Number(answer?.['delayMsgNum'])
}

/** The report, whose last lines are the rows. */
export function processReport({ totals, left, shapes: counts }: Outcome): string {
  const { lost, unexpected, ...others } = totals
  return [
    `${Object.entries(counts)
      .map(([name, count]) => `${name} ${count} times`)
      .join(', ')}`,
    ...Object.entries(others).map(([name, count]) => `${name} ${count}`),
    `left ${left}`,
    `lost ${lost.length}`,
    `unexpected ${unexpected.length}`,
  ].join('\n')
}

export const isWell = ({ totals: { lost, unexpected }, left }: Outcome): boolean =>
  lost.length === 0 && unexpected.length === 0 && left === 0
