import type { Readable } from 'node:stream'
import { awsSender, tried, type AwsAccess } from './aws-request.ts'
import type { Run, Work } from './store/work.ts'

/** Has a lane worked through now, by somebody whom nobody waits for. */
export type Start = (work: Work) => Promise<void>

/**
 * Starts by asynchronous invocations of the function that has the duty. The trace by which Lambda recognises loops is not
 * passed on: a runner goes on in its successor on purpose.
 */
export function lambdaStart(
  functionNames: Readonly<Record<Work['duty'], string | undefined>>,
  access: AwsAccess,
  endpoint = process.env['AWS_ENDPOINT_URL_LAMBDA'] ?? process.env['AWS_ENDPOINT_URL'],
): Start {
  const send = awsSender('lambda', access, endpoint)

  async function invoke(functionName: string, run: Run): Promise<void> {
    const response = await send({
      path: `/2015-03-31/functions/${encodeURIComponent(functionName)}/invocations`,
      headers: { 'content-type': 'application/json', 'x-amz-invocation-type': 'Event' },
      body: JSON.stringify(run),
    })
    ;(response.body as Readable).resume()
    const reason = response.headers['x-amzn-errortype'] ?? ''
    if (response.statusCode !== 202) throw new Error(`Lambda took no invocation: ${response.statusCode} ${reason}`)
  }

  return async (work) => {
    const functionName = functionNames[work.duty]
    if (functionName === undefined) throw new Error(`no function is named for the duty ${work.duty}`)
    // Started twice does no harm: the lease lets one of them work.
    await tried(ATTEMPTS, () => invoke(functionName, { work }))
  }
}

/** How often a start is tried before it is left to the net. */
const ATTEMPTS = 3
