import { PutItemCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { attributesOf, numberIn, required, textIn } from '../../lib/store/attributes.ts'
import { database, Uncertain } from '../../lib/store/database.ts'
import { records, reservedFor, type Kind, type Records } from '../../lib/store/records.ts'
import { manualClock, untilAsleep, whilePassing, type ManualClock } from '../support/clock.ts'
import { patientClient, testEngine } from '../support/engine.ts'
import { beforeCall, countCalls, faultsOf, injectFaults, type Fault } from '../support/faults.ts'
import { newTables, type Client } from '../support/service.ts'

interface Thing {
  readonly name: string
  readonly id: string
  readonly changeId: string
  readonly weight: number
  readonly word?: string
}
interface Change {
  readonly weight?: number
  readonly word?: string | undefined
}

const placeOf = ({ name }: { readonly name: string }) => ({ pk: 'things', sk: `thing#${name}` })
const kind: Kind<Thing, Change> = {
  prefix: 'thing#',
  placeOf,
  valuesOf: (thing) => ({ ...thing }),
  changesOf: (change) => ({ ...change }),
  read(item) {
    const word = textIn(item, 'word')
    return {
      name: required(textIn(item, 'name'), 'name'),
      id: required(textIn(item, 'id'), 'id'),
      changeId: required(textIn(item, 'changeId'), 'changeId'),
      weight: required(numberIn(item, 'weight'), 'weight'),
      ...(word === undefined ? {} : { word }),
    }
  },
}

const thing: Thing = { name: 'a', id: 'a-1', changeId: 'a-1', weight: 1, word: 'x' }
const here = placeOf(thing)

let engine: Awaited<ReturnType<typeof testEngine>>
let table: string
let clock: ManualClock
beforeAll(async () => {
  engine = await testEngine()
})
afterAll(() => engine.stop())
beforeEach(async () => {
  table = (await newTables(engine.endpoint)).registry
  clock = manualClock()
})

/** The records as one process has them; others have others, over the same table. */
function newProcess(
  prepare: (client: Client) => void = () => undefined,
  { isAlone = false, at = clock } = {},
): Records<Thing, Change> {
  const client = patientClient(engine.endpoint)
  prepare(client)
  return records(database(client, at), table, at, { isAlone }, kind)
}

/** A process whose calls of one command fail in turn, and time passes while it waits. */
const failing = (command: string, ...faults: Fault[]): Records<Thing, Change> =>
  newProcess((client) => injectFaults(client, faultsOf(command, ...faults)))

const passing = <Result>(call: Promise<Result>) => whilePassing(clock, call)

describe('given a record', () => {
  it('when it was created, then it is read as it was, by every process', async () => {
    const [a, b] = [newProcess(), newProcess()]
    expect(await a.create(thing)).toBe('created')
    expect(await a.read(here)).toEqual(thing)
    expect(await b.get(here)).toEqual(thing)
    expect(await b.list('things')).toEqual([thing])
  })

  it('when it is absent, then that is never kept', async () => {
    const [a, b] = [newProcess(), newProcess()]
    expect(await b.get(here)).toBeUndefined()
    await a.create(thing)
    expect(await b.get(here)).toEqual(thing)
  })

  it('when another process changes it, then it is kept for a second, and read as it is now meanwhile', async () => {
    const [a, b] = [newProcess(), newProcess()]
    await a.create(thing)
    await b.get(here)
    await a.change(thing, { weight: 2 }, 'c-2')
    const changed = { ...thing, weight: 2, changeId: 'c-2' }
    await clock.advance(999)
    expect(await b.get(here)).toEqual(thing)
    expect(await b.read(here)).toEqual(changed)
    await clock.advance(1)
    expect(await b.get(here)).toEqual(changed)
  })

  it('when its read takes long, then the second counts from the start of the read', async () => {
    const a = newProcess()
    await a.create(thing)
    const slow = newProcess((client) =>
      client.middlewareStack.add(
        (next) => async (args) => {
          const result = await next(args)
          clock.set(clock.now() + 600)
          return result
        },
        { step: 'initialize' },
      ),
    )
    await slow.get(here)
    await a.change(thing, { weight: 2 }, 'c-2')
    clock.set(clock.now() + 399)
    expect(await slow.get(here)).toHaveProperty('weight', 1)
    clock.set(clock.now() + 1)
    expect(await slow.get(here)).toHaveProperty('weight', 2)
  })

  it('when the clock steps back, then what was read is not kept on for that', async () => {
    const [a, b] = [newProcess(), newProcess()]
    await a.create(thing)
    await b.get(here)
    await a.change(thing, { weight: 2 }, 'c-2')
    clock.set(clock.now() - 60_000)
    expect(await b.get(here)).toHaveProperty('weight', 2)
  })

  it('when many ask at once and again, then it is read once a second', async () => {
    let calls: Record<string, number> = {}
    const a = newProcess((client) => void (calls = countCalls(client)))
    await a.create(thing)
    await Promise.all(Array.from({ length: 20 }, () => a.get(here)))
    await a.get(here)
    expect(calls['GetItemCommand']).toBe(1)
    await clock.advance(1_000)
    await a.get(here)
    expect(calls['GetItemCommand']).toBe(2)
  })

  it('when a read fails, then that is not kept', async () => {
    await newProcess().create(thing)
    const a = failing('GetItemCommand', ...Array<Fault>(20).fill('lost before'))
    let failures = 0
    while (failures < 20 && !(await passing(a.get(here).catch(() => undefined)))) failures++
    expect(failures).toBeGreaterThan(0)
    expect(await passing(a.get(here))).toEqual(thing)
  })
})

describe('given a creation', () => {
  it('when the name is taken, then the first stays as it is', async () => {
    const a = newProcess()
    await a.create(thing)
    expect(await a.create({ ...thing, id: 'a-2', weight: 9 })).toBe('taken')
    expect(await a.read(here)).toEqual(thing)
  })

  it('when several create one at once, then one does', async () => {
    const outcomes = await Promise.all([1, 2, 3].map((n) => newProcess().create({ ...thing, id: `a-${n}` })))
    expect(outcomes.toSorted()).toEqual(['created', 'taken', 'taken'])
  })

  it.each<Fault>(['throttled', 'lost before', 'lost after'])(
    'when its put is %s, then it is created',
    async (fault) => {
      expect(await passing(failing('PutItemCommand', fault).create(thing))).toBe('created')
      expect(await newProcess().read(here)).toEqual(thing)
    },
  )

  it('when its answer is lost and something else is found, then nobody knows whether it was made', async () => {
    await newProcess().create(thing)
    const late = failing('PutItemCommand', 'lost before')
    await expect(passing(late.create({ ...thing, id: 'a-2' }))).rejects.toThrow(Uncertain)
  })
})

describe('given a change', () => {
  it('when it names some attributes, then those that it leaves open stay, and this process knows at once', async () => {
    const a = newProcess()
    await a.create(thing)
    await a.get(here)
    expect(await a.change(thing, { weight: 2, word: undefined }, 'c-2')).toBe(true)
    expect(await a.get(here)).toEqual({ ...thing, weight: 2, changeId: 'c-2' })
  })

  it('when another change came between, then it changes nothing', async () => {
    const [a, b] = [newProcess(), newProcess()]
    await a.create(thing)
    await a.change(thing, { weight: 2 }, 'c-2')
    expect(await b.change(thing, { word: 'y' }, 'c-3')).toBe(false)
    expect(await b.read(here)).toEqual({ ...thing, weight: 2, changeId: 'c-2' })
  })

  it('when the thing is gone, or is another of its name, then it changes nothing and revives nothing', async () => {
    const a = newProcess()
    await a.create(thing)
    await a.remove(thing, 0)
    expect(await a.change(thing, { weight: 2 }, 'c-2')).toBe(false)
    expect(await a.list('things')).toEqual([])
    const other = { ...thing, id: 'a-2' }
    await a.create(other)
    expect(await a.change(thing, { weight: 2 }, 'c-2')).toBe(false)
    expect(await a.read(here)).toEqual(other)
    await a.remove(other, 30)
    expect(await a.change(other, { weight: 2 }, 'c-2')).toBe(false)
    expect(await a.read(here)).toBeUndefined()
  })

  it.each<Fault>(['throttled', 'lost before', 'lost after'])(
    'when its write is %s, then it succeeds',
    async (fault) => {
      await newProcess().create(thing)
      expect(await passing(failing('UpdateItemCommand', fault).change(thing, { weight: 2 }, 'c-2'))).toBe(true)
      expect(await newProcess().read(here)).toEqual({ ...thing, weight: 2, changeId: 'c-2' })
    },
  )

  it.each<Fault>(['lost before', 'lost after'])(
    'when its write is %s, and another change comes before the next try, then nobody knows whether it was made',
    async (fault) => {
      await expect(passing(overtaken(fault))).rejects.toThrow(Uncertain)
    },
  )

  it('when its write is throttled, and another change comes before the next try, then it was not made', async () => {
    expect(await passing(overtaken('throttled'))).toBe(false)
  })

  async function overtaken(fault: Fault): Promise<boolean> {
    const other = newProcess()
    await other.create(thing)
    const unlucky = newProcess((client) => {
      injectFaults(client, faultsOf('UpdateItemCommand', fault))
      beforeCall(client, 'UpdateItemCommand', 2, async () => {
        const present = await other.read(here)
        expect(await other.change(present ?? thing, { word: 'y' }, 'c-3')).toBe(true)
      })
    })
    return unlucky.change(thing, { weight: 2 }, 'c-2')
  }
})

describe('given a removal', () => {
  it('when it succeeds, then the thing is gone, its name is free, and the second one finds nothing', async () => {
    const a = newProcess()
    await a.create(thing)
    await a.get(here)
    expect(await a.remove(thing, 0)).toBe(true)
    expect(await a.get(here)).toBeUndefined()
    expect(await a.remove(thing, 0)).toBe(false)
    expect(await a.create({ ...thing, id: 'a-2' })).toBe('created')
  })

  it('when another thing has the name by now, then that stays', async () => {
    const a = newProcess()
    await a.create(thing)
    await a.remove(thing, 0)
    const other = { ...thing, id: 'a-2' }
    await a.create(other)
    expect(await a.remove(thing, 0)).toBe(false)
    expect(await a.read(here)).toEqual(other)
  })

  it('when its name is to stay taken, then it is until its very millisecond, and nothing has it', async () => {
    const [a, b] = [newProcess(), newProcess()]
    await a.create(thing)
    expect(await a.remove(thing, 10)).toBe(true)
    expect(await b.read(here)).toBeUndefined()
    expect(await b.get(here)).toBeUndefined()
    expect(await b.list('things')).toEqual([])
    expect(await b.remove(thing, 0)).toBe(false)
    await clock.advance(9_999)
    expect(await b.create({ ...thing, id: 'a-2' })).toBe('in release')
    await clock.advance(1)
    expect(await b.create({ ...thing, id: 'a-2' })).toBe('created')
    expect(await a.read(here)).toHaveProperty('id', 'a-2')
  })

  it('when its creation was tried twice, and the first try arrives after it, then the thing stays gone', async () => {
    const late: (() => Promise<unknown>)[] = []
    const hasty = newProcess((client) =>
      client.middlewareStack.add(
        (next, { commandName }) =>
          (args) => {
            if (commandName !== 'PutItemCommand' || late.length > 0) return next(args)
            late.push(() => next(args))
            return Promise.reject(Object.assign(new Error('no answer in time'), { name: 'TimeoutError' }))
          },
        { step: 'initialize', priority: 'low', name: 'late' },
      ),
    )
    expect(await passing(hasty.create(thing))).toBe('created')
    expect(await hasty.remove(thing, 0)).toBe(true)
    await expect(late[0]?.()).rejects.toThrow('conditional')
    expect(await hasty.read(here)).toBeUndefined()
    expect(await hasty.create({ ...thing, id: 'a-2' })).toBe('created')
  })

  it.each<[string, number, Fault]>([
    ['PutItemCommand', 0, 'throttled'],
    ['PutItemCommand', 0, 'lost before'],
    ['PutItemCommand', 0, 'lost after'],
    ['PutItemCommand', 10, 'lost before'],
    ['PutItemCommand', 10, 'lost after'],
  ])('when its %s (free after %d s) is %s, then it succeeds', async (command, freeAfter, fault) => {
    await newProcess().create(thing)
    expect(await passing(failing(command, fault).remove(thing, freeAfter))).toBe(true)
    expect(await newProcess().read(here)).toBeUndefined()
  })
})

describe('given a list', () => {
  it('when there are several things, then those of the kind come in the order of their keys, page after page', async () => {
    const a = newProcess()
    // Four pages: DynamoDB ends one at 1 MB.
    const word = 'x'.repeat(390_000)
    const names = ['h', 'b', 'f', 'd', 'a', 'c', 'g', 'e']
    for (const name of names) await a.create({ ...thing, name, id: name, word })
    const client = patientClient(engine.endpoint)
    for (const sk of ['thin', 'things#x', 'other#x'])
      await client.send(new PutItemCommand({ TableName: table, Item: attributesOf({ pk: 'things', sk }) }))
    expect((await a.list('things')).map(({ name }) => name)).toEqual(names.toSorted())
    expect(await a.list('others')).toEqual([])
  })
})

describe('given that others have to know', () => {
  it('when a change is spread, then that takes until no process goes on with what it had read', async () => {
    const [a, b] = [newProcess(), newProcess()]
    await a.create(thing)
    await b.get(here)
    await a.change(thing, { weight: 2 }, 'c-2')
    let isSpread = false
    const spreading = a.spread(thing).then(() => (isSpread = true))
    await untilAsleep(clock)
    await clock.advance(999)
    expect(isSpread).toBe(false)
    expect(await b.get(here)).toHaveProperty('weight', 1)
    // And a little for the clocks.
    await clock.advance(50)
    expect(isSpread).toBe(false)
    await clock.advance(1)
    await spreading
    expect(await b.get(here)).toHaveProperty('weight', 2)
  })

  it('when one process owns the data, then nobody is waited for', async () => {
    const a = newProcess(undefined, { isAlone: true })
    await a.create(thing)
    await a.spread(thing)
    expect(clock.sleepers).toBe(0)
  })

  it('when a thing is forgotten, then the next get reads it', async () => {
    const [a, b] = [newProcess(), newProcess()]
    await a.create(thing)
    await b.get(here)
    await a.change(thing, { weight: 2 }, 'c-2')
    b.forget(thing)
    expect(await b.get(here)).toHaveProperty('weight', 2)
  })

  it.each([
    [0, true, 0],
    [30, true, 30],
    [0, false, 1],
    [1, false, 1],
    [30, false, 30],
  ])(
    'when a name is to be free after %d s and one process owns the data: %s, then it is taken for %d s',
    (wanted, isAlone, seconds) => {
      expect(reservedFor(wanted, { isAlone })).toBe(seconds)
    },
  )
})
