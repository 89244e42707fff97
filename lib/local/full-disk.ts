import { firstLine } from './local-error.ts'

/** How often it is told, in milliseconds. */
const EVERY = 60_000

/**
 * Says why calls of the engine fail, as long as they do so because its disk is full, and not at each of them: what they
 * were made for repeats them, and then says only that it took too long.
 */
export function tellOfFullDisk(
  folder: string,
  say: (line: string) => void,
  now: () => number = () => performance.now(),
): (error: unknown) => void {
  let toldAt = -Infinity
  return (error) => {
    if (!isOfFullDisk(error) || now() - toldAt < EVERY) return
    toldAt = now()
    say(`the disk of ${folder} is full: nothing is sent, received or deleted until there is room on it`)
  }
}

/** SQLite's words, which both engines pass on. */
const isOfFullDisk = (error: unknown): boolean => firstLine(error).includes('database or disk is full')
