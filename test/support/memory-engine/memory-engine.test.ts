import {
  BatchGetItemCommand,
  BatchWriteItemCommand,
  CreateTableCommand,
  DeleteItemCommand,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  TransactWriteItemsCommand,
  UpdateItemCommand,
  type AttributeValue,
} from '@aws-sdk/client-dynamodb'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect } from '../../../lib/store/connection.ts'
import { engineKinds, patientClient, testEngine } from '../engine.ts'
import type { Client } from '../service.ts'
import { memoryEngine } from './engine.ts'

/** Calls as the store makes them, with keys and values few enough that they meet. */

const TableName = 'things'
const text = (S: string) => ({ S })
const number = (N: number) => ({ N: String(N) })
const partition = fc.constantFrom('a', 'b')
const sorts = ['0001#x', '0001#y', '0002#x', '0010', '001', 'é', '中', '\u{1f600}', '\uffee']
const sort = fc.constantFrom(...sorts)
const key = fc.record({ pk: partition.map(text), sk: sort.map(text) })
const small = fc.nat(4).map(number)
const item = fc
  .record(
    {
      leaseId: fc.constantFrom('one', 'two', '').map(text),
      leaseUntil: small,
      receiveCount: fc.constantFrom(0, 7, 10, 100, 12_345, 1_767_614_400_000).map(number),
      body: fc.constantFrom(0, 3, 300, 1_000, 5_000).map((length) => text('é'.repeat(length))),
      bytes: fc.constant({ B: new Uint8Array([1, 2, 3]) }),
      expiresAt: small,
    },
    { requiredKeys: ['leaseId', 'leaseUntil'] },
  )
  .chain((values) => key.map((key): Record<string, AttributeValue> => ({ ...values, ...key })))

interface Conditional {
  readonly ConditionExpression: string
  readonly ExpressionAttributeNames?: Record<string, string>
  readonly ExpressionAttributeValues?: Record<string, AttributeValue>
}

const condition = fc.oneof<fc.Arbitrary<Conditional>[]>(
  fc.constant({ ConditionExpression: 'attribute_not_exists(pk)' }),
  fc.constant({ ConditionExpression: 'attribute_exists(pk) AND NOT attribute_exists(bytes)' }),
  small.map((now) => ({
    ConditionExpression: 'leaseId = :held AND leaseUntil > :now',
    ExpressionAttributeValues: { ':held': text('one'), ':now': now },
  })),
  small.map((now) => ({
    ConditionExpression: 'attribute_not_exists(leaseUntil) OR leaseUntil <= :now OR leaseId <> :me',
    ExpressionAttributeValues: { ':me': text('two'), ':now': now },
  })),
  small.map((now) => ({
    ConditionExpression: '#end <= :now AND (leaseId IN (:a, :b) OR begins_with(leaseId, :c))',
    ExpressionAttributeNames: { '#end': 'expiresAt' },
    ExpressionAttributeValues: { ':now': now, ':a': text('one'), ':b': text('none'), ':c': text('tw') },
  })),
  fc.constant({
    ConditionExpression: 'leaseUntil BETWEEN :low AND :high AND size(body) > :low AND contains(leaseId, :n)',
    ExpressionAttributeValues: { ':low': number(1), ':high': number(3), ':n': text('o') },
  }),
)
const maybe = fc.option(condition, { nil: undefined }).map((one) => one ?? {})
const change = fc.oneof(
  small.map((until) => ({
    UpdateExpression: 'SET leaseUntil = :until, #id = :id REMOVE expiresAt, bytes',
    ExpressionAttributeNames: { '#id': 'leaseId' },
    ExpressionAttributeValues: { ':until': until, ':id': text('three') },
  })),
  small.map((by) => ({
    UpdateExpression: 'SET receiveCount = if_not_exists(receiveCount, :by) + :by ADD leaseUntil :by',
    ExpressionAttributeValues: { ':by': by },
  })),
)
/** Fails where there is nothing to subtract from; in a transaction each engine says that in its own way. */
const subtraction = small.map((by) => ({
  UpdateExpression: 'SET receiveCount = receiveCount - :by',
  ExpressionAttributeValues: { ':by': by },
}))
const returned = fc.constantFrom({}, { ReturnValuesOnConditionCheckFailure: 'ALL_OLD' as const })

/** Both have placeholders of their own. */
const together = <More extends Partial<Conditional>>(a: Partial<Conditional>, b: More) => ({
  ...a,
  ...b,
  ...(a.ExpressionAttributeNames || b.ExpressionAttributeNames
    ? { ExpressionAttributeNames: { ...a.ExpressionAttributeNames, ...b.ExpressionAttributeNames } }
    : {}),
  ...(a.ExpressionAttributeValues || b.ExpressionAttributeValues
    ? { ExpressionAttributeValues: { ...a.ExpressionAttributeValues, ...b.ExpressionAttributeValues } }
    : {}),
})

const put = fc.tuple(item, maybe, returned).map(([Item, when, how]) => ({ TableName, Item, ...when, ...how }))
const updateBy = <What extends object>(change: fc.Arbitrary<What>) =>
  fc
    .tuple(key, maybe, change, returned)
    .map(([Key, when, what, how]) => ({ TableName, Key, ...together(when, what), ...how }))
const update = updateBy(change)
const told = (['ALL_NEW', 'UPDATED_NEW'] as const).map((ReturnValues) => ({ ReturnValues }))
const remove = fc.tuple(key, maybe, returned).map(([Key, when, how]) => ({ TableName, Key, ...when, ...how }))
const range = fc.oneof(
  fc.constant({ KeyConditionExpression: 'pk = :pk', more: {} }),
  sort.map((from) => ({ KeyConditionExpression: 'pk = :pk AND sk >= :from', more: { ':from': text(from) } })),
  fc.tuple(sort, sort).map(([from, to]) => ({
    KeyConditionExpression: 'pk = :pk AND sk BETWEEN :from AND :to',
    more: { ':from': text(from), ':to': text(to) },
  })),
  fc.constantFrom('0', '0001', 'z').map((prefix) => ({
    KeyConditionExpression: 'pk = :pk AND begins_with(sk, :prefix)',
    more: { ':prefix': text(prefix) },
  })),
)
const query = fc
  .tuple(partition, range, fc.boolean(), fc.boolean(), fc.constantFrom(1, 2, 5, 100), fc.constantFrom(0, 1, 2, 3))
  .map(([pk, { KeyConditionExpression, more }, ConsistentRead, ScanIndexForward, Limit, shape]) => ({
    TableName,
    KeyConditionExpression,
    ExpressionAttributeValues: { ':pk': text(pk), ...more, ...(shape === 3 ? { ':now': number(2) } : {}) },
    ConsistentRead,
    ScanIndexForward,
    Limit,
    ...(shape === 1 ? { ProjectionExpression: 'sk, leaseUntil, expiresAt' } : {}),
    ...(shape === 2 ? { Select: 'COUNT' as const } : {}),
    ...(shape === 3 ? { FilterExpression: 'leaseUntil <= :now' } : {}),
  }))
const distinct = fc.uniqueArray(key, { minLength: 1, maxLength: 5, selector: ({ pk, sk }) => `${pk.S} ${sk.S}` })

const keyText = ({ pk, sk }: Record<string, AttributeValue>) => `${pk?.S} ${sk?.S}`

/** What is called, and with what. */
type Call = readonly [name: keyof typeof commands, input: object]

const commands = {
  PutItem: PutItemCommand,
  UpdateItem: UpdateItemCommand,
  DeleteItem: DeleteItemCommand,
  Query: QueryCommand,
  GetItem: GetItemCommand,
  BatchGet: BatchGetItemCommand,
  BatchWrite: BatchWriteItemCommand,
  Transact: TransactWriteItemsCommand,
  Scan: ScanCommand,
}

const called = <Input extends object>(name: Call[0], input: fc.Arbitrary<Input>): fc.Arbitrary<Call> =>
  input.map((values) => [name, { ...values, ReturnConsumedCapacity: 'TOTAL' }])

const read = fc.tuple(distinct, fc.boolean())
const written = fc
  .tuple(distinct, item, fc.boolean())
  .map(([keys, values, isPut]) =>
    keys.map((key) => (isPut ? { PutRequest: { Item: { ...values, ...key } } } : { DeleteRequest: { Key: key } })),
  )

const call = fc.oneof(
  called('PutItem', put),
  called(
    'UpdateItem',
    fc
      .tuple(updateBy(fc.oneof(change, subtraction)), fc.constantFrom({}, ...told))
      .map(([input, values]) => ({ ...input, ...values })),
  ),
  called('DeleteItem', remove),
  called('Query', query),
  called('GetItem', fc.record({ TableName: fc.constant(TableName), Key: key, ConsistentRead: fc.boolean() })),
  called(
    'BatchGet',
    read.map(([Keys, ConsistentRead]) => ({ RequestItems: { [TableName]: { Keys, ConsistentRead } } })),
  ),
  called(
    'BatchWrite',
    written.map((requests) => ({ RequestItems: { [TableName]: requests } })),
  ),
  called(
    'Transact',
    fc
      .tuple(put, remove, update)
      .filter(([{ Item }, { Key }, { Key: other }]) => new Set([Item, Key, other].map(keyText)).size === 3)
      .map(([Put, Delete, Update]) => ({ TransactItems: [{ Put }, { Delete }, { Update }] })),
  ),
  called('Scan', fc.constant({ TableName })),
)

const createTable = new CreateTableCommand({
  TableName,
  BillingMode: 'PAY_PER_REQUEST',
  AttributeDefinitions: ['pk', 'sk'].map((AttributeName) => ({ AttributeName, AttributeType: 'S' as const })),
  KeySchema: [
    { AttributeName: 'pk', KeyType: 'HASH' },
    { AttributeName: 'sk', KeyType: 'RANGE' },
  ],
})

/** Every key that there can be, to be deleted. */
const nothingLeft = ['a', 'b'].flatMap((pk) =>
  sorts.map((sk) => ({ DeleteRequest: { Key: { pk: text(pk), sk: text(sk) } } })),
)

const byKey = (a: Record<string, AttributeValue>, b: Record<string, AttributeValue>) =>
  keyText(a) < keyText(b) ? -1 : 1

/** What answers and errors may hold. */
interface Outcome {
  readonly name?: string
  readonly Item?: object
  readonly CancellationReasons?: readonly { readonly Code?: string; readonly Item?: object }[]
  readonly Items?: Record<string, AttributeValue>[]
  readonly Responses?: Record<string, Record<string, AttributeValue>[]>
  readonly ConsumedCapacity?: Capacity | readonly Capacity[]
  readonly LastEvaluatedKey?: object
}

interface Capacity {
  readonly CapacityUnits?: number
}

/** What a call comes to, without what engines word in their own way. */
async function outcomeOf(client: Client, [name, input]: Call, isExact: boolean): Promise<unknown> {
  try {
    const command = new (commands[name] as typeof GetItemCommand)(input as never)
    const {
      $metadata: _,
      ConsumedCapacity,
      LastEvaluatedKey,
      ...output
    } = await (client.send(command) as Promise<Outcome & { $metadata: unknown }>)
    if (name === 'Scan') output.Items?.sort(byKey)
    if (name === 'BatchGet') output.Responses?.[TableName]?.sort(byKey)
    const units = [ConsumedCapacity ?? []].flat().map(({ CapacityUnits }) => CapacityUnits)
    return plain(isExact ? { ...output, units, LastEvaluatedKey } : output)
  } catch (error) {
    const { name: kind, Item, CancellationReasons } = error as Outcome
    const reasons = CancellationReasons?.map(({ Code, Item: shown }) => ({ Code, Item: shown }))
    return plain({ kind, Item, reasons })
  }
}

/** As JSON has it: what is undefined is left out, and bytes are lists. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

describe.each(engineKinds())('given %s and the engine in memory', (kind) => {
  let engine: Awaited<ReturnType<typeof testEngine>>
  let real: Client
  beforeAll(async () => {
    engine = await testEngine(kind)
    real = patientClient(engine.endpoint)
  })
  afterAll(async () => {
    real.destroy()
    await engine.stop()
  })

  it('when the same random calls are made to both, then they come to the same', async () => {
    // DynamoDB Local meters batches, and tells that there may be more, in ways of its own.
    const isExact = kind === 'dynoxide'
    await real.send(createTable)
    await fc.assert(
      fc.asyncProperty(fc.array(call, { minLength: 5, maxLength: 40 }), async (calls) => {
        const memory = connect({ endpoint: 'http://127.0.0.1:1' })
        memoryEngine({ now: () => 0 }).serve(memory)
        await memory.send(createTable)
        await real.send(new BatchWriteItemCommand({ RequestItems: { [TableName]: nothingLeft } }))
        for (const one of calls)
          expect(await outcomeOf(memory, one, isExact), JSON.stringify(one)).toEqual(
            await outcomeOf(real, one, isExact),
          )
      }),
      { numRuns: Number(process.env['ENGINE_RUNS'] ?? (isExact ? 40 : 10)) },
    )
  })
})
