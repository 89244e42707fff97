import type { Delivery } from '../../lib/domain/delivery.ts'
import { choosing } from '../../lib/domain/subscription.ts'
import { after, type Instant } from '../../lib/domain/time.ts'
import type { Topic } from '../../lib/domain/topic.ts'
import { windowLimits } from '../../lib/domain/window.ts'
import type { Attempt, Duty } from '../../lib/push/duty.ts'
import type { Work } from '../../lib/store/work.ts'
import { buryAged } from '../bury-aged.ts'
import { logger } from '../logger.ts'
import { measured, overdueSince } from '../metrics.ts'
import { runHandler } from '../run-handler.ts'
import { deployedWorker, type Worker } from '../worker.ts'
import { nothing } from '../nothing.ts'

/**
 * Publishes what has waited for its delay, of the topic that is named; by its schedule of all topics where something was
 * left behind. Who gets a message is decided now, by the subscriptions that there are. By its schedule it also moves what
 * has died of age to the dead-letter queues, since nobody may be receiving it.
 */
export const handler = runHandler('release-delayed', deployedWorker, async ({ work }, worker, bounds) => {
  const now = worker.clock.now()
  const burying = work ? Promise.resolve(0) : buryAged(worker, bounds.endBy, bounds.signal)
  // It is waited for below, where a failure is told.
  burying.catch(() => undefined)
  const { works, oldest } = work ? { works: [work], oldest: undefined } : await leftBehind(worker, now)
  const runs = await Promise.allSettled(works.map((work) => worker.run(work, () => releaseDuty(work, worker), bounds)))
  const buried = await burying
  const failed = runs.find((run) => run.status === 'rejected')
  if (failed) throw failed.reason
  const released = runs.reduce((sum, run) => sum + (run.status === 'fulfilled' ? run.value.delivered : 0), 0)
  return { topics: works.length, released, buried, ...(oldest === undefined ? {} : overdueSince(oldest, now)) }
})

/** The topics where something is due that nobody works on, and since when at the longest. */
async function leftBehind({ workList, deliveries }: Worker, now: Instant) {
  const works = await workList.left('release')
  const dueAt = await Promise.all(works.map(({ laneId }) => deliveries.firstDue(laneId)))
  const isDue = (at: Instant | undefined): at is Instant => at !== undefined && at <= now + BEAT
  return { works: works.filter((_, index) => isDue(dueAt[index])), oldest: Math.min(now, ...dueAt.filter(isDue)) }
}

/** What is due until the next beat is not left for it, in milliseconds. */
const BEAT = 60_000

/** Publications at once, of one topic: each may be as many writes as there are subscriptions. */
const AT_ONCE = 16

/** A publication that could not be stored is tried again after so many seconds. */
const AGAIN = 1

/** How the delayed publications of a topic are released; undefined when it is gone, and what it holds with it. */
async function releaseDuty({ laneId, within, name }: Work, worker: Worker): Promise<Duty | undefined> {
  const recent = await worker.topics.get(within, name).catch(nothing)
  // What is kept may be an earlier one of this name.
  const topic = recent?.id === laneId ? recent : await worker.topics.read(within, name).catch(nothing)
  if (topic?.id !== laneId) return undefined

  return {
    limits: windowLimits(AT_ONCE, AT_ONCE),
    attempt: (delivery) => release(topic, delivery, worker),
    next: (delivery, failure, now) => ({
      ...delivery,
      attempt: delivery.attempt + 1,
      dueAt: after(now, AGAIN),
      failure,
    }),
    waitOf: () => AGAIN,
    tried: ({ id, publishedAt }, { outcome }) =>
      logger.info('release', { topic: topic.name, messageId: id, outcome, late: worker.clock.now() - publishedAt }),
    dropped: ({ id, attempt }, why) =>
      logger.warn('message dropped', {
        topic: topic.name,
        messageId: id,
        attempts: attempt,
        lastFailure: why,
        ...measured(worker.clock.now(), { values: { dropped: 1 } }),
      }),
  }
}

async function release(topic: Topic, delivery: Delivery, worker: Worker): Promise<Attempt> {
  const { bodies, subscriptions, fanOut, clock } = worker
  const startedAt = clock.now()
  const ended = (result: Omit<Attempt, 'milliseconds'>) => ({ ...result, milliseconds: clock.now() - startedAt })
  const [text] = await bodies.load([delivery.body])
  if (text === undefined) return ended({ isDelivered: false, isHopeless: true, outcome: 'body missing' })
  const chosen = choosing(await subscriptions.of(topic.id), topic.filterType, delivery.labels)
  try {
    if (chosen.length > 0) await fanOut.copy(chosen, [{ id: delivery.id, text }], delivery.labels, delivery.publishedAt)
    return ended({ isDelivered: true, outcome: chosen.length === 0 ? 'nobody wants it' : 'published' })
  } catch (error) {
    logger.error('a delayed message could not be published yet', { error, topic: topic.name, messageId: delivery.id })
    return ended({ isDelivered: false, outcome: 'not stored' })
  }
}
