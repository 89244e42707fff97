import * as v from 'valibot'
import { parseReceiptHandle } from '../../lib/domain/receipt-handle.ts'
import { queueName, receiptHandle } from '../../lib/protocol/params.ts'
import { cmqHandler } from '../cmq-handler.ts'
import { admitDeleted } from '../limits.ts'
import { remove } from '../remove.ts'

/** Deletes a message while its last receiver still holds it (406/5840). */
export const handler = cmqHandler({
  params: v.object({ queueName, receiptHandle }),

  async run({ queueName: name, receiptHandle: text }, call) {
    const { account, queues } = call
    const handle = parseReceiptHandle(text)
    const queue = await queues.get(account, name)
    admitDeleted(queue, 1, call)
    await remove(queue, handle, call)
    return {}
  },
})
