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
      if (fault === 'throttled') throw throttle()
      if (fault === 'lost before') throw timeout()
      if (fault === undefined) return next(args)
      await next(args).catch(() => undefined)
      throw timeout()
    },
    { step: 'initialize', priority: 'low', name: 'faults' },
  )
}

/** What a call that is refused for now is answered with. */
export const throttle = () =>
  Object.assign(new Error('too much'), {
    name: 'ProvisionedThroughputExceededException',
    $metadata: { httpStatusCode: 400 },
  })

/** What a client throws that has waited long enough. */
export const timeout = () => Object.assign(new Error('no answer in time'), { name: 'TimeoutError' })

/** One fault each time the named command is called, in order; then none. */
export function faultsOf(command: string, ...faults: Fault[]): (call: SeenCall) => Fault | undefined {
  return (call) => (call.command === command ? faults.shift() : undefined)
}

/** Lets something happen before the so-many-th call of the named command. */
export function beforeCall(client: Client, command: string, call: number, happens: () => Promise<unknown>): void {
  let calls = 0
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        if (commandName === command && ++calls === call) await happens()
        return next(args)
      },
    { step: 'initialize', priority: 'high', name: 'before' },
  )
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

/** The items of one table in a batch: what is written, or keys of what is read. */
type Requests = readonly unknown[] | { readonly Keys: readonly unknown[] }

/** Does some part of a batch, never all of it, and tells that the rest was not done. Any other call is done as it is. */
export async function half<Output>(
  next: (args: never) => Promise<Output>,
  args: { readonly input: object },
  random: () => number = () => 0.5,
): Promise<Output> {
  const { RequestItems } = args.input as { RequestItems?: Record<string, Requests> }
  if (!RequestItems) return next(args as never)
  const share = random()
  const part = (from: number, to: number) =>
    Object.fromEntries(
      Object.entries(RequestItems).flatMap(([table, requests]) => {
        const all = Array.isArray(requests) ? requests : (requests as { readonly Keys: readonly unknown[] }).Keys
        const some = all.slice(Math.floor(all.length * from), Math.floor(all.length * to))
        return some.length === 0 ? [] : [[table, Array.isArray(requests) ? some : { ...requests, Keys: some }]]
      }),
    )
  const isWrite = Object.values(RequestItems).some(Array.isArray)
  const undone = { [isWrite ? 'UnprocessedItems' : 'UnprocessedKeys']: part(share, 1) }
  const done = part(0, share)
  if (Object.keys(done).length === 0) return { output: { $metadata: {}, ...undone } } as Output
  const result = await next({ ...args, input: { ...args.input, RequestItems: done } } as never)
  Object.assign((result as { output: object }).output, undone)
  return result
}
