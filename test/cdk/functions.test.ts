import { Duration } from 'aws-cdk-lib'
import { Match } from 'aws-cdk-lib/assertions'
import { describe, expect, it } from 'vitest'
import { bounds, settingsOf } from '../../cdk/settings.ts'
import { settingVariables } from '../../lib/names.ts'
import { deployed } from './deployed.ts'

const { service, template, resources, logicalId, propertiesOf, rightsOf } = deployed()
const functions = ['Api', 'Push', 'ReleaseDelayed', 'RetryDeliveries']
const workers = ['Push', 'ReleaseDelayed', 'RetryDeliveries']

const on = (service: string, ...actions: string[]) => actions.map((action) => `${service}:${action}`)

describe('the functions', () => {
  it('are four, each at hand by its name', () => {
    const { apiFunction, pushFunction, releaseFunction, retryFunction } = service
    const ids = [apiFunction, pushFunction, releaseFunction, retryFunction].map(logicalId)
    expect(Object.keys(template.findResources('AWS::Lambda::Function')).toSorted()).toEqual(ids.toSorted())
  })

  it.each(functions)('%s runs on Node 24 and arm64', (name) => {
    expect(propertiesOf(name)).toMatchObject({
      Runtime: 'nodejs24.x',
      Architectures: ['arm64'],
      Handler: 'index.handler',
      MemorySize: 512,
    })
  })

  it('have as long as the gateway waits, and as long as Lambda lets them', () => {
    expect(functions.map((name) => propertiesOf(name)['Timeout'])).toEqual([30, 900, 900, 900])
  })

  it.each(functions)('%s writes to a log group of its own, which forgets after a month', (name) => {
    expect(propertiesOf(name)['LoggingConfig']).toEqual({ LogGroup: `<${name}Logs>` })
    expect(propertiesOf(`${name}Logs`)['RetentionInDays']).toBe(30)
  })

  it.each(workers)('%s is called once and not again: what is left behind is looked after', (name) => {
    const called = { FunctionName: { Ref: Match.stringLikeRegexp(`^${name}[0-9A-F]{8}$`) } }
    const config = { ...called, MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60, Qualifier: '$LATEST' }
    template.hasResourceProperties('AWS::Lambda::EventInvokeConfig', config)
  })
})

describe('what a function is told', () => {
  const tables = {
    CMQ_REGISTRY_TABLE: '<Registry>',
    CMQ_MESSAGES_TABLE: '<Messages>',
    CMQ_DELIVERIES_TABLE: '<Deliveries>',
    CMQ_BODIES_TABLE: '<Bodies>',
  }
  const wakeUps = {
    CMQ_SCHEDULE_GROUP: propertiesOf('Schedules')['Name'],
    CMQ_SCHEDULE_ROLE_ARN: '<WakeUpRole.Arn>',
  }

  it.each([
    ['Api', { CMQ_SECRET_ARN: '<KeyPair>', CMQ_PUSH_FUNCTION: '<Push>', CMQ_RELEASE_FUNCTION: '<ReleaseDelayed>' }],
    ['Push', wakeUps],
    ['ReleaseDelayed', { ...wakeUps, CMQ_PUSH_FUNCTION: '<Push>' }],
    ['RetryDeliveries', { CMQ_PUSH_FUNCTION: '<Push>' }],
  ])('%s: its tables, whom it calls, and no setting that was not given', (name, others) => {
    const { Variables } = propertiesOf(name)['Environment']
    expect(Variables).toEqual({ POWERTOOLS_LOG_LEVEL: 'INFO', ...tables, ...others })
  })

  it('every setting, whichever function reads it', () => {
    const given = {
      ...Object.fromEntries(Object.entries(bounds).map(([name, [, max]]) => [name, max])),
      ...Object.fromEntries(
        (['longestWait', 'longestDelay', 'timeWindow', 'recreateWait', 'longestPause'] as const).map((name) => [
          name,
          Duration.seconds(bounds[name][1]),
        ]),
      ),
      layeredErrors: true,
      anySecretId: true,
      publishToNobody: true,
      strictContentFormat: true,
      pushTargets: ['10.0.0.0/8', 'fd00::/8'],
      publicHosts: ['queue.example.com'],
    }
    const settings = settingsOf(given)
    expect(Object.keys(settings)).toEqual(Object.values(settingVariables))
    const { propertiesOf } = deployed(given)
    for (const name of functions) expect(propertiesOf(name)['Environment'].Variables).toMatchObject(settings)
  })

  it('another size and another retention', () => {
    const { propertiesOf } = deployed({
      api: { memorySize: 1024, reservedConcurrency: 50 },
      push: { memorySize: 256 },
      releaseDelayed: { reservedConcurrency: 2 },
      retryDeliveries: { memorySize: 128, reservedConcurrency: 1 },
      logRetention: 3,
    })
    const each = (property: string) => functions.map((name) => propertiesOf(name)[property])
    expect(each('MemorySize')).toEqual([1024, 256, 512, 128])
    expect(each('ReservedConcurrentExecutions')).toEqual([50, undefined, 2, 1])
    expect(functions.map((name) => propertiesOf(`${name}Logs`)['RetentionInDays'])).toEqual([3, 3, 3, 3])
  })
})

describe('what a function may do, and nothing else, nowhere else', () => {
  const schedules = `arn:<AWS::Partition>:scheduler:<AWS::Region>:<AWS::AccountId>:schedule/${propertiesOf('Schedules')['Name']}`
  const wakeItself = (duty: string) => ({
    [`${schedules}/${duty}-*`]: on('scheduler', 'CreateSchedule'),
    '<WakeUpRole.Arn>': {
      actions: on('iam', 'PassRole'),
      condition: { StringEquals: { 'iam:PassedToService': 'scheduler.amazonaws.com' } },
    },
  })
  const start = on('lambda', 'InvokeFunction')

  it.each([
    [
      'Api',
      {
        '<Registry.Arn>': on('dynamodb', 'GetItem', 'BatchGetItem', 'Query', 'PutItem', 'UpdateItem'),
        '<Messages.Arn>': on(
          'dynamodb',
          'GetItem',
          'BatchGetItem',
          'Query',
          'PutItem',
          'BatchWriteItem',
          'UpdateItem',
          'DeleteItem',
        ),
        '<Deliveries.Arn>': on('dynamodb', 'Query', 'PutItem', 'BatchWriteItem'),
        '<Bodies.Arn>': on('dynamodb', 'BatchGetItem', 'BatchWriteItem'),
        '<KeyPair>': on('secretsmanager', 'GetSecretValue'),
        '<Push.Arn>': start,
        '<ReleaseDelayed.Arn>': start,
      },
    ],
    [
      'Push',
      {
        '<Registry.Arn>': on(
          'dynamodb',
          'GetItem account#*',
          'GetItem topic#*',
          'GetItem tally#*',
          'UpdateItem account#*',
          'UpdateItem work#*',
          'UpdateItem tally#*',
          'DeleteItem pending#push#*',
        ),
        '<Messages.Arn>': on('dynamodb', 'Query', 'PutItem'),
        '<Deliveries.Arn>': on('dynamodb', 'Query', 'UpdateItem', 'DeleteItem', 'BatchWriteItem'),
        '<Bodies.Arn>': on('dynamodb', 'BatchGetItem', 'BatchWriteItem'),
        '<Push.Arn>': start,
        ...wakeItself('push'),
      },
    ],
    [
      'ReleaseDelayed',
      {
        '<Registry.Arn>': on(
          'dynamodb',
          'GetItem account#*',
          'GetItem tally#*',
          'BatchGetItem work#*',
          'Query pending#release#*',
          'Query topic#*',
          'Query aging',
          'UpdateItem account#*',
          'UpdateItem work#*',
          'UpdateItem pending#push#*',
          'UpdateItem tally#*',
          'DeleteItem pending#release#*',
          'DeleteItem aging',
        ),
        '<Messages.Arn>': on('dynamodb', 'Query', 'PutItem', 'BatchWriteItem', 'UpdateItem', 'DeleteItem'),
        '<Deliveries.Arn>': on('dynamodb', 'Query', 'PutItem', 'BatchWriteItem', 'UpdateItem', 'DeleteItem'),
        '<Bodies.Arn>': on('dynamodb', 'BatchGetItem', 'BatchWriteItem'),
        '<Push.Arn>': start,
        '<ReleaseDelayed.Arn>': start,
        ...wakeItself('release'),
      },
    ],
    [
      'RetryDeliveries',
      {
        '<Registry.Arn>': on('dynamodb', 'Query pending#push#*', 'BatchGetItem work#*'),
        '<Deliveries.Arn>': on('dynamodb', 'Query'),
        '<Push.Arn>': start,
      },
    ],
  ])('%s', (name, rights) => {
    expect(propertiesOf(name)['Role']).toBe(`<${name}Role.Arn>`)
    const log = { [`<${name}Logs.Arn>`]: on('logs', 'CreateLogStream', 'PutLogEvents') }
    expect(rightsOf(`${name}Role`)).toEqual({ ...log, ...rights })
  })

  it('comes of its own policies alone, for all', () => {
    template.resourceCountIs('AWS::IAM::ManagedPolicy', 0)
    template.allResourcesProperties('AWS::IAM::Role', { ManagedPolicyArns: Match.absent(), Policies: Match.absent() })
    const policies = Object.values(resources).filter(({ Type }) => Type === 'AWS::IAM::Policy')
    for (const { Properties } of policies) expect(Properties).toMatchObject({ Roles: [expect.anything()] })
  })
})
