import type { Work } from '../../lib/store/work.ts'
import { logger } from '../logger.ts'
import { overdueSince } from '../metrics.ts'
import { runHandler } from '../run-handler.ts'
import { deployedServices } from '../services.ts'

/** What is due until the next beat is not left for it, in milliseconds. */
const BEAT = 60_000

/** Subscriptions that are asked after at once. */
const AT_ONCE = 32

/**
 * The net under all pushes: starts one for each subscription that has deliveries and nobody who works on them, nor will
 * by himself. What a lost call or wake-up leaves behind is so pushed at the next beat of its schedule.
 */
export const handler = runHandler(
  'retry-deliveries',
  deployedServices,
  async (_event, { workList, deliveries, start, clock }) => {
    const left = await workList.left('push')
    const now = clock.now()
    let started = 0
    let oldest = now
    const ask = async (work: Work) => {
      try {
        const dueAt = await deliveries.firstDue(work.laneId)
        if (dueAt === undefined || dueAt > now + BEAT) return
        oldest = Math.min(oldest, dueAt)
        await start(work)
        started++
      } catch (error) {
        // The others need not wait for it; it is asked after again by the next beat.
        logger.error('a run could not be started', { error, lane: work.laneId })
      }
    }
    for (let at = 0; at < left.length; at += AT_ONCE) await Promise.all(left.slice(at, at + AT_ONCE).map(ask))
    return { started, ...overdueSince(oldest, now) }
  },
)
