import type { Call, History } from '../history.ts'
import type { Op } from '../program.ts'

const known = new WeakMap<History, ReadonlyMap<Op['kind'], readonly Call[]>>()

/** The calls of a kind in a history that is over. They are looked for once, as every message asks for them. */
export function callsOf(history: History, kind: Op['kind']): readonly Call[] {
  const found = known.get(history) ?? Map.groupBy(history.calls, ({ op }) => op.kind)
  known.set(history, found)
  return found.get(kind) ?? []
}

/** Whether a call is about a queue of this name. */
export const isOfQueue = ({ op }: Call, queue: string): boolean => 'queue' in op && op.queue === queue
