import type { Delivery } from '../../../lib/domain/delivery.ts'
import type { Subscription } from '../../../lib/domain/subscription.ts'
import type { Answer } from '../../support/service.ts'
import type { Cmq, Sent } from './cmq.ts'

/** The topic `news`, and what tests do with it again and again. What they do not test has to succeed. */
export interface News {
  /** Makes it. */
  create(sent?: Sent): Promise<Answer>
  /** Subscribes a web server. Nothing is pushed to it: its deliveries wait. */
  subscribeWeb(subscriptionName: string, sent?: Sent): Promise<Answer>
  /** Makes a queue and subscribes it, both under this name. */
  subscribeQueue(name: string, sent?: Sent, attributes?: Sent): Promise<Answer>
  publish(sent?: Sent): Promise<Answer>
  /** The bodies that the queue has for whoever receives now, in order. */
  received(queueName: string): Promise<readonly string[]>
  /** The subscription as it is stored. */
  subscription(name: string): Promise<Subscription>
  /** What waits to be delivered to the subscription. */
  deliveries(subscriptionName: string): Promise<readonly Delivery[]>
  /** The same, as GetSubscriptionAttributes counts it. */
  msgCount(subscriptionName: string): Promise<number>
  /** What GetSubscriptionAttributes answers. */
  attributes(subscriptionName: string): Promise<Answer>
}

export function newsOf(cmq: Cmq): News {
  const topicName = 'news'

  async function succeed(action: string, sent: Sent): Promise<Answer> {
    const answer = await cmq.ask(action, { topicName, ...sent })
    if (answer.code !== 0) throw new Error(`${action}: ${answer.message}`)
    return answer
  }

  const news: News = {
    create: (sent = {}) => succeed('CreateTopic', sent),
    subscribeWeb: (subscriptionName, sent = {}) =>
      succeed('Subscribe', { subscriptionName, protocol: 'http', endpoint: 'http://example.com/hook', ...sent }),
    async subscribeQueue(name, sent = {}, attributes = {}) {
      await succeed('CreateQueue', { queueName: name, ...attributes })
      return succeed('Subscribe', { subscriptionName: name, protocol: 'queue', endpoint: name, ...sent })
    },
    publish: (sent = {}) => succeed('PublishMessage', { msgBody: 'hello', ...sent }),

    async received(queueName) {
      const { code, msgInfoList } = await cmq.ask('BatchReceiveMessage', { queueName, numOfMsg: 16 })
      return code === 7000 ? [] : msgInfoList.map(({ msgBody }: { msgBody: string }) => msgBody)
    },

    async subscription(name) {
      const { id } = await cmq.services.topics.read(cmq.account, topicName)
      return cmq.services.subscriptions.read(id, name)
    },

    async deliveries(subscriptionName) {
      const { id } = await news.subscription(subscriptionName)
      const { deliveries } = await cmq.services.deliveries.first(id, 100)
      return deliveries
    },

    msgCount: async (subscriptionName) => (await news.attributes(subscriptionName))['msgCount'],
    attributes: (subscriptionName) => succeed('GetSubscriptionAttributes', { subscriptionName }),
  }
  return news
}
