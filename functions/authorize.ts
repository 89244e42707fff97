import { CmqError } from '../lib/domain/errors.ts'
import { may, type Key } from '../lib/domain/key.ts'

/**
 * Refuses what the key may not do (406/5903). The action goes by its name in API 2.0, whatever the protocol; what it is
 * about are queues and topics, each of which a permission must cover.
 */
export function authorize(key: Pick<Key, 'allow'>, action: string, resources: readonly string[]): void {
  if (!resources.every((resource) => may(key, action, resource))) throw new CmqError('notAllowed')
}

/** Whether the action changes what there is: queues, topics and subscriptions, not the messages in them. */
export const isChange = (action: string): boolean =>
  /^(create|set|delete|clear|rewind|subscribe|unsubscribe|unbind)/i.test(action) && !/message$/i.test(action)
