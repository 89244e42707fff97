import type { Message } from '../../lib/domain/message.ts'
import type { Lane } from '../../lib/store/lane.ts'
import { keyOf, type MessageState } from '../../lib/store/message-item.ts'

/** What of a lane a count needs, in memory: as many messages as a test likes, at once. */
export interface SurveyedLane {
  readonly lane: Pick<Lane, 'survey'>
  /** What was read so far. */
  readonly read: { calls: number; messages: number }
}

/** A message as a survey shows it. */
export type Surveyed = MessageState & Pick<Message, 'id'>

/** One partition that holds these messages; other partitions hold nothing. */
export function surveyed(partitions: Readonly<Record<string, readonly Surveyed[]>>): SurveyedLane {
  const read = { calls: 0, messages: 0 }
  const sorted = Object.fromEntries(
    Object.entries(partitions).map(([partition, messages]) => {
      const keyed = messages.map((message) => ({ key: keyOf(message), message }))
      return [partition, keyed.sort((a, b) => (a.key < b.key ? -1 : 1))]
    }),
  )

  const lane: Pick<Lane, 'survey'> = {
    survey(partition, { from, to, limit, isBackwards = false }) {
      const keyed = sorted[partition] ?? []
      const begin = rank(keyed, from)
      const end = rank(keyed, `${to}\0`)
      const page = isBackwards
        ? keyed.slice(Math.max(begin, end - limit), end)
        : keyed.slice(begin, Math.min(end, begin + limit))
      read.calls++
      read.messages += page.length
      const last = page.at(-1)
      const next = last && page.length === limit ? { next: `${last.key}\0` } : {}
      return Promise.resolve({ states: page.map(({ message }) => message), ...next })
    },
  }
  return { lane, read }
}

/** How many of the sorted keys are smaller. */
function rank(keyed: readonly { readonly key: string }[], key: string): number {
  let [low, high] = [0, keyed.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((keyed[middle]?.key ?? '') < key) low = middle + 1
    else high = middle
  }
  return low
}
