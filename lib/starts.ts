import type { LambdaClient } from '@aws-sdk/client-lambda'
import type { Run, Work } from './store/work.ts'

/** Has a lane worked through now, by somebody whom nobody waits for. */
export type Start = (work: Work) => Promise<void>

/** Starts by asynchronous invocations of the function that has the duty. */
export function lambdaStart(
  functionNames: Readonly<Record<Work['duty'], string | undefined>>,
  connect: () => Promise<Pick<LambdaClient, 'send'>> = newClient,
): Start {
  let connecting: ReturnType<typeof connect> | undefined

  return async (work) => {
    const FunctionName = functionNames[work.duty]
    if (FunctionName === undefined) throw new Error(`no function is named for the duty ${work.duty}`)
    const run: Run = { work }
    connecting ??= connect()
    const [client, { InvokeCommand }] = await Promise.all([connecting, import('@aws-sdk/client-lambda')])
    await client.send(
      new InvokeCommand({ FunctionName, InvocationType: 'Event', Payload: Buffer.from(JSON.stringify(run)) }),
    )
  }
}

/** Loaded by the first start: most requests start nothing. */
const newClient = async () => new (await import('@aws-sdk/client-lambda')).LambdaClient({})
