import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { randomOf, type Random } from '../../support/random.ts'
import type { Answer } from '../../support/service.ts'
import { newClient, type Client } from './client.ts'
import { bodyOf, NO_MESSAGE, readBody, type Call, type Ledger, type Receipt } from './ledger.ts'
import type { Stage } from './stage.ts'

/** The queue that all of them use. What was received by one who was killed comes again soon. */
const QUEUE = { queueName: 'orders' }
const HIDDEN_SECONDS = 2

/** How long what was received stays hidden, in milliseconds. */
export const HIDDEN = HIDDEN_SECONDS * 1_000

const PRODUCERS = 4
const CONSUMERS = 4

/** How long a client rests at most before it asks again, in milliseconds. */
const PRODUCER_RESTS = 200
const CONSUMER_RESTS = 800

/** How long a drain may take, in milliseconds: a service that has not recovered by then has not recovered. */
const DRAIN_TAKES = 60_000

export async function makeQueue({ proxy }: Stage): Promise<void> {
  const client = newClient(proxy.port)
  const attributes = { visibilityTimeout: HIDDEN_SECONDS, maxMsgSize: 1_048_576 }
  const answer = await client.ask('CreateQueue', { ...QUEUE, ...attributes })
  client.close()
  if (answer?.code !== 0) throw new Error(`the queue could not be made: ${answer?.message ?? 'no answer'}`)
}

/** Has producers and consumers work until that is over. */
export async function work({ proxy, ledger }: Stage, seed: number, over: AbortSignal): Promise<void> {
  async function worker(name: string, turn: (client: Client, ledger: Ledger, random: Random) => Promise<void>) {
    const client = newClient(proxy.port)
    const random = randomOf(seed, name)
    while (!over.aborted) await turn(client, ledger, random)
    client.close()
  }
  const producers = Array.from({ length: PRODUCERS }, (_, number) => worker(`producer ${number}`, produce))
  const consumers = Array.from({ length: CONSUMERS }, (_, number) => worker(`consumer ${number}`, consume))
  await Promise.all([...producers, ...consumers])
}

async function produce(client: Client, ledger: Ledger, random: Random): Promise<void> {
  const lengths = Array.from({ length: 1 + random.below(2) }, () => lengthOf(random))
  const texts = lengths.map((length) => {
    const name = randomUUID()
    return { name, body: bodyOf(name, length) }
  })
  const bodies = Object.fromEntries(texts.map(({ body }, index) => [`msgBody.${index}`, body]))
  const { call } = await asked(client, ledger, 'BatchSendMessage', bodies)
  for (const { name, body } of texts) ledger.attempts.push({ name, length: body.length, call })
  await sleep(random.below(PRODUCER_RESTS))
}

/** Some stay in their message's item, some are stored beside it, and some in several parts. */
const lengthOf = (random: Random): number =>
  random.weighted([
    [6, random.below(500)],
    [3, random.below(50_000)],
    [1, 400_000 + random.below(100_000)],
  ])

async function consume(client: Client, ledger: Ledger, random: Random): Promise<void> {
  await take(client, ledger, 1 + random.below(4), 1)
  await sleep(random.below(CONSUMER_RESTS))
}

interface Got {
  readonly msgId: string
  readonly msgBody: string
  readonly receiptHandle: string
}

/** Takes some and deletes them. Returns how many it was given; undefined where it was told nothing of that. */
async function take(client: Client, ledger: Ledger, count: number, wait: number): Promise<number | undefined> {
  const wants = { numOfMsg: count, pollingWaitSeconds: wait }
  const { answer, call } = await asked(client, ledger, 'BatchReceiveMessage', wants)
  if (answer?.code === NO_MESSAGE) return 0
  if (answer?.code !== 0) return undefined
  const got = answer['msgInfoList'] as readonly Got[]
  const receipts = got.map(({ msgId, msgBody }): Receipt => ({ msgId, ...readBody(msgBody), call }))
  ledger.receipts.push(...receipts)

  const handles = got.map(({ receiptHandle }, index) => [`receiptHandle.${index}`, receiptHandle])
  const deletion = await asked(client, ledger, 'BatchDeleteMessage', Object.fromEntries(handles))
  const refusals = (deletion.answer?.['errorList'] ?? []) as readonly { code: number; receiptHandle: string }[]
  for (const [index, receipt] of receipts.entries()) {
    const refusal = refusals.find(({ receiptHandle }) => receiptHandle === got[index]?.receiptHandle)
    receipt.deletion = refusals.length > 0 ? { ...deletion.call, code: refusal?.code ?? 0 } : deletion.call
  }
  return got.length
}

/** Takes whatever is left, also what nobody holds any more. Returns how many the queue still has. */
export async function drain({ server, ledger }: Stage): Promise<number> {
  const client = newClient(server.port)
  const giveUpAt = performance.now() + DRAIN_TAKES
  for (let empty = 0; empty < 3 && performance.now() < giveUpAt;)
    empty = (await take(client, ledger, 16, HIDDEN_SECONDS + 1)) === 0 ? empty + 1 : 0
  const { answer } = await asked(client, ledger, 'GetQueueAttributes')
  client.close()
  return Number(answer?.['activeMsgNum']) + Number(answer?.['inactiveMsgNum']) + Number(answer?.['delayMsgNum'])
}

/** Asks about the queue, and notes what came of it. */
async function asked(
  client: Client,
  ledger: Ledger,
  action: string,
  parameters: Readonly<Record<string, string | number>> = {},
): Promise<{ readonly answer: Answer | undefined; readonly call: Call }> {
  const from = Date.now()
  const answer = await client.ask(action, { ...QUEUE, ...parameters })
  const call = { action, code: answer?.code, from, until: Date.now() }
  ledger.calls.push(call)
  return { answer, call }
}
