import * as v from 'valibot'
import { rewoundTo } from '../../lib/domain/rewind.ts'
import { integer, queueName } from '../../lib/protocol/params.ts'
import { changed } from '../changed.ts'
import { cmqHandler } from '../cmq-handler.ts'

/** Unix seconds. Which of them a queue can be rewound to is the domain's question. */
const startConsumeTime = integer(0, Number.MAX_SAFE_INTEGER, 'rewindTimeWrong')

/** Makes what was deleted receivable again, from a time of production on: one write, however many they are (406/8407). */
export const handler = cmqHandler({
  params: v.object({ queueName, startConsumeTime }),

  async run({ queueName: name, startConsumeTime: second }, { account, queues, ids, now }) {
    await changed(
      () => queues.read(account, name),
      ({ archive, attributes }) => ({ archive: rewoundTo(second, archive, attributes.rewindSeconds, now()) }),
      (queue, change) => queues.change(queue, change, ids.leaseId()),
    )
    return {}
  },
})
