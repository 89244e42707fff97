/** Has work done, at once or when it is its turn. */
export type Gate = <Result>(work: () => Promise<Result>) => Promise<Result>

/** Lets so many pieces of work go on at once. The others wait in line. */
export function newGate(most: number): Gate {
  const line: (() => void)[] = []
  let free = most

  return async (work) => {
    if (free > 0) free--
    else await new Promise<void>((resolve) => line.push(resolve))
    try {
      return await work()
    } finally {
      const next = line.shift()
      if (next) next()
      else free++
    }
  }
}
