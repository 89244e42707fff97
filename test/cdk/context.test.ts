import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { contextNames, readContext } from '../../cdk/context.ts'
import { propsOf } from '../../cdk/references.ts'

const root = join(import.meta.dirname, '../..')
const retentions =
  '1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653, 9999'

describe('the context values', () => {
  it.each(contextNames)('%s stands in the documents', (name) => {
    const documents = ['README.md', 'docs/operations.md']
      .map((file) => readFileSync(join(root, file), 'utf8'))
      .join('\n')
    expect(documents).toMatch(new RegExp(`[\x60\\s]${name}[\x60=]`))
  })

  it('make the stack cmq with nothing but defaults when there are none but those of CDK', () => {
    expect(readContext({ '@aws-cdk/aws-iam:minimizePolicies': true, 'aws:cdk:bundling-stacks': ['**'] })).toEqual({
      stackName: 'cmq',
      props: {},
      references: {},
    })
  })

  it('make a stack beside it for another stage', () => {
    expect(readContext({ stage: 'test' })).toEqual({ stackName: 'cmq-test', props: {}, references: {} })
  })

  it('keep or destroy', () => {
    expect(readContext({ removalPolicy: 'destroy' }).props).toEqual({ removalPolicy: RemovalPolicy.DESTROY })
    expect(readContext({ removalPolicy: 'retain' }).props).toEqual({ removalPolicy: RemovalPolicy.RETAIN })
  })

  const settings = {
    longestWait: Duration.seconds(10),
    longestDelay: Duration.seconds(86_400),
    timeWindow: Duration.seconds(300),
    recreateWait: Duration.seconds(0),
    maxQueues: 20,
    layeredErrors: true,
    anySecretId: false,
    publicHosts: ['a.example.com', 'localhost:8080'],
    maxTopics: 30,
    maxSubscriptions: 40,
    maxRate: 100,
    maxInFlight: 0,
    maxDelayed: 20_000,
    publishToNobody: true,
    strictContentFormat: false,
    pushWindow: 1,
    pushFirstTries: 5,
    pushTargets: ['10.0.0.0/8', '::1'],
    longestPause: Duration.seconds(0),
  }

  it.each([
    [
      'as the command line passes them',
      { longestWait: '10', maxQueues: '20', layeredErrors: 'true', anySecretId: 'false', publishToNobody: 'true' },
    ],
    [
      'as cdk.json may hold them',
      { longestWait: 10, maxQueues: 20, layeredErrors: true, anySecretId: false, publishToNobody: true },
    ],
  ])('are the settings, %s', (_how, values) => {
    const { props } = readContext({
      ...values,
      longestDelay: '86400',
      timeWindow: '300',
      recreateWait: '0',
      publicHosts: 'a.example.com,localhost:8080',
      maxTopics: '30',
      maxSubscriptions: '40',
      maxRate: '100',
      maxInFlight: '0',
      maxDelayed: '20000',
      strictContentFormat: 'false',
      pushWindow: '1',
      pushFirstTries: '5',
      pushTargets: '10.0.0.0/8,::1',
      longestPause: '0',
    })
    expect(props).toEqual(settings)
  })

  it('are the size of each function, the limits of the API, and what is watched', () => {
    const { props } = readContext({
      apiMemory: '1024',
      apiConcurrency: '50',
      pushMemory: 256,
      releaseDelayedConcurrency: '2',
      retryDeliveriesConcurrency: '1',
      rateLimit: '100',
      burstLimit: '200',
      pointInTimeRecovery: 'registry,messages',
      logRetention: '7',
      metrics: 'true',
      alarms: 'true',
      dashboard: 'false',
      tags: 'team=queues,stage=',
    })
    expect(props).toEqual({
      api: { memorySize: 1024, reservedConcurrency: 50 },
      push: { memorySize: 256 },
      releaseDelayed: { reservedConcurrency: 2 },
      retryDeliveries: { reservedConcurrency: 1 },
      throttle: { rateLimit: 100, burstLimit: 200 },
      pointInTimeRecovery: ['registry', 'messages'],
      logRetention: 7,
      metrics: true,
      alarms: true,
      dashboard: false,
      tags: { team: 'queues', stage: '' },
    })
    expect(readContext({ pointInTimeRecovery: 'none' }).props).toEqual({ pointInTimeRecovery: [] })
  })

  const names = {
    encryptionKeyArn: 'arn:aws:kms:us-east-1:123456789012:key/1a2b3c4d-5e6f-4a1b-8c2d-1a2b3c4d5e6f',
    alarmTopicArn: 'arn:aws:sns:us-east-1:123456789012:alarms',
    domainName: 'queue.example.com',
    certificateArn: 'arn:aws:acm:us-east-1:123456789012:certificate/1a2b3c4d-5e6f-4a1b-8c2d-1a2b3c4d5e6f',
    hostedZoneId: 'Z1A2B',
    hostedZoneName: 'example.com',
    vpcId: 'vpc-0a1b2c3d4e5f60718',
    subnetIds: 'subnet-0a1b2c3d4e5f60718,subnet-0a1b2c3d4e5f60719',
    securityGroupIds: 'sg-0a1b2c3d4e5f60718',
  }

  it('are what is there already, and it becomes properties where there is a stack', () => {
    const context = readContext(names)
    if (context.problem !== undefined) throw new Error(context.problem)
    expect(context.props).toEqual({})
    const { encryptionKey, alarmTopic, domain, network } = propsOf(new Stack(), context.references)
    expect(encryptionKey?.keyArn).toBe(names.encryptionKeyArn)
    expect(alarmTopic?.topicArn).toBe(names.alarmTopicArn)
    expect(domain?.domainName).toBe(names.domainName)
    expect(domain?.certificate?.certificateArn).toBe(names.certificateArn)
    expect(domain?.hostedZone?.hostedZoneId).toBe(names.hostedZoneId)
    expect(network?.vpc.vpcId).toBe(names.vpcId)
    expect(network?.vpc.selectSubnets().subnetIds).toEqual(['subnet-0a1b2c3d4e5f60718', 'subnet-0a1b2c3d4e5f60719'])
    expect(network?.securityGroups?.map(({ securityGroupId }) => securityGroupId)).toEqual(['sg-0a1b2c3d4e5f60718'])
  })

  it('become no property when there are none', () => {
    expect(propsOf(new Stack(), {})).toEqual({})
  })

  it.each([
    ['rateLimit', '100', 'burstLimit'],
    ['burstLimit', '100', 'rateLimit'],
    ['certificateArn', names.certificateArn, 'domainName'],
    ['vpcId', names.vpcId, 'subnetIds'],
    ['subnetIds', names.subnetIds, 'vpcId'],
  ])('say nothing alone: %s=%s needs %s', (name, value, needed) => {
    expect(readContext({ [name]: value })).toEqual({ problem: `the context value ${name} needs ${needed} beside it` })
  })

  it.each([
    ['stage', 'a.b', 'must be of letters, digits and hyphens'],
    ['stage', '', 'must be of letters, digits and hyphens'],
    ['removalPolicy', 'keep', 'must be retain or destroy'],
    ['longestWait', '28', 'must be a whole number from 0 to 27'],
    ['longestWait', 1.5, 'must be a whole number from 0 to 27'],
    ['longestWait', '', 'must be a whole number from 0 to 27'],
    ['maxQueues', 'many', 'must be a whole number from 1 to 1000000'],
    ['layeredErrors', 'yes', 'must be true or false'],
    ['publicHosts', 'a,,b', 'must be host names with commas between them'],
    ['maxTopics', '0', 'must be a whole number from 1 to 1000000'],
    ['maxSubscriptions', '10001', 'must be a whole number from 1 to 10000'],
    ['pushWindow', '0', 'must be a whole number from 1 to 100'],
    ['pushFirstTries', '501', 'must be a whole number from 1 to 500'],
    ['longestPause', '601', 'must be a whole number from 0 to 600'],
    ['publishToNobody', '1', 'must be true or false'],
    ['pushTargets', '10.0.0.0/8,', 'must be IP addresses or CIDR blocks with commas between them'],
    ['pushTargets', 'example.com', 'must be IP addresses or CIDR blocks with commas between them'],
    ['publicHosts', ['a', 'b'], 'must be a single value'],
    ['apiMemory', '127', 'must be a whole number from 128 to 10240'],
    ['logRetention', '2', `must be a number of days that CloudWatch knows: ${retentions}`],
    [
      'pointInTimeRecovery',
      'queues',
      'must be none, or of registry, messages, deliveries, bodies with commas between them',
    ],
    ['tags', 'team', 'must be name=value with commas between them'],
    ['encryptionKeyArn', '1a2b', 'must be an ARN'],
    ['domainName', 'https://a.example.com', 'must be a host name'],
    ['subnetIds', 'subnet-1a,2b', 'must be ids like subnet-1a2b with commas between them'],
    ['Stage', 'test', 'does not exist'],
  ])('are refused when wrong: %s=%j', (name, value, problem) => {
    expect(readContext({ [name]: value })).toEqual({ problem: `the context value ${name} ${problem}` })
  })
})
