import type { Answer } from '../support/service.ts'
import { accepted, cmqClient, listed, NO_MESSAGE, type CmqClient } from './cmq-client.ts'
import { BATCH, BODY, type Load, type Loads, type Publish } from './loads.ts'

/** Messages through the local server, over HTTP: what a program that uses CMQ does. All clients share one queue. */
export function cmqLoads(url: string): Loads<Load> {
  const client = cmqClient(url)
  let queueName = ''
  let calls: Calls

  async function takeOne(): Promise<number> {
    const answer = await calls.receive()
    if (answer.code === NO_MESSAGE) return 0
    const { receiptHandle } = accepted(answer)
    accepted(await client.ask('DeleteMessage', { queueName, receiptHandle: String(receiptHandle) }))
    return 1
  }

  async function takeBatch(): Promise<number> {
    const answer = await calls.receiveBatch()
    if (answer.code === NO_MESSAGE) return 0
    const received = accepted(answer)['msgInfoList'] as readonly { receiptHandle: string }[]
    const handles = received.map(({ receiptHandle }) => receiptHandle)
    accepted(await client.ask('BatchDeleteMessage', { queueName, ...listed('receiptHandle', handles) }))
    return handles.length
  }

  return {
    async prepare(queue) {
      queueName = queue
      calls = prepared(client, queue)
      accepted(await client.ask('CreateQueue', { queueName, visibilityTimeout: 600 }))
    },
    async once(load) {
      switch (load) {
        case 'send':
          accepted(await calls.send())
          return 1
        case 'take':
          return takeOne()
        case 'send and take':
          accepted(await calls.send())
          while ((await takeOne()) === 0);
          return 1
        case 'send batches':
          accepted(await calls.sendBatch())
          return BATCH
        case 'take batches':
          return takeBatch()
      }
    },
    end: () => client.end(),
  }
}

type Calls = Readonly<Record<'send' | 'receive' | 'sendBatch' | 'receiveBatch', () => Promise<Answer>>>

const prepared = (client: CmqClient, queueName: string): Calls => ({
  send: client.prepare('SendMessage', { queueName, msgBody: BODY }),
  receive: client.prepare('ReceiveMessage', { queueName, pollingWaitSeconds: 0 }),
  sendBatch: client.prepare('BatchSendMessage', { queueName, ...listed('msgBody', Array<string>(BATCH).fill(BODY)) }),
  receiveBatch: client.prepare('BatchReceiveMessage', { queueName, numOfMsg: BATCH, pollingWaitSeconds: 0 }),
})

/** The topic with so many subscriptions, and the queue that its subscription of this number fills. */
export const topicOf = (subscriptions: Publish): string => `topic-${subscriptions}`
export const queueOf = (subscriptions: Publish, number: number): string => `queue-${subscriptions}-${number}`

/** Publishes through the local server. Topics are made once, for all rounds: what lies in a queue slows no publish down. */
export function cmqPublishes(url: string): Loads<Publish> {
  const client = cmqClient(url)
  const publishes = new Map<Publish, () => Promise<Answer>>()

  async function make(subscriptions: Publish): Promise<void> {
    const topicName = topicOf(subscriptions)
    accepted(await client.ask('CreateTopic', { topicName }))
    const subscribe = async (_: unknown, number: number) => {
      const queueName = queueOf(subscriptions, number)
      accepted(await client.ask('CreateQueue', { queueName }))
      const filling = { protocol: 'queue', endpoint: queueName, notifyContentFormat: 'SIMPLIFIED' }
      accepted(await client.ask('Subscribe', { topicName, subscriptionName: queueName, ...filling }))
    }
    await Promise.all(Array.from({ length: subscriptions }, subscribe))
    publishes.set(subscriptions, client.prepare('PublishMessage', { topicName, msgBody: BODY }))
  }

  return {
    async prepare(_, kinds) {
      for (const kind of kinds) if (!publishes.has(kind)) await make(kind)
    },
    async once(subscriptions) {
      const publish = publishes.get(subscriptions)
      if (!publish) throw new Error(`there is no topic with ${subscriptions} subscriptions`)
      accepted(await publish())
      return 1
    },
    end: () => client.end(),
  }
}
