import {
  aws_cloudwatch as cloudwatch,
  aws_cloudwatch_actions as actions,
  type aws_lambda as lambda,
  type aws_sns as sns,
  Duration,
} from 'aws-cdk-lib'
import { Construct } from 'constructs'
import type { FunctionName } from './functions.ts'
import { measured } from './metrics.ts'
import type { Watched } from './watched.ts'

const MINUTE = Duration.minutes(1)
const FIVE_MINUTES = Duration.minutes(5)

/** When an alarm goes off: what is watched, and how much of it for how long is too much. */
interface Rule {
  readonly description: string
  readonly metric: cloudwatch.IMetric
  readonly threshold: number
  readonly evaluationPeriods?: number
  /** Whether there is always something to be told, so that silence is an alarm too. */
  readonly isNeverSilent?: boolean
}

/** The alarms of a service. They tell a topic, where there is one. */
export function createAlarms(
  scope: Construct,
  watched: Watched,
  topic: sns.ITopic | undefined,
): readonly cloudwatch.Alarm[] {
  const alarms = new Construct(scope, 'Alarms')
  return Object.entries(rulesOf(watched)).map(([id, { isNeverSilent = false, ...rule }]) => {
    const { NOT_BREACHING, MISSING } = cloudwatch.TreatMissingData
    const alarm = new cloudwatch.Alarm(alarms, id, {
      alarmDescription: rule.description,
      metric: rule.metric,
      threshold: rule.threshold,
      evaluationPeriods: rule.evaluationPeriods ?? 1,
      comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: isNeverSilent ? MISSING : NOT_BREACHING,
    })
    if (topic) {
      const tell = new actions.SnsAction(topic)
      alarm.addAlarmAction(tell)
      alarm.addOkAction(tell)
      if (isNeverSilent) alarm.addInsufficientDataAction(tell)
    }
    return alarm
  })
}

function rulesOf(watched: Watched): Readonly<Record<string, Rule>> {
  const { functions, stage, counting, failedBeats } = watched
  const { api, push, releaseDelayed, retryDeliveries } = functions
  const all = [api, push, releaseDelayed, retryDeliveries]
  return {
    Errors: {
      description: 'A function failed: what nobody expected, or an invocation that ran out of time or memory',
      metric: sumOf(all, (one) => one.metricErrors({ period: FIVE_MINUTES })),
      threshold: 1,
    },
    Throttles: {
      description: 'Invocations were refused for want of concurrency: clients see 503, and pushes come late',
      metric: sumOf(all, (one) => one.metricThrottles({ period: FIVE_MINUTES })),
      threshold: 1,
    },
    ApiErrors: {
      description: 'The API answered 5xx to more than a few requests',
      metric: stage.metricServerError({ period: FIVE_MINUTES, statistic: cloudwatch.Stats.SUM }),
      threshold: 5,
    },
    SlowApi: {
      description: 'Requests take nearly the 30 s after which they are cut off; the longest wait is 27 s',
      metric: api.metricDuration({ period: FIVE_MINUTES, statistic: cloudwatch.Stats.MAXIMUM }),
      threshold: 29_000,
      evaluationPeriods: 2,
    },
    SlowNet: {
      description: 'Looking after what is left behind takes longer than the minute until it begins anew',
      metric: retryDeliveries.metricDuration({ period: FIVE_MINUTES, statistic: cloudwatch.Stats.MAXIMUM }),
      threshold: 60_000,
      evaluationPeriods: 2,
    },
    Overdue: {
      description: 'A delivery or a delayed publication has been due for three minutes, and nobody works on it',
      metric: measured(counting.namespace, 'overdue', { period: MINUTE, statistic: cloudwatch.Stats.MAXIMUM }),
      threshold: 180,
      evaluationPeriods: 3,
      isNeverSilent: true,
    },
    FailedBeats: {
      description: 'A function that is called every minute could not be called',
      metric: failedBeats.metricApproximateNumberOfMessagesVisible({ period: FIVE_MINUTES }),
      threshold: 1,
    },
    Concurrency: {
      description: 'Four fifths of the concurrent executions that Lambda grants this account are claimed',
      metric: new cloudwatch.MathExpression({
        expression: '100 * claimed / SERVICE_QUOTA(used)',
        label: 'percent of the quota',
        period: MINUTE,
        usingMetrics: { claimed: ofAccount('ClaimedAccountConcurrency'), used: ofAccount('ConcurrentExecutions') },
      }),
      threshold: 80,
      evaluationPeriods: 3,
    },
    ...reservedRules(watched),
  }
}

/** A function that has concurrency set aside is refused when that is used up, whatever the account has left. */
function reservedRules({ functions, sizes }: Watched): Record<string, Rule> {
  const names = Object.keys(functions) as FunctionName[]
  return Object.fromEntries(
    names.flatMap((name) => {
      const most = sizes[name]?.reservedConcurrency
      if (most === undefined) return []
      const metric = functions[name].metric('ConcurrentExecutions', {
        period: MINUTE,
        statistic: cloudwatch.Stats.MAXIMUM,
      })
      const rule: Rule = {
        description: `Four fifths of the ${most} concurrent executions that are set aside for ${name} are in use`,
        metric,
        threshold: Math.max(1, 0.8 * most),
        evaluationPeriods: 3,
      }
      return [[`Concurrency-${name}`, rule]]
    }),
  )
}

const ofAccount = (metricName: string) =>
  new cloudwatch.Metric({
    namespace: 'AWS/Lambda',
    metricName,
    period: MINUTE,
    statistic: cloudwatch.Stats.MAXIMUM,
  })

function sumOf(functions: readonly lambda.Function[], metricOf: (one: lambda.Function) => cloudwatch.Metric) {
  const usingMetrics = Object.fromEntries(functions.map((one, index) => [`m${index}`, metricOf(one)]))
  return new cloudwatch.MathExpression({
    expression: Object.keys(usingMetrics).join(' + '),
    period: FIVE_MINUTES,
    usingMetrics,
  })
}
