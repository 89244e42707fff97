import type { Answer } from '../support/service.ts'
import type { Call, History } from './history.ts'
import { bodyOf, GRAVEYARD, type Op } from './program.ts'
import { urlOf } from './web.ts'
import type { World } from './world.ts'

/** What is known of queues while a program runs. */
export interface Stage {
  readonly world: World
  readonly history: History
  /** Handles that were given out, by queue, the newest last. */
  readonly handles: Map<string, string[]>
}

/** Does what the operation says, and notes what came of it. */
export async function perform(stage: Stage, op: Op): Promise<Call | undefined> {
  const { world, history } = stage
  if (op.kind === 'kill') return void (await world.kill(op.process))
  if (op.kind === 'rotate') return void (await world.rotate(op))
  if (op.kind === 'weather') return void world.web.set(op.name, op.as)
  const given = givenOf(stage, op)
  if (op.kind === 'delete' && given.length === 0) return undefined
  const parameters = parametersOf(op, given, world.clock.now())
  const call: Call = {
    op,
    from: world.clock.now(),
    to: Infinity,
    overAt: Infinity,
    skew: 0,
    outcome: 'unknown',
    code: -1,
    answer: undefined,
    faults: [],
    given,
  }
  history.calls.push(call)
  const { answer, skew, faults, over } = await world.ask(op, parameters)
  void over.then((at) => (call.overAt = at))
  Object.assign(call, { to: world.clock.now(), skew, faults, answer, ...outcomeOf(answer) })
  for (const { receiptHandle } of messagesIn(answer)) {
    const queue = 'queue' in op ? op.queue : ''
    stage.handles.set(queue, [...(stage.handles.get(queue) ?? []), receiptHandle].slice(-MOST_HANDLES))
  }
  return call
}

const MOST_HANDLES = 64

/** A message in the answer to a receive. */
export interface ReceivedMessage {
  readonly msgBody: string
  readonly msgId: string
  readonly receiptHandle: string
  readonly enqueueTime: number
  readonly firstDequeueTime: number
  readonly nextVisibleTime: number
  readonly dequeueCount: number
  /** Of a dead letter: where it came from, and how often it was received there. */
  readonly deadLetter?: { readonly sourceQueueName: string; readonly policy: number; readonly dequeueCount: number }
}

export function messagesIn(answer: Answer | undefined): readonly ReceivedMessage[] {
  if (answer?.['receiptHandle'] !== undefined) return [answer as unknown as ReceivedMessage]
  return (answer?.['msgInfoList'] as readonly ReceivedMessage[] | undefined) ?? []
}

/** The ids in the answer to a send, in the order of its bodies. */
export function idsIn(answer: Answer | undefined): readonly string[] {
  if (answer?.['msgId'] !== undefined) return [answer['msgId'] as string]
  return ((answer?.['msgList'] as readonly { msgId: string }[] | undefined) ?? []).map(({ msgId }) => msgId)
}

/** The server's own failure leaves open what was done. */
const INTERNAL = 6_000

function outcomeOf(answer: Answer | undefined): Pick<Call, 'outcome' | 'code'> {
  if (!answer) return { outcome: 'unknown', code: -1 }
  const { code } = answer
  return { code, outcome: code === 0 ? 'acknowledged' : code === INTERNAL ? 'unknown' : 'refused' }
}

function givenOf({ handles }: Stage, op: Op): readonly string[] {
  if (op.kind === 'send' || op.kind === 'publish') return op.sizes.map((size, index) => bodyOf(op.id, index, size))
  if (op.kind !== 'delete') return []
  const known = handles.get(op.of ?? op.queue) ?? []
  return [...new Set(op.back.flatMap((back) => known.at(-1 - back) ?? []))]
}

type Parameters = Record<string, string | number>

function parametersOf(
  op: Exclude<Op, { kind: 'kill' | 'weather' | 'rotate' }>,
  given: readonly string[],
  now: number,
): Parameters {
  /** By the action for one where it may be, else by that for a list. */
  const listed = (action: string, name: string): Parameters => {
    const [one] = given.length === 1 && op.isSingle ? given : []
    return one === undefined ? { Action: `Batch${action}`, ...listOf(name, given) } : { Action: action, [name]: one }
  }
  switch (op.kind) {
    case 'send':
      return {
        ...listed('SendMessage', 'msgBody'),
        queueName: op.queue,
        delaySeconds: op.delay,
      }
    case 'receive':
      return {
        ...(op.count === 1 && op.isSingle
          ? { Action: 'ReceiveMessage' }
          : { Action: 'BatchReceiveMessage', numOfMsg: op.count }),
        queueName: op.queue,
        pollingWaitSeconds: op.wait,
      }
    case 'delete':
      return {
        ...listed('DeleteMessage', 'receiptHandle'),
        queueName: op.queue,
      }
    case 'intrude':
    case 'count':
      return { Action: 'GetQueueAttributes', queueName: op.queue }
    case 'create':
      return { Action: 'CreateQueue', queueName: op.queue, ...op.attributes }
    case 'change':
      return { Action: 'SetQueueAttributes', queueName: op.queue, ...op.attributes }
    case 'destroy':
      return { Action: 'DeleteQueue', queueName: op.queue }
    case 'clear':
      return { Action: 'ClearQueue', queueName: op.queue }
    case 'rewind':
      return { Action: 'RewindQueue', queueName: op.queue, startConsumeTime: rewoundTo(op.ago, now) }
    case 'bury':
      return op.settings
        ? { Action: 'SetQueueAttributes', queueName: op.queue, deadLetterQueueName: GRAVEYARD, ...op.settings }
        : { Action: 'UnbindDeadLetter', queueName: op.queue }
    case 'topic':
      return { Action: 'CreateTopic', topicName: op.topic, filterType: op.filterType, maxMsgSize: 1_048_576 }
    case 'abolish':
      return { Action: 'DeleteTopic', topicName: op.topic }
    case 'resize':
      return { Action: 'SetTopicAttributes', topicName: op.topic, maxMsgSize: op.largest }
    case 'publish':
      return {
        ...listed('PublishMessage', 'msgBody'),
        topicName: op.topic,
        ...listOf('msgTag', op.tags),
        routingKey: op.routingKey,
        delaySeconds: op.delay,
      }
    case 'subscribe':
      return {
        Action: 'Subscribe',
        topicName: op.topic,
        subscriptionName: op.name,
        ...('queue' in op.endpoint
          ? { protocol: 'queue', endpoint: op.endpoint.queue }
          : { protocol: 'http', endpoint: urlOf(op.endpoint.web), notifyContentFormat: op.format }),
        notifyStrategy: op.strategy,
        ...filterOf(op),
      }
    case 'want':
      return {
        Action: 'SetSubscriptionAttributes',
        topicName: op.topic,
        subscriptionName: op.name,
        notifyStrategy: op.strategy,
        ...filterOf(op),
      }
    case 'unsubscribe':
      return { Action: 'Unsubscribe', topicName: op.topic, subscriptionName: op.name }
  }
}

/** The second that a rewind names. */
export const rewoundTo = (ago: number, now: number): number => Math.floor(now / 1_000) - ago

/** Topics called `keys` filter by them, all others by tags. */
export const filtersByKeys = (topic: string): boolean => topic === 'keys'

const filterOf = ({ topic, filter }: { readonly topic: string; readonly filter: readonly string[] }): Parameters =>
  listOf(filtersByKeys(topic) ? 'bindingKey' : 'filterTag', filter)

const listOf = (name: string, values: readonly string[]): Parameters =>
  Object.fromEntries(values.map((value, index) => [`${name}.${index + 1}`, value]))
