import * as v from 'valibot'
import { CmqError } from '../../lib/domain/errors.ts'
import { parseReceiptHandle } from '../../lib/domain/receipt-handle.ts'
import { queueName, receiptHandle } from '../../lib/protocol/params.ts'
import { cmqHandler } from '../cmq-handler.ts'
import { admitDeleted } from '../limits.ts'

/** Deletes a message while its last receiver still holds it (406/5840). */
export const handler = cmqHandler({
  params: v.object({ queueName, receiptHandle }),

  async run({ queueName: name, receiptHandle: text }, call) {
    const { account, queues, messages } = call
    const handle = parseReceiptHandle(text)
    const queue = await queues.get(account, name)
    admitDeleted(queue, 1, call)
    const isDeleted = await messages.remove(queue, handle)
    if (!isDeleted) throw new CmqError('receiptHandleInvalid')
    return {}
  },
})
