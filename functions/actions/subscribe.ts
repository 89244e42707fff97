import * as v from 'valibot'
import { CmqError } from '../../lib/domain/errors.ts'
import { isNamed } from '../../lib/domain/name.ts'
import { formatFor, type Protocol } from '../../lib/domain/subscription.ts'
import { name as nameOf } from '../../lib/protocol/params.ts'
import {
  bindingKey,
  filterTag,
  notifyContentFormat,
  notifyStrategy,
  protocol,
  subscriptionName,
  topicName,
} from '../../lib/protocol/topic-params.ts'
import { resource } from '../../lib/protocol/resources.ts'
import type { Targets } from '../../lib/push/addresses.ts'
import { endpointFault } from '../../lib/push/endpoint.ts'
import { cmqHandler } from '../cmq-handler.ts'
import { nothing } from '../nothing.ts'

/**
 * Has a topic's messages pushed to a web server, or copied into a queue of the same account (406/7414). Whoever has a queue
 * filled must be allowed to subscribe that queue too.
 */
export const handler = cmqHandler({
  params: v.object({
    topicName,
    subscriptionName,
    protocol,
    endpoint: v.string(),
    notifyStrategy: v.optional(notifyStrategy, 'EXPONENTIAL_DECAY_RETRY'),
    notifyContentFormat: v.optional(notifyContentFormat),
    filterTag: v.optional(filterTag, []),
    bindingKey: v.optional(bindingKey, []),
  }),

  alsoAbout: (values) =>
    values.get('protocol')?.toLowerCase() === 'queue' ? [resource('queue', values.get('endpoint') ?? '')] : [],

  async run(wanted, { account, topics, subscriptions, targets, settings, ids, now }) {
    const { subscriptionName: name, protocol: kind, endpoint, filterTag: filterTags, bindingKey: bindingKeys } = wanted
    const format = formatFor(kind, wanted.notifyContentFormat, { isStrict: settings.strictContentFormat })
    checkEndpoint(kind, endpoint, targets)
    const topic = await topics.read(account, wanted.topicName)
    if (topic.filterType === 2 && bindingKeys.length === 0) throw new CmqError('bindingKeyMissing')
    const others = await subscriptions.list(topic.id)
    if (others.some((other) => isNamed(other, name))) throw new CmqError('subscriptionExists')
    if (others.length >= settings.maxSubscriptions) throw new CmqError('tooManySubscriptions')

    const id = ids.resourceId('subsc')
    const subscription = {
      account,
      topicName: topic.name,
      topicId: topic.id,
      name,
      id,
      changeId: id,
      protocol: kind,
      endpoint,
      notifyStrategy: wanted.notifyStrategy,
      notifyContentFormat: format,
      filterTags,
      bindingKeys,
      createdAt: now(),
      modifiedAt: now(),
    }
    const isNew = await subscriptions.create(subscription)
    if (!isNew) throw new CmqError('subscriptionExists')
    // Deleted meanwhile, it did not see this one.
    const present = await topics.read(account, topic.name).catch(nothing)
    if (present?.id === topic.id) return { subscriptionId: id }
    await subscriptions.remove(subscription)
    throw new CmqError('topicNotFound')
  },
})

/** A queue need not be there yet: what is published before it is there is delivered as soon as it is. */
function checkEndpoint(protocol: Protocol, endpoint: string, targets: Targets): void {
  const fault =
    protocol === 'http'
      ? endpointFault(endpoint, targets)
      : v.is(nameOf('endpointWrong'), endpoint)
        ? undefined
        : 'endpointWrong'
  if (fault) throw new CmqError(fault)
}
