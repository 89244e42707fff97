/**
 * What CMQ promises of a queue, said over a history of calls: nothing acknowledged is lost, nothing deleted returns, no
 * two leases of one message overlap, nothing comes early or after its retention, an old handle never works, receive
 * counts are exact, and bodies come back as they were sent. A dead letter is in the dead-letter queue and no longer in its
 * own, not before its time, and tells where it came from. Throws at the first promise that is broken.
 */
export interface Model {
  /** A send begins: from now on its messages, each with a text of its own, may be there or not. */
  sends(from: number, texts: readonly string[], delaySeconds: number): void
  /** The send was acknowledged. */
  sent(call: Interval, ids: readonly string[], texts: readonly string[]): void
  received(call: Interval, from: QueueName, message: ReceivedMessage): void
  /** `code` is what the deletion was answered with. */
  deleted(call: Interval, handle: string, code: number): void
  /** Handles that were given out, the newest last, and by which queue. */
  readonly handles: readonly { readonly handle: string; readonly of: QueueName }[]
  /** Texts of what was acknowledged, is not deleted, and lives beyond `now`. */
  remaining(now: number): string[]
}

/** A call on the virtual clock. */
export interface Interval {
  readonly from: number
  readonly to: number
}

export interface ReceivedMessage {
  readonly msgId: string
  readonly msgBody: string
  readonly receiptHandle: string
  readonly enqueueTime: number
  readonly firstDequeueTime: number
  readonly nextVisibleTime: number
  readonly dequeueCount: number
  readonly deadLetter?: {
    readonly sourceQueueName: string
    readonly policy: number
    readonly deadLetterTime: number
    readonly enqueueTime: number
    readonly dequeueCount: number
  }
}

/** The queue, and its dead-letter queue, whose visibility timeout is the same and whose retention is longer than any test. */
export type QueueName = 'q' | 'dead'

/** When messages of the queue die, if ever. */
export type Death = { readonly maxReceiveCount: number } | { readonly maxTimeToLive: number }

export interface Promised {
  readonly visibilityTimeout: number
  readonly msgRetentionSeconds: number
  /** Whether answers of DynamoDB get lost, so that a send may have been made twice. */
  readonly faults: boolean
  readonly death?: Death | undefined
}

interface Sending {
  readonly text: string
  readonly from: number
  readonly delaySeconds: number
  /** When it was acknowledged. */
  to?: number
}

interface Sent {
  readonly sending: Sending
  readonly leases: Readonly<Record<QueueName, Lease[]>>
  isDeleted: boolean
  /** A deletion whose answers got lost until its lease was over: nobody knows. */
  mayBeDeleted: boolean
}

interface Lease {
  readonly handle: string
  readonly from: number
  readonly until: number
}

const unknown = (sending: Sending): Sent => ({
  sending,
  leases: { q: [], dead: [] },
  isDeleted: false,
  mayBeDeleted: false,
})

export function queueModel({ visibilityTimeout, msgRetentionSeconds, faults, death }: Promised): Model {
  const sendings = new Map<string, Sending>()
  const messages = new Map<string, Sent>()
  const acknowledged = new Set<Sent>()
  const holders = new Map<string, { sent: Sent; until: number }>()
  const handles: { handle: string; of: QueueName }[] = []

  /** A message may be received before its sender hears of it; and twice, where an answer was lost. */
  function known({ msgId, msgBody }: ReceivedMessage): Sent {
    const sent = messages.get(msgId)
    if (sent) return sent
    const sending = sendings.get(msgBody)
    promise(sending !== undefined, `the message ${msgId} was sent by somebody`)
    promise(sending.to === undefined || faults, `the message ${msgId} was sent once`)
    const early = unknown(sending)
    messages.set(msgId, early)
    return early
  }

  /** What holds of a message in its queue, taken at `claimedAt`, by how many leases with this one. */
  function alive({ sending, leases }: Sent, name: string, counted: number, claimedAt: number): void {
    promise(leases.dead.length === 0, `${name} is not in two queues`)
    if (!death) return
    if ('maxReceiveCount' in death) return promise(counted <= death.maxReceiveCount, `${name} dies of receives`)
    const latest = (sending.to ?? Infinity) + (sending.delaySeconds + death.maxTimeToLive) * 1000
    promise(claimedAt < latest, `${name} dies of age`)
  }

  /** What holds of a message in the dead-letter queue. */
  function dead({ sending, leases }: Sent, name: string, { deadLetter, enqueueTime }: ReceivedMessage): void {
    promise(deadLetter !== undefined && death !== undefined, `${name} is a dead letter`)
    const { sourceQueueName, policy, deadLetterTime, dequeueCount } = deadLetter
    promise(sourceQueueName === 'q' && deadLetterTime === enqueueTime, `${name} tells where it came from, and when`)
    promise(deadLetter.enqueueTime * 1000 > sending.from - 1000, `${name} tells when it was sent`)
    const last = leases.q.at(-1)?.until ?? 0
    promise(deadLetterTime * 1000 + 1000 > last, `${name} is not moved while somebody holds it`)
    const { length } = leases.q
    promise(dequeueCount === length || (faults && dequeueCount > length), `${name} tells its receives`)
    if ('maxReceiveCount' in death)
      return promise(policy === 0 && dequeueCount === death.maxReceiveCount, `${name} has had all its receives`)
    const earliest = sending.from + (sending.delaySeconds + death.maxTimeToLive) * 1000
    promise(policy === 1 && deadLetterTime * 1000 + 1000 > earliest, `${name} has had its time to live`)
  }

  return {
    handles,

    sends(from, texts, delaySeconds) {
      for (const text of texts) sendings.set(text, { text, from, delaySeconds })
    },

    sent({ to }, ids, texts) {
      promise(ids.length === texts.length, 'there is an id for each message')
      for (const [index, text] of texts.entries()) {
        const id = ids[index] ?? ''
        const sending = sendings.get(text)
        promise(sending !== undefined, 'what is acknowledged was sent')
        sending.to = to
        const sent = messages.get(id) ?? unknown(sending)
        promise(sent.sending === sending && !acknowledged.has(sent), `the id ${id} is new`)
        messages.set(id, sent)
        acknowledged.add(sent)
      }
    },

    received(call, from, message) {
      const sent = known(message)
      const { sending } = sent
      const leases = sent.leases[from]
      const sentBy = sending.to ?? call.to
      const name = `${message.msgBody.slice(0, 20)} (${message.msgId})`
      promise(message.msgBody === sending.text, `${name} has the body that was sent`)
      promise(!sent.isDeleted, `${name} does not come back after its deletion`)

      const until = Number(message.receiptHandle.split(':')[5])
      // A handle ends with its message's life where that comes before the lease's end: then it does not tell when it began.
      const isCut = from === 'q' && until >= sending.from + msgRetentionSeconds * 1000
      const claimedAt = isCut ? call.to : until - visibilityTimeout * 1000
      promise(claimedAt >= call.from && claimedAt <= call.to, `${name} is claimed while its receiver waits`)
      promise(claimedAt >= sending.from + sending.delaySeconds * 1000, `${name} is not early`)
      const isOver = from === 'q' && claimedAt >= sentBy + msgRetentionSeconds * 1000
      promise(!isOver, `${name} is not served after its retention`)
      const last = leases.at(-1)
      promise(!last || claimedAt >= last.until, `${name} is not held by two at once`)
      promise(!holders.has(message.receiptHandle), `the handle of ${name} is new`)
      // A lease whose answer got lost was one all the same, though nobody heard of it.
      const counted = leases.length + 1
      promise(
        message.dequeueCount === counted || (faults && message.dequeueCount > counted),
        `${name} counts ${counted}`,
      )
      if (from === 'q') alive(sent, name, message.dequeueCount, claimedAt)
      else dead(sent, name, message)
      const first = leases[0]?.from ?? claimedAt
      const isFirst = isCut || faults || message.firstDequeueTime === Math.floor(first / 1000)
      promise(isFirst, `${name} keeps its first receive`)
      const enqueued = message.enqueueTime * 1000
      const isTold = enqueued > sending.from - 1000 && (from === 'dead' || enqueued <= sentBy)
      promise(isTold, `${name} tells when it was sent`)

      leases.push({ handle: message.receiptHandle, from: claimedAt, until })
      holders.set(message.receiptHandle, { sent, until })
      handles.push({ handle: message.receiptHandle, of: from })
    },

    deleted(call, handle, code) {
      const holder = holders.get(handle)
      promise(holder !== undefined, 'a handle that was given out is deleted')
      const { sent, until } = holder ?? { sent: undefined, until: 0 }
      const newest = sent && (sent.leases.dead.at(-1) ?? sent.leases.q.at(-1))
      const isNewest = newest?.handle === handle
      promise(code === 0 || code === 4430 || (faults && code === 6000), `a deletion is not answered by ${code}`)
      if (code === 0) {
        promise(isNewest && !sent.isDeleted, `an old handle of ${sent?.sending.text} does not work`)
        promise(call.from < until, `a handle of ${sent?.sending.text} does not work after its lease`)
      }
      if (code === 4430)
        promise(
          !isNewest || sent.isDeleted || call.to >= until,
          `the handle of ${sent?.sending.text} works while it holds`,
        )
      if (code === 0 && sent) sent.isDeleted = true
      if (code !== 0 && sent && faults && isNewest && call.from < until) sent.mayBeDeleted = true
    },

    remaining: (now) =>
      [...acknowledged]
        .filter(
          ({ isDeleted, mayBeDeleted, sending }) =>
            !isDeleted && !mayBeDeleted && sending.from + msgRetentionSeconds * 1000 > now,
        )
        .map(({ sending }) => sending.text),
  }
}

function promise(kept: boolean, what: string): asserts kept {
  if (!kept) throw new Error(`broken promise: ${what}`)
}
