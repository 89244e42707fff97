import type {
  AttributeValue,
  BatchGetItemCommandInput,
  BatchWriteItemCommandInput,
  CancellationReason,
  CreateTableCommandInput,
  DeleteItemCommandInput,
  GetItemCommandInput,
  PutItemCommandInput,
  QueryCommandInput,
  ScanCommandInput,
  TransactWriteItemsCommandInput,
  UpdateItemCommandInput,
} from '@aws-sdk/client-dynamodb'
import type { Client } from '../service.ts'
import { cancelled, invalid, noSuchTable, refused, tableExists } from './exceptions.ts'
import {
  attributeName,
  checkBindings,
  holds,
  readCondition,
  readUpdate,
  updated,
  type Bindings,
  type Item,
} from './expressions.ts'
import { pageOf, projected, rangeOf, type Page } from './reading.ts'
import { memoryTable, type MemoryTable } from './table.ts'
import { sizeOfItem } from './values.ts'

/**
 * The part of DynamoDB that the store uses, in memory and in this process: for so many calls that a server of its own
 * would be what is measured. It is compared with real engines by random calls.
 */
export interface MemoryEngine {
  /** What the command of this name comes to. Throws as the SDK does. */
  execute(command: string, input: object): object
  /** Has a client's calls answered here. */
  serve(client: Client): void
  /** All items of a table, for who looks on: they are not to be changed. */
  items(table: string): Iterable<Item>
  /** Removes what has expired by `now`, in epoch milliseconds, as TTL does. */
  expire(now: number): number
}

export interface MemoryEngineOptions {
  /** Epoch milliseconds. */
  readonly now: () => number
  /** How old what the next eventual read shows may be, in milliseconds. */
  readonly staleness?: () => number
}

type Key = Record<string, AttributeValue> | undefined

interface Capacity {
  readonly TableName: string | undefined
  CapacityUnits: number
}

/** The most bytes of an item. */
const LARGEST_ITEM = 409_600

export function memoryEngine({ now, staleness = () => 0 }: MemoryEngineOptions): MemoryEngine {
  const tables = new Map<string, MemoryTable>()
  const made = new Set<string>()

  const tableOf = (name: string | undefined): MemoryTable => {
    const table = tables.get(name ?? '')
    if (!table) throw noSuchTable()
    return table
  }

  /** The moment that a read shows; undefined for the present. */
  const momentOf = (isConsistent: boolean | undefined): number | undefined => {
    const age = isConsistent ? 0 : staleness()
    return age > 0 ? now() - age : undefined
  }

  function createTable({ TableName = '' }: CreateTableCommandInput) {
    if (tables.has(TableName)) throw tableExists(TableName)
    tables.set(TableName, memoryTable())
    return { TableDescription: { TableName, TableStatus: 'ACTIVE' } }
  }

  function getItem({ TableName, Key, ConsistentRead, ...input }: GetItemCommandInput) {
    const [pk, sk] = keyOf(Key)
    const item = tableOf(TableName).get(pk, sk, momentOf(ConsistentRead))
    const bindings = bindingsOf(input)
    checkBindings([input.ProjectionExpression], bindings)
    return {
      ...(item ? { Item: projected(item, input.ProjectionExpression, bindings) } : {}),
      ...consumed(TableName, readUnits(item ? sizeOfItem(item) : 0, ConsistentRead)),
    }
  }

  function batchGet({ RequestItems = {} }: BatchGetItemCommandInput) {
    const Responses: Record<string, Item[]> = {}
    const capacities: Capacity[] = []
    for (const [name, { Keys = [], ConsistentRead }] of Object.entries(RequestItems)) {
      checkDistinct(Keys, 100)
      const asOf = momentOf(ConsistentRead)
      const found = Keys.map((Key) => tableOf(name).get(...keyOf(Key), asOf))
      Responses[name] = found.flatMap((item) => (item ? [{ ...item }] : []))
      const units = found.map((item) => readUnits(item ? sizeOfItem(item) : 0, ConsistentRead))
      capacities.push({ TableName: name, CapacityUnits: sumOf(units) })
    }
    return { Responses, UnprocessedKeys: {}, ConsumedCapacity: capacities }
  }

  /** A write of one item: what it would make of what is there. Throws where the condition does not hold. */
  function planOf(input: WriteInput): Plan {
    const table = tableOf(input.TableName)
    const [pk, sk] = keyOf(input.Item ?? input.Key)
    const bindings = bindingsOf(input)
    checkBindings([input.ConditionExpression, input.UpdateExpression], bindings)
    const before = table.get(pk, sk)
    const isMet =
      input.ConditionExpression === undefined || holds(readCondition(input.ConditionExpression), before ?? {}, bindings)
    if (!isMet) return { isMet, before, units: writeUnits(before, before), write: () => undefined }
    const after = input.Item ? { ...input.Item } : afterUpdate(input, before, bindings)
    if (after && sizeOfItem(after) > LARGEST_ITEM) throw invalid('Item size has exceeded the maximum allowed size')
    const write = () => (after ? table.put(pk, sk, after, now()) : before && table.remove(pk, sk, now()))
    return { isMet, before, after, units: writeUnits(before, after), write }
  }

  function writeOne(input: WriteInput) {
    const { isMet, before, after, units, write } = planOf(input)
    if (!isMet) throw refused(input.ReturnValuesOnConditionCheckFailure === 'ALL_OLD' ? before : undefined)
    write()
    const returned = returnedOf(input, before, after)
    return { ...(returned ? { Attributes: { ...returned } } : {}), ...consumed(input.TableName, units) }
  }

  function batchWrite({ RequestItems = {} }: BatchWriteItemCommandInput) {
    const capacities: Capacity[] = []
    for (const [TableName, requests] of Object.entries(RequestItems)) {
      checkDistinct(
        requests.map(({ PutRequest, DeleteRequest }) => PutRequest?.Item ?? DeleteRequest?.Key),
        25,
      )
      const plans = requests.map(({ PutRequest, DeleteRequest }) =>
        planOf(PutRequest ? { TableName, Item: PutRequest.Item } : { TableName, Key: DeleteRequest?.Key }),
      )
      for (const { write } of plans) write()
      capacities.push({ TableName, CapacityUnits: sumOf(plans.map(({ units }) => units)) })
    }
    return { UnprocessedItems: {}, ConsumedCapacity: capacities }
  }

  function transact({ TransactItems = [], ClientRequestToken }: TransactWriteItemsCommandInput) {
    // What was made under a token is not made again.
    if (ClientRequestToken !== undefined && made.has(ClientRequestToken)) return { ConsumedCapacity: [] }
    const inputs = TransactItems.map(({ Put, Update, Delete, ConditionCheck }) => ({
      input: (Put ?? Update ?? Delete ?? ConditionCheck ?? {}) as WriteInput,
      isCheck: ConditionCheck !== undefined,
    }))
    checkDistinct(
      inputs.map(({ input }) => input.Item ?? input.Key),
      100,
      'Transaction request cannot include multiple operations on one item',
      inputs.map(({ input }) => input.TableName),
    )
    const plans = inputs.map(({ input }) => planOf(input))
    if (plans.some(({ isMet }) => !isMet))
      throw cancelled(plans.map((plan, index) => reasonOf(plan, inputs[index]?.input)))
    const units = new Map<string | undefined, number>()
    for (const [index, plan] of plans.entries()) {
      const one = inputs[index]
      if (!one?.isCheck) plan.write()
      units.set(one?.input.TableName, (units.get(one?.input.TableName) ?? 0) + 2 * plan.units)
    }
    if (ClientRequestToken !== undefined) made.add(ClientRequestToken)
    return { ConsumedCapacity: [...units].map(([TableName, CapacityUnits]) => ({ TableName, CapacityUnits })) }
  }

  function query(input: QueryCommandInput) {
    const bindings = bindingsOf(input)
    checkBindings([input.KeyConditionExpression, input.FilterExpression, input.ProjectionExpression], bindings)
    const { pk, range } = rangeOf(input.KeyConditionExpression ?? '', bindings)
    const partition = tableOf(input.TableName).partition(pk, momentOf(input.ConsistentRead))
    const [, startKey] = input.ExclusiveStartKey ? keyOf(input.ExclusiveStartKey) : []
    const page = pageOf(partition, range, { limit: input.Limit, isForward: input.ScanIndexForward, startKey })
    return answered(input, page, bindings)
  }

  function scan(input: ScanCommandInput) {
    const bindings = bindingsOf(input)
    checkBindings([input.FilterExpression, input.ProjectionExpression], bindings)
    const all = [...tableOf(input.TableName).partitions()].flatMap(([pk, { keys, items }]) =>
      keys.map((sk) => ({ at: `${pk} ${sk}`, item: items.get(sk) ?? {} })),
    )
    const start = input.ExclusiveStartKey ? keyOf(input.ExclusiveStartKey).join(' ') : undefined
    const from = start === undefined ? 0 : all.findIndex(({ at }) => at === start) + 1
    const rest = all.slice(from)
    const partition = { keys: rest.map(({ at }) => at), items: new Map(rest.map(({ at, item }) => [at, item])) }
    return answered(input, pageOf(partition, { low: '' }, { limit: input.Limit }), bindings)
  }

  function answered(input: QueryCommandInput | ScanCommandInput, page: Page, bindings: Bindings) {
    const condition = input.FilterExpression === undefined ? undefined : readCondition(input.FilterExpression)
    const found = condition ? page.items.filter((item) => holds(condition, item, bindings)) : page.items
    const Items = found.map((item) => projected(item, input.ProjectionExpression, bindings))
    return {
      ...(input.Select === 'COUNT' ? {} : { Items }),
      Count: found.length,
      ScannedCount: page.items.length,
      ...(page.last ? { LastEvaluatedKey: { pk: page.last['pk'], sk: page.last['sk'] } } : {}),
      ...consumed(input.TableName, readUnits(page.bytes, input.ConsistentRead)),
    }
  }

  const commands: Readonly<Record<string, (input: never) => object>> = {
    CreateTableCommand: createTable,
    GetItemCommand: getItem,
    BatchGetItemCommand: batchGet,
    PutItemCommand: (input: PutItemCommandInput) => writeOne(input),
    UpdateItemCommand: (input: UpdateItemCommandInput) => writeOne(input),
    DeleteItemCommand: (input: DeleteItemCommandInput) => writeOne(input),
    BatchWriteItemCommand: batchWrite,
    TransactWriteItemsCommand: transact,
    QueryCommand: query,
    ScanCommand: scan,
  }

  function execute(command: string, input: object): object {
    const run = commands[command]
    if (!run) throw invalid(`${command} is not known here`)
    return run(input as never)
  }

  return {
    execute,

    serve(client) {
      client.middlewareStack.add(
        (_next, { commandName = '' }) =>
          (args) =>
            // Whatever an engine throws, a client rejects with.
            new Promise((resolve) => {
              const output = { $metadata: { httpStatusCode: 200 }, ...execute(commandName, args.input) }
              resolve({ output, response: undefined })
            }),
        // Innermost of the first step: nothing is written as JSON, signed or sent.
        { step: 'initialize', priority: 'low', name: 'memory' },
      )
    },

    *items(table) {
      for (const [, { items }] of tableOf(table).partitions()) yield* items.values()
    },

    expire(at) {
      const seconds = Math.floor(at / 1000)
      let removed = 0
      for (const table of tables.values())
        for (const [pk, { items }] of [...table.partitions()])
          for (const [sk, item] of [...items])
            if (item['expiresAt']?.N !== undefined && Number(item['expiresAt'].N) <= seconds) {
              table.remove(pk, sk, now())
              removed++
            }
      return removed
    },
  }
}

/** A write of one item: a put has the item, an update its expression, and a delete neither. */
interface WriteInput {
  readonly TableName: string | undefined
  readonly Item?: Key
  readonly Key?: Key
  readonly UpdateExpression?: string | undefined
  readonly ConditionExpression?: string | undefined
  readonly ExpressionAttributeNames?: Record<string, string> | undefined
  readonly ExpressionAttributeValues?: Record<string, AttributeValue> | undefined
  readonly ReturnValues?: string | undefined
  readonly ReturnValuesOnConditionCheckFailure?: string | undefined
}

interface Plan {
  readonly isMet: boolean
  readonly before: Item | undefined
  readonly after?: Item | undefined
  readonly units: number
  write(): void
}

/** What a write is to tell of its item. */
function returnedOf(input: WriteInput, before: Item | undefined, after: Item | undefined): Item | undefined {
  if (input.ReturnValues === 'ALL_OLD') return before
  if (input.ReturnValues === 'ALL_NEW') return after
  if (input.ReturnValues !== 'UPDATED_NEW' || !after) return undefined
  const names = readUpdate(input.UpdateExpression ?? '').map(({ name }) => attributeName(name, bindingsOf(input)))
  const changed = names.flatMap((name) => (after[name] ? [[name, after[name]]] : []))
  return changed.length > 0 ? Object.fromEntries(changed) : undefined
}

function reasonOf({ isMet, before }: Plan, input: WriteInput | undefined): CancellationReason {
  if (isMet) return { Code: 'None' }
  const isShown = input?.ReturnValuesOnConditionCheckFailure === 'ALL_OLD' && before
  const Message = 'The conditional request failed'
  return { Code: 'ConditionalCheckFailed', Message, ...(isShown ? { Item: { ...before } } : {}) }
}

function afterUpdate(input: WriteInput, before: Item | undefined, bindings: Bindings): Item | undefined {
  if (input.UpdateExpression === undefined) return undefined
  return updated(readUpdate(input.UpdateExpression), before ?? { ...input.Key }, bindings)
}

function keyOf(key: Key): [pk: string, sk: string] {
  const pk = key?.['pk']?.S
  const sk = key?.['sk']?.S
  if (pk === undefined || sk === undefined) throw invalid('The provided key element does not match the schema')
  if (pk === '' || sk === '') throw invalid('One or more parameter values are not valid: a key is empty')
  return [pk, sk]
}

function checkDistinct(
  keys: readonly Key[],
  most: number,
  message = 'Provided list of item keys contains duplicates',
  tables: readonly (string | undefined)[] = [],
): void {
  if (keys.length === 0 || keys.length > most) throw invalid(`1 to ${most} items are needed, not ${keys.length}`)
  const seen = new Set(keys.map((key, index) => JSON.stringify([tables[index], ...keyOf(key)])))
  if (seen.size < keys.length) throw invalid(message)
}

const bindingsOf = (input: Pick<WriteInput, 'ExpressionAttributeNames' | 'ExpressionAttributeValues'>): Bindings => ({
  names: input.ExpressionAttributeNames ?? {},
  values: input.ExpressionAttributeValues ?? {},
})

const readUnits = (bytes: number, isConsistent: boolean | undefined): number =>
  Math.max(1, Math.ceil(bytes / 4_096)) * (isConsistent ? 1 : 0.5)

const writeUnits = (before: Item | undefined, after: Item | undefined): number =>
  Math.max(1, Math.ceil(Math.max(before ? sizeOfItem(before) : 0, after ? sizeOfItem(after) : 0) / 1_024))

const consumed = (TableName: string | undefined, CapacityUnits: number): { ConsumedCapacity: Capacity } => ({
  ConsumedCapacity: { TableName, CapacityUnits },
})

const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, one) => sum + one, 0)
