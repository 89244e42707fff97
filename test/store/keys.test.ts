import { ScanCommand } from '@aws-sdk/client-dynamodb'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { randomIds } from '../../lib/domain/ids.ts'
import type { Origin } from '../../lib/first-pair.ts'
import { database } from '../../lib/store/database.ts'
import { keyStore, type KeyStore, type StoredKey } from '../../lib/store/keys.ts'
import { manualClock, whilePassing, type ManualClock } from '../support/clock.ts'
import { patientClient, testEngine } from '../support/engine.ts'
import { countCalls, faultsOf, injectFaults } from '../support/faults.ts'
import { newTables, type Client } from '../support/service.ts'

const account = '1250000001'
const pair = { secretId: 'AKIDa', secretKey: 'a-secret' }
const first = { secretId: 'AKIDfirst', secretKey: 'first-secret' }
const origin: Origin = { first, root: 'root' }

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

/** The keys as one process has them; others have others, over the same table. */
function newProcess(from: Origin = origin, prepare: (client: Client) => void = () => undefined): KeyStore {
  const client = patientClient(engine.endpoint)
  prepare(client)
  return keyStore(database(client, clock), table, { clock, ids: randomIds(), origin: () => Promise.resolve(from) })
}

async function present(keys: KeyStore, secretId: string): Promise<StoredKey> {
  const key = await keys.read(secretId)
  if (!key) throw new Error(`there is no ${secretId}`)
  return key
}

const secretsOf = async (keys: KeyStore, secretId: string) => (await keys.open(secretId))?.secrets

describe('given a key that was made', () => {
  const allow = [{ actions: ['SendMessage'], resources: ['queue/orders-*'] }]
  let keys: KeyStore
  beforeEach(async () => {
    keys = newProcess()
    expect(await keys.create(pair, account, allow)).toBe(true)
  })

  it('when another process opens it, then it gets all of it', async () => {
    const secrets = [{ secretKey: 'a-secret' }]
    expect(await newProcess().open('AKIDa')).toEqual({ secretId: 'AKIDa', account, status: 'enabled', allow, secrets })
  })

  it('when the table is read, then its secret is nowhere', async () => {
    const { Items } = await patientClient(engine.endpoint).send(new ScanCommand({ TableName: table }))
    expect(Items).toHaveLength(1)
    expect(JSON.stringify(Items)).toContain('AKIDa')
    expect(JSON.stringify(Items)).not.toContain('a-secret')
  })

  it('when a process has another root, then it cannot open it, and tells only which it is', async () => {
    const others = newProcess({ root: 'another' })
    await expect(others.open('AKIDa')).rejects.toThrow('the secret of the key AKIDa was sealed otherwise')
  })

  it('when it is made again, then it stays as it is', async () => {
    expect(await keys.create({ ...pair, secretKey: 'another' }, '1250000002')).toBe(false)
    expect(await keys.open('AKIDa')).toMatchObject({ account, secrets: [{ secretKey: 'a-secret' }] })
  })

  it('when it is disabled and enabled, then it is as it was, and says when', async () => {
    await clock.advance(1_000)
    const before = await present(keys, 'AKIDa')
    expect(await keys.setStatus(before, 'disabled')).toBe(true)
    const disabled = await present(keys, 'AKIDa')
    expect(disabled).toEqual({
      ...before,
      status: 'disabled',
      modifiedAt: clock.now(),
      changeId: disabled.changeId,
    })
    expect(await keys.setStatus(disabled, 'enabled')).toBe(true)
    expect(await keys.open('AKIDa')).toMatchObject({ status: 'enabled', allow })
  })

  it('when two change it at once, then one of them is told that it has not', async () => {
    const seen = await present(keys, 'AKIDa')
    expect(await keys.setStatus(seen, 'disabled')).toBe(true)
    expect(await newProcess().rotate(seen, 'lost', 0)).toBe(false)
    expect(await keys.open('AKIDa')).toMatchObject({ status: 'disabled', secrets: [{ secretKey: 'a-secret' }] })
  })

  it('when it is rotated, then both secrets are there, and --end leaves the new one', async () => {
    const until = clock.now() + 60_000
    expect(await keys.rotate(await present(keys, 'AKIDa'), 'new-secret', until)).toBe(true)
    expect(await secretsOf(keys, 'AKIDa')).toEqual([{ secretKey: 'new-secret' }, { secretKey: 'a-secret', until }])
    expect(await keys.endRotation(await present(keys, 'AKIDa'))).toBe(true)
    expect(await secretsOf(keys, 'AKIDa')).toEqual([{ secretKey: 'new-secret' }])
  })

  it('when it is deleted, then it is gone, is not listed, and can be neither changed nor made again', async () => {
    const key = await present(keys, 'AKIDa')
    expect(await keys.remove(key)).toBe(true)
    expect(await keys.read('AKIDa')).toBeUndefined()
    expect(await keys.open('AKIDa')).toBeUndefined()
    expect(await keys.list()).toEqual([])
    expect(await keys.setStatus(key, 'enabled')).toBe(false)
    clock.set(clock.now() + 50 * 365 * 86_400_000)
    expect(await keys.create(pair, account)).toBe(false)
    expect(await keys.remove(key)).toBe(false)
  })
})

describe('given answers that are lost', () => {
  it.each([
    ['PutItemCommand', (keys: KeyStore) => keys.create(pair, account)],
    ['UpdateItemCommand', async (keys: KeyStore) => keys.setStatus(await present(keys, 'AKIDfirst'), 'disabled')],
  ])('when that of a %s is, then the change is no failure', async (command, change) => {
    await newProcess().seed()
    const keys = newProcess(origin, (client) => injectFaults(client, faultsOf(command, 'lost after')))
    expect(await whilePassing(clock, change(keys))).toBe(true)
  })
})

describe('given keys of several accounts, and other things in the table', () => {
  it('when they are listed, then all are, in the order of their making', async () => {
    const keys = newProcess({ root: 'root' })
    const made: string[] = []
    for (const [index, owner] of ['1', '2', '1'].entries()) {
      const secretId = `AKID${9 - index}`
      made.push(secretId)
      await keys.create({ secretId, secretKey: 's' }, owner)
      await clock.advance(1)
    }
    expect((await keys.list()).map(({ secretId }) => secretId)).toEqual(made)
  })
})

describe('given the first pair of a deployment', () => {
  it('when it is asked for, then it is taken over once, and may do everything', async () => {
    let calls: Record<string, number> = {}
    const keys = newProcess(origin, (client) => void (calls = countCalls(client)))
    const opened = { account: '1250000000', status: 'enabled', secrets: [{ secretKey: 'first-secret' }] }
    for (const process of [keys, keys, newProcess()]) {
      const key = await process.open('AKIDfirst')
      expect(key).toMatchObject(opened)
      expect(key?.allow).toBeUndefined()
    }
    expect(calls).toMatchObject({ PutItemCommand: 1 })
    expect(await keys.list()).toMatchObject([{ secretId: 'AKIDfirst' }])
  })

  it('when two processes take it over at once, then there is one, and both have it', async () => {
    const [one, two] = await Promise.all([newProcess().open('AKIDfirst'), newProcess().open('AKIDfirst')])
    expect(one).toEqual(two)
    expect(one).toMatchObject({ secrets: [{ secretKey: 'first-secret' }] })
  })

  it('when another is asked for, then nothing is written', async () => {
    const keys = newProcess()
    expect(await keys.open('AKIDnobody')).toBeUndefined()
    expect(await keys.list()).toEqual([])
  })

  it('when it is rotated, then the secret that was given for it does not come back', async () => {
    const keys = newProcess()
    await keys.seed()
    await keys.rotate(await present(keys, 'AKIDfirst'), 'new-secret', 0)
    expect((await secretsOf(newProcess(), 'AKIDfirst'))?.[0]).toEqual({ secretKey: 'new-secret' })
  })

  it('when another secret is given for it later, then that one counts, and what else was set stays', async () => {
    const keys = newProcess()
    await keys.seed()
    await keys.setStatus(await present(keys, 'AKIDfirst'), 'disabled')
    const later = newProcess({ ...origin, first: { ...first, secretKey: 'given later' } })
    expect(await later.open('AKIDfirst')).toMatchObject({
      status: 'disabled',
      secrets: [{ secretKey: 'given later' }],
    })
  })

  it('when a process still knows an earlier secret, then it learns of the later one rather than bring its own back', async () => {
    let given = origin
    const client = patientClient(engine.endpoint)
    const options = { clock, ids: randomIds(), origin: () => Promise.resolve(given) }
    const behind = keyStore(database(client, clock), table, options)
    await behind.open('AKIDfirst')
    given = { root: 'given later', first: { ...first, secretKey: 'given later' } }
    const secrets = [{ secretKey: 'given later' }]
    for (const process of [newProcess(given), behind, newProcess(given)])
      expect(await secretsOf(process, 'AKIDfirst')).toEqual(secrets)
  })

  it('when the root is another since, then it is taken over anew', async () => {
    await newProcess().seed()
    expect(await secretsOf(newProcess({ ...origin, root: 'another' }), 'AKIDfirst')).toEqual([
      { secretKey: 'first-secret' },
    ])
  })

  it('when it is deleted, then it never comes back, whatever secret is given for it', async () => {
    const keys = newProcess()
    await keys.seed()
    await keys.remove(await present(keys, 'AKIDfirst'))
    for (const secretKey of ['first-secret', 'given later'])
      expect(await newProcess({ ...origin, first: { ...first, secretKey } }).open('AKIDfirst')).toBeUndefined()
    expect(await keys.list()).toEqual([])
  })

  it('when a later start has another one, then the earlier one is good no more', async () => {
    await newProcess().seed()
    const later = newProcess({ ...origin, first: { secretId: 'AKIDother', secretKey: 'other' } })
    expect(await later.open('AKIDfirst')).toBeUndefined()
    expect(await later.open('AKIDother')).toMatchObject({ secrets: [{ secretKey: 'other' }] })
    expect(await newProcess().open('AKIDfirst')).toMatchObject({ secrets: [{ secretKey: 'first-secret' }] })
  })

  it('when the secret that holds it cannot be read, then it is tried again', async () => {
    let isDown = true
    const client = patientClient(engine.endpoint)
    const keys = keyStore(database(client, clock), table, {
      clock,
      ids: randomIds(),
      origin: () => (isDown ? Promise.reject(new Error('no access')) : Promise.resolve(origin)),
    })
    await expect(keys.open('AKIDfirst')).rejects.toThrow('no access')
    isDown = false
    expect(await keys.open('AKIDfirst')).toMatchObject({ secretId: 'AKIDfirst' })
  })
})
