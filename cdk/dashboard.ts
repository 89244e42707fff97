import { aws_cloudwatch as cloudwatch, Duration } from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import type { Measure } from '../lib/names.ts'
import { type FunctionName, MEMORY_SIZE } from './functions.ts'
import { measured, measuredBy } from './metrics.ts'
import { prices } from './prices.ts'
import type { Watched } from './watched.ts'

const period = Duration.minutes(5)
const { SUM, MAXIMUM } = cloudwatch.Stats

/** Everything about a service on one page: what its functions count, when they do, and what AWS counts for nothing. */
export function createDashboard(scope: Construct, watched: Watched): cloudwatch.Dashboard {
  const dashboard = new cloudwatch.Dashboard(scope, 'Dashboard', { defaultInterval: Duration.hours(12) })
  dashboard.addWidgets(...drawn(watched.counting.all ? countedByFunctions(watched) : {}))
  dashboard.addWidgets(...drawn(countedByAws(watched)))
  return dashboard
}

type Graphs = Readonly<Record<string, readonly cloudwatch.IMetric[]>>

/** Graphs side by side, three in a row. */
const drawn = (graphs: Graphs): cloudwatch.GraphWidget[] =>
  Object.entries(graphs).map(
    ([title, left]) => new cloudwatch.GraphWidget({ title, left: [...left], width: 8, height: 6 }),
  )

function countedByFunctions({ counting: { namespace } }: Watched): Graphs {
  const sum = (name: Measure, label: string) => measured(namespace, name, { period, label })
  const { SAMPLE_COUNT, p } = cloudwatch.Stats
  return {
    'Requests by action': [measuredBy(namespace, 'milliseconds', 'action', SAMPLE_COUNT)],
    'Refusals by code': [measuredBy(namespace, 'refused', 'refusal', SUM)],
    'Milliseconds by action, the median': [measuredBy(namespace, 'milliseconds', 'action', p(50))],
    'Milliseconds by action, of one in a hundred': [measuredBy(namespace, 'milliseconds', 'action', p(99))],
    'Messages in and out': [sum('messagesIn', 'in'), sum('messagesOut', 'out')],
    Pushes: [
      measured(namespace, 'milliseconds', {
        period,
        label: 'attempts',
        statistic: SAMPLE_COUNT,
        dimensionsMap: { action: 'Push' },
      }),
      sum('retries', 'of these retries'),
      sum('failed', 'failed'),
      sum('dropped', 'dropped'),
    ],
  }
}

function countedByAws({ functions, tables, stage, sizes, counting }: Watched): Graphs {
  const each = (metricOf: (name: FunctionName) => cloudwatch.IMetric) =>
    (Object.keys(functions) as FunctionName[]).map(metricOf)
  const units = (kind: 'Read' | 'Write') =>
    Object.entries(tables).map(([label, table]) =>
      table.metric(`Consumed${kind}CapacityUnits`, { period, label, statistic: SUM }),
    )
  return {
    'Requests, and what the gateway says of them': [
      stage.metricCount({ period, label: 'requests', statistic: cloudwatch.Stats.SAMPLE_COUNT }),
      stage.metricClientError({ period, label: '4xx', statistic: SUM }),
      stage.metricServerError({ period, label: '5xx', statistic: SUM }),
    ],
    'Failed and refused invocations': [
      ...each((name) => functions[name].metricErrors({ period, label: `${name} failed` })),
      ...each((name) => functions[name].metricThrottles({ period, label: `${name} refused` })),
    ],
    'Concurrent executions': each((name) =>
      functions[name].metric('ConcurrentExecutions', { period, label: name, statistic: MAXIMUM }),
    ),
    'Read units': units('Read'),
    'Write units': units('Write'),
    ...(counting.overdue
      ? {
          'Seconds for which what nobody works on has been due': [
            measured(counting.namespace, 'overdue', { period, statistic: MAXIMUM, label: 'overdue' }),
          ],
        }
      : {}),
    'Dollars an hour': [dollarsAnHour({ functions, tables, stage, sizes })],
  }
}

/** What is paid for by use, at the prices of us-east-1: requests, functions, units. Logs and storage come to it. */
function dollarsAnHour({ functions, tables, stage, sizes }: Pick<Watched, 'functions' | 'tables' | 'stage' | 'sizes'>) {
  const million = 1_000_000
  const terms: [cloudwatch.IMetric, dollars: number][] = [
    [stage.metricCount({ period, statistic: cloudwatch.Stats.SAMPLE_COUNT }), prices.apiMillionRequests / million],
    ...(Object.keys(functions) as FunctionName[]).flatMap((name): [cloudwatch.IMetric, number][] => {
      const gigabytes = (sizes[name]?.memorySize ?? MEMORY_SIZE) / 1024
      return [
        [functions[name].metricInvocations({ period }), prices.lambdaMillionRequests / million],
        [functions[name].metricDuration({ period, statistic: SUM }), (gigabytes * prices.lambdaGigabyteSecond) / 1000],
      ]
    }),
    ...Object.values(tables).flatMap((table): [cloudwatch.IMetric, number][] => [
      [
        table.metric('ConsumedReadCapacityUnits', { period, statistic: SUM }),
        prices.dynamodbMillionReadUnits / million,
      ],
      [
        table.metric('ConsumedWriteCapacityUnits', { period, statistic: SUM }),
        prices.dynamodbMillionWriteUnits / million,
      ],
    ]),
  ]
  const products = terms.map(([, dollars], index) => `FILL(t${index}, 0) * ${dollars.toFixed(15)}`)
  const perHour = Duration.hours(1).toSeconds() / period.toSeconds()
  return new cloudwatch.MathExpression({
    // What nothing is told of costs nothing.
    expression: `${perHour} * (${products.join(' + ')})`,
    label: 'dollars an hour',
    period,
    usingMetrics: Object.fromEntries(terms.map(([metric], index) => [`t${index}`, metric])),
  })
}
