import type { LeasedMessage, Origin } from '../domain/message.ts'
import { writeReceiptHandle, type ReceiptHandle } from '../domain/receipt-handle.ts'
import { inSeconds, type Instant } from '../domain/time.ts'

/** A received message in an answer: ids and handles are text, times are Unix seconds (406/5839). */
export const messageFields = (message: LeasedMessage, text: string, handle: ReceiptHandle) => ({
  msgBody: text,
  msgId: message.id,
  receiptHandle: writeReceiptHandle(handle),
  enqueueTime: inSeconds(message.sentAt),
  firstDequeueTime: inSeconds(message.firstReceivedAt),
  nextVisibleTime: inSeconds(message.leaseUntil),
  dequeueCount: message.receiveCount,
  ...(message.origin && { deadLetter: originFields(message.origin, message.sentAt) }),
})

/** Where a dead letter came from, when and why: what no client of CMQ knows, and so reads over. */
const originFields = ({ queueName, policy, sentAt, receiveCount }: Origin, diedAt: Instant) => ({
  sourceQueueName: queueName,
  policy,
  deadLetterTime: inSeconds(diedAt),
  enqueueTime: inSeconds(sentAt),
  dequeueCount: receiveCount,
})
