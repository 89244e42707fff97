import * as v from 'valibot'
import { notesIn } from '../../lib/domain/notes.ts'
import { notes } from '../../lib/protocol/notes-params.ts'
import { maxMsgSize, msgRetentionSeconds, topicName } from '../../lib/protocol/topic-params.ts'
import { changed } from '../changed.ts'
import { cmqHandler } from '../cmq-handler.ts'

/** Changes the largest body of a topic, the only attribute that can change (406/7406), and its note. */
export const handler = cmqHandler({
  params: v.object({ topicName, maxMsgSize, msgRetentionSeconds, trace: notes.trace }),

  async run({ topicName: name, maxMsgSize: largest, ...given }, { account, topics, ids, now }) {
    const topic = await changed(
      () => topics.read(account, name),
      ({ maxMsgSize: present }) => ({ maxMsgSize: largest ?? present, modifiedAt: now(), ...notesIn(given) }),
      (topic, change) => topics.change(topic, change, ids.leaseId()),
    )
    return { topicId: topic.id }
  },
})
