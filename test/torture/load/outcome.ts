import { verdictOf } from '../verdict.ts'

/** One poll that waited beside hundreds of others. */
export interface Poll {
  /** The code of its answer; undefined where none came. */
  readonly code: number | undefined
  /** How long it took, in milliseconds. */
  readonly took: number
}

/** What a server that is asked for more than it can do came to. */
export interface LoadOutcome {
  readonly connections: number
  /** Of so many that sent almost all of a large body and then stopped, how many the server has refused. */
  readonly writers: number
  readonly refusedWriters: number
  readonly polls: readonly Poll[]
  /** Of one message for each poll: those that were acknowledged while the polls waited, and those of them that anybody received in the end. */
  readonly sent: number
  readonly received: number
  /** Milliseconds of each request of one who asks for little meanwhile; undefined where one was not answered. */
  readonly times: readonly (number | undefined)[]
  /** Memory before, at most, and at most after all have left and as many slow writers have come again, in MB. */
  readonly memory: readonly [before: number, peak: number, again: number]
}

/** How long a poll waits where there is no message, in seconds. */
export const POLL_SECONDS = 30

/** An answer may be late on a busy machine, in milliseconds. Clocks of two processes may differ by a few, too. */
const POLL_LATE = 8_000
const POLL_EARLY = 100

/** No request takes longer, however much is asked at once, in milliseconds. */
const LONGEST = 20_000

/** Of messages that are sent one after the other, many find a poll that waits for them, however slow the machine is. */
const LEAST_SERVED = 0.2

/** So much more than an idle server's memory is what may be asked of a small machine, in MB. */
const MOST_AT_PEAK = 600

/**
 * What was taken for those who have left serves those who come: a second time needs little more than the first. Memory
 * need not shrink meanwhile, as an engine of JavaScript may keep what it has, but what is leaked is needed twice.
 */
const MOST_MORE = 0.5
const MORE_BY_CHANCE = 100

const NO_MESSAGE = 7_000

const isServed = ({ code }: Poll): boolean => code === 0

/** A poll ends with a message, or after all of its time with the answer that there is none. */
function endsWell({ code, took }: Poll): boolean {
  const full = POLL_SECONDS * 1_000
  const isInTime = took <= full + POLL_LATE
  return isInTime && (code === 0 || (code === NO_MESSAGE && took >= full - POLL_EARLY))
}

/** What must be 0, or false. */
function faultsOf({ polls, sent, received, times, memory }: LoadOutcome): Readonly<Record<string, number>> {
  const [before, peak, again] = memory
  const served = polls.filter(isServed).length
  return {
    unended: polls.filter((poll) => !endsWell(poll)).length,
    unserved: served < sent * LEAST_SERVED ? sent - served : 0,
    unsent: polls.length - sent,
    lost: sent - received,
    starved: times.filter((time) => time === undefined || time > LONGEST).length,
    swollen: peak > before + MOST_AT_PEAK ? peak - before : 0,
    leaked: again > peak + (peak - before) * MOST_MORE + MORE_BY_CHANCE ? again - peak : 0,
  }
}

/** The report: what there was, the rows that must be 0, and the verdict. */
export function loadReport(outcome: LoadOutcome): string {
  const { connections, writers, refusedWriters, polls, sent, received, times, memory } = outcome
  const [before, peak, again] = memory
  const slowest = Math.max(...times.map((time) => time ?? Infinity))
  return [
    `connections ${connections}, slow writers ${writers} of which ${refusedWriters} were refused`,
    `polls ${polls.length}, with a message ${polls.filter(isServed).length}`,
    `messages sent meanwhile ${sent}, received ${received}`,
    `memory ${before} MB before, ${peak} MB at most, ${again} MB when slow writers came again`,
    `slowest ${Math.round(slowest)} ms`,
    ...Object.entries(faultsOf(outcome)).map(([name, count]) => `${name} ${count}`),
    '',
    verdictOf(rowsThatFail(outcome)),
  ].join('\n')
}

const rowsThatFail = (outcome: LoadOutcome): readonly string[] =>
  Object.entries(faultsOf(outcome)).flatMap(([name, count]) => (count === 0 ? [] : name))

export const bearsLoad = (outcome: LoadOutcome): boolean => rowsThatFail(outcome).length === 0
