import * as v from 'valibot'
import { chosen } from '../../lib/domain/choice.ts'
import { choice } from '../../lib/protocol/choice-params.ts'
import { queueName } from '../../lib/protocol/params.ts'
import { cmqHandler } from '../cmq-handler.ts'

/** Tells a page of the queues whose dead letters go to a queue. API 3.0 has it. */
export const handler = cmqHandler({
  params: v.object({ deadLetterQueueName: queueName, ...choice }),

  async run({ deadLetterQueueName: name, offset, limit, ...wanted }, { account, queues }) {
    const sources = await queues.sources(await queues.read(account, name))
    const found = chosen(sources, wanted, 'SourceQueueName')
    const page = found.slice(offset, offset + limit)
    return { totalCount: found.length, found: page.map((queue) => ({ queueId: queue.id, queueName: queue.name })) }
  },
})
