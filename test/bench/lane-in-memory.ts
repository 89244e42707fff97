import type { Message } from '../../lib/domain/message.ts'
import type { Lane } from '../../lib/store/lane.ts'
import { INLINE_BYTES, keyOf } from '../../lib/store/message-item.ts'
import type { VirtualTime } from './virtual-time.ts'

/** What a lane was asked for. */
export interface Asked {
  claims: number
  calls: number
  readUnits: number
}

/**
 * One partition of a lane in memory: as fast as a run with a hundred consumers and ten thousand messages needs it. It
 * counts as DynamoDB does, for bodies of `bodyBytes`; that the two agree is seen in the same run over an engine.
 */
export function laneInMemory(time: VirtualTime, bodyBytes: number): { readonly lane: Lane; readonly asked: Asked } {
  const asked: Asked = { claims: 0, calls: 0, readUnits: 0 }
  const messages = new Map<string, Message>()
  let keys: readonly string[] = []
  const itemBytes = 1024 - INLINE_BYTES + bodyBytes

  const call = <Result>(work: () => Result): Promise<Result> =>
    time.takingACall(() => {
      asked.calls++
      return Promise.resolve(work())
    })

  const read = (items: number, consistent: boolean) => {
    asked.readUnits += Math.max(1, Math.ceil((items * itemBytes) / 4096)) * (consistent ? 1 : 0.5)
  }

  const lane: Lane = {
    put: (added) =>
      call(() => {
        for (const { message } of added) messages.set(keyOf(message), message)
        keys = [...messages.keys()].sort()
        return new Set(added.map(({ message }) => message.id))
      }),

    page: (_partition, { from, to, limit, consistent }) =>
      call(() => {
        const begin = rank(keys, from)
        const found = keys.slice(begin, begin + limit).filter((key) => key <= to)
        read(found.length, consistent)
        const last = found.at(-1)
        const page = found.flatMap((key) => messages.get(key) ?? [])
        return { messages: page, ...(last !== undefined && found.length === limit && { next: `${last}\0` }) }
      }),

    get: (_partition, wanted, consistent) =>
      call(() => {
        for (const _ of wanted) read(1, consistent)
        return wanted.flatMap((key) => messages.get(key) ?? [])
      }),

    claim: (_partition, seen, leased) =>
      call(() => {
        asked.claims++
        const found = messages.get(keyOf(seen))
        if (found?.leaseId !== seen.leaseId) return { won: false as const, ...(found && { found }) }
        messages.set(keyOf(leased), leased)
        return { won: true as const }
      }),

    winLook: () => call(() => ({ won: false, at: Infinity })),
    survey: () => Promise.reject(new Error('nothing is surveyed here')),
    move: () => Promise.reject(new Error('nothing is moved here')),
    giveBack: () => Promise.reject(new Error('nothing is given back here')),
    end: () => Promise.reject(new Error('nothing is deleted here')),
  }
  return { lane, asked }
}

/** How many of the sorted keys are smaller. */
function rank(keys: readonly string[], key: string): number {
  let [low, high] = [0, keys.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((keys[middle] ?? '') < key) low = middle + 1
    else high = middle
  }
  return low
}
