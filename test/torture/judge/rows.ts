import type { Call } from '../history.ts'

/** What the judge looks for, as the report has it; the first six are what nobody may ever see. */
export const rows = {
  lost: 'acknowledged, and neither deleted, nor ended, nor there at the end',
  unexpected: 'received by somebody, and sent by nobody, or refused',
  revived: 'received after its deletion was acknowledged',
  overlapping: 'received while another had it, by the clock of whoever answered',
  early: 'received or pushed before its delay was over',
  wrong: 'received with another body than was sent',
  late: 'not found within a minute by those who looked',
  expired: 'received after its retention was over',
  miscounted: 'received with a count that is not the number of its receives',
  trespassed: 'deleted by a handle that was not the newest, or had run out',
  refused: 'not deleted by the newest handle while its lease held',
  rewound: 'received after its deletion although no rewind brought it back, or not although one did',
  misplaced: 'a dead letter in both queues, or dead too soon or not soon enough',
  unmatched: 'delivered to a subscription that does not want it',
  gaps: 'retried earlier or later than its policy says',
  unsettled: 'counted when nothing was there, or in another number than it was there',
  unexplained: 'there twice without any fault',
  admitted: 'answered although its secret was not good any more, or never was',
  'shut out': 'refused although its secret was good',
  failed: 'answered by a failure of the server, or not at all, without any fault',
  disordered: 'received after what was sent later, by the only consumer of a queue of one shard',
} as const
export type Row = keyof typeof rows

/** One thing that is not as promised. */
export interface Violation {
  readonly row: Row
  readonly what: string
  /** The operations that tell. */
  readonly ops: readonly number[]
}

export const violation = (row: Row, what: string, ...calls: readonly (Call | undefined)[]): Violation => ({
  row,
  what,
  ops: calls.flatMap((call) => (call ? [call.op.id] : [])),
})

/** What is counted beside, in the words of Jepsen's total-queue. */
export interface Tally {
  attempted: number
  acknowledged: number
  received: number
  duplicated: number
  recovered: number
}

export const noTally = (): Tally => ({ attempted: 0, acknowledged: 0, received: 0, duplicated: 0, recovered: 0 })
