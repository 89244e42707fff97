import middy, { type MiddlewareObj } from '@middy/core'
import type { RunBounds } from '../lib/push/shift.ts'
import { metered, noUsage, type Usage } from '../lib/store/meter.ts'
import type { Run } from '../lib/store/work.ts'
import { logger } from './logger.ts'
import type { Services } from './services.ts'
import type { Worker } from './worker.ts'

/** What Lambda passes beside the event. Localhost and tests pass a worker of their own, and a signal to let go. */
export interface RunInvocation {
  readonly awsRequestId: string
  readonly invokedFunctionArn?: string
  getRemainingTimeInMillis?(): number
  readonly worker?: Worker
  readonly signal?: AbortSignal
}

/** What a run is started with. A schedule that recurs passes other things, which nobody needs. */
export type RunEvent = Partial<Run>

/** Lambda calls it, and so do the local server and tests. */
export type RunHandler = (event: RunEvent, invocation: RunInvocation) => Promise<void>

/** Before its time is over a function has to end what it has begun, let go and say so. */
const LAST_ATTEMPT = 20_000

interface Found<Given> {
  readonly invocation: RunInvocation
  readonly given: Given
  readonly usage: Usage
  readonly startedAt: number
}

/**
 * A complete handler of what runs by itself: it says in one line what the run came to and consumed, or why it failed.
 * `deployed` makes what `run` needs from the function's environment.
 */
export function runHandler<Given extends Services>(
  name: string,
  deployed: (invocation: RunInvocation) => Given,
  run: (event: RunEvent, given: Given, bounds: RunBounds) => Promise<object>,
): RunHandler {
  const log: MiddlewareObj<RunEvent, unknown, Error, Found<Given>> = {
    after: async ({ response, context: { invocation, usage, given, startedAt } }) => {
      // What was begun beside the run is part of what it took and consumed.
      await given.beside.done()
      const milliseconds = given.clock.now() - startedAt
      logger.info(name, { requestId: invocation.awsRequestId, milliseconds, ...usage, ...(response as object) })
    },
    onError: async ({ error, context }) => {
      await context.given.beside.done()
      logger.error('unexpected failure', { error, run: name, requestId: context.invocation.awsRequestId })
    },
  }
  const chain = middy<RunEvent, unknown, Error, Found<Given>>()
    .use(log)
    .handler((event, { invocation, given }) => {
      const remaining = invocation.getRemainingTimeInMillis?.() ?? Infinity
      return run(event, given, {
        longestWait: given.settings.longestPause * 1000,
        ...(event.wokenFor === undefined ? {} : { wokenFor: event.wokenFor }),
        endBy: given.clock.now() + remaining - LAST_ATTEMPT,
        signal: invocation.signal ?? new AbortController().signal,
      })
    })

  return async (event, invocation) => {
    // A worker has whatever a handler can need.
    const given = (invocation.worker as Given | undefined) ?? deployed(invocation)
    const usage = noUsage()
    const found = { invocation, given, usage, startedAt: given.clock.now() }
    await metered(usage, () => chain(event, found))
  }
}
