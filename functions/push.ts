import { afterFailure, type Delivery } from '../lib/domain/delivery.ts'
import { checkBodies } from '../lib/domain/message.ts'
import { checkTakesMessages } from '../lib/domain/queue.ts'
import { CmqError } from '../lib/domain/errors.ts'
import { retryDelay } from '../lib/domain/retry.ts'
import type { Subscription } from '../lib/domain/subscription.ts'
import { windowLimits } from '../lib/domain/window.ts'
import { pushRequest } from '../lib/protocol/push-request.ts'
import type { Attempt, Duty } from '../lib/push/duty.ts'
import type { Work } from '../lib/store/work.ts'
import { logger } from './logger.ts'
import { measured } from './metrics.ts'
import { runHandler } from './run-handler.ts'
import { deployedWorker, type Worker } from './worker.ts'

/** Pushes what is due to one subscription, until nothing is left that is worth waiting for (406/7420). */
export const handler = runHandler('push', deployedWorker, async ({ work }, worker, bounds) => {
  if (!work) throw new Error('nobody said to which subscription to push')
  return { subscription: work.laneId, ...(await worker.run(work, () => pushDuty(work, worker), bounds)) }
})

/** How the deliveries of a subscription are made; undefined when it is gone, and others may have its name. */
async function pushDuty({ laneId, within, name }: Work, worker: Worker): Promise<Duty | undefined> {
  const subscription = await worker.subscriptions.get(within, name, laneId)
  if (!subscription) return undefined
  const { notifyStrategy: strategy } = subscription
  const { settings, random } = worker
  const about = ({ id }: Delivery) => ({
    subscription: laneId,
    topic: subscription.topicName,
    name: subscription.name,
    messageId: id,
  })

  return {
    limits: windowLimits(settings.pushWindow, settings.pushFirstTries),
    attempt: (delivery, signal) => deliver(subscription, delivery, worker, signal),
    next: (delivery, failure, now) => afterFailure(delivery, failure, strategy, now, random),
    waitOf: ({ attempt }) => retryDelay(strategy, attempt - 1, () => 0) ?? 0,

    tried(delivery, { isDelivered, outcome, milliseconds }, nextDueAt) {
      const next = nextDueAt === undefined ? {} : { nextDueAt: new Date(nextDueAt).toISOString() }
      const isNews = delivery.attempt === 0 && nextDueAt !== undefined
      logger[isNews ? 'warn' : 'info']('attempt', {
        ...about(delivery),
        attempt: delivery.attempt + 1,
        status: outcome,
        milliseconds,
        ...next,
        ...measured(
          worker.clock.now(),
          { values: { milliseconds }, by: { action: 'Push' } },
          { values: { ...(delivery.attempt > 0 ? { retries: 1 } : {}), ...(isDelivered ? {} : { failed: 1 }) } },
        ),
      })
    },

    dropped(delivery, why) {
      logger.warn('message dropped', {
        ...about(delivery),
        strategy,
        attempts: delivery.attempt,
        publishedAt: new Date(delivery.publishedAt).toISOString(),
        lastFailure: why,
        ...measured(worker.clock.now(), { values: { dropped: 1 } }),
      })
    },
  }
}

async function deliver(
  subscription: Subscription,
  delivery: Delivery,
  worker: Worker,
  signal: AbortSignal,
): Promise<Attempt> {
  const { bodies, poster, random, clock } = worker
  const startedAt = clock.now()
  const [text] = await bodies.load([delivery.body])
  if (text === undefined)
    return { isDelivered: false, isHopeless: true, outcome: 'body missing', milliseconds: clock.now() - startedAt }
  if (subscription.protocol === 'queue') {
    const outcome = await fill(subscription, text, worker)
    return { ...outcome, milliseconds: clock.now() - startedAt }
  }
  const requestId = String(Math.floor(random() * Number.MAX_SAFE_INTEGER))
  return poster.post(subscription.endpoint, pushRequest(subscription, delivery, text, requestId), signal)
}

/** A queue that could not take the message when it was published may take it now. */
async function fill({ account, endpoint }: Subscription, text: string, { queues, messages, depth }: Worker) {
  try {
    const queue = await queues.get(account, endpoint)
    checkTakesMessages(queue)
    checkBodies([text], queue.attributes.maxMsgSize)
    const refusal = await depth.refusal(queue, 1, 0)
    if (refusal) throw new CmqError(refusal)
    await messages.send(queue, [text], 0)
    return { isDelivered: true, outcome: 'sent' }
  } catch (error) {
    if (error instanceof CmqError) return { isDelivered: false, outcome: `${error.code} (${error.moduleCode})` }
    logger.error('a message could not be put into its queue', { error, queue: endpoint })
    return { isDelivered: false, outcome: 'not stored' }
  }
}
