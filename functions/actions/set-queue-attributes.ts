import * as v from 'valibot'
import { changeOf } from '../../lib/domain/queue.ts'
import { queueName } from '../../lib/protocol/params.ts'
import { deadLetterSettings, queueAttributes } from '../../lib/protocol/queue-params.ts'
import { changed } from '../changed.ts'
import { cmqHandler } from '../cmq-handler.ts'
import { saveChange } from '../save-change.ts'

/** Changes the attributes that are given; the rest keep their values (406/5835). `shards` and a dead-letter queue are extensions. */
export const handler = cmqHandler({
  params: v.object({ queueName, ...queueAttributes, ...deadLetterSettings }),

  async run({ queueName: name, ...wanted }, call) {
    const { account, queues, now } = call
    const queue = await changed(
      () => queues.read(account, name),
      (queue) => changeOf(queue, wanted, now()),
      (queue, change) => saveChange(queue, change, call),
    )
    return { queueId: queue.id }
  },
})
