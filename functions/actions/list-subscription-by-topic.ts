import * as v from 'valibot'
import { named } from '../../lib/domain/name.ts'
import { page, searchWord } from '../../lib/protocol/params.ts'
import { topicName } from '../../lib/protocol/topic-params.ts'
import { cmqHandler } from '../cmq-handler.ts'

/** Lists the subscriptions of a topic whose names contain the word, by name, a page at a time (406/7415). */
export const handler = cmqHandler({
  params: v.object({ topicName, searchWord, ...page(0, 100) }),

  async run({ topicName: name, searchWord: word, offset, limit }, { account, topics, subscriptions }) {
    const topic = await topics.get(account, name)
    const found = named(await subscriptions.list(topic.id), word)
    const listed = found.slice(offset, offset + limit)
    return {
      totalCount: found.length,
      subscriptionList: listed.map(({ id, name, protocol, endpoint }) => ({
        subscriptionId: id,
        subscriptionName: name,
        protocol,
        endpoint,
      })),
    }
  },
})
