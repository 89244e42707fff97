import { hashOf, randomOf } from '../support/random.ts'
import type { Case } from './cases.ts'
import { aimed } from './profile.ts'

/** A place at which a process may die: what it was about to do, or had done, on behalf of whom. */
export type CrashPoint = string

/** How often each place was passed, and how often a process died there. */
export type CrashPoints = Map<CrashPoint, { passed: number; died: number }>

/** One place of so many is deadly in each seed, so that processes do not die all the time. */
const DEADLY = 3

/** How many places one seed aims at, so that they can be typed when it is to be run again. */
const MOST_AIMS = 32

/**
 * Draws deaths so that places which a seed passes seldom are as likely as others. At each place that is aimed at, a
 * process dies when the first one passes it.
 */
export function mortality(
  points: CrashPoints,
  seed: number,
  rate: number,
  aims: readonly string[] = [],
): (point: CrashPoint, random: () => number) => boolean {
  const deadly = new Map<CrashPoint, boolean>()
  const aimedAt = new Set(aims)
  const isDeadly = (point: CrashPoint): boolean => {
    const known = deadly.get(point) ?? randomOf(seed, point).below(DEADLY) === 0
    deadly.set(point, known)
    return known
  }

  return (point, random) => {
    const known = points.get(point) ?? { passed: 0, died: 0 }
    points.set(point, known)
    known.passed++
    const isAim = known.passed === 1 && aimedAt.has(aimOf(point))
    if (!isAim && (rate === 0 || !isDeadly(point))) return false
    const dies = isAim || random() < rate / known.passed
    if (dies) known.died++
    return dies
  }
}

/** A place, short enough to be typed. */
export const aimOf = (point: CrashPoint): string => hashOf(point).toString(36)

/** Where nobody has died yet: first what is passed most often, as another seed is sure to come by. */
export const missed = (points: CrashPoints): readonly (readonly [CrashPoint, { passed: number; died: number }])[] =>
  [...points].filter(([, { died }]) => died === 0).toSorted(([, a], [, b]) => b.passed - a.passed)

/** What the next seed should aim at. */
export const aimsFor = (points: CrashPoints): readonly string[] =>
  missed(points)
    .slice(0, MOST_AIMS)
    .map(([point]) => aimOf(point))

/** Ways back to places where nobody has died: each a case that has passed one, with that place as an aim more. */
export interface WaysBack {
  /** Remembers what a case has passed. */
  note(one: Case, points: Iterable<readonly [CrashPoint, unknown]>): void
  /** A way back to a place; undefined when there is none that was not gone. */
  next(points: CrashPoints): Case | undefined
}

/** A case with one aim more goes the same way as before, up to that place. */
export function waysBack(): WaysBack {
  const passedBy = new Map<CrashPoint, Case>()
  const gone = new Set<CrashPoint>()
  return {
    note(one, points) {
      for (const [point] of points) passedBy.set(point, one)
    },

    next(points) {
      for (const [place] of missed(points)) {
        const one = passedBy.get(place)
        if (!one || gone.has(place)) continue
        gone.add(place)
        return { ...one, profile: aimed(one.profile, [...(one.profile.aims ?? []), aimOf(place)]) }
      }
      return undefined
    },
  }
}

/** Adds what another seed has seen. */
export function addPoints(
  all: CrashPoints,
  more: Iterable<readonly [CrashPoint, { passed: number; died: number }]>,
): void {
  for (const [point, { passed, died }] of more) {
    const known = all.get(point) ?? { passed: 0, died: 0 }
    all.set(point, { passed: known.passed + passed, died: known.died + died })
  }
}
