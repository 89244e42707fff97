import type { Call, History } from '../history.ts'
import { idsIn, messagesIn, type ReceivedMessage } from '../perform.ts'
import { isCalm } from '../profile.ts'
import { bodyOf } from '../program.ts'
import { isOfQueue } from './calls.ts'

/** The history of messages, put in order. */
export interface Ledger {
  readonly history: History
  /** Every message of a queue that was acknowledged or received. */
  readonly messages: readonly Message[]
  /** Tries to delete from another queue than that of the handle. */
  readonly strayed: readonly Deletion[]
  /** The call that sent or published a text, and which of its texts it is; undefined for what nobody has sent. */
  originOf(text: string): Origin | undefined
  /** How much two clocks may differ, in milliseconds. */
  readonly apart: number
  /** Whether nothing at all went wrong, on purpose. */
  readonly isCalm: boolean
}

export interface Origin {
  readonly call: Call
  readonly index: number
  /** Whether the text is all that was sent. */
  readonly isWhole: boolean
}

/** One message in one queue. */
export interface Message {
  readonly queue: string
  readonly msgId: string
  /** Undefined where it was never received. */
  text: string | undefined
  /** The call that was told its id. */
  readonly sentBy: Call | undefined
  /** In the order of their answers. */
  readonly receipts: Receipt[]
  readonly deletions: Deletion[]
}

/** As a report names it. */
export const nameOf = ({ queue, msgId, text }: Message): string =>
  `${msgId} ${text === undefined ? '' : JSON.stringify(text.slice(0, 12))} in ${queue}`

export interface Receipt {
  readonly call: Call
  readonly message: ReceivedMessage
}

/** A try to delete by one handle. */
export interface Deletion {
  readonly call: Call
  readonly receipt: Receipt
  readonly outcome: Call['outcome']
}

export function ledgerOf(history: History): Ledger {
  const messages = new Map<string, Message>()
  const byOp = new Map(history.calls.map((call) => [call.op.id, call]))
  const receipts = new Map<string, Receipt>()
  const strayed: Deletion[] = []
  const { aims = [], luck, leaving, skew } = history.profile

  function messageOf(queue: string, msgId: string, sentBy?: Call): Message {
    const key = `${queue} ${msgId}`
    const message = messages.get(key) ?? { queue, msgId, text: undefined, sentBy, receipts: [], deletions: [] }
    messages.set(key, message)
    return message
  }

  for (const call of history.calls) {
    const { op, answer, given } = call
    if (op.kind === 'send' && call.outcome === 'acknowledged')
      for (const [index, msgId] of idsIn(answer).entries()) messageOf(op.queue, msgId, call).text = given[index]
  }
  for (const call of history.calls.toSorted((a, b) => a.to - b.to)) {
    const { op } = call
    if (op.kind !== 'receive') continue
    for (const message of messagesIn(call.answer)) {
      const receipt = { call, message }
      const known = messageOf(op.queue, message.msgId)
      known.receipts.push(receipt)
      known.text ??= message.msgBody
      receipts.set(message.receiptHandle, receipt)
    }
  }
  for (const call of history.calls) {
    const { op } = call
    if (op.kind !== 'delete') continue
    for (const handle of call.given) {
      const receipt = receipts.get(handle)
      if (!receipt) continue
      const deletion = { call, receipt, outcome: fateOf(call, handle) }
      if (isOfQueue(receipt.call, op.queue)) messageOf(op.queue, receipt.message.msgId).deletions.push(deletion)
      else strayed.push(deletion)
    }
  }

  return {
    history,
    messages: [...messages.values()],
    strayed,
    apart: 2 * skew,
    isCalm:
      isCalm(history.profile) &&
      aims.length === 0 &&
      luck === 0 &&
      leaving === 0 &&
      skew === 0 &&
      history.deaths.length === 0,

    originOf(text) {
      const [, id = '', index = ''] = /^(\d+)\.(\d+)\|/.exec(text) ?? []
      const call = byOp.get(Number(id))
      const op = call?.op
      if (!call || (op?.kind !== 'send' && op?.kind !== 'publish')) return undefined
      const size = op.sizes[Number(index)]
      if (size === undefined) return undefined
      return { call, index: Number(index), isWhole: text === bodyOf(op.id, Number(index), size) }
    },
  }
}

/**
 * What became of one handle of a batch. A repeated deletion that finds nothing after the lease has run out is refused,
 * since another may have deleted: it may have been itself.
 */
function fateOf({ outcome, answer, faults }: Call, handle: string): Call['outcome'] {
  const errors = answer?.['errorList'] as readonly { receiptHandle: string; code: number }[] | undefined
  const error = errors?.find(({ receiptHandle }) => receiptHandle === handle)
  if (errors && !error) return 'acknowledged'
  const isOpen = error?.code === 6_000 || (outcome === 'refused' && faults.length > 0)
  return isOpen ? 'unknown' : outcome
}
