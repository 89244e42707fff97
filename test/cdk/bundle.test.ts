import { App, Stack } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CmqService } from '../../cdk/cmq-service.ts'
import type { Table } from '../../lib/tables.ts'
import { testEngine } from '../support/engine.ts'
import { type Answer, key, newTables } from '../support/service.ts'
import { signedEvent } from '../support/signed-request.ts'

/** What these tests read of the template. */
interface Resource {
  readonly Type: string
  readonly Properties: {
    readonly Code?: { readonly S3Key: string }
    readonly Environment?: { readonly Variables: Readonly<Record<string, string | { readonly Ref: string }>> }
    readonly PolicyDocument?: { readonly Statement: readonly Statement[] }
  }
}

interface Statement {
  readonly Action: string | readonly string[]
  readonly Resource: { readonly Ref?: string; readonly 'Fn::GetAtt'?: readonly string[] }
}

const output = mkdtempSync(join(tmpdir(), 'cmq-bundle-test-'))
const stack = new Stack(new App({ outdir: output }), 'cmq')
const service = new CmqService(stack, 'Default')
const resources: Record<string, Resource> = Template.fromStack(stack).toJSON().Resources
const [api] = Object.values(resources).filter(({ Type }) => Type === 'AWS::Lambda::Function')
const file = join(output, `asset.${api?.Properties.Code?.S3Key.replace('.zip', '')}`, 'index.mjs')

/** What the function works with, by the logical ids of the template. */
const named = new Map<string, Table | 'secret'>([
  [stack.resolve(service.tables.registry.tableName).Ref, 'registry'],
  [stack.resolve(service.tables.messages.tableName).Ref, 'messages'],
  [stack.resolve(service.tables.bodies.tableName).Ref, 'bodies'],
  [stack.resolve(service.secret.secretArn).Ref, 'secret'],
])

let engine: Awaited<ReturnType<typeof testEngine>>
let cloud: Awaited<ReturnType<typeof emulatedCloud>>
let lambda: ChildProcess

beforeAll(async () => {
  engine = await testEngine()
  cloud = await emulatedCloud(engine.endpoint)
  lambda = fork(join(import.meta.dirname, 'bundle-process.ts'), [file], {
    execArgv: [],
    env: {
      ...deployedVariables({ ...(await newTables(engine.endpoint)), secret: 'secret' }),
      POWERTOOLS_LOG_LEVEL: 'SILENT',
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
      AWS_ENDPOINT_URL: cloud.endpoint,
    },
  })
})

afterAll(async () => {
  lambda.kill()
  cloud.server.close()
  await engine.stop()
  rmSync(output, { recursive: true })
})

describe('the bundle of the function', () => {
  it('stays below 400,000 bytes, for the sake of cold starts', () => {
    expect(statSync(file).size).toBeLessThan(400_000)
  })

  it('answers on its own, with what the template tells it', async () => {
    expect(await ask('CreateQueue', { queueName: 'orders' })).toMatchObject({ code: 0 })
    expect(await ask('SendMessage', { queueName: 'orders', msgBody: 'one' })).toMatchObject({ code: 0 })
    const received = await ask('ReceiveMessage', { queueName: 'orders', pollingWaitSeconds: '1' })
    expect(received).toMatchObject({ code: 0, msgBody: 'one', dequeueCount: 1 })
    const { receiptHandle } = received
    expect(await ask('DeleteMessage', { queueName: 'orders', receiptHandle })).toMatchObject({ code: 0 })
  })

  it('asks for nothing that its policy does not allow', async () => {
    const queueName = 'letters'
    const large = 'x'.repeat(5_000)
    await ask('CreateQueue', { queueName })
    await ask('SetQueueAttributes', { queueName, pollingWaitSeconds: '0' })
    await ask('BatchSendMessage', { queueName, 'msgBody.0': large, 'msgBody.1': 'small' })
    await ask('SendMessage', { queueName, msgBody: large })
    const { msgInfoList } = await ask('BatchReceiveMessage', { queueName, numOfMsg: '16' })
    expect(msgInfoList).toHaveLength(3)
    await ask('BatchDeleteMessage', { queueName, 'receiptHandle.0': msgInfoList[0].receiptHandle })
    await ask('GetQueueAttributes', { queueName })
    await ask('ListQueue', {})
    await ask('DeleteQueue', { queueName })

    const used = [...cloud.calls]
    expect(used).toContain('secret GetSecretValue')
    expect(granted()).toEqual(expect.arrayContaining(used))
  })
})

let requests = 0

async function ask(Action: string, parameters: Record<string, string>): Promise<Answer> {
  lambda.send([signedEvent({ Action, ...parameters }), { awsRequestId: `request-${++requests}` }])
  const [result] = (await once(lambda, 'message')) as [APIGatewayProxyStructuredResultV2]
  return JSON.parse(result.body ?? '')
}

/** The function's variables as a deployment fills them in. */
function deployedVariables(values: Readonly<Record<Table | 'secret', string>>): Record<string, string> {
  const variables = Object.entries(api?.Properties.Environment?.Variables ?? {})
  return Object.fromEntries(
    variables.map(([name, value]) => [name, typeof value === 'string' ? value : values[nameOf(value.Ref)]]),
  )
}

/** What the policy allows, as `<table or secret> <operation>`. */
function granted(): string[] {
  return Object.values(resources)
    .flatMap(({ Properties }) => Properties.PolicyDocument?.Statement ?? [])
    .flatMap(({ Action, Resource }) => {
      const name = named.get(Resource.Ref ?? Resource['Fn::GetAtt']?.[0] ?? '')
      return [Action].flat().map((action) => `${name} ${action.replace(/^.*:/, '')}`)
    })
}

function nameOf(logicalId: string): Table | 'secret' {
  const name = named.get(logicalId)
  if (!name) throw new Error(`nobody knows ${logicalId}`)
  return name
}

/** Secrets Manager with the one key pair, and DynamoDB by an engine. Notes which operation is asked of what. */
async function emulatedCloud(dynamodb: string): Promise<{ endpoint: string; server: Server; calls: Set<string> }> {
  const calls = new Set<string>()

  async function answerTo(headers: IncomingHttpHeaders, body: string): Promise<{ status: number; body: string }> {
    const operation = String(headers['x-amz-target']).replace(/^.*\./, '')
    const { SecretId, TableName, RequestItems = {} } = JSON.parse(body)
    for (const name of [SecretId ?? TableName ?? Object.keys(RequestItems)].flat())
      calls.add(`${name.replace(/-.*/, '')} ${operation}`)
    if (SecretId) return { status: 200, body: JSON.stringify({ SecretString: JSON.stringify(key) }) }
    const kept = ['authorization', 'content-type', 'x-amz-date', 'x-amz-target'].map((name) => [name, headers[name]])
    const answer = await fetch(dynamodb, { method: 'POST', headers: Object.fromEntries(kept), body })
    return { status: answer.status, body: await answer.text() }
  }

  const server = createServer((request, response) => {
    void text(request)
      .then((body) => answerTo(request.headers, body))
      .then(({ status, body }) => response.writeHead(status).end(body))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, calls }
}
