import type { Deletion, Message, Receipt } from './ledger.ts'

/** The lives of a message, from its sending or a rewind to its deletion each; undefined where they cannot be told apart. */
export function livesOf(message: Message): readonly Message[] | undefined {
  const deletions = message.deletions.filter(({ outcome }) => outcome !== 'refused')
  const lives: Receipt[][] = [[]]
  for (const receipt of message.receipts) {
    const life = lives.at(-1) ?? []
    const earlier = lives.flat()
    if (deletions.some((end) => earlier.includes(end.receipt) && !isBeside(end, receipt))) return undefined
    const isOver = deletions.some((end) => life.includes(end.receipt) && end.call.to <= receipt.call.from)
    if (isOver) lives.push([receipt])
    else life.push(receipt)
  }
  return lives.map((receipts) => ({
    ...message,
    receipts,
    deletions: message.deletions.filter(({ receipt }) => receipts.includes(receipt)),
  }))
}

/** Whether a deletion was made for certain, and wholly before or after a receive. */
const isBeside = ({ call, outcome }: Deletion, { call: receive }: Receipt): boolean =>
  receive.to <= call.from || (outcome === 'acknowledged' && call.to <= receive.from)
