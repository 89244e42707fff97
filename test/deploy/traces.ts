import { setTimeout as sleep } from 'node:timers/promises'
import type { AwsRequest, EmulatedCloud } from './emulated-cloud.ts'

/** Resolves once there is a one-time schedule whose name begins so. */
export async function scheduled(cloud: EmulatedCloud, prefix: string): Promise<void> {
  const deadline = performance.now() + 30_000
  do {
    const { Schedules } = JSON.parse(await cloud.ask('scheduler', { method: 'GET', path: '/schedules' }))
    if ((Schedules as { Name: string }[]).some(({ Name }) => Name.startsWith(prefix))) return
    await sleep(100)
  } while (performance.now() < deadline)
  throw new Error(`no schedule ${prefix}… was made`)
}

/**
 * What the functions of all stages have logged as an error, each kind of it once. That the emulator answered too late says
 * how busy the machine is, and the service has repeated what it asked.
 */
export async function loggedErrors(cloud: EmulatedCloud): Promise<readonly string[]> {
  const { logGroups } = await logs(cloud, 'DescribeLogGroups', {})
  const names = (logGroups as { logGroupName: string }[]).map(({ logGroupName }) => logGroupName)
  const lines = (await Promise.all(names.map((name) => linesOf(cloud, name)))).flat()
  const errors = lines.filter((line) => line.includes('"level":"ERROR"')).map((line) => JSON.parse(line))
  const kinds = new Set(errors.map(({ message, error }) => `${message}: ${error?.message}`))
  return [...kinds].filter((kind) => !/requestTimeout/.test(kind))
}

async function linesOf(cloud: EmulatedCloud, logGroupName: string): Promise<readonly string[]> {
  const lines: string[] = []
  for (let nextToken: string | undefined, hasMore = true; hasMore; hasMore = nextToken !== undefined) {
    const page = await logs(cloud, 'FilterLogEvents', { logGroupName, ...(nextToken && { nextToken }) })
    lines.push(...(page.events as { message: string }[]).map(({ message }) => message))
    nextToken = page.nextToken
  }
  return lines
}

async function logs(cloud: EmulatedCloud, operation: string, input: object) {
  const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `Logs_20140328.${operation}` }
  const request: AwsRequest = { headers, body: JSON.stringify(input) }
  return JSON.parse(await cloud.ask('logs', request))
}

/** The names of the functions of a stack. */
export async function functionsOf(cloud: EmulatedCloud, stack: string): Promise<readonly string[]> {
  const { Functions } = JSON.parse(await cloud.ask('lambda', { method: 'GET', path: '/2015-03-31/functions' }))
  const names = (Functions as { FunctionName: string }[]).map(({ FunctionName }) => FunctionName)
  return names.filter((name) => name.startsWith(`${stack}-`))
}
