import type { Instant } from '../lib/domain/time.ts'
import { type Measure, measures, metricsVariable } from '../lib/names.ts'
import type { Fields } from '../lib/protocol/envelope.ts'

/** Values that are to be metrics, together or by what the one dimension says. Its values must be few: each makes a metric. */
export interface Measured {
  readonly values: Readonly<Partial<Record<Measure, number>>>
  readonly by?: Readonly<Partial<Record<'action' | 'refusal', string>>>
}

/**
 * Members of a log line, of which CloudWatch makes metrics (its embedded metric format): so what is counted costs no call
 * and no line of its own. None where nobody asked for metrics.
 */
export function measured(now: Instant, ...all: readonly Measured[]): object {
  const namespace = process.env[metricsVariable]
  const told = all.filter(({ values }) => Object.keys(values).length > 0)
  if (!namespace || told.length === 0) return {}
  const members = Object.assign({}, ...told.map(({ values, by }) => ({ ...values, ...by }))) as object
  return { ...members, _aws: { Timestamp: now, CloudWatchMetrics: told.map((one) => directive(namespace, one)) } }
}

const directive = (Namespace: string, { values, by = {} }: Measured) => ({
  Namespace,
  Dimensions: [Object.keys(by)],
  Metrics: (Object.keys(values) as Measure[]).map((Name) => ({ Name, Unit: measures[Name] })),
})

/** The messages that an answer tells of: those that came in have an id, those that went out a receipt handle beside it. */
export function messagesOf(answer: Fields): Measured {
  const told = (answer['msgInfoList'] ?? answer['msgList'] ?? [answer]) as readonly Fields[]
  const messages = told.filter(({ msgId }) => msgId !== undefined)
  const messagesOut = messages.filter(({ receiptHandle }) => receiptHandle !== undefined).length
  const messagesIn = messages.length - messagesOut
  return { values: { ...(messagesIn > 0 ? { messagesIn } : {}), ...(messagesOut > 0 ? { messagesOut } : {}) } }
}

/** For how long what nobody works on has been due; 0 when nothing is. */
export const overdueSince = (oldest: Instant, now: Instant): object =>
  measured(now, { values: { overdue: Math.max(0, Math.round((now - oldest) / 1_000)) } })
