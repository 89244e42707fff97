import { RemovalPolicy } from 'aws-cdk-lib'
import { Match } from 'aws-cdk-lib/assertions'
import { describe, expect, it } from 'vitest'
import { type Table, tables } from '../../lib/tables.ts'
import { deployed } from './deployed.ts'

const byDefault = deployed()

describe('the tables', () => {
  const { service, template, logicalId } = byDefault

  it.each(Object.keys(tables) as Table[])('%s is on demand, with its keys and its TTL', (table) => {
    expect(template.toJSON().Resources[logicalId(service.tables[table])]).toMatchObject({
      Type: 'AWS::DynamoDB::Table',
      Properties: {
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [
          { AttributeName: 'pk', AttributeType: 'S' },
          { AttributeName: 'sk', AttributeType: 'S' },
        ],
        KeySchema: [
          { AttributeName: 'pk', KeyType: 'HASH' },
          { AttributeName: 'sk', KeyType: 'RANGE' },
        ],
        TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
      },
    })
  })

  it('are four, without an index or a stream', () => {
    template.resourceCountIs('AWS::DynamoDB::Table', 4)
    template.allResourcesProperties('AWS::DynamoDB::Table', {
      GlobalSecondaryIndexes: Match.absent(),
      LocalSecondaryIndexes: Match.absent(),
      StreamSpecification: Match.absent(),
    })
  })

  it('can be restored to a point in time where that brings nothing back: the registry alone', () => {
    const restorable = (table: Table) =>
      template.toJSON().Resources[logicalId(service.tables[table])].Properties.PointInTimeRecoverySpecification
        .PointInTimeRecoveryEnabled
    expect(restorable('registry')).toBe(true)
    expect(restorable('messages')).toBe(false)
    expect(restorable('deliveries')).toBe(false)
    expect(restorable('bodies')).toBe(false)
  })
})

describe('what is kept when the stack is deleted', () => {
  const stateful = ['AWS::DynamoDB::Table', 'AWS::SecretsManager::Secret', 'AWS::Logs::LogGroup']

  it.each(stateful)('by default, each %s', (type) => {
    byDefault.template.allResources(type, { DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain' })
  })

  it('by default, tables are protected from deletion by hand too', () => {
    byDefault.template.allResourcesProperties('AWS::DynamoDB::Table', { DeletionProtectionEnabled: true })
  })

  it('nothing, when it is to be destroyed', () => {
    const { template } = deployed({ removalPolicy: RemovalPolicy.DESTROY })
    for (const type of stateful) template.allResources(type, { DeletionPolicy: 'Delete' })
    template.allResourcesProperties('AWS::DynamoDB::Table', { DeletionProtectionEnabled: false })
  })
})

describe('the API', () => {
  const { service, template, logicalId } = byDefault

  it('passes every method and path to the function, as events of format 2.0', () => {
    template.resourceCountIs('AWS::ApiGatewayV2::Route', 1)
    template.hasResourceProperties('AWS::ApiGatewayV2::Route', { RouteKey: '$default', AuthorizationType: 'NONE' })
    template.hasResourceProperties('AWS::ApiGatewayV2::Integration', {
      IntegrationType: 'AWS_PROXY',
      IntegrationUri: { 'Fn::GetAtt': [logicalId(service.apiFunction), 'Arn'] },
      PayloadFormatVersion: '2.0',
    })
  })

  it('has one stage, which adds nothing to the path', () => {
    template.resourceCountIs('AWS::ApiGatewayV2::Stage', 1)
    template.hasResourceProperties('AWS::ApiGatewayV2::Stage', { StageName: '$default', AutoDeploy: true })
  })

  it('alone may invoke a function without a role', () => {
    template.resourceCountIs('AWS::Lambda::Permission', 1)
    template.hasResourceProperties('AWS::Lambda::Permission', {
      Principal: 'apigateway.amazonaws.com',
      SourceArn: { 'Fn::Join': ['', Match.arrayWith([{ Ref: logicalId(service.httpApi) }])] },
    })
  })
})

describe('the key pair', () => {
  const { template } = byDefault

  it('has a SecretId of the template and a key that Secrets Manager makes', () => {
    template.hasResourceProperties('AWS::SecretsManager::Secret', {
      SecretString: Match.absent(),
      GenerateSecretString: {
        SecretStringTemplate: Match.stringLikeRegexp('^{"secretId":"AKID[0-9a-f]{32}"}$'),
        GenerateStringKey: 'secretKey',
        PasswordLength: 32,
        ExcludePunctuation: true,
      },
    })
  })

  it('stays the same when the stack is made again, and is another in another stack', () => {
    const secret = (stackName: string) => deployed({}, stackName).template.findResources('AWS::SecretsManager::Secret')
    expect(secret('cmq')).toEqual(template.findResources('AWS::SecretsManager::Secret'))
    expect(secret('cmq-test')).not.toEqual(secret('cmq'))
  })

  it('is nowhere resolved into the template', () => {
    expect(JSON.stringify(template.toJSON())).not.toContain('{{resolve:')
  })
})

describe('the outputs', () => {
  const { stack, service, template, logicalId } = byDefault

  it('are the endpoint, the secret, and the command that reads it', () => {
    const outputs = template.toJSON().Outputs
    expect(Object.keys(outputs)).toEqual(['Endpoint', 'SecretArn', 'RegistryTable', 'ReadSecret'])
    expect(outputs.Endpoint.Value).toEqual({ 'Fn::GetAtt': [logicalId(service.httpApi), 'ApiEndpoint'] })
    expect(outputs.Endpoint.Value).toEqual(stack.resolve(service.endpoint))
    expect(outputs.SecretArn.Value).toEqual({ Ref: logicalId(service.secret) })
    expect(outputs.RegistryTable.Value).toEqual({ Ref: logicalId(service.tables.registry) })
    expect(outputs.ReadSecret.Value['Fn::Join'][1]).toEqual([
      'aws secretsmanager get-secret-value --region ',
      { Ref: 'AWS::Region' },
      ' --secret-id ',
      { Ref: logicalId(service.secret) },
      ' --query SecretString --output text',
    ])
  })
})
