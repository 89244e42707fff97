import {
  aws_certificatemanager as certificates,
  aws_ec2 as ec2,
  aws_kms as kms,
  aws_route53 as dns,
  aws_sns as sns,
  Validations,
} from 'aws-cdk-lib'
import type { Construct } from 'constructs'
import type { Network } from './functions.ts'
import type { Domain } from './http-api.ts'
import type { CmqServiceProps } from './props.ts'

/** What is there already, by the names that AWS has for it. */
export interface References {
  readonly encryptionKeyArn?: string
  readonly alarmTopicArn?: string
  readonly domainName?: string
  readonly certificateArn?: string
  readonly hostedZoneId?: string
  readonly hostedZoneName?: string
  readonly vpcId?: string
  readonly subnetIds?: readonly string[]
  readonly securityGroupIds?: readonly string[]
}

/** The properties that are what the references name. Nothing is asked of AWS, so what does not exist fails at deployment. */
export function propsOf(scope: Construct, references: References): CmqServiceProps {
  const { encryptionKeyArn, alarmTopicArn } = references
  const domain = domainOf(scope, references)
  const network = networkOf(scope, references)
  return {
    ...(encryptionKeyArn ? { encryptionKey: kms.Key.fromKeyArn(scope, 'EncryptionKey', encryptionKeyArn) } : {}),
    ...(alarmTopicArn ? { alarmTopic: sns.Topic.fromTopicArn(scope, 'AlarmTopic', alarmTopicArn) } : {}),
    ...(domain ? { domain } : {}),
    ...(network ? { network } : {}),
  }
}

function domainOf(
  scope: Construct,
  { domainName, certificateArn, hostedZoneId, hostedZoneName }: References,
): Domain | undefined {
  if (domainName === undefined) return undefined
  return {
    domainName,
    ...(certificateArn
      ? { certificate: certificates.Certificate.fromCertificateArn(scope, 'GivenCertificate', certificateArn) }
      : {}),
    ...(hostedZoneId && hostedZoneName
      ? {
          hostedZone: dns.HostedZone.fromHostedZoneAttributes(scope, 'HostedZone', {
            hostedZoneId,
            zoneName: hostedZoneName,
          }),
        }
      : {}),
  }
}

function networkOf(scope: Construct, { vpcId, subnetIds, securityGroupIds }: References): Network | undefined {
  if (vpcId === undefined || subnetIds === undefined) return undefined
  const vpc = ec2.Vpc.fromVpcAttributes(scope, 'Vpc', {
    vpcId,
    // Nothing asks in which zones the subnets are.
    availabilityZones: ['any'],
    privateSubnetIds: [...subnetIds],
  })
  Validations.of(vpc).acknowledge({
    id: '@aws-cdk/aws-ec2:noSubnetRouteTableId',
    reason: 'Nothing asks for the routes of the subnets',
  })
  const securityGroups = securityGroupIds?.map((id) => ec2.SecurityGroup.fromSecurityGroupId(scope, id, id))
  return { vpc, ...(securityGroups ? { securityGroups } : {}) }
}
