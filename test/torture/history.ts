import type { Answer } from '../support/service.ts'
import type { Op, Program } from './program.ts'
import type { Profile } from './profile.ts'

/** All that clients and web servers have seen of one run, at the true time, for the judge. */
export interface History {
  readonly program: Program
  readonly profile: Profile
  readonly calls: Call[]
  readonly arrivals: Arrival[]
  readonly runs: RunRecord[]
  /** When processes died. */
  readonly deaths: number[]
  /** When faults ended; when all that had been sent should have been found; when all was over. */
  healedAt: number
  settledAt: number
  endedAt: number
  /** What went wrong that nothing should: runs and handlers that threw, and what never ended. */
  readonly troubles: string[]
}

/** The gateway gives up here, while the function goes on, in milliseconds. */
export const GATEWAY_PATIENCE = 30_000

/** A client's call, from its beginning to its answer. */
export interface Call {
  readonly op: Op
  readonly from: number
  to: number
  /** When its process was done with it, which may be after its client left. */
  overAt: number
  /** How far the clock of the process is off that answered. */
  readonly skew: number
  /** Unknown where no answer came, or one that leaves open what was done. */
  outcome: 'acknowledged' | 'refused' | 'unknown'
  code: number
  answer: Answer | undefined
  readonly faults: readonly string[]
  /** The bodies that were sent, or the handles that were used. */
  readonly given: readonly string[]
}

/** An attempt at a web server. */
export interface Arrival {
  /** The name of its subscription's web server. */
  readonly web: string
  readonly messageId: string
  readonly text: string
  readonly from: number
  to: number
  outcome: string
  /** What befell the run that made it, and how much of that before. */
  readonly faults: readonly string[]
  readonly earlier: number
}

/** A run over a lane of deliveries. */
export interface RunRecord {
  readonly duty: string
  /** That of the subscription, or of the topic. */
  readonly name: string
  readonly laneId: string
  readonly from: number
  to: number
  readonly faults: readonly string[]
}

/** The fault of a call whose client left before it was answered, which its server noticed: it gives back what it took. */
export const LEFT_IN_TIME = 'the client left in time'
