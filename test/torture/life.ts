import type { Clock, Instant } from '../../lib/domain/time.ts'
import { course } from './course.ts'

/** Whether a process lives, and goes on. What it has under way when it dies never ends. */
export interface Life {
  isDead(): boolean
  die(): void
  readonly hasDied: Promise<undefined>
  /** Begins a standstill of so many milliseconds, unless the last one was just now: it does nothing, and its clock goes on. */
  standStill(milliseconds: number): void
  /** Resolves at once, or when a standstill is over, or never. */
  goOn(): Promise<void>
  /** Dies here if that is to be, and then goes on or not. */
  pass(what: string): Promise<void>
}

/** How long a process stands still at most, in milliseconds: longer than a lease of a lane. */
export const LONGEST_STANDSTILL = 40_000

/** How long a process goes on at least before it stands still again, in milliseconds: else a call might never end. */
const BETWEEN = 120_000

/** The fault of whatever waited for the end of a standstill. */
const standstillUntil = (until: Instant): string => `standstill until ${until}`

/** When the standstill was over that was this fault; undefined for any other. */
export const standstillIn = (fault: string): Instant | undefined =>
  fault.startsWith('standstill until ') ? Number(fault.slice('standstill until '.length)) : undefined

/** A life that ends once, at places where `mayDie` says so; `bury` is told. */
export function newLife(
  clock: Clock,
  mayDie: (place: string, random: () => number) => boolean,
  bury: () => void,
): Life {
  const { promise: hasDied, resolve } = Promise.withResolvers<undefined>()
  let isDead = false
  let stillUntil: Instant = -Infinity
  const life: Life = {
    hasDied,
    isDead: () => isDead,
    standStill(milliseconds) {
      if (clock.now() >= stillUntil + BETWEEN) stillUntil = clock.now() + Math.ceil(milliseconds)
    },
    async goOn() {
      if (!isDead && clock.now() < stillUntil) {
        course().faults.push(standstillUntil(stillUntil))
        await clock.sleep(stillUntil - clock.now())
      }
      if (isDead) await new Promise(() => undefined)
    },
    pass(what) {
      const { name, random } = course()
      if (!isDead && mayDie(`${name}: ${what}`, random)) life.die()
      return life.goOn()
    },
    die() {
      if (isDead) return
      isDead = true
      resolve(undefined)
      bury()
    },
  }
  return life
}
