import { matcher } from './binding-key.ts'
import { CmqError } from './errors.ts'
import type { NotifyStrategy } from './retry.ts'
import type { Instant } from './time.ts'
import type { FilterType } from './topic.ts'

/** Where a topic's messages go: to a web server, or into a queue of the same account (406/7414). */
export interface Subscription {
  /** appId of the topic's owner, and the topic's name: what a pushed message tells. */
  readonly account: string
  readonly topicName: string
  readonly topicId: string
  /** Unique within its topic, without regard to case. */
  readonly name: string
  /** New at every creation: what an earlier subscription of this name did not get, this one does not get either. */
  readonly id: string
  readonly changeId: string
  readonly protocol: Protocol
  /** A URL, or the name of a queue. */
  readonly endpoint: string
  readonly notifyStrategy: NotifyStrategy
  readonly notifyContentFormat: NotifyContentFormat
  readonly filterTags: readonly string[]
  readonly bindingKeys: readonly string[]
  readonly createdAt: Instant
  readonly modifiedAt: Instant
}

export const protocols = ['http', 'queue'] as const
export type Protocol = (typeof protocols)[number]

export const notifyContentFormats = ['JSON', 'SIMPLIFIED'] as const
export type NotifyContentFormat = (typeof notifyContentFormats)[number]

/** What SetSubscriptionAttributes and ClearSubscriptionFilterTags may change (406/7416, 406/8406). */
export type SubscriptionChange = Partial<
  Pick<Subscription, 'notifyStrategy' | 'notifyContentFormat' | 'filterTags' | 'bindingKeys' | 'modifiedAt'>
>

/**
 * The form in which a subscription gets its messages. A queue gets them as they are (406/7414): there JSON, which SDKs ask
 * for by themselves, is taken as SIMPLIFIED, or refused where that is wanted strictly.
 */
export function formatFor(
  protocol: Protocol,
  wanted: NotifyContentFormat | undefined,
  { isStrict }: { readonly isStrict: boolean },
): NotifyContentFormat {
  if (protocol === 'http') return wanted ?? 'JSON'
  if (wanted === 'JSON' && isStrict) throw new CmqError('formatNotSimplified')
  return 'SIMPLIFIED'
}

/** What a message is chosen by. */
export interface Labels {
  readonly tags: readonly string[]
  readonly routingKey: string
}

/**
 * The subscriptions that want a message of these labels (406/7414). By tags: those without filter tags, and those that
 * share one with the message. By routing key: those of which a binding key binds it.
 */
export function choosing<Wanting extends Pick<Subscription, 'filterTags' | 'bindingKeys'>>(
  subscriptions: readonly Wanting[],
  filterType: FilterType,
  { tags, routingKey }: Labels,
): readonly Wanting[] {
  if (filterType === 2) {
    const binds = matcher(routingKey)
    return subscriptions.filter(({ bindingKeys }) => bindingKeys.some(binds))
  }
  return subscriptions.filter(
    ({ filterTags }) => filterTags.length === 0 || filterTags.some((tag) => tags.includes(tag)),
  )
}
