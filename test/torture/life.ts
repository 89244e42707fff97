import { course } from './course.ts'

/** Whether a process lives. What it has under way when it dies never ends. */
export interface Life {
  isDead(): boolean
  die(): void
  readonly hasDied: Promise<undefined>
  /** Resolves at once, or never. */
  goOn(): Promise<void>
  /** Dies here if that is to be, and then goes on or not. */
  pass(what: string): Promise<void>
}

/** A life that ends once, at places where `mayDie` says so; `bury` is told. */
export function newLife(mayDie: (place: string, random: () => number) => boolean, bury: () => void): Life {
  const { promise: hasDied, resolve } = Promise.withResolvers<undefined>()
  let isDead = false
  const life: Life = {
    hasDied,
    isDead: () => isDead,
    goOn: () => (isDead ? new Promise(() => undefined) : Promise.resolve()),
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
