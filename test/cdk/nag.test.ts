import { App, aws_ec2 as ec2, aws_kms as kms, aws_sns as sns, Stack } from 'aws-cdk-lib'
import { AwsSolutionsChecks } from 'cdk-nag'
import { describe, expect, it } from 'vitest'
import { CmqService } from '../../cdk/cmq-service.ts'
import type { CmqServiceProps } from '../../cdk/props.ts'
import { outdir } from './deployed.ts'

/** What the rules of AWS Solutions find in a service, as `rule: resource`. */
function findings(propsIn: (stack: Stack) => CmqServiceProps): string[] {
  const stack = new Stack(new App({ outdir }), 'cmq')
  const props = propsIn(stack)
  new CmqService(stack, 'Default', props)
  const { violations } = new AwsSolutionsChecks().validateScope(stack)
  return violations.flatMap(({ ruleName, violatingResources }) =>
    violatingResources.map(({ constructPath }) => `${ruleName}: ${constructPath}`),
  )
}

describe('the rules of AWS Solutions', () => {
  it('find nothing but what is acknowledged with its reason', () => {
    expect(findings(() => ({}))).toEqual([])
  })

  it('find nothing in a service with everything on', () => {
    const everything = (stack: Stack): CmqServiceProps => ({
      encryptionKey: kms.Key.fromKeyArn(
        stack,
        'Key',
        'arn:aws:kms:us-east-1:123456789012:key/1a2b3c4d-5e6f-4a1b-8c2d-1a2b3c4d5e6f',
      ),
      pointInTimeRecovery: ['registry', 'messages', 'deliveries', 'bodies'],
      alarmTopic: sns.Topic.fromTopicArn(stack, 'Topic', 'arn:aws:sns:us-east-1:123456789012:alarms'),
      metrics: true,
      dashboard: true,
      throttle: { rateLimit: 100, burstLimit: 200 },
      domain: { domainName: 'queue.example.com' },
      network: {
        vpc: ec2.Vpc.fromVpcAttributes(stack, 'Vpc', {
          vpcId: 'vpc-0a1b2c3d4e5f60718',
          availabilityZones: ['any'],
          privateSubnetIds: ['subnet-0a1b2c3d4e5f60718'],
        }),
      },
    })
    expect(findings(everything)).toEqual([])
  })
})
