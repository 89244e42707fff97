import type { CmqClient, Parameters } from '../support/cmq-client.ts'

/** Queues and topics that end with the program that has created them. */
export interface OwnResources {
  /** Their names all begin with it. */
  readonly prefix: string
  /** The name of a new queue. */
  queue(name: string, attributes?: Parameters): Promise<string>
  /** The name of a new topic. */
  topic(name: string, attributes?: Parameters): Promise<string>
  /** The name of a new queue that gets what such a subscription of the topic lets through. */
  subscribedQueue(topicName: string, name: string, filter?: Parameters): Promise<string>
  subscribe(topicName: string, name: string, parameters: Parameters): Promise<void>
  /** Deletes them. Throws when any is left. */
  clear(): Promise<void>
}

export function ownResources(client: CmqClient, prefix: string): OwnResources {
  const queues: string[] = []
  const topics: string[] = []
  const subscriptions: { readonly topicName: string; readonly subscriptionName: string }[] = []

  const own: OwnResources = {
    prefix,

    async queue(name, attributes) {
      const queueName = `${prefix}-${name}`
      queues.push(queueName)
      await client.call('CreateQueue', { queueName, ...attributes })
      return queueName
    },

    async topic(name, attributes) {
      const topicName = `${prefix}-${name}`
      topics.push(topicName)
      await client.call('CreateTopic', { topicName, ...attributes })
      return topicName
    },

    async subscribe(topicName, name, parameters) {
      const subscriptionName = name
      subscriptions.push({ topicName, subscriptionName })
      await client.call('Subscribe', { topicName, subscriptionName, ...parameters })
    },

    async subscribedQueue(topicName, name, filter) {
      const endpoint = await own.queue(name)
      await own.subscribe(topicName, name, {
        protocol: 'queue',
        endpoint,
        notifyContentFormat: 'SIMPLIFIED',
        ...filter,
      })
      return endpoint
    },

    async clear() {
      // What is gone already is refused, and so is a topic that still has subscriptions.
      await Promise.all(subscriptions.map((subscription) => client.ask('Unsubscribe', subscription)))
      await Promise.all(topics.map((topicName) => client.ask('DeleteTopic', { topicName })))
      await Promise.all(queues.map((queueName) => client.ask('DeleteQueue', { queueName })))
      const left = [
        await client.call('ListQueue', { searchWord: prefix }),
        await client.call('ListTopic', { searchWord: prefix }),
      ]
      const names = left.flatMap(({ queueList, topicList }) => [...(queueList ?? topicList)] as object[])
      if (names.length > 0) throw new Error(`${JSON.stringify(names)} are left`)
    },
  }
  return own
}
