import { AsyncLocalStorage } from 'node:async_hooks'
import { randomUUID } from 'node:crypto'
import type { Poster } from '../lib/push/post.ts'
import type { Start } from '../lib/starts.ts'
import type { Run } from '../lib/store/work.ts'
import { timedWakeUps } from '../lib/wake-ups.ts'
import { logger } from './logger.ts'
import { handler as push } from './push.ts'
import type { RunEvent, RunHandler } from './run-handler.ts'
import { handler as releaseDelayed } from './scheduled/release-delayed.ts'
import { handler as retryDeliveries } from './scheduled/retry-deliveries.ts'
import type { Services } from './services.ts'
import { createWorker } from './worker.ts'

/** What EventBridge and asynchronous invocations are in the cloud: runs in this process, by calls and timers. */
export interface LocalWorker {
  readonly services: Services
  /** Lets go of everything, and waits for all runs to end, but not for long. */
  end(): Promise<void>
}

/** How long the end of runs is waited for, in milliseconds. */
const PATIENCE = 800

/** How often what was left behind is looked for, in milliseconds: looking costs nothing here. */
const NET_EVERY = 10_000

/** Runs what `services` start. `make` is given the way to do so. Posts by connections of its own, unless it is given some. */
export function localWorker(make: (start: Start) => Services, post?: Poster): LocalWorker {
  const ended = new AbortController()
  const running = new Set<Promise<void>>()
  // A run is not part of the request that starts it, and what it consumes is its own.
  const byItself = AsyncLocalStorage.snapshot()

  function call(handler: RunHandler, event: RunEvent): Promise<void> {
    const invocation = { awsRequestId: randomUUID(), worker, signal: ended.signal }
    const run = byItself(() => handler(event, invocation)).catch((error: unknown) => {
      // What ends with the server has nothing to report.
      if (!ended.signal.aborted) logger.error('a run has failed', { error })
    })
    running.add(run)
    return run.finally(() => running.delete(run))
  }

  const start = (run: Run): Promise<void> => {
    if (!ended.signal.aborted) void call(run.work.duty === 'push' ? push : releaseDelayed, run)
    return Promise.resolve()
  }

  const services = make((work) => start({ work }))
  const { clock } = services
  const worker = createWorker(services, timedWakeUps(clock, start, ended.signal), post)

  async function castNets(): Promise<void> {
    while (!ended.signal.aborted) {
      // Not waited for: a release waits for what is due soon.
      void call(retryDeliveries, {})
      void call(releaseDelayed, {})
      await clock.sleep(NET_EVERY, ended.signal)
    }
  }
  void castNets()

  return {
    services,

    async end() {
      ended.abort()
      worker.poster.close()
      // A store that does not answer keeps nobody from ending: what is not let go of now is free after a restart.
      const late = new AbortController()
      await Promise.race([Promise.all(running), clock.sleep(PATIENCE, late.signal)])
      late.abort()
    },
  }
}
