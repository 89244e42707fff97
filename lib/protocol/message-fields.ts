import type { LeasedMessage } from '../domain/message.ts'
import { writeReceiptHandle, type ReceiptHandle } from '../domain/receipt-handle.ts'
import { inSeconds } from '../domain/time.ts'

/** A received message in an answer: ids and handles are text, times are Unix seconds (406/5839). */
export const messageFields = (message: LeasedMessage, text: string, handle: ReceiptHandle) => ({
  msgBody: text,
  msgId: message.id,
  receiptHandle: writeReceiptHandle(handle),
  enqueueTime: inSeconds(message.sentAt),
  firstDequeueTime: inSeconds(message.firstReceivedAt),
  nextVisibleTime: inSeconds(message.leaseUntil),
  dequeueCount: message.receiveCount,
})
