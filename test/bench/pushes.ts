import { accepted, listed, type CmqClient } from './cmq-client.ts'
import { BATCH, BODY } from './loads.ts'
import { monotonic, type Arrival, type Subscriber } from './subscriber.ts'

/** Whom messages are published through, and to whom they are pushed. */
export interface Setting {
  readonly client: CmqClient
  readonly web: Subscriber
}

/** A message, and when its publish began. */
export interface Published {
  readonly id: string
  readonly at: number
}

/** A topic that pushes to a web server. */
export interface PushingTopic {
  /** Publishes a message. */
  publish(): Promise<Published>
  /** Publishes as many as go into one call; returns how many. */
  publishBatch(): Promise<number>
}

/** A new topic, with a subscription for each of the paths below the web server. */
export async function newTopic({ client, web }: Setting, paths: readonly string[]): Promise<PushingTopic> {
  const nameOf = (path: string) => path.replace('/', '-')
  const topicName = nameOf(paths[0] ?? '')
  accepted(await client.ask('CreateTopic', { topicName }))
  const subscribe = async (path: string) => {
    const where = { protocol: 'http', endpoint: `${web.url}/${path}`, notifyStrategy: 'EXPONENTIAL_DECAY_RETRY' }
    accepted(await client.ask('Subscribe', { topicName, subscriptionName: nameOf(path), ...where }))
  }
  await Promise.all(paths.map(subscribe))
  const one = client.prepare('PublishMessage', { topicName, msgBody: BODY })
  const bodies = listed('msgBody', Array<string>(BATCH).fill(BODY))
  const batch = client.prepare('BatchPublishMessage', { topicName, ...bodies })
  return {
    async publish() {
      const at = monotonic()
      return { at, id: String(accepted(await one())['msgId']) }
    },
    async publishBatch() {
      accepted(await batch())
      return BATCH
    },
  }
}

/** What became of messages, by their arrivals: how many never came, and how many came more often than they had to. */
export interface Pushed {
  readonly arrivals: readonly Arrival[]
  readonly missing: number
  readonly surplus: number
}

/** How long is waited for pushes that do not come, in milliseconds. */
const PATIENCE = 20_000

/** Waits until below the path of this name so many messages have come, each as often as it has to. */
export async function pushed(web: Subscriber, name: string, messages: number, times = 1): Promise<Pushed> {
  const until = monotonic() + PATIENCE
  const arrivals: Arrival[] = []
  for (;;) {
    const counts = [...Map.groupBy(arrivals, messageOf).values()].map(({ length }) => length)
    const missing = messages * times - counts.reduce((sum, count) => sum + Math.min(times, count), 0)
    const surplus = counts.reduce((sum, count) => sum + Math.max(0, count - times), 0)
    const left = until - monotonic()
    if (missing <= 0 || left <= 0) return { arrivals, missing, surplus }
    arrivals.push(...(await web.arrivals(name, missing, left)))
  }
}

/** Which message arrived where. */
export const messageOf = ({ path, id }: Arrival): string => `${path} ${id}`
