/**
 * What is promised of a queue that can be rewound, said over a history of calls: nothing acknowledged is lost, nothing
 * deleted returns but by a rewind that covers it and did not end before its deletion began, so once per rewind; and what a
 * rewind covers does return. No two leases of one message overlap. Throws at the first promise that is broken.
 */
export interface RewindModel {
  /** A call begins: what is returned is called when it ends. */
  begins(): () => Call
  sent(ids: readonly string[]): void
  received(call: Call, message: Received): void
  /** `code` is undefined where whoever asked died before the answer. */
  deleted(call: Call, handle: string, code: number | undefined): void
  /** A rewind begins: from now on it may have taken place. What is returned is told how it was answered. */
  rewinds(second: number): (code: number | undefined) => void
  /** Handles that were given out, the newest last. */
  readonly handles: readonly string[]
  /** Ids of what must still come: acknowledged and not deleted, or deleted and rewound since; those of live messages alone. */
  due(now: number): readonly string[]
  /** Ids of what is deleted and retained. Once all that came back has been deleted again, no rewind has covered it since. */
  kept(now: number): readonly string[]
  isDeleted(id: string): boolean
}

/** A call, by when it began and ended in the order of all calls, and at what time. */
export interface Call {
  readonly begin: number
  readonly end: number
  readonly from: number
  readonly to: number
}

export interface Received {
  readonly msgId: string
  readonly receiptHandle: string
  readonly enqueueTime: number
}

interface Message {
  readonly id: string
  handle?: string
  leaseUntil: number
  deletion?: Call
  mayBeDeleted: boolean
}

interface Rewind {
  readonly begin: number
  readonly second: number
  end: number
  isCertain: boolean
}

export function rewindModel({
  now,
  retention,
}: {
  readonly now: () => number
  readonly retention: number
}): RewindModel {
  let ticks = 0
  const messages = new Map<string, Message>()
  const holders = new Map<string, Message>()
  const handles: string[] = []
  const rewinds: Rewind[] = []

  const message = (id: string): Message => {
    const known = messages.get(id) ?? { id, leaseUntil: 0, mayBeDeleted: false }
    messages.set(id, known)
    return known
  }
  const covers = ({ second }: Rewind, id: string) => Math.floor(sentAt(id) / 1000) >= second
  const isAlive = ({ id }: Message, at: number) => sentAt(id) + retention * 1000 > at
  /** Whether some rewind may have come after the deletion, and whether one certainly has. */
  const mayBeBack = ({ id, deletion }: Message) =>
    deletion !== undefined && rewinds.some((rewind) => covers(rewind, id) && rewind.end > deletion.begin)
  const isBack = ({ id, deletion }: Message) =>
    deletion !== undefined &&
    rewinds.some((rewind) => rewind.isCertain && covers(rewind, id) && rewind.begin > deletion.end)

  return {
    handles,

    begins() {
      const [begin, from] = [++ticks, now()]
      return () => ({ begin, from, end: ++ticks, to: now() })
    },

    sent(ids) {
      for (const id of ids) message(id)
    },

    received(call, { msgId, receiptHandle, enqueueTime }) {
      const held = message(msgId)
      promise(enqueueTime === Math.floor(sentAt(msgId) / 1000), `${msgId} tells when it was produced`)
      promise(isAlive(held, call.from), `${msgId} is not served after its retention`)
      promise(!held.deletion || mayBeBack(held), `${msgId} does not come back after its deletion but by a rewind`)
      promise(held.deletion !== undefined || call.to >= held.leaseUntil, `${msgId} is not held by two at once`)
      promise(!holders.has(receiptHandle), `the handle of ${msgId} is new`)
      delete held.deletion
      held.mayBeDeleted = false
      held.handle = receiptHandle
      held.leaseUntil = Number(receiptHandle.split(':')[5])
      holders.set(receiptHandle, held)
      handles.push(receiptHandle)
    },

    deleted(call, handle, code) {
      const held = holders.get(handle)
      promise(held !== undefined, 'a handle that was given out is deleted')
      const isNewest = held.handle === handle && !held.deletion
      if (code === 0) {
        promise(isNewest, `an old handle of ${held.id} does not work`)
        promise(call.from < held.leaseUntil, `a handle of ${held.id} does not work after its lease`)
        held.deletion = call
      } else if (code === 4430)
        promise(
          !isNewest || call.to >= held.leaseUntil || held.mayBeDeleted,
          `the handle of ${held.id} works while it holds`,
        )
      else if (isNewest) held.mayBeDeleted = true
    },

    rewinds(second) {
      const rewind = { begin: ++ticks, end: Infinity, second, isCertain: false }
      rewinds.push(rewind)
      return (code) => {
        // It is refused only where its time fell out of range while it was repeated.
        promise(code === undefined || [0, 4000, 6000].includes(code), `a rewind is not answered by ${code}`)
        rewind.end = ++ticks
        rewind.isCertain = code === 0
      }
    },

    due: (at) =>
      [...messages.values()]
        .filter((one) => isAlive(one, at) && !one.mayBeDeleted && (!one.deletion || isBack(one)))
        .map(({ id }) => id),

    kept: (at) => [...messages.values()].filter((one) => isAlive(one, at) && one.deletion).map(({ id }) => id),

    isDeleted: (id) => messages.get(id)?.deletion !== undefined,
  }
}

/** A message id begins with the millisecond of its production. */
const sentAt = (id: string): number => Number.parseInt(id.slice(0, 12), 16)

function promise(kept: boolean, what: string): asserts kept {
  if (!kept) throw new Error(`broken promise: ${what}`)
}
