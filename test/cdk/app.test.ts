import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '../..')
const output = mkdtempSync(join(tmpdir(), 'cmq-app-'))
afterAll(() => rmSync(output, { recursive: true }))

/** Runs cdk/app.ts as the command line of CDK does, with the context of cdk.json and what is given beside it. */
async function synthesize(given: Record<string, string>) {
  const { context } = JSON.parse(readFileSync(join(root, 'cdk.json'), 'utf8'))
  const directory = mkdtempSync(join(output, 'cdk.out-'))
  const env = { CDK_OUTDIR: directory, CDK_CONTEXT_JSON: JSON.stringify({ ...context, ...given }) }
  const { code, stderr } = await new Promise<{ code: unknown; stderr: string }>((resolve) =>
    execFile(process.execPath, ['cdk/app.ts'], { cwd: root, env }, (error, _stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stderr }),
    ),
  )
  const templates = readdirSync(directory).filter((file) => file.endsWith('.template.json'))
  return { code, stderr, templates, resources: () => resourcesIn(join(directory, templates[0] ?? '')) }
}

function resourcesIn(file: string): { Type: string; DeletionPolicy?: string }[] {
  return Object.values(JSON.parse(readFileSync(file, 'utf8')).Resources)
}

describe('the app', () => {
  it('makes one stack of what the command line says, without a word', async () => {
    const { code, stderr, templates, resources } = await synthesize({ stage: 'test', removalPolicy: 'destroy' })
    expect({ code, stderr, templates }).toEqual({ code: 0, stderr: '', templates: ['cmq-test.template.json'] })
    expect(resources().filter(({ Type }) => Type === 'AWS::DynamoDB::Table')).toHaveLength(4)
    expect(resources().filter(({ DeletionPolicy }) => DeletionPolicy === 'Retain')).toEqual([])
  })

  it('makes everything there is when the command line says so, and finds nothing wrong with it', async () => {
    const { code, stderr, resources } = await synthesize({
      metrics: 'true',
      dashboard: 'true',
      alarmTopicArn: 'arn:aws:sns:us-east-1:123456789012:alarms',
      encryptionKeyArn: 'arn:aws:kms:us-east-1:123456789012:key/1a2b3c4d-5e6f-4a1b-8c2d-1a2b3c4d5e6f',
      domainName: 'queue.example.com',
      hostedZoneId: 'Z0123456789ABCDEFGHIJ',
      hostedZoneName: 'example.com',
      vpcId: 'vpc-0a1b2c3d4e5f60718',
      subnetIds: 'subnet-0a1b2c3d4e5f60718',
      rateLimit: '100',
      burstLimit: '200',
      apiMemory: '1024',
      tags: 'team=queues',
    })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const types = new Set(resources().map(({ Type }) => Type))
    for (const type of ['CloudWatch::Alarm', 'CloudWatch::Dashboard', 'ApiGatewayV2::DomainName', 'EC2::SecurityGroup'])
      expect(types).toContain(`AWS::${type}`)
  })

  it('says in one line what is wrong with it, and makes nothing', async () => {
    const { code, stderr, templates } = await synthesize({ removalPolicy: 'keep' })
    const problem = 'the context value removalPolicy must be retain or destroy\n'
    expect({ code, stderr, templates }).toEqual({ code: 1, stderr: problem, templates: [] })
  })
})
