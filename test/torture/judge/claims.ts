import type { Call, History } from '../history.ts'
import { filtersByKeys } from '../perform.ts'
import type { Op, Strategy, Wants } from '../program.ts'
import { callsOf } from './calls.ts'
import { AFTERMATH, CACHED, latestOf } from './settings.ts'

type Subscribing = Extract<Op, { kind: 'subscribe' }>

/** A subscription, from its Subscribe to its Unsubscribe. */
export interface Subscription {
  readonly op: Subscribing
  readonly begun: Span
  /** From when on it may have ended, and from when on it has for certain. */
  mayEndAt: number
  isEndedAt: number
  readonly versions: Version[]
}

interface Span {
  readonly from: number
  readonly to: number
}

interface Version extends Span {
  readonly filter: readonly string[]
  readonly strategy: Strategy
  isReplacedAt: number
}

/** Every subscription that there may have been. */
export function subscriptionsOf({ calls, profile }: History): readonly Subscription[] {
  const margin = CACHED + 2 * profile.skew
  const effective = calls.filter(({ outcome }) => outcome !== 'refused')
  // First all that began: a change that was called before, and took long, may have come to one of them.
  const all = calls.flatMap((call) => {
    if (call.op.kind !== 'subscribe') return []
    if (call.outcome !== 'refused') return [begunBy(call.op, call)]
    // It held until the end of its topic was known, which then took it away.
    const isOvertaken = effective.some((other) => isEndOf(other, call))
    return isOvertaken ? [{ ...begunBy(call.op, call), mayEndAt: call.from, isEndedAt: call.to }] : []
  })
  const those = (topic: string, name: string | undefined, before: number) =>
    all.filter(({ op, begun }) => op.topic === topic && op.name === (name ?? op.name) && begun.from <= before)

  for (const call of effective) {
    const { op, from, to, outcome } = call
    const latest = latestOf(call)
    // Only a topic without subscriptions is deleted; one that began meanwhile went with it.
    if (op.kind === 'unsubscribe' || op.kind === 'abolish')
      for (const one of op.kind === 'unsubscribe'
        ? those(op.topic, op.name, latest)
        : those(op.topic, undefined, latest + margin)) {
        one.mayEndAt = Math.min(one.mayEndAt, from)
        // One that began meanwhile may have begun after another of its name had ended.
        if (outcome === 'acknowledged' && one.versions.every((version) => version.to <= from))
          one.isEndedAt = Math.min(one.isEndedAt, to)
      }
    if (op.kind === 'want')
      for (const { versions } of those(op.topic, op.name, latest)) {
        if (outcome === 'acknowledged')
          for (const version of versions)
            if (version.to <= from) version.isReplacedAt = Math.min(version.isReplacedAt, to + margin)
        versions.push({ ...wantsOf(op), from, to: latest, isReplacedAt: Infinity })
      }
  }
  return all
}

const begunBy = (op: Subscribing, call: Call): Subscription => ({
  op,
  begun: { from: call.from, to: call.outcome === 'acknowledged' ? call.to : Infinity },
  mayEndAt: Infinity,
  isEndedAt: Infinity,
  versions: [{ ...wantsOf(op), from: call.from, to: latestOf(call), isReplacedAt: Infinity }],
})

/** Whether a topic may have been deleted while somebody subscribed to it. */
const isEndOf = (call: Call, { op, from, to }: Call): boolean =>
  call.op.kind === 'abolish' && 'topic' in op && call.op.topic === op.topic && call.from <= to && latestOf(call) >= from

const wantsOf = ({ filter, strategy }: Pick<Wants, 'filter' | 'strategy'>) => ({ filter, strategy })

/** The strategies that a subscription may have had at some time of the interval. */
export const strategiesOf = ({ versions }: Subscription, from: number, to: number): readonly Strategy[] =>
  versions.filter((version) => version.from <= to && version.isReplacedAt >= from).map(({ strategy }) => strategy)

/** When it may be decided who gets what a call has published. */
export function decided({ healedAt, profile }: History, call: Call): Span {
  const { op, from } = call
  const delay = op.kind === 'publish' ? op.delay * 1_000 : 0
  const latest = latestOf(call)
  return {
    from: from + delay - 2 * profile.skew,
    // A release may come late where something goes wrong, but hardly later than the end of all faults.
    to: delay === 0 ? latest : Math.max(latest + delay, healedAt) + AFTERMATH + 5 * 60_000,
  }
}

/** Whether a subscription gets what was published: for certain, or possibly. */
export function claim(history: History, one: Subscription, publish: Call): 'must' | 'may' | 'must not' {
  const { op } = publish
  if (op.kind !== 'publish' || op.topic !== one.op.topic || publish.outcome === 'refused') return 'must not'
  const span = decided(history, publish)
  const margin = CACHED + 2 * history.profile.skew
  if (one.begun.from > span.to || one.isEndedAt + margin < span.from) return 'must not'
  const matches = one.versions
    .filter((version) => version.from <= span.to && version.isReplacedAt >= span.from)
    .map(({ filter }) => isWanted(op.topic, filter, op))
  if (!matches.includes(true)) return 'must not'
  // What waits for its delay is deleted with its topic.
  const mayBeDropped = callsOf(history, 'abolish').some(
    (call) => isOf(call, op.topic) && latestOf(call) + margin >= publish.from && call.from <= span.to,
  )
  if (mayBeDropped) return 'may'
  const isCertain = one.begun.to + margin < span.from && one.mayEndAt === Infinity && !matches.includes(false)
  return isCertain && publish.outcome === 'acknowledged' ? 'must' : 'may'
}

/** Whether a call that may have had an effect is about a topic. */
const isOf = ({ op, outcome }: Call, topic: string): boolean =>
  'topic' in op && op.topic === topic && outcome !== 'refused'

function isWanted(
  topic: string,
  filter: readonly string[],
  { tags, routingKey }: Extract<Op, { kind: 'publish' }>,
): boolean {
  if (!filtersByKeys(topic)) return filter.length === 0 || tags.some((tag) => filter.includes(tag))
  return filter.some((key) => isBound(key.split('.'), routingKey.split('.')))
}

/** `*` is one word, `#` any number of them (406/8127). */
function isBound([pattern, ...patterns]: readonly string[], words: readonly string[]): boolean {
  if (pattern === undefined) return words.length === 0
  if (pattern === '#')
    return isBound(patterns, words) || (words.length > 0 && isBound(['#', ...patterns], words.slice(1)))
  const [word, ...others] = words
  return word !== undefined && (pattern === word || pattern === '*') && isBound(patterns, others)
}
