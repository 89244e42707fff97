import * as v from 'valibot'
import { queueNotesIn } from '../../lib/domain/notes.ts'
import { changeOf } from '../../lib/domain/queue.ts'
import { queueName } from '../../lib/protocol/params.ts'
import { deadLetterSettings, queueAttributes, queueNotes } from '../../lib/protocol/queue-params.ts'
import { changed } from '../changed.ts'
import { cmqHandler } from '../cmq-handler.ts'
import { saveChange } from '../save-change.ts'

/**
 * Changes the attributes that are given; the rest keep their values (406/5835). `shards`, a dead-letter queue and the notes
 * are extensions.
 */
export const handler = cmqHandler({
  params: v.object({ queueName, ...queueAttributes, ...deadLetterSettings, ...queueNotes }),

  async run({ queueName: name, ...wanted }, call) {
    const { account, queues, now } = call
    const queue = await changed(
      () => queues.read(account, name),
      (queue) => ({ ...changeOf(queue, wanted, now()), ...queueNotesIn(wanted) }),
      (queue, change) => saveChange(queue, change, call),
    )
    return { queueId: queue.id }
  },
})
