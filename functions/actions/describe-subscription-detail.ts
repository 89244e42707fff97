import * as v from 'valibot'
import { chosen } from '../../lib/domain/choice.ts'
import { CmqError, type Failure } from '../../lib/domain/errors.ts'
import { isSameName } from '../../lib/domain/name.ts'
import type { Subscription } from '../../lib/domain/subscription.ts'
import { choice } from '../../lib/protocol/choice-params.ts'
import { queueName } from '../../lib/protocol/params.ts'
import { every } from '../../lib/protocol/resources.ts'
import { topicName } from '../../lib/protocol/topic-params.ts'
import { cmqHandler, type Call } from '../cmq-handler.ts'
import { subscriptionFields } from '../subscription-fields.ts'

/** Tells a page of the subscriptions of a topic, or of those that fill a queue, in every detail that API 3.0 has. */
export const handler = cmqHandler({
  params: v.object({
    topicName: v.optional(topicName),
    queueName: v.optional(queueName),
    queryType: v.optional(v.picklist(['topic', 'queue'], 'parameterOutOfRange' satisfies Failure), 'topic'),
    ...choice,
  }),
  // What fills a queue may be of any topic.
  alsoAbout: (values) => (values.get('querytype') === 'queue' || !values.has('topicname') ? [every.topic] : []),

  async run({ topicName: topic, queueName: queue, queryType, offset, limit, ...wanted }, call) {
    const all = queryType === 'queue' ? await filling(given(queue, 'queueName'), call) : await of(topic, call)
    const found = chosen(all, wanted, 'SubscriptionName')
    const page = found.slice(offset, offset + limit)
    return { totalCount: found.length, found: await Promise.all(page.map((one) => toldOf(one, call))) }
  },
})

async function of(topicName: string | undefined, { account, topics, subscriptions }: Call) {
  const topic = await topics.get(account, given(topicName, 'topicName'))
  return subscriptions.list(topic.id)
}

/** The subscriptions that copy into a queue, whosever topics they are of. */
async function filling(queueName: string, { account, topics, subscriptions }: Call) {
  const all = await Promise.all((await topics.list(account)).map(({ id }) => subscriptions.list(id)))
  return all.flat().filter(({ protocol, endpoint }) => protocol === 'queue' && isSameName(endpoint, queueName))
}

function given(name: string | undefined, parameter: string): string {
  if (name === undefined) throw new CmqError('parameterMissing', parameter)
  return name
}

async function toldOf(subscription: Subscription, call: Call) {
  const { account, topicName, bindingKeys, createdAt, modifiedAt } = subscription
  return {
    ...(await subscriptionFields(subscription, call)),
    topicOwner: Number(account),
    topicName,
    bindingKey: bindingKeys.length > 0 ? bindingKeys : null,
    createdAt,
    modifiedAt,
  }
}
