import * as v from 'valibot'
import { queueNotesIn } from '../../lib/domain/notes.ts'
import { changeOf } from '../../lib/domain/queue.ts'
import { queueName } from '../../lib/protocol/params.ts'
import { queueAttributes, queueNotes } from '../../lib/protocol/queue-params.ts'
import { changed } from '../changed.ts'
import { cmqHandler } from '../cmq-handler.ts'

/** Changes the attributes that are given; the rest keep their values (406/5835). `shards` and the notes are extensions. */
export const handler = cmqHandler({
  params: v.object({ queueName, ...queueAttributes, ...queueNotes }),

  async run({ queueName: name, ...wanted }, { account, queues, ids, now }) {
    const queue = await changed(
      () => queues.read(account, name),
      (queue) => ({ ...changeOf(queue, wanted, now()), ...queueNotesIn(wanted) }),
      (queue, change) => queues.change(queue, change, ids.leaseId()),
    )
    return { queueId: queue.id }
  },
})
