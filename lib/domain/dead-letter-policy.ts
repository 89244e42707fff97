import { CmqError } from './errors.ts'
import { isNamed, isSameName } from './name.ts'
import type { Instant, Seconds } from './time.ts'

/** When the messages of a queue go to its dead-letter queue: 0, received too often; 1, not consumed for too long. */
export type DeadLetterPolicy = ByReceives | ByAge

interface Binding {
  /** The dead-letter queue, which is of the same account. */
  readonly queueName: string
  /** Since when: what a message went through earlier does not count. */
  readonly boundAt: Instant
}

interface ByReceives extends Binding {
  readonly policy: 0
  readonly maxReceiveCount: number
}

interface ByAge extends Binding {
  readonly policy: 1
  readonly maxTimeToLive: Seconds
}

/** What sets a policy, by the names of its parameters. */
export interface DeadLetterSettings {
  readonly deadLetterQueueName: string
  readonly policy: number
  readonly maxReceiveCount: number
  readonly maxTimeToLive: Seconds
}

/** CMQ's own. A time to live is shorter than the retention, too. */
export const deadLetterLimits = {
  policy: { min: 0, max: 1 },
  maxReceiveCount: { min: 1, max: 1_000 },
  maxTimeToLive: { min: 300, max: 43_200 },
  /** Queues that one dead-letter queue serves. */
  sources: 6,
} as const

/**
 * The policy of a queue once these settings are given; the present one, itself, where none is. What was not given stays
 * as it is. Throws what is missing, and what does not fit the queue's retention.
 */
export function policyAfter(
  present: DeadLetterPolicy | undefined,
  given: { readonly [Name in keyof DeadLetterSettings]?: DeadLetterSettings[Name] | undefined },
  msgRetentionSeconds: Seconds,
  now: Instant,
): DeadLetterPolicy | undefined {
  const { deadLetterQueueName, policy, maxReceiveCount, maxTimeToLive } = given
  const isGiven = [deadLetterQueueName, policy, maxReceiveCount, maxTimeToLive].some((value) => value !== undefined)
  const after = isGiven ? merged(present, given, now) : present
  if (after?.policy === 1 && after.maxTimeToLive >= msgRetentionSeconds)
    throw new CmqError('parameterOutOfRange', 'maxTimeToLive')
  return after
}

function merged(
  present: DeadLetterPolicy | undefined,
  given: Parameters<typeof policyAfter>[1],
  now: Instant,
): DeadLetterPolicy {
  const queueName = needed(given.deadLetterQueueName ?? present?.queueName, 'deadLetterQueueName')
  const policy = needed(given.policy ?? present?.policy, 'policy')
  const isSame = present?.policy === policy && isSameName(present.queueName, queueName)
  const binding = { queueName, boundAt: isSame ? present.boundAt : now }
  if (policy === 1) {
    const known = present?.policy === 1 ? present.maxTimeToLive : undefined
    return { ...binding, policy, maxTimeToLive: needed(given.maxTimeToLive ?? known, 'maxTimeToLive') }
  }
  const known = present?.policy === 0 ? present.maxReceiveCount : undefined
  return { ...binding, policy: 0, maxReceiveCount: needed(given.maxReceiveCount ?? known, 'maxReceiveCount') }
}

function needed<Value>(value: Value | undefined, name: string): Value {
  if (value === undefined) throw new CmqError('parameterMissing', name)
  return value
}

/** A policy as it is set and told, under the names of its parameters. */
export const settingsOf = (bound: DeadLetterPolicy): Partial<DeadLetterSettings> => ({
  deadLetterQueueName: bound.queueName,
  policy: bound.policy,
  ...(bound.policy === 0 ? { maxReceiveCount: bound.maxReceiveCount } : { maxTimeToLive: bound.maxTimeToLive }),
})

/** What of a queue the rules of binding are about. */
interface Bindable {
  readonly name: string
  readonly deadLetterPolicy?: DeadLetterPolicy
}

/**
 * The dead-letter queue that a policy names, among all queues of the account. Throws where it may not be bound to the
 * queue `name`: there is none, it has a dead-letter queue itself or the queue is one already, or it serves too many.
 */
export function deadLetterQueueOf<Queue extends Bindable>(
  name: string,
  { queueName }: DeadLetterPolicy,
  queues: readonly Queue[],
): Queue {
  if (isSameName(name, queueName)) throw new CmqError('deadLettersChained')
  const found = queues.find((queue) => isNamed(queue, queueName))
  if (!found) throw new CmqError('queueNotFound')
  if (found.deadLetterPolicy || sourcesOf(name, queues).length > 0) throw new CmqError('deadLettersChained')
  const others = sourcesOf(queueName, queues).filter((source) => !isNamed(source, name))
  if (others.length >= deadLetterLimits.sources) throw new CmqError('tooManyDeadLetterSources')
  return found
}

/** The queues whose dead letters go to the queue of this name. */
export const sourcesOf = <Queue extends Bindable>(name: string, queues: readonly Queue[]): readonly Queue[] =>
  queues.filter(({ deadLetterPolicy }) => deadLetterPolicy && isSameName(deadLetterPolicy.queueName, name))
