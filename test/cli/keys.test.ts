import { execFile } from 'node:child_process'
import { createServer } from 'node:http'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DynamoDBClient, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { runKeys } from '../../lib/cli/key-commands.ts'
import { startEngine } from '../../lib/local/engine.ts'
import { tableNames } from '../../lib/local/table-names.ts'
import { createTables } from '../../lib/store/create-tables.ts'
import { emulatedCloud } from '../cdk/emulated-cloud.ts'
import { patientClient } from '../support/engine.ts'
import { timeout } from '../support/faults.ts'
import { endServers, startServer, type LocalServer } from '../support/local-server.ts'
import { key as first } from '../support/service.ts'
import { signedEvent } from '../support/signed-request.ts'

/** `npm run keys` on data directories, on a running server, and on what a deployment looks like to it. */

let parent = ''
let directories = 0
beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'keys-'))
})
afterEach(() => vi.unstubAllEnvs())
afterAll(async () => {
  await endServers()
  // An engine that was killed may write for a moment more.
  await rm(parent, { recursive: true, maxRetries: 5 })
})

const newDirectory = () => join(parent, `data ${++directories}`)

interface Outcome {
  readonly code: number
  readonly out: string
  readonly errors: string
}

const silenced = (stream: NodeJS.WriteStream) => vi.spyOn(stream, 'write').mockReturnValue(true)
const heard = ({ mock }: ReturnType<typeof silenced>) => mock.calls.map(([chunk]) => String(chunk)).join('')

/** What the command does in this process: a process of its own for each would take most of the time. */
async function run(...args: readonly string[]): Promise<Outcome> {
  const [out, errors] = [silenced(process.stdout), silenced(process.stderr)]
  try {
    const code = await runKeys(args)
    return { code, out: heard(out), errors: heard(errors) }
  } finally {
    out.mockRestore()
    errors.mockRestore()
  }
}

/** Runs it with success, and reads what it answers in JSON. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- what it holds is checked by the assertions
async function done(...args: readonly string[]): Promise<any> {
  const { code, out, errors } = await run(...args, '--json')
  expect(code, errors).toBe(0)
  return JSON.parse(out)
}

/** The command as it is started, in a process of its own. */
function started(...args: readonly string[]): Promise<Outcome> {
  const program = fileURLToPath(new URL('../../lib/cli/keys.ts', import.meta.url))
  return new Promise((tell) => {
    execFile(process.execPath, [program, ...args], { cwd: parent }, (error, out, errors) =>
      tell({ code: error ? Number(error.code) : 0, out, errors }),
    )
  })
}

/** Has the next update take place without an answer, and another change come after it. */
function overtakeNextUpdate(): void {
  const { send } = DynamoDBClient.prototype
  const sending = vi.spyOn(DynamoDBClient.prototype, 'send')
  const answer = async (client: DynamoDBClient, command: Parameters<typeof send>[0]) => {
    const answered: unknown = await Reflect.apply(send, client, [command])
    if (!(command instanceof UpdateItemCommand)) return answered
    sending.mockRestore()
    const { TableName, Key } = command.input
    const ExpressionAttributeValues = { ':other': { S: 'another' } }
    const UpdateExpression = 'SET changeId = :other'
    await client.send(new UpdateItemCommand({ TableName, Key, UpdateExpression, ExpressionAttributeValues }))
    throw timeout()
  }
  sending.mockImplementation(function (this: DynamoDBClient, command) {
    return answer(this, command) as never
  })
}

/** What a server answers to a request of that pair. */
async function codeFor({ url }: LocalServer, pair: { readonly secretId: string; readonly secretKey: string }) {
  const { secretId, secretKey } = pair
  const { body = '' } = signedEvent({ Action: 'ListQueue' }, { host: new URL(url).host, secretId, secretKey })
  const form = Buffer.from(body, 'base64').toString()
  const answer = await fetch(`${url}/v2/index.php`, { method: 'POST', body: form })
  return ((await answer.json()) as { code: number }).code
}

describe('given a data directory that no server uses', () => {
  it('when a key is made, then it is shown once, sealed at rest, and listed without its secret', async () => {
    vi.stubEnv('USER', 'somebody')
    const at = ['--data', newDirectory()] as const
    const allow = [{ actions: ['SendMessage'], resources: ['queue/orders-*'] }]
    const what = ['--account', '1250000001', '--allow', JSON.stringify({ allow })]
    const made = await run('create', ...at, ...what, '--json')
    const { secretId, secretKey, ...rest } = JSON.parse(made.out)
    expect(secretId).toMatch(/^AKID[A-Za-z0-9]{32}$/)
    expect(secretKey).toMatch(/^[A-Za-z0-9]{32}$/)
    expect(rest).toMatchObject({ account: '1250000001', status: 'enabled', first: false, allow })
    const [, directory] = at
    const [line = '', note] = made.errors.split('\n')
    expect(note).toBe(`made the data directory ${directory}, which no server uses yet`)
    const audit = JSON.parse(line)
    expect(audit).toMatchObject({
      message: 'audit',
      by: 'somebody',
      account: '1250000001',
      action: 'CreateKey',
      resource: `key/${secretId}`,
    })
    expect(made.errors).not.toContain(secretKey)

    const listed = await run('list', ...at)
    expect(listed.out).toMatch(
      new RegExp(`^SECRET ID .*\n${secretId}  1250000001  enabled  .*  SendMessage on queue/orders-\\*\n$`),
    )
    expect(await readFile(join(directory, 'dynamodb.sqlite'), 'latin1')).not.toContain(secretKey)
    expect((await stat(join(directory, 'sealing-key'))).mode & 0o777).toBe(0o600)
    expect(await done('list', ...at, '--account', '1250000002')).toEqual([])
  })
})

describe('given no data directory of that name', () => {
  it.each(['list', 'disable', 'rotate', 'delete'])(
    'when %s is asked of it, then that is refused, and nothing is made',
    async (command) => {
      const directory = newDirectory()
      const about = command === 'list' ? [] : ['AKIDany']
      expect(await run(command, ...about, '--data', directory)).toEqual({
        code: 1,
        out: '',
        errors: `there is no data directory ${directory}: npm start makes it\n`,
      })
      await expect(stat(directory)).rejects.toThrow('ENOENT')
    },
  )
})

describe('given a data directory and its servers', () => {
  const own = { secretId: 'AKIDown', secretKey: 'known to nobody' }
  let at: readonly string[]
  let server: LocalServer
  let before: typeof own
  beforeAll(async () => {
    at = ['--data', newDirectory()]
    before = await done('create', ...at)
    server = await startServer(['--port', '0', ...at])
  })

  async function restarted(env: Readonly<Record<string, string>> = {}): Promise<LocalServer> {
    server.kill('SIGTERM')
    await server.ended
    return (server = await startServer(['--port', '0', ...at], { env }))
  }

  it('when a key was made before the start, or while it runs, then it is good', async () => {
    expect(await codeFor(server, before)).toBe(0)
    const since = await done('create', ...at, '--actions', 'List*', '--resources', '*')
    expect(since.allow).toEqual([{ actions: ['List*'], resources: ['*'] }])
    expect(await codeFor(server, since)).toBe(0)
  })

  it('when a key is disabled, rotated, enabled and deleted, then each is what it says', async () => {
    const { secretId, secretKey } = await done('create', ...at)
    expect(await done('disable', secretId, ...at)).toMatchObject({ secretId, status: 'disabled' })
    const rotated = await done('rotate', secretId, '--overlap', '90m', ...at)
    expect(rotated.secretKey).not.toBe(secretKey)
    expect(Date.parse(rotated.formerSecretUntil) - Date.parse(rotated.modifiedAt)).toBeCloseTo(90 * 60_000, -3)
    expect(await run('rotate', secretId, ...at)).toMatchObject({
      code: 1,
      out: '',
      errors: `${secretId} is being rotated: end that first, with --end\n`,
    })
    expect(await done('rotate', secretId, '--end', ...at)).not.toHaveProperty('formerSecretUntil')
    const last = await done('rotate', secretId, '--overlap', '0', ...at)
    expect(last).not.toHaveProperty('formerSecretUntil')
    expect(await done('enable', secretId, ...at)).toMatchObject({ status: 'enabled' })
    expect(await codeFor(server, { secretId, secretKey })).toBe(4100)
    expect(await codeFor(server, rotated)).toBe(4100)
    expect(await codeFor(server, last)).toBe(0)
    expect((await run('delete', secretId, ...at)).out).toBe(`deleted ${secretId}\n`)
    expect((await done('list', ...at)).map((key: { secretId: string }) => key.secretId)).not.toContain(secretId)
    expect(await run('enable', secretId, ...at)).toMatchObject({ code: 1, errors: `there is no key ${secretId}\n` })
  })

  it('when a rotation gets no answer and another change overtakes it, then nobody knows, and its secret is shown', async () => {
    const { secretId } = await done('create', ...at)
    overtakeNextUpdate()
    const { code, out, errors } = await run('rotate', secretId, ...at)
    expect([code, out]).toEqual([1, ''])
    const [, secretKey] = /^nobody knows whether .* its new secret is (\w{32})\n$/.exec(errors) ?? []
    expect(await codeFor(server, { secretId, secretKey: String(secretKey) })).toBe(0)
  })

  it('when a server has a pair of its own, then the one that everybody knows is good no more', async () => {
    expect(await codeFor(server, first)).toBe(0)
    const other = await restarted({ CMQ_SECRET_ID: own.secretId, CMQ_SECRET_KEY: own.secretKey })
    expect(await codeFor(other, own)).toBe(0)
    expect(await codeFor(other, first)).toBe(4100)
    const { out } = await run('list', ...at)
    expect(out.match(/enabled, first pair/g)).toHaveLength(2)
    expect(out).toMatch(/\n\nOf the first pairs only the one is good that the service has been started with\.\n$/)
  })

  it('when the pair that everybody knows is deleted, then no later start has it again, and each says so', async () => {
    expect((await run('list', ...at)).out).toMatch(/^AKIDlocal +1250000000 +enabled, first pair /m)
    await done('delete', 'AKIDlocal', ...at)
    const again = await restarted()
    expect(await codeFor(again, first)).toBe(4100)
    await expect
      .poll(again.errors)
      .toBe('the key AKIDlocal was deleted, disabled or rotated: see npm run keys -- list\n')
  })
})

/** CloudFormation, of which one call is needed, in front of the other services. */
async function cloudFormation(outputs: Readonly<Record<string, string>>) {
  const members = Object.entries(outputs).map(
    ([key, value]) => `<member><OutputKey>${key}</OutputKey><OutputValue>${value}</OutputValue></member>`,
  )
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/xml')
    response.end(
      `<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>cmq</StackName><Outputs>${members.join('')}</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`,
    )
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return { endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() }
}

describe('given a deployment', () => {
  it('when no region is said, then it says how to say one', async () => {
    for (const name of ['AWS_REGION', 'AWS_PROFILE']) vi.stubEnv(name, undefined)
    for (const name of ['AWS_CONFIG_FILE', 'AWS_SHARED_CREDENTIALS_FILE']) vi.stubEnv(name, join(parent, 'missing'))
    expect(await run('list', '--stack', 'cmq')).toEqual({
      code: 1,
      out: '',
      errors: 'Region is missing: set AWS_REGION and AWS_PROFILE\n',
    })
  })

  it('when its stack is named, then its keys are found by its outputs, the first pair among them', async () => {
    const engine = await startEngine()
    const client = patientClient(engine.endpoint)
    await createTables(client, tableNames)
    const cloud = await emulatedCloud(engine.endpoint, () => undefined)
    const formation = await cloudFormation({ CmqRegistryTable1A: tableNames.registry, CmqSecretArn2B: 'arn' })
    const env = {
      AWS_ENDPOINT_URL: cloud.endpoint,
      AWS_ENDPOINT_URL_CLOUDFORMATION: formation.endpoint,
      AWS_REGION: 'local',
      AWS_ACCESS_KEY_ID: 'Cli',
      AWS_SECRET_ACCESS_KEY: 'local',
    }
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
    const { errors } = await run('list', '--stack', 'cmq')
    expect(JSON.parse(errors)).toMatchObject({ action: 'SeedKey', resource: `key/${first.secretId}` })
    const made = await done('create', '--stack', 'cmq')
    const explicit = ['--registry-table', tableNames.registry, '--secret-arn', 'arn']
    expect(await done('list', ...explicit)).toMatchObject([
      { secretId: first.secretId, first: true },
      { secretId: made.secretId, first: false },
    ])
    client.destroy()
    cloud.close()
    formation.close()
    await engine.stop()
  })
})

describe('given a stack with two deployments', () => {
  it('when it is named, then none of them is guessed', async () => {
    const formation = await cloudFormation({
      ARegistryTable: 'a',
      ASecretArn: 'a',
      BRegistryTable: 'b',
      BSecretArn: 'b',
    })
    const env = {
      AWS_ENDPOINT_URL_CLOUDFORMATION: formation.endpoint,
      AWS_REGION: 'local',
      AWS_ACCESS_KEY_ID: 'Cli',
      AWS_SECRET_ACCESS_KEY: 'local',
    }
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
    expect(await run('list', '--stack', 'cmq')).toMatchObject({
      code: 1,
      errors: 'the stack cmq has several outputs RegistryTable: give --registry-table and --secret-arn\n',
    })
    formation.close()
  })
})

describe('given what cannot be meant', () => {
  it.each([
    [['create', '--account', 'me'], '--account takes an appId of up to 15 digits, not me'],
    [['list', '--registry-table', 'a'], 'give --registry-table and --secret-arn together'],
    [['disable'], "error: missing required argument 'secretId'"],
    [['fly'], "error: unknown command 'fly'"],
  ])('when it is %j, then that is said in one line, and nothing is done', async (args, said) => {
    expect(await run(...args)).toEqual({ code: 1, out: '', errors: `${said}\n` })
  })

  it('when the sealing key is something else, then the directory is not used', async () => {
    const directory = newDirectory()
    await done('create', '--data', directory)
    const file = join(directory, 'sealing-key')
    await writeFile(file, 'x')
    expect(await run('list', '--data', directory)).toMatchObject({
      code: 1,
      errors: `the sealing key ${file} cannot be used: it holds something else\n`,
    })
  })

  it('when help is asked for, then every command is named', async () => {
    const { code, out } = await run('--help')
    expect(code).toBe(0)
    for (const command of ['create', 'list', 'disable', 'enable', 'rotate', 'delete'])
      expect(out).toMatch(new RegExp(`^  ${command} `, 'm'))
  })

  it('when it is started with that, then its exit code says so', async () => {
    const error = "error: unknown command 'fly'\n"
    expect(await started('fly')).toEqual({ code: 1, out: '', errors: error })
  })
})
