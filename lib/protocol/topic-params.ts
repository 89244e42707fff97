import * as v from 'valibot'
import { dotsIn, keyLimits } from '../domain/binding-key.ts'
import type { Failure } from '../domain/errors.ts'
import { notifyStrategies } from '../domain/retry.ts'
import { notifyContentFormats, protocols } from '../domain/subscription.ts'
import { filterTypes, tagLimits, topicLimits, topicRetention } from '../domain/topic.ts'
import { integer, list, name } from './params.ts'

/** The parameters of topics and subscriptions. */

export const topicName = name('topicNameWrong')

export const subscriptionName = name('subscriptionNameWrong')

/** Largest body of a topic, in bytes (406/7405). */
export const maxMsgSize = v.optional(integer(topicLimits.maxMsgSize.min, topicLimits.maxMsgSize.max))

/** How long messages should live. It is a day whatever is asked for (406/7408). */
export const msgRetentionSeconds = v.optional(integer(topicRetention.min, topicRetention.max))

/** 1 chooses by tags, 2 by routing and binding keys (406/7405). */
export const filterType = v.optional(
  v.pipe(integer(0, Number.MAX_SAFE_INTEGER), v.picklist(filterTypes, 'parameterOutOfRange' satisfies Failure)),
  '1',
)

/** Lists of an SDK may hold empty places; they say nothing. */
const withoutEmpty = v.transform((words: string[]) => words.filter((word) => word !== ''))

const tag = v.pipe(
  v.string(),
  // As people count: a pair of surrogates is one.
  v.check((word) => [...word].length <= tagLimits.characters, 'parameterOutOfRange' satisfies Failure),
)

/** A key has at most 64 bytes and 15 dots (406/8127). */
const key = v.pipe(
  v.string(),
  v.maxBytes(keyLimits.bytes, 'parameterOutOfRange' satisfies Failure),
  v.check((words) => dotsIn(words) <= keyLimits.dots, 'tooManyDots' satisfies Failure),
)

/** Tags of a message (406/7411). */
export const msgTag = v.pipe(list(tag, tagLimits.tags, { failure: 'tooManyMsgTags' }), withoutEmpty)

/** Tags of a message, or its routing key. Newer pages have longer tags than may be filtered by. */
export const msgTagOrKey = v.pipe(list(key, tagLimits.tags, { failure: 'tooManyMsgTags' }), withoutEmpty)

/** Tags of which a message must have one (406/7414). */
export const filterTag = v.pipe(list(tag, tagLimits.tags, { failure: 'tooManyFilterTags' }), withoutEmpty)

/** Keys of which one must bind the message's routing key (406/7414). An SDK misspells the name. */
export const bindingKey = v.pipe(
  list(key, keyLimits.keys, { failure: 'tooManyBindingKeys', alias: 'bindindKey' }),
  withoutEmpty,
)

/** An empty key counts as none: SDKs send it to topics that have no use for one. */
export const routingKey = v.optional(key, '')

/** What a message is chosen by (406/7411). */
export const labels = { msgTag: v.optional(msgTag, []), routingKey }

/** Where a subscription's messages go, in whatever case (406/7414). */
export const protocol = v.pipe(v.string(), v.toLowerCase(), v.picklist(protocols, 'protocolUnknown' satisfies Failure))

export const notifyStrategy = v.picklist(notifyStrategies, 'strategyUnknown' satisfies Failure)

export const notifyContentFormat = v.picklist(notifyContentFormats, 'formatUnknown' satisfies Failure)
