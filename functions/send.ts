import { checkBodies } from '../lib/domain/message.ts'
import { CmqError } from '../lib/domain/errors.ts'
import { checkTakesMessages } from '../lib/domain/queue.ts'
import type { Seconds } from '../lib/domain/time.ts'
import type { Call } from './cmq-handler.ts'
import { admitSent } from './limits.ts'

/** Sends the bodies if the queue takes them, and returns the ids of their messages in order. */
export async function send(
  queueName: string,
  texts: readonly string[],
  delaySeconds: Seconds,
  call: Call,
): Promise<readonly string[]> {
  const { account, queues, messages, settings } = call
  const queue = await queues.get(account, queueName)
  checkTakesMessages(queue)
  // Its life counts from its sending: one that is delayed for all its life would never be received.
  if (delaySeconds > settings.longestDelay || delaySeconds >= queue.attributes.msgRetentionSeconds)
    throw new CmqError('delayOutOfRange')
  checkBodies(texts, queue.attributes.maxMsgSize)
  await admitSent(queue, texts.length, delaySeconds, call)
  return messages.send(queue, texts, delaySeconds)
}
