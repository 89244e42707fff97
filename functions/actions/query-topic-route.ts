import * as v from 'valibot'
import { topicName } from '../../lib/protocol/topic-params.ts'
import { cmqHandler } from '../cmq-handler.ts'

/** Where CMQ's TCP clients would find the topic. This service speaks HTTP alone, so there is no such address. */
export const handler = cmqHandler({
  params: v.object({ topicName }),

  async run({ topicName: name }, { account, topics }) {
    await topics.get(account, name)
    return { addr: [] }
  },
})
