import type { Load, Round } from './loads.ts'
import { engine, server } from './processes.ts'
import { atLeast, median, table, type Findings, type Requirement } from './report.ts'
import type { Size } from './run.ts'
import { clients, compare, type Work } from './side-by-side.ts'

/** The calls that one message needs of DynamoDB; they are the same through the SDK alone. */
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

const works = ({ quick }: Size): readonly Omit<Work<Load>, 'milliseconds'>[] => {
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
 * with the same settings.
 */
export async function throughput(size: Size): Promise<Findings> {
  await using local = await server(['--memory'])
  await using database = await engine()
  await using service = clients<Load>({ what: 'messages', through: 'service', url: local.url })
  await using ceiling = clients<Load>({ what: 'messages', through: 'SDK alone', url: database.endpoint })

  const warmUp: Round<Load> = { queue: 'warm-up', loads: ['send and take'], clients: 16, milliseconds: WARM_UP }
  for (const side of [service, ceiling]) await side.play(warmUp)

  const rows: (readonly (string | number)[])[] = []
  const requirements: Requirement[] = []
  for (const [index, work] of works(size).entries()) {
    const compared = await compare(service, ceiling, { ...work, milliseconds: ROUND }, `q${index}`)
    for (const [at, load] of work.loads.entries()) {
      const through = median(compared[at]?.service ?? [])
      const alone = median(compared[at]?.ceiling ?? [])
      const part = (100 * through) / alone
      rows.push([
        NAMES[load],
        work.clients,
        through,
        alone,
        alone * CALLS[load],
        `${part.toFixed(0)} %`,
        compared[at]?.empty ?? 0,
      ])
      if (load === 'send and take' && work.clients === 16)
        requirements.push(atLeast('throughput in percent of what the SDK alone can do, 16 clients', part, REQUIRED))
    }
  }
  const heads = ['what', 'clients', 'messages/s', 'SDK alone', 'its calls/s', 'of it', 'empty answers']
  return { text: table(heads, rows), requirements }
}
