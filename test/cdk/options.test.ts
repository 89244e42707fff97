import {
  App,
  aws_certificatemanager as certificates,
  aws_ec2 as ec2,
  aws_iam as iam,
  aws_kms as kms,
  aws_route53 as dns,
  Stack,
} from 'aws-cdk-lib'
import { Match } from 'aws-cdk-lib/assertions'
import { describe, expect, it } from 'vitest'
import { CmqService } from '../../cdk/cmq-service.ts'
import { type Table, tables } from '../../lib/tables.ts'
import { deployed, outdir } from './deployed.ts'

const functions = ['Api', 'Push', 'ReleaseDelayed', 'RetryDeliveries']
/** Where what a service is given was made before it. */
const elsewhere = new Stack(new App({ outdir }), 'elsewhere')

describe('the access log', () => {
  const { template, propertiesOf } = deployed({ logRetention: 7 })

  it('is kept like all logs, and tells the gateway from the function', () => {
    expect(propertiesOf('AccessLogs')['RetentionInDays']).toBe(7)
    template.hasResourceProperties('AWS::ApiGatewayV2::Stage', {
      AccessLogSettings: {
        Format: Match.stringLikeRegexp('context.requestId.*context.status.*integrationErrorMessage'),
      },
    })
  })

  it('never has a query, which holds bodies and signatures', () => {
    const stages = template.findResources('AWS::ApiGatewayV2::Stage')
    const [{ Properties }] = Object.values(stages) as [{ Properties: { AccessLogSettings: { Format: string } } }]
    const values = Object.values<string>(JSON.parse(Properties.AccessLogSettings.Format))
    for (const value of values) expect(value).not.toMatch(/query|routeKey|requestOverride|header/i)
  })
})

describe('a throttled API', () => {
  it('lets through what it is told', () => {
    const { template } = deployed({ throttle: { rateLimit: 100, burstLimit: 200 } })
    template.hasResourceProperties('AWS::ApiGatewayV2::Stage', {
      DefaultRouteSettings: { ThrottlingRateLimit: 100, ThrottlingBurstLimit: 200 },
    })
  })

  it('is none by default', () => {
    deployed().template.hasResourceProperties('AWS::ApiGatewayV2::Stage', { DefaultRouteSettings: Match.absent() })
  })
})

describe('an API with a name of its own', () => {
  const domainName = 'queue.example.com'
  const certificateArn = 'arn:aws:acm:us-east-1:123456789012:certificate/1a2b3c4d-5e6f-4a1b-8c2d-1a2b3c4d5e6f'
  const certificate = certificates.Certificate.fromCertificateArn(elsewhere, 'Certificate', certificateArn)
  const zone = { hostedZoneId: 'Z1A2B', zoneName: 'example.com' }
  const hostedZone = dns.HostedZone.fromHostedZoneAttributes(elsewhere, 'Zone', zone)

  it('makes that its endpoint, and says where the name has to point', () => {
    const { template, service } = deployed({ domain: { domainName, certificate } })
    expect(service.endpoint).toBe('https://queue.example.com')
    const outputs = template.toJSON().Outputs
    expect(outputs.Endpoint.Value).toBe(service.endpoint)
    expect(outputs.DomainTarget.Value['Fn::GetAtt'][1]).toBe('RegionalDomainName')
    template.resourceCountIs('AWS::Route53::RecordSet', 0)
    template.resourceCountIs('AWS::CertificateManager::Certificate', 0)
    template.hasResourceProperties('AWS::ApiGatewayV2::DomainName', {
      DomainNameConfigurations: [{ CertificateArn: certificateArn }],
    })
    template.hasResourceProperties('AWS::ApiGatewayV2::ApiMapping', {
      Stage: '$default',
      ApiMappingKey: Match.absent(),
    })
  })

  it('makes its certificate and its record in the zone that it is given', () => {
    const { template } = deployed({ domain: { domainName, hostedZone } })
    template.hasResourceProperties('AWS::CertificateManager::Certificate', {
      DomainValidationOptions: [{ DomainName: domainName, HostedZoneId: 'Z1A2B' }],
    })
    template.hasResourceProperties('AWS::Route53::RecordSet', {
      Name: `${domainName}.`,
      Type: 'A',
      HostedZoneId: 'Z1A2B',
    })
  })

  it('has its certificate wait for a record by hand where there is no zone', () => {
    const { template } = deployed({ domain: { domainName } })
    template.hasResourceProperties('AWS::CertificateManager::Certificate', { ValidationMethod: 'DNS' })
  })
})

describe('a key of its own', () => {
  const keyArn = 'arn:aws:kms:us-east-1:123456789012:key/1a2b3c4d-5e6f-4a1b-8c2d-1a2b3c4d5e6f'
  const encryptionKey = kms.Key.fromKeyArn(elsewhere, 'Key', keyArn)
  const { template, resources } = deployed({ encryptionKey })

  it('encrypts every table and the key pair', () => {
    template.allResourcesProperties('AWS::DynamoDB::Table', {
      SSESpecification: { SSEEnabled: true, SSEType: 'KMS', KMSMasterKeyId: keyArn },
    })
    template.hasResourceProperties('AWS::SecretsManager::Secret', { KmsKeyId: keyArn })
  })

  const uses = (role: string) =>
    Object.values(resources)
      .filter(
        ({ Type, Properties }) => Type === 'AWS::IAM::Policy' && Properties['Roles'][0].Ref.startsWith(`${role}Role`),
      )
      .flatMap(({ Properties }) => Properties['PolicyDocument'].Statement)
      .filter(({ Resource }) => Resource === keyArn)

  it.each(functions)('may be used by %s only through the services that hold what it encrypts', (name) => {
    const services = uses(name).map(({ Condition }) => Condition.StringEquals['kms:ViaService']['Fn::Join'][1][0])
    expect(services.toSorted()).toEqual(name === 'Api' ? ['dynamodb.', 'secretsmanager.'] : ['dynamodb.'])
    for (const { Action } of uses(name)) for (const action of [Action].flat()) expect(action).toMatch(/^kms:\w+$/)
  })
})

describe('what can be restored', () => {
  it.each<[Table[]]>([[[]], [['messages', 'bodies']], [['registry', 'messages', 'deliveries', 'bodies']]])(
    'is %j when asked for',
    (pointInTimeRecovery) => {
      const { propertiesOf } = deployed({ pointInTimeRecovery })
      const restorable = (Object.keys(tables) as Table[]).filter((table) => {
        const { PointInTimeRecoverySpecification } = propertiesOf(table.charAt(0).toUpperCase() + table.slice(1))
        return PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled
      })
      expect(restorable.toSorted()).toEqual(pointInTimeRecovery.toSorted())
    },
  )
})

describe('a network', () => {
  const vpc = ec2.Vpc.fromVpcAttributes(elsewhere, 'Vpc', {
    vpcId: 'vpc-0a1b2c3d4e5f60718',
    availabilityZones: ['any'],
    privateSubnetIds: ['subnet-0a1b2c3d4e5f60718', 'subnet-0a1b2c3d4e5f60719'],
  })
  const { propertiesOf, rightsOf } = deployed({ network: { vpc } })

  it('is that of the function that pushes, and of no other', () => {
    expect(propertiesOf('Push')['VpcConfig'].SubnetIds).toEqual([
      'subnet-0a1b2c3d4e5f60718',
      'subnet-0a1b2c3d4e5f60719',
    ])
    for (const name of functions.filter((name) => name !== 'Push'))
      expect(propertiesOf(name)['VpcConfig']).toBeUndefined()
  })

  it('lets it have addresses there', () => {
    expect(rightsOf('PushRole')['*']).toContain('ec2:CreateNetworkInterface')
    for (const name of functions.filter((name) => name !== 'Push'))
      expect(rightsOf(`${name}Role`)).not.toHaveProperty('*')
  })
})

describe('tags', () => {
  it('are those of everything that can have any', () => {
    const { template } = deployed({ tags: { team: 'queues' } })
    for (const type of [
      'AWS::DynamoDB::Table',
      'AWS::Lambda::Function',
      'AWS::SQS::Queue',
      'AWS::SecretsManager::Secret',
    ])
      template.allResourcesProperties(type, { Tags: Match.arrayWith([{ Key: 'team', Value: 'queues' }]) })
    template.hasResourceProperties('AWS::ApiGatewayV2::Api', { Tags: { team: 'queues' } })
  })
})

describe('whoever may read the key pair', () => {
  it('may read it, and change nothing', () => {
    const stack = new Stack(new App({ outdir }), 'reader')
    const service = new CmqService(stack, 'Cmq')
    const role = new iam.Role(stack, 'Reader', { assumedBy: new iam.AccountRootPrincipal() })
    service.grantReadKeyPair(role)
    const [policy] = role.node.findAll().filter((node): node is iam.Policy => node instanceof iam.Policy)
    const statements = stack.resolve(policy?.document)?.Statement as { Action: string[] }[]
    expect(statements.map(({ Action }) => Action)).toEqual([
      ['secretsmanager:GetSecretValue', 'secretsmanager:DescribeSecret'],
    ])
  })
})
