import { AsyncLocalStorage } from 'node:async_hooks'

/** What DynamoDB was asked for on behalf of one request: capacity units, and calls (round trips). */
export interface Usage {
  readUnits: number
  writeUnits: number
  calls: number
}

interface Scope {
  readonly usage: Usage
  readonly outer: Scope | undefined
}

const current = new AsyncLocalStorage<Scope>()

/** Runs `work`, and adds to `usage` what it consumes, whether it succeeds or not. What encloses it counts that too. */
export const metered = <Result>(usage: Usage, work: () => Promise<Result>): Promise<Result> =>
  current.run({ usage, outer: current.getStore() }, work)

/** Nothing used yet. */
export const noUsage = (): Usage => ({ readUnits: 0, writeUnits: 0, calls: 0 })

const note = (readUnits: number, writeUnits: number): void => {
  for (let scope = current.getStore(); scope; scope = scope.outer) {
    scope.usage.readUnits += readUnits
    scope.usage.writeUnits += writeUnits
    scope.usage.calls++
  }
}

/** Counts one call that read. */
export const noteRead = (units: number): void => note(units, 0)
/** Counts one call that wrote. */
export const noteWrite = (units: number): void => note(0, units)
