import { HttpRequest, type HttpResponse } from '@smithy/core/protocols'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { SignatureV4 } from '@smithy/signature-v4'
import type { connect } from './store/connection.ts'

/** The part of a client's configuration that another request of the same account needs. */
export type AwsAccess = Pick<ReturnType<typeof connect>['config'], 'credentials' | 'region' | 'sha256'>

/** What is asked of a service. */
export interface AwsRequest {
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Milliseconds until an answer begins, and for which it may pause then. */
const TIMEOUT = 3_000

/**
 * Posts single requests to a service of AWS, signed and sent by the SDK's own parts: the service's own client would make
 * every function's bundle a tenth or a fifth larger.
 */
export function awsSender(
  service: 'lambda' | 'secretsmanager',
  { credentials, region, sha256 }: AwsAccess,
  endpoint?: string,
): (request: AwsRequest) => Promise<HttpResponse> {
  const sender = new NodeHttpHandler({ requestTimeout: TIMEOUT, socketTimeout: TIMEOUT, throwOnRequestTimeout: true })
  const signer = new SignatureV4({ service, credentials, region, sha256 })

  return async ({ path, headers, body }) => {
    const { protocol, hostname, port, host } = new URL(endpoint ?? endpointOf(service, await region()))
    const request = new HttpRequest({
      method: 'POST',
      protocol,
      hostname,
      ...(port ? { port: Number(port) } : {}),
      path,
      headers: { host, ...headers },
      body,
    })
    const { response } = await sender.handle((await signer.sign(request)) as HttpRequest)
    return response
  }
}

const endpointOf = (service: string, region: string): string =>
  `https://${service}.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`

/** What comes of it, tried as often as that; the last error when nothing does. */
export async function tried<Result>(attempts: number, attempt: () => Promise<Result>): Promise<Result> {
  for (let left = attempts - 1; ; left--)
    try {
      return await attempt()
    } catch (error) {
      if (left === 0) throw error
    }
}
