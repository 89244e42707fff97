import {
  ConditionalCheckFailedException,
  DynamoDBClient,
  TransactionCanceledException,
  type ConsumedCapacity,
} from '@aws-sdk/client-dynamodb'
import { NodeHttpHandler } from '@smithy/node-http-handler'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { newGate } from './gate.ts'
import { noteRead, noteWrite } from './meter.ts'

/** Which DynamoDB, and how long to wait for it. */
export interface ConnectionOptions {
  /** Another DynamoDB than that of the AWS region. */
  readonly endpoint?: string
  /** Milliseconds until the answer to one attempt begins, and for which it may pause then. */
  readonly attemptTimeout?: number
  /** Told of each attempt that failed, whatever the store makes of it. */
  readonly onFailure?: (error: unknown) => void
}

/** One attempt may take this long: an answer that takes longer is lost, and a Lambda must not wait 30 s for it. */
const ATTEMPT_TIMEOUT = 1_000

/**
 * Calls of one process that are under way at once. A publish may make a thousand: begun together, most of them would wait for
 * the processor until their time is over, be made again, and have the others wait even longer. A sixth of a core gets
 * through so many of the largest in time, and so many are enough for a whole one to do nothing but that.
 */
const MOST_UNDER_WAY = 32

const READS = new Set(['GetItemCommand', 'BatchGetItemCommand', 'QueryCommand', 'ScanCommand'])

/** The SDK's own retries are off: they would repeat a conditional write and report its success as a failure. */
export function connect({
  endpoint,
  attemptTimeout = ATTEMPT_TIMEOUT,
  onFailure,
}: ConnectionOptions = {}): DynamoDBClient {
  const agent = { keepAlive: true, maxSockets: MOST_UNDER_WAY }
  const client = new DynamoDBClient({
    maxAttempts: 1,
    cacheMiddleware: true,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: attemptTimeout,
      requestTimeout: attemptTimeout,
      // The other ends with the first byte: an answer that stops in its middle would keep its place at the gate for ever.
      socketTimeout: attemptTimeout,
      throwOnRequestTimeout: true,
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent(agent),
    }),
    ...(endpoint === undefined
      ? {}
      : { endpoint, region: 'local', credentials: { accessKeyId: 'local', secretAccessKey: 'local' } }),
  })
  // It copies every item for a logger that nobody has set.
  client.middlewareStack.remove('loggerMiddleware')
  meter(client)
  const gate = newGate(MOST_UNDER_WAY)
  client.middlewareStack.add((next) => (args) => gate(() => next(args)), {
    step: 'initialize',
    priority: 'low',
    name: 'gate',
  })
  if (onFailure) tell(client, onFailure)
  return client
}

function tell(client: DynamoDBClient, onFailure: (error: unknown) => void): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      try {
        return await next(args)
      } catch (error) {
        onFailure(error)
        throw error
      }
    },
    { step: 'initialize', name: 'onFailure' },
  )
}

/** Asks every call what it consumed, and notes it for the request on whose behalf it was made. */
function meter(client: DynamoDBClient): void {
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const noteUnits = READS.has(context.commandName ?? '') ? noteRead : noteWrite
      try {
        const result = await next({ ...args, input: { ...args.input, ReturnConsumedCapacity: 'TOTAL' } })
        noteUnits(unitsOf(result.output as { ConsumedCapacity?: ConsumedCapacity | ConsumedCapacity[] }))
        return result
      } catch (error) {
        noteUnits(unitsOfRefusal(error))
        throw error
      }
    },
    { step: 'initialize', name: 'meter' },
  )
}

/** A refused condition costs a write unit, in a transaction each item one, but no answer says so. */
const unitsOfRefusal = (error: unknown): number =>
  error instanceof ConditionalCheckFailedException
    ? 1
    : error instanceof TransactionCanceledException
      ? (error.CancellationReasons?.length ?? 0)
      : 0

const unitsOf = ({ ConsumedCapacity }: { ConsumedCapacity?: ConsumedCapacity | ConsumedCapacity[] }): number =>
  [ConsumedCapacity ?? []].flat().reduce((sum, { CapacityUnits = 0 }) => sum + CapacityUnits, 0)
