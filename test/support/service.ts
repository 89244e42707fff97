import type { CmqHandler } from '../../functions/cmq-handler.ts'
import { handler as api } from '../../functions/api.ts'
import { readSettings, type Settings } from '../../functions/settings.ts'
import { createServices, type Services } from '../../functions/services.ts'
import type { Ids } from '../../lib/domain/ids.ts'
import type { Clock } from '../../lib/domain/time.ts'
import { patientClient } from './engine.ts'
import { onlyKey } from './only-key.ts'
import { createTables } from '../../lib/store/create-tables.ts'
import type { Start } from '../../lib/starts.ts'
import type { Keys } from '../../lib/store/known-keys.ts'
import type { Report } from '../../lib/store/messages.ts'
import type { Table } from '../../lib/tables.ts'
import { during, manualClock, type ManualClock } from './clock.ts'
import { signedEvent, type SigningOptions } from './signed-request.ts'

export const key = { secretId: 'AKIDlocal', secretKey: 'local-secret' }

/** Names of tables of its own, made in the engine at `endpoint`. */
export async function newTables(endpoint: string): Promise<Readonly<Record<Table, string>>> {
  const suffix = Math.random().toString(36).slice(2)
  const names = {
    registry: `registry-${suffix}`,
    messages: `messages-${suffix}`,
    deliveries: `deliveries-${suffix}`,
    bodies: `bodies-${suffix}`,
  }
  await createTables(patientClient(endpoint), names)
  return names
}

export type Client = ReturnType<typeof patientClient>

export interface ServiceOptions {
  readonly endpoint: string
  readonly tableNames?: Readonly<Record<Table, string>>
  readonly settings?: Partial<Settings>
  readonly clock?: Clock
  readonly ids?: Ids
  /** By default one pair alone, that may do everything. */
  readonly keys?: Keys
  readonly random?: () => number
  readonly isAlone?: boolean
  /** Adds faults, or counts, to the calls that these services make. */
  readonly prepare?: (client: Client) => void
  readonly report?: Report
  /** Told which lanes of deliveries somebody has to work through. By default nobody does. */
  readonly start?: Start
}

/** The services over an engine, as one process has them; two of them over the same tables are two processes. */
export async function testServices({
  endpoint,
  tableNames,
  settings,
  isAlone = true,
  prepare,
  ...rest
}: ServiceOptions): Promise<Services> {
  const client = patientClient(endpoint)
  prepare?.(client)
  client.middlewareStack.add((next) => (args) => during(next(args)), { step: 'initialize', name: 'during' })
  return createServices({
    client,
    tableNames: tableNames ?? (await newTables(endpoint)),
    keys: onlyKey(key),
    settings: { ...readSettings({}), ...settings },
    isAlone,
    start: () => Promise.resolve(),
    ...rest,
  })
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- what answers hold is checked by the assertions
export type Answer = Record<string, any> & { code: number; message: string; requestId: string }

/** Calls a handler with a signed gateway event, as a client does, and reads the envelope. */
export async function ask(
  services: Services,
  parameters: Record<string, string | number>,
  { handler = api, signal, ...signing }: SigningOptions & { handler?: CmqHandler; signal?: AbortSignal } = {},
): Promise<Answer> {
  const texts = Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, String(value)]))
  const event = signedEvent(texts, { now: services.clock.now(), ...signing })
  const invocation = { awsRequestId: `request-${++requests}`, services, ...(signal ? { signal } : {}) }
  const { statusCode, body } = await handler(event, invocation)
  if (statusCode !== 200) throw new Error(`HTTP status ${statusCode}`)
  return JSON.parse(body ?? '') as Answer
}

let requests = 0

/** A service with a clock that the test moves. */
export async function serviceAt(
  endpoint: string,
  options: Omit<ServiceOptions, 'endpoint' | 'clock'> = {},
): Promise<{ services: Services; clock: ManualClock; ask: Ask }> {
  const clock = manualClock()
  const services = await testServices({ endpoint, clock, ...options })
  return { services, clock, ask: asker(services) }
}

export type Ask = (
  action: string,
  parameters?: Record<string, string | number>,
  signing?: SigningOptions,
) => Promise<Answer>

export const asker =
  (services: Services): Ask =>
  (Action, parameters = {}, signing = {}) =>
    ask(services, { Action, ...parameters }, signing)
