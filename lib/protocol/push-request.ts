import type { Delivery } from '../domain/delivery.ts'
import type { Subscription } from '../domain/subscription.ts'
import { inSeconds } from '../domain/time.ts'

/** What a web server is sent. */
export interface PushRequest {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/**
 * A pushed message (406/7420). As JSON one object, with CMQ's names in CMQ's order; as SIMPLIFIED the message itself, of
 * which the headers tell the rest. The routing key is told in neither. `requestId` is decimal digits.
 */
export const pushRequest = (
  { account, topicName, name, notifyContentFormat }: Subscription,
  { id, publishedAt, labels }: Delivery,
  text: string,
  requestId: string,
): PushRequest => ({
  headers: {
    'Content-Type': 'text/plain',
    'User-Agent': 'Qcloud Notification Service Agent',
    'x-cmq-request-id': requestId,
    'x-cmq-message-id': id,
    'x-cmq-message-tag': labels.tags.join(', '),
  },
  body:
    notifyContentFormat === 'SIMPLIFIED'
      ? text
      : JSON.stringify({
          TopicOwner: Number(account),
          topicName,
          subscriptionName: name,
          msgId: id,
          msgBody: text,
          publishTime: inSeconds(publishedAt),
        }),
})
