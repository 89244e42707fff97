/**
 * What CMQ promises of a queue, said over a history of calls: nothing acknowledged is lost, nothing deleted returns, no
 * two leases of one message overlap, nothing comes early or after its retention, an old handle never works, receive
 * counts are exact, and bodies come back as they were sent. Throws at the first promise that is broken.
 */
export interface Model {
  /** A send begins: from now on its messages, each with a text of its own, may be there or not. */
  sends(from: number, texts: readonly string[], delaySeconds: number): void
  /** The send was acknowledged. */
  sent(call: Interval, ids: readonly string[], texts: readonly string[]): void
  received(call: Interval, message: ReceivedMessage): void
  /** `code` is what the deletion was answered with. */
  deleted(call: Interval, handle: string, code: number): void
  /** Handles that were given out, the newest last. */
  readonly handles: readonly string[]
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
}

export interface Promised {
  readonly visibilityTimeout: number
  readonly msgRetentionSeconds: number
  /** Whether answers of DynamoDB get lost, so that a send may have been made twice. */
  readonly faults: boolean
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
  readonly leases: { readonly handle: string; readonly from: number; readonly until: number }[]
  isDeleted: boolean
  /** A deletion whose answers got lost until its lease was over: nobody knows. */
  mayBeDeleted: boolean
}

export function queueModel({ visibilityTimeout, msgRetentionSeconds, faults }: Promised): Model {
  const sendings = new Map<string, Sending>()
  const messages = new Map<string, Sent>()
  const acknowledged = new Set<Sent>()
  const holders = new Map<string, { sent: Sent; until: number }>()
  const handles: string[] = []

  /** A message may be received before its sender hears of it; and twice, where an answer was lost. */
  function known({ msgId, msgBody }: ReceivedMessage): Sent {
    const sent = messages.get(msgId)
    if (sent) return sent
    const sending = sendings.get(msgBody)
    promise(sending !== undefined, `the message ${msgId} was sent by somebody`)
    promise(sending.to === undefined || faults, `the message ${msgId} was sent once`)
    const early: Sent = { sending, leases: [], isDeleted: false, mayBeDeleted: false }
    messages.set(msgId, early)
    return early
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
        const sent = messages.get(id) ?? { sending, leases: [], isDeleted: false, mayBeDeleted: false }
        promise(sent.sending === sending && !acknowledged.has(sent), `the id ${id} is new`)
        messages.set(id, sent)
        acknowledged.add(sent)
      }
    },

    received(call, message) {
      const sent = known(message)
      const { sending } = sent
      const sentBy = sending.to ?? call.to
      const name = `${message.msgBody.slice(0, 20)} (${message.msgId})`
      promise(message.msgBody === sending.text, `${name} has the body that was sent`)
      promise(!sent.isDeleted, `${name} does not come back after its deletion`)

      const until = Number(message.receiptHandle.split(':')[5])
      // A handle ends with its message's life where that comes before the lease's end: then it does not tell when it began.
      const isCut = until >= sending.from + msgRetentionSeconds * 1000
      const claimedAt = isCut ? call.to : until - visibilityTimeout * 1000
      promise(claimedAt >= call.from && claimedAt <= call.to, `${name} is claimed while its receiver waits`)
      promise(claimedAt >= sending.from + sending.delaySeconds * 1000, `${name} is not early`)
      promise(claimedAt < sentBy + msgRetentionSeconds * 1000, `${name} is not served after its retention`)
      const last = sent.leases.at(-1)
      promise(!last || claimedAt >= last.until, `${name} is not held by two at once`)
      promise(!holders.has(message.receiptHandle), `the handle of ${name} is new`)
      // A lease whose answer got lost was one all the same, though nobody heard of it.
      const counted = sent.leases.length + 1
      promise(
        message.dequeueCount === counted || (faults && message.dequeueCount > counted),
        `${name} counts ${counted}`,
      )
      const first = sent.leases[0]?.from ?? claimedAt
      const isFirst = isCut || faults || message.firstDequeueTime === Math.floor(first / 1000)
      promise(isFirst, `${name} keeps its first receive`)
      const enqueued = message.enqueueTime * 1000
      promise(enqueued > sending.from - 1000 && enqueued <= sentBy, `${name} tells when it was sent`)

      sent.leases.push({ handle: message.receiptHandle, from: claimedAt, until })
      holders.set(message.receiptHandle, { sent, until })
      handles.push(message.receiptHandle)
    },

    deleted(call, handle, code) {
      const holder = holders.get(handle)
      promise(holder !== undefined, 'a handle that was given out is deleted')
      const { sent, until } = holder ?? { sent: undefined, until: 0 }
      const isNewest = sent?.leases.at(-1)?.handle === handle
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
