import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Access } from '../support/cmq-client.ts'
import { run } from '../support/programs.ts'
import { certificate } from './certificate.ts'
import type { EmulatedCloud } from './emulated-cloud.ts'

/** Context values, as `-c` takes them. */
export type Context = Readonly<Record<string, string>>

/** The commands of CDK, as a user gives them. */
export interface Cdk {
  bootstrap(): Promise<void>
  /** Deploys a stage, or updates it, and resolves to where it is by what was printed. */
  deploy(stage: string, context: Context): Promise<Access>
  destroy(stage: string): Promise<void>
}

const project = fileURLToPath(new URL('../..', import.meta.url))

export function cdk(cloud: EmulatedCloud, directory: string, signal: AbortSignal): Cdk {
  async function give(command: string, ...args: readonly string[]): Promise<void> {
    const said: string[] = []
    const note = (line: string) => void said.push(line)
    const options = { cwd: project, env: cloud.environment, signal, onLine: note, onError: note }
    const code = await run('cdk', [command, ...args], options)
    signal.throwIfAborted()
    if (code !== 0) throw new Error(`cdk ${command} ended with ${code}: ${said.slice(-12).join('\n')}`)
  }

  const assemblyOf = (stage: string) => join(directory, `cdk.out-${stage}`)

  return {
    bootstrap: () =>
      give('bootstrap', `aws://${cloud.account}/${cloud.region}`, '--output', join(directory, 'cdk.out-bootstrap')),

    async deploy(stage, context) {
      const values = Object.entries({ stage, removalPolicy: 'destroy', ...context })
      const outputs = join(directory, `outputs-${stage}.json`)
      const files = ['--output', assemblyOf(stage), '--outputs-file', outputs]
      const flags = values.flatMap(([name, value]) => ['-c', `${name}=${value}`])
      await give('deploy', '--require-approval', 'never', ...files, ...flags)
      const { Endpoint, SecretArn } = JSON.parse(await readFile(outputs, 'utf8'))[`cmq-${stage}`]
      return { endpoint: Endpoint, ca: certificate.cert, ...(await readSecret(cloud, SecretArn)) }
    },

    // What was deployed last says what there is: nothing has to be synthesised again.
    destroy: (stage) => give('destroy', '--force', '--app', assemblyOf(stage)),
  }
}

/** As the command does that is printed as ReadSecret. */
async function readSecret(cloud: EmulatedCloud, secretArn: string): Promise<{ secretId: string; secretKey: string }> {
  const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'secretsmanager.GetSecretValue' }
  const answer = await cloud.ask('secretsmanager', { headers, body: JSON.stringify({ SecretId: secretArn }) })
  return JSON.parse(JSON.parse(answer).SecretString)
}
