import { fork } from 'node:child_process'
import { join } from 'node:path'

/** A function as Lambda runs it, in a process of its own. */
export interface DeployedFunction {
  readonly arn: string
  /** One invocation, with so many milliseconds before Lambda would end it. Throws what its handler throws. */
  invoke(event: unknown, remaining?: number): Promise<unknown>
  end(): void
}

type Outcome = { readonly answer?: unknown } | { readonly error: string }

/** Starts the bundle in `file`, with nothing but its variables and what Lambda adds to them. */
export function startFunction(
  name: string,
  file: string,
  variables: Readonly<Record<string, string>>,
): DeployedFunction {
  const arn = `arn:aws:lambda:us-east-1:123456789012:function:${name}`
  const env = { ...variables, AWS_REGION: 'us-east-1', AWS_LAMBDA_FUNCTION_NAME: name }
  const lambda = fork(join(import.meta.dirname, 'bundle-process.ts'), [file], { execArgv: [], env })
  const waiting = new Map<number, (outcome: Outcome) => void>()
  lambda.on('message', ([number, outcome]: [number, Outcome]) => waiting.get(number)?.(outcome))
  let invocations = 0

  return {
    arn,
    end: () => lambda.kill(),

    async invoke(event, remaining = 900_000) {
      const number = ++invocations
      const outcome = await new Promise<Outcome>((resolve) => {
        waiting.set(number, resolve)
        lambda.send([number, event, { awsRequestId: `${name}-${number}`, invokedFunctionArn: arn, remaining }])
      })
      waiting.delete(number)
      if ('error' in outcome) throw new Error(outcome.error)
      return outcome.answer
    },
  }
}
