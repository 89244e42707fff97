import {
  aws_apigateway as accessLog,
  aws_apigatewayv2 as gateway,
  aws_apigatewayv2_integrations as integrations,
  aws_certificatemanager as certificates,
  type aws_lambda as lambda,
  aws_logs as logs,
  aws_route53 as dns,
  aws_route53_targets as dnsTargets,
  type RemovalPolicy,
  Stack,
  Validations,
} from 'aws-cdk-lib'
import type { Construct } from 'constructs'

/** How much the API lets through. What exceeds it is refused by 429, which costs nothing. */
export interface Throttle {
  /** Requests a second in the long run. */
  readonly rateLimit: number
  /** Requests at once, before the rate counts. */
  readonly burstLimit: number
}

/** A name of one's own for the API. */
export interface Domain {
  readonly domainName: string

  /**
   * A certificate for the name, in the region of the stack.
   * @default - one is made, and proven by a record in the hosted zone; without a zone, deployment waits until you have
   * made that record
   */
  readonly certificate?: certificates.ICertificate

  /**
   * The zone of Route 53 in which the name is.
   * @default - no record is made: an output says where the name has to point
   */
  readonly hostedZone?: dns.IHostedZone
}

/** What differs between deployments. */
export interface HttpApiOptions {
  readonly throttle: Throttle | undefined
  readonly domain: Domain | undefined
  readonly logRetention: logs.RetentionDays
  readonly removalPolicy: RemovalPolicy
}

/** What came of it. */
export interface CreatedHttpApi {
  readonly httpApi: gateway.HttpApi
  readonly stage: gateway.HttpStage
  readonly accessLogs: logs.LogGroup
  readonly domainName: gateway.DomainName | undefined
  /** The URL of the API, without a path. */
  readonly url: string
}

/**
 * What a line of the access log says: enough to tell the gateway's refusals from the function's. Never the query, which
 * may hold a body and a signature.
 */
const accessLine = {
  requestId: '$context.requestId',
  time: '$context.requestTime',
  address: '$context.identity.sourceIp',
  host: '$context.domainName',
  method: '$context.httpMethod',
  path: '$context.path',
  status: '$context.status',
  bytes: '$context.responseLength',
  milliseconds: '$context.responseLatency',
  error: '$context.integrationErrorMessage',
}

/** An HTTP API of which every method and path goes to the function. */
export function createHttpApi(
  scope: Construct,
  handler: lambda.Function,
  { throttle, domain, logRetention, removalPolicy }: HttpApiOptions,
): CreatedHttpApi {
  const accessLogs = new logs.LogGroup(scope, 'AccessLogs', { retention: logRetention, removalPolicy })
  const domainName = domain && createDomainName(scope, domain)
  const httpApi = new gateway.HttpApi(scope, 'HttpApi', {
    apiName: Stack.of(scope).stackName,
    description: 'Every method and path goes to one function, since CMQ names its action in a parameter',
    createDefaultStage: false,
    defaultIntegration: new integrations.HttpLambdaIntegration('Api', handler, {
      payloadFormatVersion: gateway.PayloadFormatVersion.VERSION_2_0,
    }),
  })
  const stage = new gateway.HttpStage(httpApi, 'DefaultStage', {
    httpApi,
    autoDeploy: true,
    ...(throttle ? { throttle } : {}),
    ...(domainName ? { domainMapping: { domainName } } : {}),
    accessLogSettings: {
      destination: new gateway.LogGroupLogDestination(accessLogs),
      format: accessLog.AccessLogFormat.custom(JSON.stringify(accessLine)),
    },
  })
  Validations.of(httpApi).acknowledge({
    id: 'AwsSolutions-APIG4',
    reason: 'Every request is signed with a key pair, which the function checks before anything else',
  })
  const url = domain ? `https://${domain.domainName}` : httpApi.apiEndpoint
  return { httpApi, stage, accessLogs, domainName, url }
}

/** The name, its certificate, and where there is a zone the record that leads to it. */
function createDomainName(scope: Construct, { domainName, certificate, hostedZone }: Domain): gateway.DomainName {
  const created = new gateway.DomainName(scope, 'DomainName', {
    domainName,
    certificate:
      certificate ??
      new certificates.Certificate(scope, 'Certificate', {
        domainName,
        validation: certificates.CertificateValidation.fromDns(hostedZone),
      }),
  })
  if (hostedZone)
    new dns.ARecord(scope, 'DomainRecord', {
      zone: hostedZone,
      recordName: `${domainName}.`,
      target: dns.RecordTarget.fromAlias(
        new dnsTargets.ApiGatewayv2DomainProperties(created.regionalDomainName, created.regionalHostedZoneId),
      ),
    })
  return created
}
