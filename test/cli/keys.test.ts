import { execFile } from 'node:child_process'
import { createServer } from 'node:http'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startEngine } from '../../lib/local/engine.ts'
import { tableNames } from '../../lib/local/table-names.ts'
import { connect } from '../../lib/store/database.ts'
import { createTables } from '../../lib/store/create-tables.ts'
import { emulatedCloud } from '../cdk/emulated-cloud.ts'
import { endServers, startServer, type LocalServer } from '../support/local-server.ts'
import { key as first } from '../support/service.ts'
import { signedEvent } from '../support/signed-request.ts'

/** `npm run keys` as a process, on data directories, on a running server, and on what a deployment looks like to it. */

const program = fileURLToPath(new URL('../../lib/cli/keys.ts', import.meta.url))

let parent = ''
let directories = 0
beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'keys-'))
})
afterAll(async () => {
  await endServers()
  await rm(parent, { recursive: true })
})

const newDirectory = () => join(parent, `data ${++directories}`)

interface Outcome {
  readonly code: number
  readonly out: string
  readonly errors: string
}

function run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  // Most of a start is compiling the same files again.
  const always = { PATH: process.env['PATH'], USER: 'somebody', NODE_COMPILE_CACHE: join(parent, 'compiled') }
  const options = { env: { ...always, ...env }, cwd: parent }
  return new Promise((tell) => {
    execFile(process.execPath, [program, ...args], options, (error, out, errors) =>
      tell({ code: error ? Number(error.code) : 0, out, errors }),
    )
  })
}

/** Runs it with success, and reads what it answers in JSON. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- what it holds is checked by the assertions
async function done(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<any> {
  const { code, out, errors } = await run([...args, '--json'], env)
  expect(code, errors).toBe(0)
  return JSON.parse(out)
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
    const directory = newDirectory()
    const allow = [{ actions: ['SendMessage'], resources: ['queue/orders-*'] }]
    const made = await run([
      'create',
      '--data',
      directory,
      '--account',
      '1250000001',
      '--allow',
      JSON.stringify({ allow }),
      '--json',
    ])
    const { secretId, secretKey, ...rest } = JSON.parse(made.out)
    expect(secretId).toMatch(/^AKID[A-Za-z0-9]{32}$/)
    expect(secretKey).toMatch(/^[A-Za-z0-9]{32}$/)
    expect(rest).toMatchObject({ account: '1250000001', status: 'enabled', first: false, allow })
    const audit = JSON.parse(made.errors)
    expect(audit).toMatchObject({
      message: 'audit',
      by: 'somebody',
      account: '1250000001',
      action: 'CreateKey',
      resource: `key/${secretId}`,
    })
    expect(made.errors).not.toContain(secretKey)

    const listed = await run(['list', '--data', directory])
    expect(listed.out).toMatch(
      new RegExp(`^SECRET ID .*\n${secretId}  1250000001  enabled  .*  SendMessage on queue/orders-\\*\n$`),
    )
    expect(await readFile(join(directory, 'dynamodb.sqlite'), 'latin1')).not.toContain(secretKey)
    expect((await stat(join(directory, 'sealing-key'))).mode & 0o777).toBe(0o600)
    expect(await done(['list', '--data', directory, '--account', '1250000002'])).toEqual([])
  })

  it('when a server starts there afterwards, then the key is good', async () => {
    const directory = newDirectory()
    const pair = await done(['create', '--data', directory])
    const server = await startServer(['--port', '0', '--data', directory])
    expect(await codeFor(server, pair)).toBe(0)
    server.kill('SIGTERM')
    await server.ended
  })
})

describe('given a server that runs', () => {
  let directory = ''
  let server: LocalServer
  const at = (...args: string[]) => [...args, '--data', directory]
  beforeAll(async () => {
    directory = newDirectory()
    server = await startServer(['--port', '0', '--data', directory])
    expect(await codeFor(server, first)).toBe(0)
  })

  it('when a key is made, then it is good there at once', async () => {
    const pair = await done(at('create', '--actions', 'List*', '--resources', '*'))
    expect(pair.allow).toEqual([{ actions: ['List*'], resources: ['*'] }])
    expect(await codeFor(server, pair)).toBe(0)
  })

  it('when a key is disabled, rotated, enabled and deleted, then each is what it says', async () => {
    const { secretId, secretKey } = await done(at('create'))
    expect(await done(at('disable', secretId))).toMatchObject({ secretId, status: 'disabled' })
    const rotated = await done(at('rotate', secretId, '--overlap', '90m'))
    expect(rotated.secretKey).not.toBe(secretKey)
    expect(Date.parse(rotated.formerSecretUntil) - Date.parse(rotated.modifiedAt)).toBeCloseTo(90 * 60_000, -3)
    expect(await run(at('rotate', secretId))).toMatchObject({
      code: 1,
      out: '',
      errors: `${secretId} is being rotated: end that first, with --end\n`,
    })
    expect(await done(at('rotate', secretId, '--end'))).not.toHaveProperty('formerSecretUntil')
    expect(await done(at('enable', secretId))).toMatchObject({ status: 'enabled' })
    expect(await codeFor(server, { secretId, secretKey })).toBe(4100)
    expect(await codeFor(server, rotated)).toBe(0)
    expect((await run(at('delete', secretId))).out).toBe(`deleted ${secretId}\n`)
    expect((await done(at('list'))).map((key: { secretId: string }) => key.secretId)).not.toContain(secretId)
    expect(await run(at('enable', secretId))).toMatchObject({ code: 1, errors: `there is no key ${secretId}\n` })
  })
})

describe('given the pair that everybody knows', () => {
  it('when it is deleted, then no later start has it again, and each says so', async () => {
    const directory = newDirectory()
    const start = () => startServer(['--port', '0', '--data', directory])
    const server = await start()
    await codeFor(server, first)
    expect((await run(['list', '--data', directory])).out).toContain('AKIDlocal  1250000000  enabled, first pair')
    await done(['delete', 'AKIDlocal', '--data', directory])
    server.kill('SIGTERM')
    await server.ended
    const again = await start()
    expect(await codeFor(again, first)).toBe(4100)
    await expect
      .poll(again.errors)
      .toBe('the key AKIDlocal was deleted, disabled or rotated: see npm run keys -- list\n')
    again.kill('SIGTERM')
    await again.ended
  })

  it('when a server is started with a pair of its own, then it is good no more', async () => {
    const directory = newDirectory()
    const server = await startServer(['--port', '0', '--data', directory])
    expect(await codeFor(server, first)).toBe(0)
    server.kill('SIGTERM')
    await server.ended
    const own = { secretId: 'AKIDown', secretKey: 'known to nobody' }
    const env = { CMQ_SECRET_ID: own.secretId, CMQ_SECRET_KEY: own.secretKey }
    const again = await startServer(['--port', '0', '--data', directory], { env })
    expect(await codeFor(again, own)).toBe(0)
    expect(await codeFor(again, first)).toBe(4100)
    again.kill('SIGTERM')
    await again.ended
  })
})

describe('given a deployment', () => {
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

  it('when its stack is named, then its keys are found by its outputs, the first pair among them', async () => {
    const engine = await startEngine()
    const client = connect({ endpoint: engine.endpoint })
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
    const made = await done(['create', '--stack', 'cmq'], env)
    const explicit = ['--registry-table', tableNames.registry, '--secret-arn', 'arn']
    expect(await done(['list', ...explicit], env)).toMatchObject([
      { secretId: first.secretId, first: true },
      { secretId: made.secretId, first: false },
    ])
    client.destroy()
    cloud.close()
    formation.close()
    await engine.stop()
  })
})

describe('given what cannot be meant', () => {
  it.each([
    [['create', '--account', 'me'], '--account takes an appId of up to 15 digits, not me'],
    [['list', '--registry-table', 'a'], 'give --registry-table and --secret-arn together'],
    [['disable'], "error: missing required argument 'secretId'"],
    [['fly'], "error: unknown command 'fly'"],
  ])('when it is %j, then that is said in one line, and nothing is done', async (args, said) => {
    expect(await run(args)).toEqual({ code: 1, out: '', errors: `${said}\n` })
  })

  it('when the sealing key is something else, then the directory is not used', async () => {
    const directory = newDirectory()
    await done(['create', '--data', directory])
    const file = join(directory, 'sealing-key')
    await writeFile(file, 'x')
    expect(await run(['list', '--data', directory])).toMatchObject({
      code: 1,
      errors: `the sealing key ${file} cannot be used: it holds something else\n`,
    })
  })

  it('when help is asked for, then every command is named, and success is told', async () => {
    const { code, out } = await run(['--help'])
    expect(code).toBe(0)
    for (const command of ['create', 'list', 'disable', 'enable', 'rotate', 'delete'])
      expect(out).toMatch(new RegExp(`^  ${command} `, 'm'))
  })
})
