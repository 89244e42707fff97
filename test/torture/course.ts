import { AsyncLocalStorage } from 'node:async_hooks'
import { randomOf, type Random } from '../support/random.ts'

/** One thing that goes on: a client's call, or a run that nobody waits for. */
export interface Course {
  /** The action, or the duty. */
  readonly name: string
  /** All that is random in it: so it goes the same way whatever else is left out of the program. */
  readonly random: Random
  /** What has befallen it, in order. */
  readonly faults: string[]
}

const current = new AsyncLocalStorage<Course>()

/** Runs `work` as a course of its own. */
export const follow = <Result>(course: Course, work: () => Result): Result => current.run(course, work)

const NOBODY: Course = { name: 'nobody', random: randomOf('nobody'), faults: [] }

/** The course on whose behalf this is called. */
export const course = (): Course => current.getStore() ?? NOBODY

/** Makes what the store draws by itself, its back-offs, repeatable while `work` goes on. */
export async function withoutChance<Result>(work: () => Promise<Result>): Promise<Result> {
  const { random } = Math
  Math.random = () => course().random()
  try {
    return await work()
  } finally {
    Math.random = random
  }
}
