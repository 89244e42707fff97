import type { Interval } from './model.ts'

/**
 * What is promised of a topic, said over a history of calls and pushes: whoever wants a message gets it, or it is given
 * up in time and aloud; nobody else gets it, nothing comes early, twice, out of turn or after the end, and retries
 * keep their waits. This records the history; `judge` in topic-promises.ts throws at the first promise that is broken.
 */
export interface History {
  readonly promised: Promised
  readonly subscribed: readonly Subscribed[]
  readonly messages: readonly Published[]
  readonly deliveries: readonly Delivery[]
  readonly received: readonly Received[]
  readonly queues: ReadonlyMap<string, QueueOfModel>
  /** When processes died. */
  readonly crashes: readonly number[]
  /** When the run of a lane had to end soon, or all were down, so that nothing began. */
  readonly closings: readonly (Interval & { readonly laneId?: string })[]
}

export interface Promised {
  readonly filterType: 1 | 2
  readonly window: number
  readonly firstTries: number
  readonly owner: number
  readonly topicName: string
  /** Whether one process owns the data. */
  readonly isAlone: boolean
  /** Whether processes die. */
  readonly crashes: boolean
  /** Whether calls of DynamoDB, invocations or schedules fail. */
  readonly faults: boolean
}

export type Strategy = 'BACKOFF_RETRY' | 'EXPONENTIAL_DECAY_RETRY'

/** What a subscription asks for. */
export interface Wants {
  readonly strategy: Strategy
  readonly format: 'JSON' | 'SIMPLIFIED'
  readonly filterTags: readonly string[]
  readonly bindingKeys: readonly string[]
}

/** A subscription, from its Subscribe to its Unsubscribe. What was never answered may be so from `from` on, for ever. */
export interface Subscribed {
  /** Which one it is, of all that were ever asked for. */
  readonly place: number
  readonly name: string
  readonly protocol: 'http' | 'queue'
  /** A URL of its own, or the name of a queue. */
  readonly endpoint: string
  readonly begun: Span
  id?: string
  ended?: Span
  /** What it may have asked for, and when. */
  versions: readonly Version[]
}

/** `to` is Infinity while it is open. */
export interface Span {
  readonly from: number
  to: number
}

export type Version = Span & { readonly wants: Wants }

/** A message that somebody published, or tried to. */
export interface Published {
  readonly text: string
  readonly publishing: Publishing
  /** Its place among those of the call. */
  readonly index: number
  id?: string
  /** When it was given up before its delay was over for anybody. */
  givenUpAt?: number
}

export interface Publishing {
  readonly process: number
  readonly tags: readonly string[]
  readonly routingKey: string
  readonly delaySeconds: number
  readonly from: number
  /** When it was answered, well or not; Infinity when it never was. */
  to: number
  outcome: 'acknowledged' | 'refused' | 'unknown'
  /** Its place among all that begin or are answered, as a millisecond may see many of them. */
  readonly begunAs: number
  answeredAs: number
}

/** What a subscription was pushed of one message. */
export interface Delivery {
  readonly subscribed: Subscribed
  readonly messageId: string
  /** Unknown where the id was never told, neither by a publish nor by a push. */
  message?: Published
  readonly attempts: readonly Attempt[]
  readonly drops: readonly { readonly at: number; readonly attempts: number; readonly why: string }[]
}

export interface Attempt {
  readonly from: number
  /** When it was over; Infinity while it goes on. */
  to: number
  /** A status, or what happened instead. */
  outcome?: string
  /** Its process has died meanwhile. */
  isDead: boolean
  /** As it was told in the log, and when the next one is due; undefined where none follows. */
  number?: number
  nextDueAt?: number
}

/** A message that came out of a queue. */
export interface Received {
  readonly queue: string
  readonly msgId: string
  readonly text: string
  readonly enqueuedAt: number
  readonly at: number
}

export interface QueueOfModel {
  /** When it was there for certain. */
  readonly madeBy: number
  readonly maxMsgSize: number
  /** When it was large enough for everything, for certain. */
  enlargedBy: number
}

/** A push, as it arrives. */
export interface Arrived {
  readonly endpoint: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export interface TopicModel extends History {
  subscribes(from: number, what: Pick<Subscribed, 'name' | 'protocol' | 'endpoint'>, wants: Wants): Subscribed
  /** `id` is undefined where it was refused. */
  subscribed_(one: Subscribed, to: number, id: string | undefined): void
}

type Change = Partial<Wants>

export type Model = ReturnType<typeof topicModel>

export function topicModel(promised: Promised) {
  const subscribed: Subscribed[] = []
  const messages = new Map<string, Published>()
  const byId = new Map<string, Published>()
  const deliveries = new Map<string, Delivery & { attempts: Attempt[]; drops: Delivery['drops'][number][] }>()
  const received: Received[] = []
  const queues = new Map<string, QueueOfModel>()
  const crashes: number[] = []
  const closings: (Interval & { laneId?: string })[] = []
  let events = 0
  let places = 0

  const keyOf = (one: Subscribed, messageId: string) => `${one.place} ${messageId}`

  function deliveryOf(one: Subscribed, messageId: string) {
    const key = keyOf(one, messageId)
    const delivery = deliveries.get(key) ?? { subscribed: one, messageId, attempts: [], drops: [] }
    deliveries.set(key, delivery)
    return delivery
  }

  /** A subscription whose Subscribe is not answered yet, or never was, has an id that only the log tells. */
  function ofLine({ subscription, name, messageId, status }: Line, at: number): Subscribed {
    const unnamed = subscribed.filter((one) => one.id === undefined && one.name === name)
    const hasEnded = (one: Subscribed) =>
      deliveries.get(keyOf(one, messageId))?.attempts.some(({ to, outcome }) => to <= at && outcome === status)
    const one =
      subscribed.find(({ id }) => id === subscription) ??
      unnamed.find(hasEnded) ??
      unnamed.findLast(({ protocol }) => protocol === 'queue') ??
      unnamed.at(-1)
    promise(one !== undefined, `the subscription ${name} (${subscription}) was made by somebody`)
    one.id = subscription
    return one
  }

  return {
    promised,
    subscribed,
    get messages() {
      return [...messages.values()]
    },
    get deliveries(): readonly Delivery[] {
      return [...deliveries.values()]
    },
    received,
    queues,
    crashes,
    closings,

    subscribes(from: number, what: Pick<Subscribed, 'name' | 'protocol' | 'endpoint'>, wants: Wants): Subscribed {
      const one: Subscribed = {
        ...what,
        place: ++places,
        begun: { from, to: Infinity },
        versions: [{ from, to: Infinity, wants }],
      }
      subscribed.push(one)
      return one
    },

    hasSubscribed(one: Subscribed, to: number, id: string) {
      one.begun.to = to
      one.id = id
    },

    /** There was another of its name, or it was never made. */
    hasNotSubscribed(one: Subscribed) {
      subscribed.splice(subscribed.indexOf(one), 1)
    },

    unsubscribes(one: Subscribed, from: number) {
      one.ended ??= { from, to: Infinity }
    },

    hasUnsubscribed(one: Subscribed, to: number) {
      // What was not answered may come late.
      const isCertain = one.begun.to < Infinity || !promised.faults
      if (one.ended && isCertain) one.ended.to = Math.min(one.ended.to, to)
    },

    /** Returns what to tell when the change is answered, well. */
    changes(one: Subscribed, from: number, change: Change): (to: number) => void {
      const present = one.versions.filter(({ to }) => to === Infinity)
      const next = present.map(({ wants }) => ({ from, to: Infinity, wants: { ...wants, ...change } }))
      one.versions = [...one.versions, ...next]
      return (to) => {
        for (const version of present) version.to = to
      }
    },

    publishes(
      texts: readonly string[],
      publishing: Pick<Publishing, 'process' | 'tags' | 'routingKey' | 'delaySeconds' | 'from'>,
    ): Publishing {
      const open: Publishing = {
        ...publishing,
        to: Infinity,
        outcome: 'unknown',
        begunAs: ++events,
        answeredAs: Infinity,
      }
      for (const [index, text] of texts.entries()) messages.set(text, { text, publishing: open, index })
      return open
    },

    hasPublished(publishing: Publishing, to: number, texts: readonly string[], ids: readonly string[]) {
      publishing.to = to
      publishing.outcome = 'acknowledged'
      publishing.answeredAs = ++events
      promise(ids.length === texts.length, 'there is an id for each message')
      for (const [index, text] of texts.entries()) {
        const message = messages.get(text)
        const id = ids[index] ?? ''
        promise(
          message !== undefined && (message.id ?? id) === id,
          `the id of ${shown(text)} is the one that is pushed`,
        )
        promise((byId.get(id) ?? message) === message, `the id ${id} is new`)
        message.id = id
        byId.set(id, message)
      }
    },

    hasNotPublished(publishing: Publishing, to: number, outcome: 'refused' | 'unknown') {
      publishing.to = to
      publishing.outcome = outcome
    },

    /** An attempt arrives at the subscriber of this endpoint, and is what was published. */
    arrives(at: number, { endpoint, headers, body }: Arrived): Attempt {
      const one = subscribed.find((other) => other.endpoint === endpoint)
      promise(one !== undefined, `${endpoint} is an endpoint that somebody has subscribed`)
      const message = messages.get(body) ?? messages.get(textIn(body))
      promise(message !== undefined, `${shown(body)} is a body that somebody has published`)
      const messageId = headers['x-cmq-message-id'] ?? ''
      const { publishing, text } = message
      promise((message.id ?? messageId) === messageId, `${shown(text)} is always pushed under one id`)
      promise((byId.get(messageId) ?? message) === message, `the id ${messageId} is that of one message`)
      message.id = messageId
      byId.set(messageId, message)

      const formats = wantedWithin(one, { from: at - 1_000, to: at }).map(({ format }) => format)
      const isSimplified = body === text
      promise(formats.includes(isSimplified ? 'SIMPLIFIED' : 'JSON'), `${one.name} gets the format that it wants`)
      if (!isSimplified) checkEnvelope(body, one, message, at)
      const { 'x-cmq-request-id': requestId = '', ...others } = headers
      promise(/^\d+$/.test(requestId), 'a request id is decimal digits')
      const expected = {
        'Content-Type': 'text/plain',
        'User-Agent': 'Qcloud Notification Service Agent',
        'x-cmq-message-id': messageId,
        'x-cmq-message-tag': publishing.tags.join(', '),
      }
      for (const [name, value] of Object.entries(expected))
        promise(others[name] === value, `the header ${name} of ${shown(text)} is ${value} and not ${others[name]}`)
      const delivery = deliveryOf(one, messageId)
      delivery.message = message
      const attempt: Attempt = { from: at, to: Infinity, isDead: false }
      delivery.attempts.push(attempt)
      return attempt
    },

    /** What the log tells of an attempt. Those at a queue are known by it alone. */
    tried(at: number, line: Line & { attempt: number; nextDueAt?: string }) {
      const one = ofLine(line, at)
      const { attempts } = deliveryOf(one, line.messageId)
      if (one.protocol === 'queue') attempts.push({ from: at, to: at, outcome: line.status ?? '', isDead: false })
      const attempt = attempts.findLast(
        ({ to, outcome, number }) => to <= at && outcome === line.status && number === undefined,
      )
      const name = `${one.name} of ${line.messageId}`
      promise(attempt !== undefined || promised.faults, `an attempt at ${name} is logged when it ends`)
      if (!attempt) return
      attempt.number = line.attempt
      if (line.nextDueAt !== undefined) attempt.nextDueAt = Date.parse(line.nextDueAt)
    },

    dropped(at: number, line: Line & { attempts: number; lastFailure: string }) {
      deliveryOf(ofLine(line, at), line.messageId).drops.push({ at, attempts: line.attempts, why: line.lastFailure })
    },

    /** A publication that waited for its delay was given up. */
    neverReleased(at: number, line: { messageId: string; lastFailure: string }) {
      promise(line.lastFailure !== 'body missing', `the body of ${line.messageId} is there`)
      const message = byId.get(line.messageId)
      if (message) message.givenUpAt = at
    },

    receives(one: Received) {
      if (!received.some(({ msgId }) => msgId === one.msgId)) received.push(one)
      const message = messages.get(one.text)
      promise(message !== undefined, `${shown(one.text)} is a text that somebody has published`)
    },

    makesQueue(name: string, madeBy: number, maxMsgSize: number) {
      queues.set(name, { madeBy, maxMsgSize, enlargedBy: Infinity })
    },

    enlargesQueue(name: string, by: number) {
      const queue = queues.get(name)
      if (queue) queue.enlargedBy = Math.min(queue.enlargedBy, by)
    },

    /** Ids of messages whose push never told them. */
    learnIds() {
      for (const delivery of deliveries.values()) {
        const message = delivery.message ?? byId.get(delivery.messageId)
        if (message) delivery.message = message
      }
    },
  }

  function checkEnvelope(body: string, { name }: Subscribed, { text, publishing, id }: Published, at: number) {
    const { publishTime, ...told } = JSON.parse(body) as Record<string, unknown>
    const { owner: TopicOwner, topicName } = promised
    const expected = { TopicOwner, topicName, subscriptionName: name, msgId: id, msgBody: text }
    promise(
      JSON.stringify(told) === JSON.stringify(expected),
      `the envelope of ${shown(text)} is ${JSON.stringify(told)}`,
    )
    const from = publishing.from + publishing.delaySeconds * 1000
    promise(
      Number(publishTime) >= Math.floor(from / 1000) && Number(publishTime) * 1000 <= at,
      `${shown(text)} tells when it was published`,
    )
  }
}

/** What each line of the log tells of a delivery. */
export interface Line {
  readonly subscription: string
  readonly name: string
  readonly messageId: string
  readonly status?: string
}

/** What a subscription may have wanted at some time of the interval. */
export const wantedWithin = ({ versions }: Subscribed, { from, to }: Interval): readonly Wants[] =>
  versions.filter((version) => version.from <= to && version.to >= from).map(({ wants }) => wants)

function textIn(body: string): string {
  try {
    const { msgBody } = JSON.parse(body) as { msgBody?: unknown }
    return String(msgBody)
  } catch {
    return ''
  }
}

export const shown = (text: string): string => JSON.stringify(text.slice(0, 20))

export function promise(kept: boolean, what: string): asserts kept {
  if (!kept) throw new Error(`broken promise: ${what}`)
}
