import { CmqError } from '../lib/domain/errors.ts'
import type { Queue } from '../lib/domain/queue.ts'
import type { ReceiptHandle } from '../lib/domain/receipt-handle.ts'
import type { Call } from './cmq-handler.ts'

/**
 * Deletes the message of a handle while its lease holds (406/5840). A handle may know of a rewind that this process does
 * not know of yet. One that knows of more than there have been was forged, and what it deletes could never be brought back.
 */
export async function remove(known: Queue, handle: ReceiptHandle, { queues, messages }: Call): Promise<void> {
  const { account, name } = known
  const queue = handle.archiveCount > known.archive.count ? await queues.read(account, name) : known
  const isForged = handle.archiveCount > queue.archive.count
  if (isForged || !(await messages.remove(queue, handle))) throw new CmqError('receiptHandleInvalid')
}
