import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { aimOf, type CrashPoint } from './crash-points.ts'
import { aimed, profileOf, type Profile } from './profile.ts'
import { programOf, type Program } from './program.ts'

/** A program, and the world that it runs in. */
export interface Case {
  readonly program: Program
  readonly profile: Profile
}

/** What a seed means, when it aims at these places. */
export const caseOf = (seed: number, ops: number, aims: readonly string[] = []): Case => ({
  program: programOf(seed, ops),
  profile: aimed(profileOf(seed), aims),
})

/** Those of the aims that are none of the places which were passed. */
export function aimsNotPassed(
  aims: readonly string[],
  points: Iterable<readonly [CrashPoint, unknown]>,
): readonly string[] {
  const passed = new Set([...points].map(([point]) => aimOf(point)))
  return aims.filter((aim) => !passed.has(aim))
}

const folder = new URL('corpus/', import.meta.url)

/**
 * What has failed once, made short, each in a file that is named for what was wrong. It is kept whole, as a seed would
 * mean another program when the programs are drawn in another way.
 */
export const onceFailed = (): readonly (Case & { readonly name: string })[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => ({ name, ...(JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Case) }))

/** Adds to what has failed once. */
export function keep(name: string, { program, profile }: Case): void {
  writeFileSync(new URL(`${name}.json`, folder), `${JSON.stringify({ profile, program }, null, 1)}\n`)
}
