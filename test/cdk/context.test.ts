import { Duration, RemovalPolicy } from 'aws-cdk-lib'
import { describe, expect, it } from 'vitest'
import { readContext } from '../../cdk/context.ts'

describe('the context values', () => {
  it('make the stack cmq with nothing but defaults when there are none but those of CDK', () => {
    expect(readContext({ '@aws-cdk/aws-iam:minimizePolicies': true, 'aws:cdk:bundling-stacks': ['**'] })).toEqual({
      stackName: 'cmq',
      props: {},
    })
  })

  it('make a stack beside it for another stage', () => {
    expect(readContext({ stage: 'test' })).toEqual({ stackName: 'cmq-test', props: {} })
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
    ['Stage', 'test', 'does not exist'],
  ])('are refused when wrong: %s=%j', (name, value, problem) => {
    expect(readContext({ [name]: value })).toEqual({ problem: `the context value ${name} ${problem}` })
  })
})
