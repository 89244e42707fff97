import type { Call } from './history.ts'
import type { Violation } from './judge/rows.ts'
import { messagesIn } from './perform.ts'
import { CLOSING, type Run } from './run-seed.ts'
import { START } from '../support/clock.ts'

/** A history as lines of text, for whoever looks for the cause. */
export function storyOf({ history }: Run, violations: readonly Violation[]): string {
  const lines: (readonly [at: number, line: string])[] = [
    ...history.calls.filter(isTold).map((call) => [call.from, lineOf(call)] as const),
    ...history.arrivals.map(
      ({ web, text, from, to, outcome }) =>
        [from, `  push ${shown(text)} to ${web}, until ${at(to)}: ${outcome}`] as const,
    ),
    ...history.deaths.map((time) => [time, '  a process dies'] as const),
    ...history.runs
      .filter(({ faults }) => faults.length > 0)
      .map(({ laneId, from, faults }) => [from, `  a run of ${laneId}: ${faults.join(', ')}`] as const),
    [history.healedAt, '  from here on all goes well'],
    [history.settledAt, '  from here on a new process looks'],
  ]
  return [
    ...lines.toSorted(([a], [b]) => a - b).map(([time, line]) => `${at(time)} ${line}`),
    '',
    ...violations.map(({ row, what, ops }) => `${row}: ${what} (${ops.map((op) => `#${op}`).join(', ')})`),
  ].join('\n')
}

const at = (time: number): string =>
  (time === Infinity ? 'never' : `${((time - START) / 1_000).toFixed(3)} s`).padStart(11)

const shown = (text: string): string => JSON.stringify(text.slice(0, 12))

/** Empty looks at the end tell nothing. */
const isTold = ({ op, answer }: Call): boolean => op.id < CLOSING || op.kind === 'send' || messagesIn(answer).length > 0

function lineOf({ op, to, skew, outcome, code, faults, given, answer }: Call): string {
  const { id, at: _, process, kind, ...details } = op
  const got = messagesIn(answer).map(({ msgBody, dequeueCount }) => `${shown(msgBody)}×${dequeueCount}`)
  return [
    `#${id} ${kind} ${JSON.stringify(details)} by process ${process}${skew === 0 ? '' : ` (clock ${skew} ms off)`}`,
    ...(given.length > 0
      ? [`given ${given.map((text) => (text.length > 40 ? text.slice(-36) : shown(text))).join(' ')}`]
      : []),
    `until ${at(to).trim()}: ${outcome} ${code}`,
    ...(got.length > 0 ? [`got ${got.join(' ')}`] : []),
    ...(faults.length > 0 ? [`faults: ${faults.join(', ')}`] : []),
  ].join(', ')
}
