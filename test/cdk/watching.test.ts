import { App, aws_sns as sns, Stack } from 'aws-cdk-lib'
import { Match } from 'aws-cdk-lib/assertions'
import { describe, expect, it } from 'vitest'
import { CmqService } from '../../cdk/cmq-service.ts'
import { measures, metricsVariable } from '../../lib/names.ts'
import { deployed, outdir } from './deployed.ts'

const topicArn = 'arn:aws:sns:us-east-1:123456789012:alarms'
const alarmTopic = sns.Topic.fromTopicArn(new Stack(new App({ outdir }), 'elsewhere'), 'Topic', topicArn)
const functions = ['Api', 'Push', 'ReleaseDelayed', 'RetryDeliveries']

/** The functions that count, by what they are told. */
const counting = ({ propertiesOf }: ReturnType<typeof deployed>) =>
  functions.filter((name) => propertiesOf(name)['Environment'].Variables[metricsVariable] === 'CMQ/cmq')

describe('by default', () => {
  it('nothing is there that is paid for by the month', () => {
    const service = deployed()
    for (const type of ['AWS::CloudWatch::Alarm', 'AWS::CloudWatch::Dashboard'])
      service.template.resourceCountIs(type, 0)
    expect(counting(service)).toEqual([])
  })
})

describe('alarms', () => {
  const service = deployed({ alarmTopic })
  const { template, service: construct } = service
  const alarms = Object.values(template.findResources('AWS::CloudWatch::Alarm')).map(({ Properties }) => Properties)

  it('are there when there is a topic, and all tell it, of their end too', () => {
    expect(alarms).toHaveLength(8)
    expect(construct.alarms).toHaveLength(8)
    for (const alarm of alarms) expect(alarm).toMatchObject({ AlarmActions: [topicArn], OKActions: [topicArn] })
  })

  it('may be there without one, and not be there with one', () => {
    deployed({ alarms: true }).template.allResourcesProperties('AWS::CloudWatch::Alarm', {
      AlarmActions: Match.absent(),
    })
    deployed({ alarms: false, alarmTopic }).template.resourceCountIs('AWS::CloudWatch::Alarm', 0)
  })

  it.each([
    ['errors of any function', { Metrics: metricsNamed('Errors', 4), Threshold: 1 }],
    ['throttles of any function', { Metrics: metricsNamed('Throttles', 4), Threshold: 1 }],
    ['answers of 5xx', { MetricName: '5xx', Namespace: 'AWS/ApiGateway', Statistic: 'Sum' }],
    ['requests that take nearly 30 s', { MetricName: 'Duration', Statistic: 'Maximum', Threshold: 29_000 }],
    ['a net that takes longer than its minute', { MetricName: 'Duration', Statistic: 'Maximum', Threshold: 60_000 }],
    ['calls that could not be made', { MetricName: 'ApproximateNumberOfMessagesVisible', Namespace: 'AWS/SQS' }],
    [
      'concurrency of the account at 80 %, whatever its quota',
      {
        Threshold: 80,
        Metrics: Match.arrayWith([Match.objectLike({ Expression: '100 * claimed / SERVICE_QUOTA(used)' })]),
      },
    ],
  ])('watch %s', (_what, properties) => {
    template.hasResourceProperties('AWS::CloudWatch::Alarm', properties)
  })

  it('watch what is overdue, and that somebody looks at all', () => {
    template.hasResourceProperties('AWS::CloudWatch::Alarm', {
      MetricName: 'overdue',
      Namespace: 'CMQ/cmq',
      Statistic: 'Maximum',
      TreatMissingData: 'missing',
      InsufficientDataActions: [topicArn],
    })
    expect(counting(service)).toEqual(['ReleaseDelayed', 'RetryDeliveries'])
  })

  it('watch what is set aside for a function', () => {
    const { template } = deployed({ alarmTopic, api: { reservedConcurrency: 50 } })
    template.resourceCountIs('AWS::CloudWatch::Alarm', 9)
    template.hasResourceProperties('AWS::CloudWatch::Alarm', { MetricName: 'ConcurrentExecutions', Threshold: 40 })
  })
})

describe('metrics', () => {
  it('are counted by all functions, where nobody else counts', () => {
    const service = deployed({ metrics: true })
    expect(counting(service)).toEqual(functions)
    const { namespace } = deployed({ metrics: true }, 'cmq-test').service.counting
    expect(namespace).toBe('CMQ/cmq-test')
  })

  it('of two services in one stack do not mix', () => {
    const stack = new Stack(new App({ outdir }), 'both')
    const [one, other] = ['One', 'Other'].map((id) => new CmqService(stack, id))
    expect([one?.counting.namespace, other?.counting.namespace]).toEqual(['CMQ/both/One', 'CMQ/both/Other'])
  })

  it('are at hand by what they count', () => {
    const { service } = deployed({ metrics: true })
    const names = [
      service.metricMessagesIn(),
      service.metricMessagesOut(),
      service.metricPushes(),
      service.metricFailedPushes(),
      service.metricDropped(),
      service.metricRefused(4440),
    ]
    for (const { namespace, metricName } of names) {
      expect(namespace).toBe('CMQ/cmq')
      expect(Object.keys(measures)).toContain(metricName)
    }
    expect(service.metricRefused(4440).dimensions).toEqual({ refusal: '4440' })
    expect(service.metricRequests()).toMatchObject({ namespace: 'AWS/ApiGateway', metricName: 'Count' })
    expect(service.metricServerErrors()).toMatchObject({ metricName: '5xx', statistic: 'Sum' })
    expect(service.metricLatency()).toMatchObject({ metricName: 'Latency' })
  })

  it('that nobody counts are refused', () => {
    expect(() => deployed().service.metricPushes()).toThrow('only where the property metrics is true')
  })
})

describe('the dashboard', () => {
  const widgetsOf = (service: ReturnType<typeof deployed>): string => {
    const [dashboard] = Object.values(service.template.findResources('AWS::CloudWatch::Dashboard'))
    return JSON.stringify(dashboard?.Properties.DashboardBody)
  }

  it('shows what AWS counts', () => {
    const service = deployed({ dashboard: true })
    const widgets = widgetsOf(service)
    for (const word of [
      'Requests, and what the gateway',
      'ConsumedWriteCapacityUnits',
      'Dollars an hour',
      'Concurrent',
    ])
      expect(widgets).toContain(word)
    for (const word of ['Requests by action', 'overdue']) expect(widgets).not.toContain(word)
    expect(service.service.dashboard).toBeDefined()
  })

  it('shows what the functions count when they do', () => {
    const widgets = widgetsOf(deployed({ dashboard: true, metrics: true }))
    for (const word of ['Requests by action', 'Refusals by code', 'messagesOut', 'dropped', 'p99'])
      expect(widgets).toContain(word)
  })

  it('has the price of each function by its own memory', () => {
    const dollars = (memorySize: number) => widgetsOf(deployed({ dashboard: true, push: { memorySize } }))
    expect(dollars(512)).toContain('0.000000006666700')
    expect(dollars(2048)).toContain('0.000000026666800')
  })
})

function metricsNamed(MetricName: string, count: number) {
  const metric = Match.objectLike({ MetricStat: Match.objectLike({ Metric: Match.objectLike({ MetricName }) }) })
  return Match.arrayWith([
    Match.objectLike({ Expression: 'm0 + m1 + m2 + m3' }),
    ...Array<typeof metric>(count).fill(metric),
  ])
}
