import { HttpRequest } from '@smithy/core/protocols'
import { SignatureV4 } from '@smithy/signature-v4'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import type { Readable } from 'node:stream'
import type { connect } from './store/database.ts'
import type { Run, Work } from './store/work.ts'

/** Has a lane worked through now, by somebody whom nobody waits for. */
export type Start = (work: Work) => Promise<void>

/** The part of a client's configuration that another request of the same account needs. */
export type AwsAccess = Pick<ReturnType<typeof connect>['config'], 'credentials' | 'region' | 'sha256'>

/** Milliseconds for one invocation to be taken. */
const TIMEOUT = 3_000

/**
 * Starts by asynchronous invocations of the function that has the duty. It is one request, signed and sent by
 * the SDK's own parts: Lambda's own client would make every function's bundle a fifth larger. The
 * trace by which Lambda recognises loops is not passed on: a runner goes on in its successor on purpose.
 */
export function lambdaStart(
  functionNames: Readonly<Record<Work['duty'], string | undefined>>,
  { credentials, region, sha256 }: AwsAccess,
  endpoint = process.env['AWS_ENDPOINT_URL_LAMBDA'] ?? process.env['AWS_ENDPOINT_URL'],
): Start {
  const sender = new NodeHttpHandler({ requestTimeout: TIMEOUT, throwOnRequestTimeout: true })
  const signer = new SignatureV4({ service: 'lambda', credentials, region, sha256 })

  async function invoke(functionName: string, run: Run): Promise<void> {
    const { protocol, hostname, port, host } = new URL(endpoint ?? endpointOf(await region()))
    const request = new HttpRequest({
      method: 'POST',
      protocol,
      hostname,
      ...(port ? { port: Number(port) } : {}),
      path: `/2015-03-31/functions/${encodeURIComponent(functionName)}/invocations`,
      headers: { host, 'content-type': 'application/json', 'x-amz-invocation-type': 'Event' },
      body: JSON.stringify(run),
    })
    const { response } = await sender.handle((await signer.sign(request)) as HttpRequest)
    ;(response.body as Readable).resume()
    const reason = response.headers['x-amzn-errortype'] ?? ''
    if (response.statusCode !== 202) throw new Error(`Lambda took no invocation: ${response.statusCode} ${reason}`)
  }

  return async (work) => {
    const functionName = functionNames[work.duty]
    if (functionName === undefined) throw new Error(`no function is named for the duty ${work.duty}`)
    // Started twice does no harm: the lease lets one of them work.
    for (let attempt = 1; ; attempt++)
      try {
        return await invoke(functionName, { work })
      } catch (error) {
        if (attempt === ATTEMPTS) throw error
      }
  }
}

/** How often a start is tried before it is left to the net. */
const ATTEMPTS = 3

const endpointOf = (region: string): string =>
  `https://lambda.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`
