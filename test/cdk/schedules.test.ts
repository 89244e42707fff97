import { Match } from 'aws-cdk-lib/assertions'
import { describe, expect, it } from 'vitest'
import { deployed } from './deployed.ts'

const { stack, service, template, propertiesOf, rightsOf, resources } = deployed()

describe('the schedules', () => {
  it('are in one group, which is named after the stack and goes with it', () => {
    template.resourceCountIs('AWS::Scheduler::ScheduleGroup', 1)
    template.allResources('AWS::Scheduler::ScheduleGroup', { DeletionPolicy: 'Delete' })
    const { Name } = propertiesOf('Schedules')
    expect(Name).toMatch(/^cmq-Schedules-[0-9A-F]{8}$/)
    expect(stack.resolve(service.scheduleGroup.scheduleGroupName)).toBe(Name)
  })

  it.each(['RetryDeliveries', 'ReleaseDelayed'])('call %s every minute, and once', (name) => {
    expect(propertiesOf(`${name}EveryMinute`)).toEqual({
      GroupName: propertiesOf('Schedules')['Name'],
      ScheduleExpression: 'rate(1 minute)',
      FlexibleTimeWindow: { Mode: 'OFF' },
      Target: {
        Arn: `<${name}.Arn>`,
        RoleArn: '<BeatRole.Arn>',
        RetryPolicy: { MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60 },
        DeadLetterConfig: { Arn: '<FailedBeats.Arn>' },
      },
    })
    template.resourceCountIs('AWS::Scheduler::Schedule', 2)
  })

  it.each<[string, string[], Record<string, string[]>, string]>([
    ['WakeUpRole', ['Push', 'ReleaseDelayed'], {}, 'those that are made when something is due later'],
    [
      'BeatRole',
      ['RetryDeliveries', 'ReleaseDelayed'],
      { '<FailedBeats.Arn>': ['sqs:SendMessage'] },
      'those that recur, and leave what fails',
    ],
  ])('have the role %s, which may call %s and nothing else but %j: %s', (role, called, others, _which) => {
    const calls = Object.fromEntries(called.map((name) => [`<${name}.Arn>`, ['lambda:InvokeFunction']]))
    expect(rightsOf(role)).toEqual({ ...calls, ...others })
  })

  it('leave the calls that failed in a queue for two weeks, encrypted, by TLS alone', () => {
    expect(propertiesOf('FailedBeats')).toEqual({ MessageRetentionPeriod: 1_209_600, SqsManagedSseEnabled: true })
    template.hasResourceProperties('AWS::SQS::QueuePolicy', {
      PolicyDocument: {
        Statement: [Match.objectLike({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } })],
      },
    })
  })

  it.each(['WakeUpRole', 'BeatRole'])('alone may take on the role %s: those of this group and this account', (role) => {
    expect(propertiesOf(role)['AssumeRolePolicyDocument'].Statement).toEqual([
      {
        Effect: 'Allow',
        Action: 'sts:AssumeRole',
        Principal: { Service: 'scheduler.amazonaws.com' },
        Condition: {
          StringEquals: { 'aws:SourceAccount': '<AWS::AccountId>', 'aws:SourceArn': '<Schedules.Arn>' },
        },
      },
    ])
  })

  it('need no permission at the functions, which only the gateway has', () => {
    template.resourceCountIs('AWS::Lambda::Permission', 1)
    template.hasResourceProperties('AWS::Lambda::Permission', { Principal: Match.not('scheduler.amazonaws.com') })
  })
})

describe('two stages side by side', () => {
  const test = deployed({}, 'cmq-test')

  it('share no name', () => {
    const names = (all: typeof resources) =>
      Object.values(all).flatMap(({ Properties = {} }) =>
        ['Name', 'TableName', 'FunctionName', 'RoleName', 'LogGroupName'].flatMap((name) =>
          typeof Properties[name] === 'string' ? [Properties[name]] : [],
        ),
      )
    expect(names(resources)).toEqual(expect.arrayContaining([propertiesOf('Schedules')['Name'], 'cmq']))
    expect(names(test.resources).filter((name) => names(resources).includes(name))).toEqual([])
  })

  it('each make their wake-ups in their own group', () => {
    const { Name } = test.propertiesOf('Schedules')
    expect(test.propertiesOf('Push')['Environment'].Variables.CMQ_SCHEDULE_GROUP).toBe(Name)
    expect(Object.keys(test.rightsOf('PushRole')).join()).toContain(`:schedule/${Name}/push-*`)
  })
})
