import { aws_cloudwatch as cloudwatch, Stack } from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import { type Measure, measures } from '../lib/names.ts'

/** The namespace in which the functions of a service count: another one for each, so that stages do not mix. */
export const namespaceOf = (service: Construct): string =>
  ['CMQ', Stack.of(service).stackName, ...(service.node.id === 'Default' ? [] : [service.node.id])]
    .map((part) => part.replaceAll(/[^\w.#:-]/g, '-'))
    .join('/')

/** One metric that the functions count, in sums of five minutes unless options say otherwise. */
export const measured = (
  namespace: string,
  metricName: Measure,
  options: cloudwatch.MetricOptions = {},
): cloudwatch.Metric =>
  new cloudwatch.Metric({
    namespace,
    metricName,
    statistic: cloudwatch.Stats.SUM,
    unit: cloudwatch.Unit[unitOf(metricName)],
    ...options,
  })

const unitOf = (name: Measure) =>
  (({ Milliseconds: 'MILLISECONDS', Seconds: 'SECONDS', Count: 'COUNT' }) as const)[measures[name]]

/** The metrics of that name for every value of a dimension, as far as there are any. */
export const measuredBy = (
  namespace: string,
  metricName: Measure,
  dimension: 'action' | 'refusal',
  statistic: string,
  label = '',
): cloudwatch.MathExpression =>
  new cloudwatch.MathExpression({
    expression: `SEARCH('{${namespace},${dimension}} MetricName="${metricName}"', '${statistic}', 300)`,
    label,
    usingMetrics: {},
  })
