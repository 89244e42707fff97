import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { key } from '../support/service.ts'

/** What is scheduled for one time. */
export interface Scheduled {
  readonly GroupName: string
  readonly Name: string
  readonly Target: { readonly Arn: string; readonly RoleArn: string; readonly Input: string }
}

/** As much of AWS as the functions ask for. Who asks tells by his access key. */
export interface EmulatedCloud {
  readonly endpoint: string
  /**
   * What was asked so far: `Push Deliveries Query`, `Api Push InvokeFunction`; of the registry with the partition keys,
   * `Push Registry GetItem topic#*`.
   */
  readonly calls: ReadonlySet<string>
  readonly schedules: readonly Scheduled[]
  /** Refuses this call from now on, so many times. */
  refuse(call: string, times: number): void
  close(): void
}

interface Answer {
  readonly status: number
  readonly body?: string
}

const denied: Answer = { status: 403, body: JSON.stringify({ __type: 'AccessDeniedException', message: 'denied' }) }

/** A wake-up comes after this time, in milliseconds: Scheduler is seldom faster. */
const SOON = 1_000

/** Secrets Manager with the one key pair, DynamoDB by an engine, Lambda by `invoke`, and EventBridge Scheduler in a hurry. */
export async function emulatedCloud(
  dynamodb: string,
  invoke: (name: string, event: unknown) => void,
): Promise<EmulatedCloud> {
  const calls = new Set<string>()
  const schedules: Scheduled[] = []
  const refused = new Map<string, number>()
  let isOpen = true

  /** Notes the call. False when it is to be refused. */
  function isAllowed(call: string): boolean {
    calls.add(call)
    const left = refused.get(call) ?? 0
    refused.set(call, left - 1)
    return left <= 0
  }

  async function answerTo({ url = '', headers }: IncomingMessage, body: string): Promise<Answer> {
    const who = /Credential=(\w+)/.exec(headers.authorization ?? '')?.[1]
    const input = JSON.parse(body)
    const started = /^\/2015-03-31\/functions\/(\w+)\/invocations$/.exec(url)?.[1]
    if (started !== undefined) {
      if (headers['x-amz-invocation-type'] !== 'Event' || !isAllowed(`${who} ${started} InvokeFunction`)) return denied
      invoke(started, input)
      return { status: 202 }
    }
    const scheduled = /^\/schedules\/([\w-]+)$/.exec(url)?.[1]
    if (scheduled !== undefined) {
      if (!isAllowed(`${who} Schedules CreateSchedule`)) return denied
      schedules.push({ ...input, Name: scheduled })
      const { Arn, Input } = input.Target
      setTimeout(() => isOpen && invoke(Arn.replace(/^.*:/, ''), JSON.parse(Input)), SOON)
      return { status: 200, body: JSON.stringify({ ScheduleArn: scheduled }) }
    }
    const operation = String(headers['x-amz-target']).replace(/^.*\./, '')
    const { SecretId, TableName, RequestItems = {} } = input
    const TransactItems: Record<string, Request & { readonly TableName: string }>[] = input.TransactItems ?? []
    const things: string[] = [SecretId ?? TableName ?? Object.keys(RequestItems)].flat()
    // A transaction is allowed to those who are allowed each of its writes.
    const writes = TransactItems.flatMap((write) =>
      Object.entries(write).map(([kind, of]) => ({ thing: of.TableName, operation: `${kind}Item`, request: of })),
    )
    const asked = [...things.map((thing) => ({ thing, operation, request: input })), ...writes].flatMap(
      ({ thing, operation, request }) => {
        const call = `${who} ${nameOf(thing)} ${operation}`
        return nameOf(thing) === 'Registry'
          ? partitionsOf(request, thing).map((partition) => `${call} ${partition}`)
          : [call]
      },
    )
    if (!asked.every(isAllowed)) return denied
    if (SecretId) return { status: 200, body: JSON.stringify({ SecretString: JSON.stringify(key) }) }
    const answer = await fetch(dynamodb, { method: 'POST', headers: forwarded(headers), body })
    return { status: answer.status, body: await answer.text() }
  }

  const server = createServer((request, response) => {
    void text(request)
      .then((body) => answerTo(request, body))
      .then(({ status, body }) => response.writeHead(status).end(body))
      .catch((error: Error) => {
        response.destroy()
        // Whoever asked has given up, or the engine has ended with all else: a function repeats what was not answered.
        if (!('code' in error) && !('cause' in error)) throw error
      })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')

  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    schedules,
    refuse: (call, times) => void refused.set(call, times),

    close() {
      isOpen = false
      server.close()
    },
  }
}

/** As the template has it: of the table `registry-…`, `Registry`. */
const nameOf = (thing: string): string => thing.charAt(0).toUpperCase() + thing.slice(1).replace(/-.*/, '')

/** The partition keys that a request to a table names, each without what is particular to its item: `pending#push#*`. */
function partitionsOf({ Key, Item, ExpressionAttributeValues, RequestItems = {} }: Request, table: string): string[] {
  const keys = RequestItems[table]?.Keys ?? [Key ?? Item ?? { pk: ExpressionAttributeValues?.[':pk'] ?? {} }]
  return [...new Set(keys.map(({ pk }) => String(pk.S).replace(/#[^#]*$/, '#*')))]
}

interface Named {
  readonly pk: { readonly S?: string }
}

interface Request {
  readonly Key?: Named
  readonly Item?: Named
  readonly ExpressionAttributeValues?: Readonly<Record<string, Named['pk']>>
  readonly RequestItems?: Readonly<Record<string, { readonly Keys?: readonly Named[] }>>
}

/** An engine keeps the tables of each access key apart. */
const forwarded = (headers: IncomingHttpHeaders): Record<string, string> => ({
  'content-type': String(headers['content-type']),
  'x-amz-date': String(headers['x-amz-date']),
  'x-amz-target': String(headers['x-amz-target']),
  authorization: String(headers.authorization).replace(/Credential=\w+/, 'Credential=local'),
})
