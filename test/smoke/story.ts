import { ok } from 'node:assert/strict'
import type { Access, CmqClient } from '../support/cmq-client.ts'
import type { Answer } from '../support/service.ts'
import type { Tally } from '../support/tally.ts'
import type { OwnResources } from './own-resources.ts'

/** What a story is told with. */
export interface Told extends Pick<Tally, 'check' | 'skip'> {
  readonly access: Access
  readonly client: CmqClient
  readonly own: OwnResources
  /** Whether the service can reach servers of this machine. */
  readonly isLocal: boolean
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

/** The next message. A service may be set to wait less than it is asked to, so it is asked again. */
export async function receive(client: CmqClient, queueName: string): Promise<Received> {
  const deadline = performance.now() + PATIENCE * 1_000
  for (;;) {
    const answer = await client.ask('ReceiveMessage', { queueName, pollingWaitSeconds: PATIENCE })
    if (answer.code === 0) return answer as unknown as Received
    ok(answer.code === NO_MESSAGE, `ReceiveMessage is refused: ${answer.code} ${answer.message}`)
    ok(performance.now() < deadline, `nothing came within ${PATIENCE} s`)
  }
}

/** A service may be set to say some refusals with another code in front, but the words are the same. */
export function refused({ code, message }: Answer, words: string): void {
  ok(code !== 0 && message.endsWith(words), `the answer is ${code} ${message}, not ${words}`)
}

/** As many messages as that, in the order in which they came: a batch may bring fewer than were asked for (406/5924). */
export async function receiveAll(client: CmqClient, queueName: string, count: number): Promise<readonly Received[]> {
  const messages: Received[] = []
  const deadline = performance.now() + PATIENCE * 1_000
  while (messages.length < count) {
    const numOfMsg = Math.min(16, count - messages.length)
    const wanted = { queueName, numOfMsg, pollingWaitSeconds: PATIENCE }
    const { code, message, msgInfoList = [] } = await client.ask('BatchReceiveMessage', wanted)
    ok(code === 0 || code === NO_MESSAGE, `BatchReceiveMessage is refused: ${code} ${message}`)
    ok(code === 0 || performance.now() < deadline, `${messages.length} messages of ${count} came within ${PATIENCE} s`)
    messages.push(...(msgInfoList as readonly Received[]))
  }
  return messages
}

/** The bodies of as many messages as that, sorted. */
export async function bodiesIn(client: CmqClient, queueName: string, count: number): Promise<readonly string[]> {
  const messages = await receiveAll(client, queueName, count)
  return messages.map(({ msgBody }) => msgBody).sort()
}
