import { isIP, BlockList } from 'node:net'
import { parseArgs } from 'node:util'
import { LocalError } from './local-error.ts'

/** How `npm start` was asked to run. */
export interface LocalOptions {
  readonly host: string
  readonly port: number
  /** Where messages are kept; undefined where they are not kept, or are kept elsewhere. */
  readonly directory: string | undefined
  /** Another DynamoDB than the embedded one. */
  readonly dynamodb: string | undefined
  /** A line in the log for each request. */
  readonly verbose: boolean
  readonly secretId: string
  readonly secretKey: string
  /** Whether anybody could know the key pair. */
  readonly isDefaultPair: boolean
}

export const usage = `npm start -- [options]

  --port N         the port to listen on (8080; 0 takes a free one)
  --host HOST      the address to listen on (127.0.0.1)
  --data DIR       where messages are kept (.cmq)
  --memory         keep nothing: everything is gone with the server
  --dynamodb URL   use this DynamoDB instead of the embedded one
  --verbose        log a line for each request and each attempt of a push
  --help           this text

CMQ_SECRET_ID and CMQ_SECRET_KEY set the key pair; without them it is one that everybody knows, for this machine alone.`

const DEFAULT_PAIR = { secretId: 'AKIDlocal', secretKey: 'local-secret' }

type Environment = Readonly<Record<string, string | undefined>>

/** Reads the command line and the environment; undefined when only the usage is asked for. */
export function readOptions(args: readonly string[], environment: Environment): LocalOptions | undefined {
  refuseTakenByNpm(environment)
  const given = parse(args)
  if (given.help) return undefined
  if (given.data === '') throw new LocalError('--data takes a directory')
  if (given.host === '') throw new LocalError('--host takes an address')
  if (given.memory && given.data !== undefined) throw new LocalError('give --memory or --data, not both')
  if (given.dynamodb !== undefined && (given.memory || given.data !== undefined))
    throw new LocalError('--dynamodb keeps the messages elsewhere: leave --memory and --data out')
  const { secretId, secretKey, isDefaultPair } = keyPair(environment)
  const host = given.host ?? '127.0.0.1'
  if (isDefaultPair && !isLoopback(host))
    throw new LocalError(
      `refusing to listen on ${host} with a key pair that everybody knows: set CMQ_SECRET_ID and CMQ_SECRET_KEY`,
    )
  return {
    host,
    port: port(given.port ?? '8080'),
    directory: given.memory || given.dynamodb !== undefined ? undefined : (given.data ?? '.cmq'),
    dynamodb: given.dynamodb === undefined ? undefined : url(given.dynamodb),
    verbose: given.verbose ?? false,
    secretId,
    secretKey,
    isDefaultPair,
  }
}

const ownOptions = {
  host: { type: 'string' },
  port: { type: 'string' },
  data: { type: 'string' },
  memory: { type: 'boolean' },
  dynamodb: { type: 'string' },
} as const

const options = { ...ownOptions, verbose: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const

/** What stands before `--` npm takes for itself and tells in variables alone: `npm start --memory` would keep everything. */
function refuseTakenByNpm(environment: Environment) {
  if (environment['npm_lifecycle_event'] !== 'start') return
  const taken = Object.keys(ownOptions).find((name) => environment[`npm_config_${name}`] !== undefined)
  if (taken !== undefined) throw new LocalError(`npm took --${taken} for its own: write npm start -- --${taken}`)
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options }).values
  } catch (error) {
    const [reason] = (error as Error).message.split(/\. |\n/)
    throw new LocalError(`${reason}; see npm start -- --help`)
  }
}

/** The pair that the environment names, or the one for this machine alone. */
export function keyPair({ CMQ_SECRET_ID: secretId, CMQ_SECRET_KEY: secretKey }: Environment) {
  if (secretId && secretKey) return { secretId, secretKey, isDefaultPair: secretKey === DEFAULT_PAIR.secretKey }
  if (secretId || secretKey) throw new LocalError('set both CMQ_SECRET_ID and CMQ_SECRET_KEY, or neither')
  return { ...DEFAULT_PAIR, isDefaultPair: true }
}

function port(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) throw new LocalError(`--port takes a port number, not ${text}`)
  return Number(text)
}

function url(text: string): string {
  if (!URL.canParse(text) || !/^https?:/.test(text)) throw new LocalError(`--dynamodb takes a URL, not ${text}`)
  return text
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8)
loopback.addAddress('::1', 'ipv6')

/** A name other than localhost may resolve to anything. */
function isLoopback(host: string): boolean {
  const family = isIP(host)
  return host === 'localhost' || (family !== 0 && loopback.check(host, family === 6 ? 'ipv6' : 'ipv4'))
}
