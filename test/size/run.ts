import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build, built, root } from '../../cdk/built.ts'
import { functionKinds, type FunctionName } from '../../cdk/functions.ts'
import { atMost, lineOf, table, type Requirement } from '../bench/report.ts'
import { importTimes } from './import-time.ts'

/** `npm run size`: how large each function's bundle is, and how long its import takes, against what a cold start may cost. */

const MOST_BYTES = 400_000

/**
 * What the SDK's client of DynamoDB takes to import on an idle machine, bundled as it comes, in milliseconds. It is measured
 * beside the functions, and their times are told as that machine would have them: a slow or busy one judges no differently.
 */
const SDK = 48
const MOST_MILLISECONDS = 60

const sdk = `export { DynamoDBClient, BatchGetItemCommand, BatchWriteItemCommand, ConditionalCheckFailedException,
  DeleteItemCommand, GetItemCommand, PutItemCommand, QueryCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb'
export { NodeHttpHandler } from '@smithy/node-http-handler'`

const { rounds } = parseArgs({ options: { rounds: { type: 'string', default: '15' } } }).values

const directory = mkdtempSync(join(tmpdir(), 'cmq-size-'))
process.exitCode = await main().finally(() => rmSync(directory, { recursive: true }))

async function main(): Promise<number> {
  const names = Object.keys(functionKinds) as FunctionName[]
  const bundles = new Map(names.map((name) => [name, built(functionKinds[name].file)]))
  const files = Object.fromEntries(names.map((name) => [name, written(name, bundles.get(name))]))
  const alone = written('sdk', build({ stdin: { contents: sdk, resolveDir: root, loader: 'ts' }, alias: {} }))
  const measured = (rounds: number) => importTimes<string>({ ...files, sdk: alone }, rounds)
  let times = await measured(Number(rounds))
  // Few rounds are now and then all noisy for one of the files; of many, the least is not.
  if (!ofTime(times).isMet) times = await measured(5 * Number(rounds))

  const rows = names.map((name) => [name, bundles.get(name)?.byteLength ?? NaN, times[name] ?? NaN, idle(times, name)])
  const heads = ['bundle', 'bytes', 'ms of import above bare Node, here', `where the SDK alone takes ${SDK}`]
  console.log(`${table(heads, [...rows, ['the SDK alone', '', times['sdk'] ?? NaN, SDK]])}\n`)
  const ofBytes = names.map((name) => atMost(`bytes of ${name}`, bundles.get(name)?.byteLength ?? NaN, MOST_BYTES))
  const requirements = [...ofBytes, ofTime(times)]
  console.log(requirements.map(lineOf).join('\n'))
  return requirements.every(({ isMet }) => isMet) ? 0 : 1
}

type Times = Readonly<Record<string, number>>

function ofTime(times: Times): Requirement {
  return atMost('milliseconds of api', idle(times, 'api'), MOST_MILLISECONDS)
}

/** What importing it would take on the idle machine. */
function idle(times: Times, name: string): number {
  return ((times[name] ?? NaN) * SDK) / (times['sdk'] ?? NaN)
}

/** The module as Lambda has it, in a folder of its own. */
function written(name: string, contents: Uint8Array = Buffer.of()): string {
  const folder = join(directory, name)
  mkdirSync(folder)
  writeFileSync(join(folder, 'index.mjs'), contents)
  return join(folder, 'index.mjs')
}
