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

  it('says in one line what is wrong with it, and makes nothing', async () => {
    const { code, stderr, templates } = await synthesize({ removalPolicy: 'keep' })
    const problem = 'the context value removalPolicy must be retain or destroy\n'
    expect({ code, stderr, templates }).toEqual({ code: 1, stderr: problem, templates: [] })
  })
})
