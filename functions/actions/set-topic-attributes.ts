import * as v from 'valibot'
import { maxMsgSize, topicName } from '../../lib/protocol/topic-params.ts'
import { changed } from '../changed.ts'
import { cmqHandler } from '../cmq-handler.ts'

/** Changes the largest body of a topic, the only attribute that can change (406/7406). */
export const handler = cmqHandler({
  params: v.object({ topicName, maxMsgSize }),

  async run({ topicName: name, maxMsgSize: largest }, { account, topics, ids, now }) {
    const topic = await changed(
      () => topics.read(account, name),
      ({ maxMsgSize: present }) => ({ maxMsgSize: largest ?? present, modifiedAt: now() }),
      (topic, change) => topics.change(topic, change, ids.leaseId()),
    )
    return { topicId: topic.id }
  },
})
