import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { Agent, request } from 'node:https'
import { delimiter, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../../lib/local/engine.ts'
import { certificate } from './certificate.ts'

/** An AWS account on this machine, by the emulator ministack. It listens on 127.0.0.1 alone, and enforces IAM. */
export interface EmulatedCloud extends AsyncDisposable {
  readonly account: string
  readonly region: string
  /** What a program needs to work in this account; nothing in it is of the account of whoever runs the tests. */
  readonly environment: NodeJS.ProcessEnv
  /** The answer of a service of AWS to the owner of the account. */
  ask(service: string, request: AwsRequest): Promise<string>
  /** The last lines that the emulator has written. */
  lastWords(): Promise<string>
}

export interface AwsRequest {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

const ACCOUNT = '123456789012'
const REGION = 'us-east-1'
const MILLISECONDS_TO_START = 60_000

/** Starts one, by a Python that has ministack. All that it writes is in the directory. */
export async function emulatedCloud(python: string, directory: string, signal: AbortSignal): Promise<EmulatedCloud> {
  const port = await freePort()
  const inside = (name: string) => join(directory, name)
  const [cert, key, home] = [inside('cert.pem'), inside('key.pem'), inside('home')]
  await Promise.all([writeFile(cert, certificate.cert), writeFile(key, certificate.key), mkdir(home)])
  const plain = { PATH: pathOf(process.env['PATH']), HOME: home, TMPDIR: directory, LANG: 'C.UTF-8' }
  const endpoint = `https://127.0.0.1:${port}`
  const emulator = spawn(python, ['-I', '-B', fileURLToPath(new URL('emulated_cloud.py', import.meta.url))], {
    env: {
      ...plain,
      BIND_HOST: '127.0.0.1',
      GATEWAY_PORT: String(port),
      LAMBDA_EXECUTOR: 'local',
      // Requests are authenticated, and roles may do what their policies allow; buckets of CDK refuse plain HTTP.
      AUTH: 'true',
      USE_SSL: '1',
      MINISTACK_SSL_CERT: cert,
      MINISTACK_SSL_KEY: key,
      MINISTACK_ACCOUNT_ID: ACCOUNT,
      MINISTACK_REGION: REGION,
      S3_DATA_DIR: inside('s3'),
      LOG_LEVEL: 'WARNING',
    },
    // Its group ends with its input, and that ends with this process, however it ends.
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const log = inside('emulator.log')
  const written = Promise.all([writeFile(log, emulator.stdout), writeFile(`${log}.errors`, emulator.stderr)])
  const gone = once(emulator, 'exit')
  const agent = new Agent({ ca: certificate.cert })

  function ask(service: string, { method = 'POST', path = '/', headers = {}, body = '' }: AwsRequest): Promise<string> {
    // The owner of an account is believed without a signature.
    const authorization = `AWS4-HMAC-SHA256 Credential=${ACCOUNT}/20200101/${REGION}/${service}/aws4_request, SignedHeaders=host, Signature=0`
    return new Promise((resolve, reject) => {
      const sent = request(endpoint + path, { agent, method, headers: { authorization, ...headers } }, (response) => {
        const { statusCode = 0 } = response
        void text(response).then((answer) => {
          if (statusCode < 300) resolve(answer)
          else reject(new Error(`${service} ${method} ${path}: ${statusCode} ${answer.slice(0, 300)}`))
        }, reject)
      })
      sent.on('error', reject)
      sent.end(body)
    })
  }

  const cloud: EmulatedCloud = {
    account: ACCOUNT,
    region: REGION,
    environment: {
      ...plain,
      AWS_ENDPOINT_URL: endpoint,
      AWS_ACCESS_KEY_ID: ACCOUNT,
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_REGION: REGION,
      AWS_CA_BUNDLE: cert,
      NODE_EXTRA_CA_CERTS: cert,
      SSL_CERT_FILE: cert,
    },
    ask,

    async lastWords() {
      const texts = await Promise.all([log, `${log}.errors`].map((file) => readFile(file, 'utf8').catch(() => '')))
      return texts.flatMap((lines) => lines.split('\n').slice(-20)).join('\n')
    },

    async [Symbol.asyncDispose]() {
      agent.destroy()
      emulator.stdin.destroy()
      await Promise.allSettled([gone, written])
    },
  }

  try {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(MILLISECONDS_TO_START)])
    while (!(await ask('health', { method: 'GET', path: '/_ministack/health' }).catch(() => ''))) {
      if (emulator.exitCode !== null) throw new Error(`the emulator ended: ${await cloud.lastWords()}`)
      await sleep(100, undefined, { signal: deadline })
    }
  } catch (error) {
    await cloud[Symbol.asyncDispose]()
    throw error
  }
  return cloud
}

/** Lambda runs the first `node` that it finds: this project's. */
const pathOf = (path = '') => [fileURLToPath(new URL('../../node_modules/.bin', import.meta.url)), path].join(delimiter)
