import { ConditionalCheckFailedException, type ConsumedCapacity } from '@aws-sdk/client-dynamodb'
import type { Client } from '../support/service.ts'

/** What DynamoDB says that calls consumed, by command: a second opinion beside lib/store/meter.ts. */
export interface Usage {
  readonly readUnits: number
  readonly writeUnits: number
  readonly calls: number
  /** Claims of a message, won or lost: updates of an item on condition of its lease. */
  readonly claims: number
  /** Queries, which is how a lane is looked at, and the read units among the others that they took. */
  readonly looks: number
  readonly lookUnits: number
}

export interface Counter {
  /** All that was consumed so far. */
  readonly total: Usage
  /** What the calls made during `work` consumed; `work` must be all that is going on. */
  during<Result>(work: () => Promise<Result>): Promise<readonly [result: Result, usage: Usage]>
}

const NOTHING: Usage = { readUnits: 0, writeUnits: 0, calls: 0, claims: 0, looks: 0, lookUnits: 0 }
const READS = new Set(['GetItemCommand', 'BatchGetItemCommand', 'QueryCommand'])

interface Seen {
  readonly ConditionExpression?: string
  readonly ConsumedCapacity?: ConsumedCapacity | ConsumedCapacity[]
}

/** Counts what this client's calls consume. Clients made by `connect` ask each call for it. */
export function countUsage(client: Client): Counter {
  let total = NOTHING

  client.middlewareStack.add(
    (next, { commandName = '' }) =>
      async (args) => {
        const isClaim =
          commandName === 'UpdateItemCommand' && (args.input as Seen).ConditionExpression === 'leaseId = :held'
        const note = (units: number) => {
          const isRead = READS.has(commandName)
          total = plus(total, {
            readUnits: isRead ? units : 0,
            writeUnits: isRead ? 0 : units,
            calls: 1,
            claims: isClaim ? 1 : 0,
            looks: commandName === 'QueryCommand' ? 1 : 0,
            lookUnits: commandName === 'QueryCommand' ? units : 0,
          })
        }
        try {
          const result = await next(args)
          const { ConsumedCapacity = [] } = result.output as Seen
          note([ConsumedCapacity].flat().reduce((sum, { CapacityUnits = 0 }) => sum + CapacityUnits, 0))
          return result
        } catch (error) {
          // DynamoDB takes a unit for a write whose condition does not hold, and does not say so.
          note(error instanceof ConditionalCheckFailedException ? 1 : 0)
          throw error
        }
      },
    { step: 'initialize', priority: 'low', name: 'countUsage' },
  )

  return {
    get total() {
      return total
    },
    async during(work) {
      const before = total
      const result = await work()
      return [result, minus(total, before)]
    },
  }
}

export const plus = (a: Usage, b: Usage): Usage => combined(a, b, (x, y) => x + y)

export const minus = (a: Usage, b: Usage): Usage => combined(a, b, (x, y) => x - y)

const combined = (a: Usage, b: Usage, by: (x: number, y: number) => number): Usage => ({
  readUnits: by(a.readUnits, b.readUnits),
  writeUnits: by(a.writeUnits, b.writeUnits),
  calls: by(a.calls, b.calls),
  claims: by(a.claims, b.claims),
  looks: by(a.looks, b.looks),
  lookUnits: by(a.lookUnits, b.lookUnits),
})
