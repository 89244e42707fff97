import * as v from 'valibot'
import { CmqError } from '../../lib/domain/errors.ts'
import { isNamed } from '../../lib/domain/name.ts'
import { notesIn } from '../../lib/domain/notes.ts'
import { topicLimits } from '../../lib/domain/topic.ts'
import { filterType, maxMsgSize, msgRetentionSeconds, topicName } from '../../lib/protocol/topic-params.ts'
import { notes } from '../../lib/protocol/notes-params.ts'
import { cmqHandler } from '../cmq-handler.ts'

/** Creates a topic. One that exists is refused, whatever its attributes (406/7405). The notes are extensions. */
export const handler = cmqHandler({
  params: v.object({ topicName, maxMsgSize, filterType, msgRetentionSeconds, ...notes }),

  async run(
    { topicName: name, maxMsgSize: largest = topicLimits.maxMsgSize.default, filterType: type, ...given },
    { account, topics, settings, ids, now },
  ) {
    const others = await topics.list(account)
    if (others.some((other) => isNamed(other, name))) throw new CmqError('topicExists')
    if (others.length >= settings.maxTopics) throw new CmqError('tooManyTopics')
    const id = ids.resourceId('topic')
    const created = { createdAt: now(), modifiedAt: now() }
    const topic = {
      account,
      name,
      id,
      changeId: id,
      maxMsgSize: largest,
      filterType: type,
      ...created,
      ...notesIn(given),
    }
    const isNew = await topics.create(topic)
    if (!isNew) throw new CmqError('topicExists')
    return { topicId: id }
  },
})
