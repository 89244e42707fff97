import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Engine, startEngine } from '../../lib/local/engine.ts'
import { LocalError } from '../../lib/local/local-error.ts'
import { identify } from '../../lib/local/processes.ts'
import { engineKinds, testEngine } from '../support/engine.ts'

let folder = ''
const engines: Engine[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'engine-'))
})
afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.stop()))
  await rm(folder, { recursive: true })
})

async function started(...options: Parameters<typeof startEngine>): Promise<Engine> {
  const engine = await startEngine(...options)
  engines.push(engine)
  return engine
}

async function call(endpoint: string, action: string, body: object) {
  const answer = await fetch(endpoint, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.0',
      'x-amz-target': `DynamoDB_20120810.${action}`,
      'x-amz-date': '20200101T000000Z',
      authorization:
        'AWS4-HMAC-SHA256 Credential=x/20200101/local/dynamodb/aws4_request, SignedHeaders=host, Signature=x',
    },
    body: JSON.stringify(body),
  })
  return answer.json()
}

const createTable = (endpoint: string) =>
  call(endpoint, 'CreateTable', {
    TableName: 'kept',
    BillingMode: 'PAY_PER_REQUEST',
    AttributeDefinitions: [{ AttributeName: 'id', AttributeType: 'S' }],
    KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
  })

describe.each(engineKinds())('given %s', (kind) => {
  it('when it has started, then it answers on localhost until it is stopped', async () => {
    const engine = await started({ kind })
    expect(engine.kind).toBe(kind)
    expect(engine.endpoint).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect(await call(engine.endpoint, 'ListTables', {})).toEqual({ TableNames: [] })
    await engine.stop()
    expect(identify(engine.pid)).toBeUndefined()
    await expect(fetch(engine.endpoint)).rejects.toThrow()
  })

  it('when it has a file and is started once more, then its tables are still there', async () => {
    const databaseFile = join(folder, 'dynamodb.sqlite')
    const first = await started({ kind, databaseFile })
    await createTable(first.endpoint)
    await first.stop()
    const second = await started({ kind, databaseFile })
    expect(await call(second.endpoint, 'ListTables', {})).toEqual({ TableNames: ['kept'] })
  })

  it('when it is stopped twice at once, then both wait for its end', async () => {
    const engine = await started({ kind })
    await Promise.all([engine.stop(), engine.stop()])
    expect(identify(engine.pid)).toBeUndefined()
  })

  it('when it is killed by somebody else, then the reason is told', async () => {
    const engine = await started({ kind })
    process.kill(engine.pid, 'SIGKILL')
    expect(await engine.ended).toMatch(`(${kind}, process id ${engine.pid}) ended: signal SIGKILL`)
  })

  it('when its port is taken, then it says so in one line', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    await expect(startEngine({ kind, port })).rejects.toEqual(new LocalError(`port ${port} is in use`))
    other.close()
  })
})

describe('given an engine', () => {
  it('when a terminal sends a signal to its server, then the engine does not get it: it has a process group', async () => {
    const engine = await started()
    expect(process.kill(-engine.pid, 0)).toBe(true)
  })

  it('when it is stopped while suspended, then it is gone all the same', async () => {
    const engine = await started()
    process.kill(engine.pid, 'SIGSTOP')
    await engine.stop()
    expect(identify(engine.pid)).toBeUndefined()
  })

  it('when its file cannot be opened, then it says so in one line', async () => {
    const starting = startEngine({ kind: 'dynoxide', databaseFile: join(folder, 'missing', 'dynamodb.sqlite') })
    await expect(starting).rejects.toThrow(LocalError)
    await expect(starting).rejects.toThrow(/^dynoxide did not start: .*unable to open database file.*$/)
  })

  it('when many are started at once, then each has a port of its own', async () => {
    const some = await Promise.all(Array.from({ length: 8 }, () => testEngine()))
    expect(new Set(some.map(({ endpoint }) => endpoint)).size).toBe(8)
    await Promise.all(some.map(({ stop }) => stop()))
  })
})

describe.each([
  ['exits', 'process.exit(3)'],
  ['crashes', 'setImmediate(() => { throw new Error("crash") })'],
  ['has nothing left to do', ''],
])('given a server with engines in memory and with a file', (ending, script) => {
  it(`when it ${ending}, then they end with it`, async () => {
    const pids = await pidsOfServerThat(script, join(folder, 'dynamodb.sqlite'))
    expect(pids).toHaveLength(2)
    await expect.poll(() => pids.map(identify)).toEqual([undefined, undefined])
  })
})

describe('given a server with an engine in memory', () => {
  it('when it is killed, then the engine ends, although nobody was left to end it', async () => {
    const [pid] = await pidsOfServerThat('process.kill(process.pid, "SIGKILL")')
    await expect.poll(() => identify(pid ?? 0)).toBeUndefined()
  })
})

/** Of a server with an engine in memory and one more for each file. */
function pidsOfServerThat(ending: string, ...databaseFiles: string[]): Promise<number[]> {
  const script = `
    import { startEngine } from '${new URL('../../lib/local/engine.ts', import.meta.url).href}'
    const files = process.argv.slice(1).map((databaseFile) => ({ databaseFile }))
    const engines = await Promise.all([{}, ...files].map(startEngine))
    console.log(JSON.stringify(engines.map(({ pid }) => pid)))
    ${ending}
  `
  return new Promise((tell) => {
    execFile(process.execPath, ['--input-type=module', '-e', script, ...databaseFiles], (_error, stdout) =>
      tell(JSON.parse(stdout) as number[]),
    )
  })
}
