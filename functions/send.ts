import { checkBodies } from '../lib/domain/message.ts'
import { CmqError } from '../lib/domain/errors.ts'
import { checkTakesMessages } from '../lib/domain/queue.ts'
import type { Seconds } from '../lib/domain/time.ts'
import type { Call } from './cmq-handler.ts'

/** Sends the bodies if the queue takes them, and returns the ids of their messages in order. */
export async function send(
  queueName: string,
  texts: readonly string[],
  delaySeconds: Seconds,
  { account, queues, messages, settings }: Call,
): Promise<readonly string[]> {
  const queue = await queues.get(account, queueName)
  checkTakesMessages(queue)
  // Its life counts from its sending: one that is delayed for all its life would never be received.
  if (delaySeconds > settings.longestDelay || delaySeconds >= queue.attributes.msgRetentionSeconds)
    throw new CmqError('delayOutOfRange')
  checkBodies(texts, queue.attributes.maxMsgSize)
  return messages.send(queue, texts, delaySeconds)
}
