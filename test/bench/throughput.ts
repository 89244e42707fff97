import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { LoadTarget } from './load-worker.ts'
import type { Load, Played, Round } from './loads.ts'
import { engine, server } from './processes.ts'
import { atLeast, median, table, type Findings, type Requirement } from './report.ts'
import type { Size } from './run.ts'

/** What is measured together. The calls that one message needs of DynamoDB are the same through the SDK alone. */
interface Work {
  readonly loads: readonly Load[]
  readonly clients: number
  readonly rounds: number
}

const CALLS: Readonly<Record<Load, number>> = {
  send: 1,
  take: 3,
  'send and take': 4,
  'send batches': 1 / 16,
  'take batches': 2 + 1 / 16,
}

const NAMES: Readonly<Record<Load, string>> = {
  send: 'send',
  take: 'receive, delete',
  'send and take': 'send, receive, delete',
  'send batches': 'send, 16 a call',
  'take batches': 'receive, delete, 16 a call',
}

const works = ({ quick }: Size): readonly Work[] => {
  const [few, many] = quick ? [1, 3] : [4, 12]
  return [
    { loads: ['send and take'], clients: 16, rounds: many },
    { loads: ['send and take'], clients: 1, rounds: few },
    { loads: ['send', 'take'], clients: 16, rounds: few },
    { loads: ['send', 'take'], clients: 1, rounds: few },
    { loads: ['send batches', 'take batches'], clients: 16, rounds: few },
    { loads: ['send batches', 'take batches'], clients: 1, rounds: few },
  ]
}

/** How long each load runs in a round, and how long both are warmed up first, in milliseconds. */
const ROUND = 600
const WARM_UP = 2_000

/** The part of what the SDK alone can do that the service has to reach, in percent. */
const REQUIRED = 60

/**
 * Messages a second through the local server, beside those of the SDK alone: the same calls over the same kind of engine
 * with the same settings. Rounds of both take turns, so that whatever else the machine does befalls both alike.
 */
export async function throughput(size: Size): Promise<Findings> {
  await using local = await server(['--memory'])
  await using database = await engine()
  await using service = clients({ through: 'service', url: local.url })
  await using ceiling = clients({ through: 'SDK alone', url: database.endpoint })

  const warmUp: Round = { queue: 'warm-up', loads: ['send and take'], clients: 16, milliseconds: WARM_UP }
  for (const side of [service, ceiling]) await side.play(warmUp)

  const rows: (readonly (string | number)[])[] = []
  const requirements: Requirement[] = []
  for (const [index, work] of works(size).entries()) {
    const rates = await compare(service, ceiling, work, `q${index}`)
    for (const [at, load] of work.loads.entries()) {
      const through = median(rates.service[at] ?? [])
      const alone = median(rates.ceiling[at] ?? [])
      const part = (100 * through) / alone
      rows.push([
        NAMES[load],
        work.clients,
        through,
        alone,
        alone * CALLS[load],
        `${part.toFixed(0)} %`,
        rates.empty[at] ?? 0,
      ])
      if (load === 'send and take' && work.clients === 16)
        requirements.push(atLeast('throughput in percent of what the SDK alone can do, 16 clients', part, REQUIRED))
    }
  }
  const heads = ['what', 'clients', 'messages/s', 'SDK alone', 'its calls/s', 'of it', 'empty answers']
  return { text: table(heads, rows), requirements }
}

async function compare(service: Clients, ceiling: Clients, { rounds, ...work }: Work, queue: string) {
  const none = () => work.loads.map((): number[] => [])
  const rates = { service: none(), ceiling: none(), empty: work.loads.map(() => 0) }
  for (let round = -1; round < rounds; round++) {
    const played = { ...work, queue: `${queue}-${round + 1}`, milliseconds: ROUND }
    const [through, alone] = [await service.play(played), await ceiling.play(played)]
    for (const at of work.loads.keys()) {
      rates.empty[at] = (rates.empty[at] ?? 0) + (through[at]?.empty ?? 0)
      // The first round of a work warms up.
      if (round < 0) continue
      rates.service[at]?.push(through[at]?.rate ?? NaN)
      rates.ceiling[at]?.push(alone[at]?.rate ?? NaN)
    }
  }
  return rates
}

type Clients = ReturnType<typeof clients>

function clients(target: LoadTarget) {
  const worker = new Worker(new URL('load-worker.ts', import.meta.url), { workerData: target })
  return {
    async play(round: Round): Promise<readonly Played[]> {
      worker.postMessage(round)
      const [played] = (await once(worker, 'message')) as [readonly Played[]]
      return played
    },
    [Symbol.asyncDispose]: async () => {
      await worker.terminate()
    },
  }
}
