import { AsyncLocalStorage } from 'node:async_hooks'

/** What DynamoDB was asked for on behalf of one request: capacity units, and calls (round trips). */
export interface Usage {
  readUnits: number
  writeUnits: number
  calls: number
}

const current = new AsyncLocalStorage<Usage>()

/** Runs `work` and tells beside its result what it consumed. What `work` throws passes through; `usage` counts all the same. */
export const metered = <Result>(usage: Usage, work: () => Promise<Result>): Promise<Result> => current.run(usage, work)

export const noUsage = (): Usage => ({ readUnits: 0, writeUnits: 0, calls: 0 })

const note = (readUnits: number, writeUnits: number): void => {
  const usage = current.getStore()
  if (!usage) return
  usage.readUnits += readUnits
  usage.writeUnits += writeUnits
  usage.calls++
}

export const noteRead = (units: number): void => note(units, 0)
export const noteWrite = (units: number): void => note(0, units)
