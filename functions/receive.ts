import { CmqError } from '../lib/domain/errors.ts'
import { after, type Seconds } from '../lib/domain/time.ts'
import { messageFields } from '../lib/protocol/message-fields.ts'
import type { Call } from './cmq-handler.ts'
import { admitReceiver, countReceived } from './limits.ts'

/** Nobody reads an answer that comes later: the gateway gives up at 30 s. So no message is taken later either. */
const LATEST_CLAIM: Seconds = 27

/** Takes up to `count` messages, waiting as long as the call says, else as long as the queue says. Never an empty list. */
export async function receive(queueName: string, count: number, wait: Seconds | undefined, call: Call) {
  const { account, queues, messages, settings, startedAt, signal } = call
  const queue = await queues.get(account, queueName)
  await admitReceiver(queue, call)
  const seconds = Math.min(wait ?? queue.attributes.pollingWaitSeconds, settings.longestWait)
  const until = after(startedAt, seconds)
  const claimUntil = after(startedAt, Math.max(LATEST_CLAIM, settings.longestWait))
  const received = await messages.receive(queue, { count, until, claimUntil, signal })
  if (received.length === 0) throw new CmqError('noMessage')
  countReceived(queue, received.length, call)
  return received.map(({ message, text, handle }) => messageFields(message, text, handle))
}
