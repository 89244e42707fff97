import type { Call, History } from '../history.ts'
import type { Op } from '../program.ts'

const known = new WeakMap<History, ReadonlyMap<Op['kind'], readonly Call[]>>()

/** The calls of a kind in a history that is over. They are looked for once, as every message asks for them. */
export function callsOf(history: History, kind: Op['kind']): readonly Call[] {
  const found = known.get(history) ?? Map.groupBy(history.calls, ({ op }) => op.kind)
  known.set(history, found)
  return found.get(kind) ?? []
}

const CHANGES: ReadonlySet<Op['kind']> = new Set([
  'change',
  'bury',
  'rewind',
  'clear',
  'destroy',
  'want',
  'unsubscribe',
])

/** What is to be changed is not there. */
const GONE = 4_440

const lostWrite = /^(lost after|lost and late|failed) (Put|Update|Delete|Transact)/

/** As it is judged: a change that is told that there is nothing to change may have been made by a try that got no answer. */
export const asJudged = (call: Call): Call =>
  CHANGES.has(call.op.kind) && call.code === GONE && call.faults.some((fault) => lostWrite.test(fault))
    ? { ...call, outcome: 'unknown' }
    : call
