import * as v from 'valibot'
import { CmqError } from '../../lib/domain/errors.ts'
import { parseReceiptHandle } from '../../lib/domain/receipt-handle.ts'
import { errorFields } from '../../lib/protocol/envelope.ts'
import { list, queueName, receiptHandle } from '../../lib/protocol/params.ts'
import { cmqHandler } from '../cmq-handler.ts'
import { admitDeleted } from '../limits.ts'
import { logger } from '../logger.ts'
import { remove } from '../remove.ts'

/** Deletes up to 16 messages, each by itself; the answer names those that were not deleted (406/5841). */
export const handler = cmqHandler({
  params: v.object({ queueName, receiptHandle: list(receiptHandle) }),

  async run({ queueName: name, receiptHandle: handles }, call) {
    const { account, queues } = call
    const queue = await queues.get(account, name)
    admitDeleted(queue, handles.length, call)
    const outcomes = await Promise.allSettled(
      handles.map(async (text) => remove(queue, parseReceiptHandle(text), call)),
    )
    const errorList = outcomes.flatMap((outcome, index) =>
      outcome.status === 'rejected' ? [{ ...errorOf(outcome.reason), receiptHandle: handles[index] }] : [],
    )
    if (errorList.length === handles.length) throw new CmqError('noneDeleted', '', { errorList })
    if (errorList.length > 0) throw new CmqError('partlyDeleted', '', { errorList })
    return {}
  },
})

function errorOf(reason: unknown) {
  if (reason instanceof CmqError) return errorFields(reason)
  logger.error('a message of a batch was not deleted', { error: reason })
  return errorFields(new CmqError('deleteFailed'))
}
