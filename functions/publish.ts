import { CmqError } from '../lib/domain/errors.ts'
import { checkBodies } from '../lib/domain/message.ts'
import { choosing, type Labels } from '../lib/domain/subscription.ts'
import type { Seconds } from '../lib/domain/time.ts'
import type { Call } from './cmq-handler.ts'
import { admitPublished } from './limits.ts'

/** What a publish says beside its bodies. */
export interface Publication {
  readonly topicName: string
  readonly labels: Labels
  readonly delaySeconds: Seconds
}

/** Publishes the texts, now or after a delay, and returns the ids of their messages in order (406/7411). */
export async function publish(
  texts: readonly string[],
  { topicName, labels, delaySeconds }: Publication,
  call: Call,
): Promise<readonly string[]> {
  const { account, topics, subscriptions, fanOut, settings, ids, now } = call
  const topic = await topics.get(account, topicName)
  if (topic.filterType === 2 && labels.routingKey === '') throw new CmqError('routingKeyMissing')
  if (delaySeconds > settings.longestDelay) throw new CmqError('delayOutOfRange')
  checkBodies(texts, topic.maxMsgSize)
  admitPublished(topic, texts.length, call)

  const messages = texts.map((text) => ({ id: ids.messageId(now()), text }))
  if (delaySeconds > 0) {
    // Who gets them is decided when they are due.
    await fanOut.delay(topic, messages, labels, delaySeconds)
  } else {
    const all = await subscriptions.of(topic.id)
    const chosen = choosing(all, topic.filterType, labels)
    if (chosen.length > 0) await fanOut.copy(chosen, messages, labels)
    else if (!settings.publishToNobody) throw new CmqError(all.length === 0 ? 'noSubscription' : 'noMatch')
  }
  return messages.map(({ id }) => id)
}
