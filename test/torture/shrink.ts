import type { Case } from './cases.ts'
import type { Row, Violation } from './judge/rows.ts'
import type { Profile } from './profile.ts'
import type { Op } from './program.ts'
import type { Run, RunOptions } from './run-seed.ts'
import { trySeed } from './try-seed.ts'

/** The shortest program that was found in which the same goes wrong, and what of the world is needed for it. */
export interface Shrunk extends Case {
  readonly run: Run
  readonly violations: readonly Violation[]
  readonly tries: number
}

/** How long is looked for a shorter one, in milliseconds of this machine. */
const PATIENCE = 60_000

/**
 * Leaves out what is not needed: first halves of the operations, then smaller parts, then single ones, and each kind of
 * fault. What is left goes the same way as before, since each operation draws its own chance.
 */
export async function shrink(
  { program, profile }: Case,
  row: Row,
  { patience = PATIENCE, ...options }: RunOptions & { readonly patience?: number } = {},
): Promise<Shrunk> {
  const deadline = performance.now() + patience
  const tried = async (one: Case) => {
    const { run, result } = await trySeed(one.program, { ...options, profile: one.profile })
    return { ...one, run, violations: result.violations }
  }
  let best = await tried({ program, profile })
  let tries = 0

  async function fails(ops: readonly Op[], profile: Profile): Promise<boolean> {
    tries++
    const shorter = await tried({ program: { ...program, ops }, profile })
    const isSame = shorter.violations.some((violation) => violation.row === row)
    if (isSame) best = shorter
    return isSame
  }

  async function leaveOutOps(): Promise<void> {
    for (let size = Math.ceil(best.program.ops.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2))
      for (let at = 0; at < best.program.ops.length && performance.now() < deadline;) {
        const { ops } = best.program
        if (!(await fails([...ops.slice(0, at), ...ops.slice(at + size)], best.profile))) at += size
      }
  }

  async function leaveOutFaults(): Promise<void> {
    for (const simpler of simplerThan(best.profile)) {
      if (performance.now() >= deadline) return
      await fails(best.program.ops, { ...best.profile, ...simpler })
    }
  }

  await leaveOutOps()
  await leaveOutFaults()
  await leaveOutOps()
  return { ...best, tries }
}

function simplerThan({ rates }: Profile): readonly Partial<Profile>[] {
  const without = Object.keys(rates).map((kind) => ({ rates: { ...rates, [kind]: 0 } }))
  return [{ aims: [] }, { luck: 0 }, { leaving: 0 }, { skew: 0 }, { staleness: 0 }, { ttl: 'never' }, ...without]
}
