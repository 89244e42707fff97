import type { Access, CmqClient } from '../support/cmq-client.ts'
import type { Tally } from '../support/tally.ts'
import type { OwnResources } from './own-resources.ts'

/** What a story is told with. */
export interface Told extends Pick<Tally, 'check' | 'skip'> {
  readonly access: Access
  readonly client: CmqClient
  readonly own: OwnResources
  /** Whether the service can reach servers of this machine. */
  readonly isLocal: boolean
  readonly signal: AbortSignal
}

/** Checks of which each needs those before it. */
export type Story = (told: Told) => Promise<void>

/** Seconds for which a message that is surely there is waited for. */
export const PATIENCE = 20

export const NO_MESSAGE = 7000

/** A message as ReceiveMessage returns it. */
export interface Received {
  readonly msgId: string
  readonly msgBody: string
  readonly receiptHandle: string
}

/** As many messages as that, in the order in which they came: a batch may bring fewer than were asked for (406/5924). */
export async function receiveAll(client: CmqClient, queueName: string, count: number): Promise<readonly Received[]> {
  const messages: Received[] = []
  while (messages.length < count) {
    const numOfMsg = Math.min(16, count - messages.length)
    const wait = { queueName, numOfMsg, pollingWaitSeconds: PATIENCE }
    const { msgInfoList } = await client.call('BatchReceiveMessage', wait)
    messages.push(...(msgInfoList as readonly Received[]))
  }
  return messages
}

/** The bodies of as many messages as that, sorted. */
export async function bodiesIn(client: CmqClient, queueName: string, count: number): Promise<readonly string[]> {
  const messages = await receiveAll(client, queueName, count)
  return messages.map(({ msgBody }) => msgBody).sort()
}
