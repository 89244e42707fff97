import type { Client } from './service.ts'

/** What may befall a call to DynamoDB. */
export type Fault =
  /** It is refused for now: it does not take place. */
  | 'throttled'
  /** It never arrives, and no answer comes. */
  | 'lost before'
  /** It takes place, and its answer is lost. */
  | 'lost after'

export interface SeenCall {
  readonly command: string
  readonly input: Readonly<Record<string, unknown>>
}

/** Lets `decide` say, call by call, what goes wrong. */
export function injectFaults(client: Client, decide: (call: SeenCall) => Fault | undefined): void {
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const fault = decide({ command: context.commandName ?? '', input: args.input as Record<string, unknown> })
      if (fault === 'throttled')
        throw Object.assign(new Error('too much'), {
          name: 'ProvisionedThroughputExceededException',
          $metadata: { httpStatusCode: 400 },
        })
      if (fault === 'lost before') throw timeout()
      if (fault === undefined) return next(args)
      await next(args).catch(() => undefined)
      throw timeout()
    },
    { step: 'initialize', priority: 'low', name: 'faults' },
  )
}

const timeout = () => Object.assign(new Error('no answer in time'), { name: 'TimeoutError' })

/** One fault each time the named command is called, in order; then none. */
export function faultsOf(command: string, ...faults: Fault[]): (call: SeenCall) => Fault | undefined {
  return (call) => (call.command === command ? faults.shift() : undefined)
}

/** How often each command was called. */
export function countCalls(client: Client): Record<string, number> {
  const calls: Record<string, number> = {}
  client.middlewareStack.add(
    (next, context) => (args) => {
      const name = context.commandName ?? ''
      calls[name] = (calls[name] ?? 0) + 1
      return next(args)
    },
    { step: 'initialize', priority: 'high', name: 'count' },
  )
  return calls
}
