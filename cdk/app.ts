import { App, Stack } from 'aws-cdk-lib'
import { CmqService } from './cmq-service.ts'
import { readContext } from './context.ts'
import { propsOf } from './references.ts'

const app = new App()
const context = readContext(app.node.getAllContext() as Record<string, unknown>)

if (context.problem === undefined) {
  const { stackName, props, references } = context
  const stack = new Stack(app, stackName, { description: 'A queue and topic service that speaks CMQ' })
  // An id of Default leaves no trace in the names of the outputs: cmq.Endpoint.
  new CmqService(stack, 'Default', { ...props, ...propsOf(stack, references) })
} else {
  console.error(context.problem)
  process.exitCode = 1
}
