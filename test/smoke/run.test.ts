import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const program = fileURLToPath(new URL('run.ts', import.meta.url))

async function smoke(...args: readonly string[]) {
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const [[code], output, errors] = await Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)])
  return { code, output, errors }
}

const keyPair = ['--secret-id', 'AKIDa', '--secret-key', 'b']

describe('given an endpoint where something else answers', () => {
  it('when it is checked, then that is said, and nothing more is tried', async () => {
    const server = createServer((_, response) => response.writeHead(404).end('{"message":"Not Found"}'))
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const { code, output } = await smoke('--endpoint', endpoint, ...keyPair)
    server.close()
    expect(output.split('\n')).toEqual([
      `FAILED ${endpoint} answers, and knows the key pair: ListQueue was answered by HTTP 404: {"message":"Not Found"}`,
      '0 passed, 1 failed, 0 skipped',
      '',
    ])
    expect(code).toBe(1)
  })
})

describe('given a command line without an endpoint', () => {
  it('when it runs, then it says what is needed', async () => {
    const { code, errors } = await smoke(...keyPair)
    expect(errors).toMatch(/^--endpoint, --secret-id and --secret-key are needed\n/)
    expect(code).toBe(1)
  })
})
