import { queueOf } from './cmq-calls.ts'
import { accepted, cmqClient } from './cmq-client.ts'
import type { Publish } from './loads.ts'
import { engine, server } from './processes.ts'
import { atLeast, exactly, median, table, type Findings, type Requirement } from './report.ts'
import type { Size } from './run.ts'
import { clients, compare, type Work } from './side-by-side.ts'

const CLIENTS = 16

type Extent = Omit<Work<Publish>, 'clients'>
const FULL: Extent = { loads: [1, 10, 100], rounds: 5, milliseconds: 600 }
const QUICK: Extent = { loads: [1, 10], rounds: 1, milliseconds: 200 }

/** The part of what the SDK alone can do that the service has to reach where the puts are most of the work, in percent. */
const REQUIRED = 60

/** Messages a second from a topic into the queues that subscribe to it, beside the same puts by the SDK alone. */
export async function publishing({ quick }: Size): Promise<Findings> {
  await using local = await server(['--memory'])
  await using database = await engine()
  await using service = clients<Publish>({ what: 'publishes', through: 'service', url: local.url })
  await using ceiling = clients<Publish>({ what: 'publishes', through: 'SDK alone', url: database.endpoint })

  const work = { clients: CLIENTS, ...(quick ? QUICK : FULL) }
  const compared = await compare(service, ceiling, work, 'publishing')

  const rows: (readonly (string | number)[])[] = []
  const requirements: Requirement[] = []
  for (const [at, subscriptions] of work.loads.entries()) {
    const found = compared[at]
    if (!found) continue
    const [through, alone] = [median(found.service), median(found.ceiling)]
    const part = (100 * through) / alone
    rows.push([subscriptions, through, through * subscriptions, alone, alone * subscriptions, `${part.toFixed(0)} %`])
    const missing = found.messages - (await waiting(local.url, queueOf(subscriptions, subscriptions - 1)))
    requirements.push(exactly(`messages missing in the last of ${subscriptions} queues`, missing, 0))
    if (subscriptions === 100)
      requirements.push(atLeast('publishing in percent of what the SDK alone can do, 100 queues', part, REQUIRED))
  }
  const heads = ['queues', 'publishes/s', 'landing/s', 'SDK alone', 'landing/s', 'of it']
  return { text: table(heads, rows), requirements }
}

/** How many messages the queue holds. */
async function waiting(url: string, queueName: string): Promise<number> {
  const client = cmqClient(url)
  const answer = accepted(await client.ask('GetQueueAttributes', { queueName }))
  client.end()
  return Number(answer['activeMsgNum'])
}
