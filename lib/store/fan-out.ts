import type { Ids } from '../domain/ids.ts'
import { CmqError } from '../domain/errors.ts'
import { newDelivery } from '../domain/delivery.ts'
import type { Body } from '../domain/message.ts'
import type { Queue } from '../domain/queue.ts'
import type { Labels, Subscription } from '../domain/subscription.ts'
import { after, type Clock, type Instant, type Seconds } from '../domain/time.ts'
import { TOPIC_RETENTION, type Topic } from '../domain/topic.ts'
import { required } from './attributes.ts'
import type { Bodies } from './bodies.ts'
import type { Deliveries, PlacedDelivery } from './deliveries.ts'
import type { Depth } from './depth.ts'
import type { Messages, Report } from './messages.ts'
import type { Queues } from './queues.ts'
import { bodiesEndAt } from './send.ts'
import type { Work, WorkList } from './work.ts'

/** A message of a topic, under the id that its publisher is told. */
export interface Published {
  readonly id: string
  readonly text: string
}

/** Copies of a topic's messages, on their way to its subscriptions. */
export interface FanOut {
  /**
   * Stores a message in each queue and a delivery for each web server. When it returns, every copy is durable; a copy for
   * a queue that is missing, full, transactional, too small for the message, or asked for too much, is a delivery too. A
   * body is stored once for
   * all. `publishedAt` is the deliveries' place, so that those of a repeated call are the same.
   */
  copy(
    subscriptions: readonly Subscription[],
    messages: readonly Published[],
    labels: Labels,
    publishedAt?: Instant,
  ): Promise<void>
  /** Stores messages that are to be published after a delay. */
  delay(topic: Topic, messages: readonly Published[], labels: Labels, delaySeconds: Seconds): Promise<void>
}

/** What copies are stored with. */
export interface FanOutStores {
  readonly bodies: Bodies
  readonly queues: Queues
  readonly messages: Messages
  readonly depth: Pick<Depth, 'refusal'>
  readonly deliveries: Deliveries
  readonly workList: WorkList
  readonly clock: Clock
  readonly ids: Ids
  /** Has somebody work through the lane, now. */
  readonly start: (work: Work) => Promise<void>
  readonly report: Report
}

/** The work that the deliveries of a subscription are. */
const pushOf = ({ id, topicId, name }: Subscription): Work => ({
  duty: 'push',
  laneId: id,
  within: topicId,
  name,
})

/** The work that the delayed publications of a topic are. */
const releaseOf = ({ id, account, name }: Topic): Work => ({
  duty: 'release',
  laneId: id,
  within: account,
  name,
})

/** A message with its body as it is stored. */
interface Stored extends Published {
  readonly body: Body
}

/** Copies messages over these stores. */
export function fanOut(stores: FanOutStores): FanOut {
  const { bodies, queues, messages, deliveries, workList, clock, depth } = stores

  async function targetOf(subscription: Subscription, messages: number): Promise<Target> {
    if (subscription.protocol === 'http') return { subscription }
    try {
      const queue = await queues.get(subscription.account, subscription.endpoint)
      return (await depth.refusal(queue, messages, 0)) ? { subscription } : { subscription, queue }
    } catch (error) {
      if (error instanceof CmqError && error.failure === 'queueNotFound') return { subscription }
      throw error
    }
  }

  /** Puts the shares into their queues. Returns those whose queue is gone, or did not take all of it in time. */
  async function fill(shares: readonly Share[]): Promise<readonly Left[]> {
    if (shares.length === 0) return []
    const parcels = shares.map(({ queue, stored }) => ({ queue, bodies: stored.map(({ body }) => body) }))
    const sent = await messages.post(parcels, 0)
    return shares.filter((_, index) => sent[index] === undefined)
  }

  /** Notes first that there is something, then stores it, then calls somebody, so that nothing stays behind unseen. */
  async function place(works: readonly Work[], placed: readonly PlacedDelivery[], dueAt: Instant): Promise<void> {
    if (placed.length === 0) return
    await workList.note(works, dueAt)
    await deliveries.add(placed)
    // All is stored: what cannot be started now, whoever looks after what is left behind will find.
    const notStarted = (lanes: readonly Work[]) => (error: unknown) => {
      stores.report('nobody could be called for deliveries', { error, lanes: lanes.map(({ laneId }) => laneId) })
      return []
    }
    const called = await workList.callFor(works, dueAt).catch(notStarted(works))
    await Promise.all(called.map((work) => stores.start(work).catch(notStarted([work]))))
  }

  async function deliver(left: readonly Left[], labels: Labels, publishedAt: Instant): Promise<void> {
    const placed = left.flatMap(({ subscription, stored }) =>
      stored.map(({ id, body }) => ({
        laneId: subscription.id,
        delivery: newDelivery({ id, labels, body }, publishedAt),
      })),
    )
    const works = left.map(({ subscription }) => pushOf(subscription))
    await place(works, placed, publishedAt)
  }

  return {
    async copy(subscriptions, published, labels, publishedAt) {
      const targets = await Promise.all(subscriptions.map((one) => targetOf(one, published.length)))
      const now = clock.now()
      const bodiesEnd = Math.max(
        after(now, TOPIC_RETENTION),
        ...targets.map(({ queue }) => (queue ? bodiesEndAt(queue.attributes.msgRetentionSeconds, now) : 0)),
      )
      const texts = published.map(({ text }) => text)
      const storedBodies = await bodies.store(texts, bodiesEnd)
      const stored = published.map((message, index) => ({ ...message, body: required(storedBodies[index], 'body') }))
      const shares = targets.flatMap((target) => shareOf(target, stored))
      const left = targets.flatMap((target) => leftOf(target, stored))
      const place = publishedAt ?? clock.now()
      // Both are waited for, whatever becomes of either: nothing may go on behind the answer.
      const [filled, delivered] = await Promise.allSettled([fill(shares), deliver(left, labels, place)])
      if (filled.status === 'rejected') throw filled.reason
      if (delivered.status === 'rejected') throw delivered.reason
      await deliver(filled.value, labels, place)
    },

    async delay(topic, published, labels, delaySeconds) {
      const now = clock.now()
      const dueAt = after(now, delaySeconds)
      const stored = await bodies.store(
        published.map(({ text }) => text),
        // What is released is stored anew, for as long as its copies need it.
        after(dueAt, TOPIC_RETENTION),
      )
      const placed = published.map(({ id }, index) => ({
        laneId: topic.id,
        delivery: newDelivery({ id, labels, body: required(stored[index], 'body') }, dueAt),
      }))
      await place([releaseOf(topic)], placed, dueAt)
    },
  }
}

/** A subscription, and the queue that it fills where there is one. */
interface Target {
  readonly subscription: Subscription
  readonly queue?: Queue
}

/** What of the messages has to be delivered to a subscription. */
interface Left {
  readonly subscription: Subscription
  readonly stored: readonly Stored[]
}

/** What of the messages goes into a queue. */
type Share = Left & { readonly queue: Queue }

const fits = ({ text }: Stored, { attributes, transaction }: Queue): boolean =>
  Buffer.byteLength(text) <= attributes.maxMsgSize && !transaction

function shareOf({ subscription, queue }: Target, messages: readonly Stored[]): readonly Share[] {
  const stored = queue ? messages.filter((message) => fits(message, queue)) : []
  return queue && stored.length > 0 ? [{ subscription, queue, stored }] : []
}

function leftOf({ subscription, queue }: Target, messages: readonly Stored[]): readonly Left[] {
  const stored = queue ? messages.filter((message) => !fits(message, queue)) : messages
  return stored.length > 0 ? [{ subscription, stored }] : []
}
