import * as v from 'valibot'
import { chosen } from '../../lib/domain/choice.ts'
import { CmqError } from '../../lib/domain/errors.ts'
import { isNamed } from '../../lib/domain/name.ts'
import type { Topic } from '../../lib/domain/topic.ts'
import { namedChoice } from '../../lib/protocol/choice-params.ts'
import { every } from '../../lib/protocol/resources.ts'
import { topicName } from '../../lib/protocol/topic-params.ts'
import { cmqHandler, type Call } from '../cmq-handler.ts'
import { detailsOf } from '../details.ts'
import { topicFields } from '../topic-fields.ts'

/** Tells one topic, or a page of the account's topics, in every detail that API 3.0 has. */
export const handler = cmqHandler({
  params: v.object({ topicName: v.optional(topicName), ...namedChoice }),
  alsoAbout: (values) => (values.has('topicname') ? [] : [every.topic]),

  async run({ topicName: name, offset, limit, ...wanted }, call) {
    const all = await call.topics.list(call.account)
    const found = name === undefined ? chosen(all, wanted, 'TopicName') : all.filter((topic) => isNamed(topic, name))
    if (name !== undefined && found.length === 0) throw new CmqError('topicNotFound')
    const page = found.slice(offset, offset + limit)
    return { totalCount: found.length, found: await Promise.all(page.map((topic) => toldOf(topic, call))) }
  },
})

async function toldOf(topic: Topic, call: Call) {
  return {
    ...(await topicFields(topic, call)),
    ...detailsOf(topic, call.settings),
    migrate: NOT_MIGRATED,
    brokerType: OF_ITS_OWN,
    // Its lanes were just counted, so this is read from memory.
    subscriptionCount: (await call.subscriptions.of(topic.id)).length,
  }
}

/** Topics count the states of their migration otherwise than queues. */
const NOT_MIGRATED = 0

/** 0 and 1 are two products; this is neither, and 0 is what CMQ began with. */
const OF_ITS_OWN = 0
