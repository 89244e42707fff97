import { CmqError } from '../domain/errors.ts'
import { canonicalName } from '../domain/name.ts'
import { notifyStrategies } from '../domain/retry.ts'
import { notifyContentFormats, protocols, type Subscription, type SubscriptionChange } from '../domain/subscription.ts'
import type { Clock } from '../domain/time.ts'
import { numberIn, required, textIn, textsIn, writeTexts } from './attributes.ts'
import type { Database, Item } from './database.ts'
import { newKept } from './kept.ts'
import { CACHE_LIFETIME, records, type Kind, type RecordsOptions } from './records.ts'

/**
 * The subscriptions of topics: pk `topic#<topicId>`, sk `subscription#<name>`, the name in lower case. What a topic has is
 * kept as a whole, as every publisher needs it, for as long as a record is.
 */
export interface Subscriptions {
  /** All subscriptions of a topic as they were at most a second ago, by name. */
  of(topicId: string): Promise<readonly Subscription[]>
  /** All subscriptions of a topic as they are now. */
  list(topicId: string): Promise<readonly Subscription[]>
  /** The very subscription of this id as it was at most a second ago; undefined when it is gone. */
  get(topicId: string, name: string, id: string): Promise<Subscription | undefined>
  /** The subscription as it is now. Throws `subscriptionNotFound`. */
  read(topicId: string, name: string): Promise<Subscription>
  /** False when the name is taken. Answers when every publisher knows of it. */
  create(subscription: Subscription): Promise<boolean>
  /** Changes the named attributes; false when it is no longer as it was read. `changeId` is this call's alone. */
  change(subscription: Subscription, change: SubscriptionChange, changeId: string): Promise<boolean>
  /** False when this very subscription is gone. */
  remove(subscription: Subscription): Promise<boolean>
}

/** Topics of which a process keeps the subscriptions: some have hundreds. */
const CACHED_TOPICS = 1_000

/** The subscriptions of a table. */
export function subscriptions(db: Database, table: string, clock: Clock, options: RecordsOptions): Subscriptions {
  const stored = records(db, table, clock, options, kind)
  const kept = newKept<readonly Subscription[]>(clock, CACHE_LIFETIME, CACHED_TOPICS)
  const list = (topicId: string) => stored.list(partitionOf(topicId))

  async function spread(subscription: Subscription): Promise<void> {
    kept.forget(subscription.topicId)
    await stored.spread(subscription)
    kept.forget(subscription.topicId)
  }

  return {
    list,
    of: (topicId) => kept.get(topicId, () => list(topicId)),

    async get(topicId, name, id) {
      const place = placeOf({ topicId, name })
      const recent = await stored.get(place)
      // What is kept may be an earlier one of this name.
      const present = recent?.id === id ? recent : await stored.read(place)
      return present?.id === id ? present : undefined
    },

    async read(topicId, name) {
      const subscription = await stored.read(placeOf({ topicId, name }))
      if (!subscription) throw new CmqError('subscriptionNotFound')
      return subscription
    },

    async create(subscription) {
      const outcome = await stored.create(subscription)
      await spread(subscription)
      return outcome === 'created'
    },

    async change(subscription, change, changeId) {
      const isChanged = await stored.change(subscription, change, changeId)
      await spread(subscription)
      return isChanged
    },

    async remove(subscription) {
      const isRemoved = await stored.remove(subscription, 0)
      await spread(subscription)
      return isRemoved
    },
  }
}

const partitionOf = (topicId: string): string => `topic#${topicId}`

const placeOf = ({ topicId, name }: Pick<Subscription, 'topicId' | 'name'>) => ({
  pk: partitionOf(topicId),
  sk: `subscription#${canonicalName(name)}`,
})

const flattened = ({ filterTags, bindingKeys, ...change }: SubscriptionChange) => ({
  ...change,
  filterTags: filterTags && writeTexts(filterTags),
  bindingKeys: bindingKeys && writeTexts(bindingKeys),
})

const kind: Kind<Subscription, SubscriptionChange> = {
  prefix: 'subscription#',
  placeOf,
  valuesOf: ({ topicId: _, ...subscription }) => ({ ...subscription, ...flattened(subscription) }),
  changesOf: flattened,
  read: subscriptionOf,
}

function subscriptionOf(item: Item): Subscription {
  const text = (name: string) => required(textIn(item, name), name)
  const number = (name: string) => required(numberIn(item, name), name)
  /** A word that a later version may have added is none of ours. */
  const word = <Word extends string>(name: string, words: readonly Word[]) =>
    required(
      words.find((known) => known === text(name)),
      name,
    )
  return {
    account: text('account'),
    topicName: text('topicName'),
    topicId: text('pk').slice('topic#'.length),
    name: text('name'),
    id: text('id'),
    changeId: text('changeId'),
    protocol: word('protocol', protocols),
    endpoint: text('endpoint'),
    notifyStrategy: word('notifyStrategy', notifyStrategies),
    notifyContentFormat: word('notifyContentFormat', notifyContentFormats),
    filterTags: textsIn(item, 'filterTags'),
    bindingKeys: textsIn(item, 'bindingKeys'),
    createdAt: number('createdAt'),
    modifiedAt: number('modifiedAt'),
  }
}
