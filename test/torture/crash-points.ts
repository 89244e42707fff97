import { randomOf } from '../support/random.ts'

/** A place at which a process may die: what it was about to do, or had done, on behalf of whom. */
export type CrashPoint = string

/** How often each place was passed, and how often a process died there. */
export type CrashPoints = Map<CrashPoint, { passed: number; died: number }>

/** One place of so many is deadly in each seed, so that processes do not die all the time. */
const DEADLY = 3

/** Draws deaths so that places which a seed passes seldom are as likely as others. */
export function mortality(
  points: CrashPoints,
  seed: number,
  rate: number,
): (point: CrashPoint, random: () => number) => boolean {
  const deadly = new Map<CrashPoint, boolean>()
  const isDeadly = (point: CrashPoint): boolean => {
    const known = deadly.get(point) ?? randomOf(seed, point).below(DEADLY) === 0
    deadly.set(point, known)
    return known
  }

  return (point, random) => {
    const known = points.get(point) ?? { passed: 0, died: 0 }
    points.set(point, known)
    known.passed++
    if (rate === 0 || !isDeadly(point)) return false
    const dies = random() < rate / known.passed
    if (dies) known.died++
    return dies
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
