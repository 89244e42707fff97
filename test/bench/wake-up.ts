import { setTimeout as sleep } from 'node:timers/promises'
import { accepted, cmqClient, type CmqClient } from './cmq-client.ts'
import { engine, server } from './processes.ts'
import { below, quantile, table, type Findings } from './report.ts'
import type { Size } from './run.ts'

/** How long a waiting consumer has waited when its message is sent, in milliseconds: anywhere between two of its looks. */
const SHORTEST_WAIT = 150
const LONGEST_WAIT = 450

const QUEUES = 10

/** From the moment a message begins to be sent until a consumer that waited for it has it. */
export async function wakeUp(size: Size): Promise<Findings> {
  const shared = await sharing(size)
  const apart = await notSharing(size)
  const row = (what: string, latencies: readonly number[]) => [
    what,
    latencies.length,
    ...[0.5, 0.9, 0.99, 1].map((part) => quantile(latencies, part)),
  ]
  return {
    text: table(
      ['sender and consumer', 'samples', 'p50 ms', 'p90 ms', 'p99 ms', 'longest ms'],
      [row('share a process', shared), row('are two processes', apart)],
    ),
    requirements: [
      below('p99 of a wake-up within one process, ms', quantile(shared, 0.99), 50),
      below('p99 of a wake-up across two processes, ms', quantile(apart, 0.99), 150),
    ],
  }
}

async function sharing(size: Size): Promise<readonly number[]> {
  await using local = await server(['--memory'])
  const client = cmqClient(local.url)
  try {
    return await latencies(client, client, size)
  } finally {
    client.end()
  }
}

async function notSharing(size: Size): Promise<readonly number[]> {
  await using database = await engine()
  await using near = await server(['--dynamodb', database.endpoint])
  await using far = await server(['--dynamodb', database.endpoint])
  const [sender, consumer] = [cmqClient(near.url), cmqClient(far.url)]
  try {
    return await latencies(sender, consumer, size)
  } finally {
    sender.end()
    consumer.end()
  }
}

async function latencies(sender: CmqClient, consumer: CmqClient, { quick }: Size): Promise<readonly number[]> {
  const samples = quick ? 5 : 30
  const each = await Promise.all(
    Array.from({ length: QUEUES }, (_, index) => ofOneQueue(sender, consumer, `queue-${index}`, samples)),
  )
  return each.flat()
}

async function ofOneQueue(sender: CmqClient, consumer: CmqClient, queueName: string, samples: number) {
  accepted(await sender.ask('CreateQueue', { queueName }))
  const latencies: number[] = []
  // The first message opens connections and warms up what it passes through.
  for (let sample = -1; sample < samples; sample++) {
    const waiting = consumer.ask('ReceiveMessage', { queueName, pollingWaitSeconds: 20 })
    await sleep(SHORTEST_WAIT + Math.random() * (LONGEST_WAIT - SHORTEST_WAIT))
    const sentAt = performance.now()
    const sending = sender.ask('SendMessage', { queueName, msgBody: 'wake up' })
    const { receiptHandle } = accepted(await waiting)
    if (sample >= 0) latencies.push(performance.now() - sentAt)
    accepted(await sending)
    accepted(await consumer.ask('DeleteMessage', { queueName, receiptHandle: String(receiptHandle) }))
  }
  return latencies
}
