import { App, Stack } from 'aws-cdk-lib'
import { CmqService } from './cmq-service.ts'
import { readContext } from './context.ts'

const app = new App()
const { problem, stackName, props } = readContext(app.node.getAllContext() as Record<string, unknown>)

if (problem === undefined) {
  const stack = new Stack(app, stackName, { description: 'A queue and topic service that speaks CMQ' })
  // An id of Default leaves no trace in the names of the outputs: cmq.Endpoint.
  new CmqService(stack, 'Default', props)
} else {
  console.error(problem)
  process.exitCode = 1
}
