import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import type { Services } from '../../../functions/services.ts'
import { CmqError } from '../../../lib/domain/errors.ts'
import { parseReceiptHandle } from '../../../lib/domain/receipt-handle.ts'
import { ask, type Answer } from '../../support/service.ts'
import { MESSAGES, serviceInMemory } from './service.ts'
import { hostileText } from './texts.ts'

const REFUSED = [4_000, 4_430]

describe('given a text that may be a receipt handle', () => {
  it('when it is read, then it is one, or refused', () => {
    fc.assert(
      fc.property(fc.oneof(hostileText, fc.stringMatching(/^lane-[a-z0-9]{1,40}(:[0-9a-f]{0,40}){0,6}$/)), (text) => {
        try {
          expect(parseReceiptHandle(text).laneId).toMatch(/^lane-/)
        } catch (error) {
          expect(error).toBeInstanceOf(CmqError)
        }
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('given two messages that are held', () => {
  let services: Services
  let handles: readonly [string, string]

  const remove = (receiptHandle: string, queueName = 'orders', by = services): Promise<Answer> =>
    ask(by, { Action: 'DeleteMessage', queueName, receiptHandle })

  beforeAll(async () => {
    services = (await serviceInMemory()).services
    for (const queueName of ['orders', 'mail'])
      await ask(services, { Action: 'CreateQueue', queueName, visibilityTimeout: 3_600, rewindSeconds: 3_600 })
    for (const msgBody of ['one', 'two']) await ask(services, { Action: 'SendMessage', queueName: 'orders', msgBody })
    const { msgInfoList } = await ask(services, { Action: 'BatchReceiveMessage', queueName: 'orders', numOfMsg: 2 })
    handles = msgInfoList.map(({ receiptHandle }: { receiptHandle: string }) => receiptHandle)
  })

  /** What says which lease of which message it is; the end that it tells is compared with the store's own. */
  const rightOf = (handle: string) => {
    try {
      return JSON.stringify({ ...parseReceiptHandle(handle), validUntil: 0 })
    } catch {
      return undefined
    }
  }

  it('when a handle is truncated, changed, or put together of both, then it deletes nothing', async () => {
    const [one, two] = handles
    const forged = fc.oneof(
      fc.nat(one.length - 1).map((length) => one.slice(0, length)),
      fc
        .tuple(fc.nat(one.length - 1), fc.constantFrom('0', '1', 'a', 'f', ':', '-', '_', '%', 'é'))
        .map(([at, other]) => one.slice(0, at) + other + one.slice(at + 1)),
      fc.tuple(fc.nat(one.length), hostileText).map(([at, more]) => one.slice(0, at) + more + one.slice(at)),
      fc.array(fc.boolean(), { minLength: 7, maxLength: 7 }).map((takes) => {
        const parts = [one, two].map((handle) => handle.split(':'))
        return takes.map((isFirst, index) => parts[isFirst ? 0 : 1]?.[index]).join(':')
      }),
    )
    await fc.assert(
      fc.asyncProperty(forged, async (handle) => {
        if (handles.map(rightOf).includes(rightOf(handle))) return
        expect(REFUSED).toContain((await remove(handle)).code)
      }),
      { numRuns: 400 },
    )
  })

  it('when a handle is used in another queue, or by another account, then it deletes nothing', async () => {
    const stranger: Services = {
      ...services,
      keys: {
        find: async (secretId) => {
          const found = await services.keys.find(secretId)
          return found && { ...found, account: '1250000001' }
        },
      },
    }
    await ask(stranger, { Action: 'CreateQueue', queueName: 'orders' })
    for (const handle of handles) {
      expect((await remove(handle, 'mail')).code).toBe(4_430)
      expect((await remove(handle, 'orders', stranger)).code).toBe(4_430)
    }
  })

  it('when all of that was tried, then the handles themselves delete, once', async () => {
    for (const handle of handles) {
      expect((await remove(handle)).code).toBe(0)
      expect((await remove(handle)).code).toBe(4_430)
    }
  })
})

/** Any value that an attribute can have, up to some depth. */
const { attribute } = fc.letrec<{ attribute: object }>((tie) => ({
  attribute: fc.oneof(
    { maxDepth: 2 },
    fc.record({ S: hostileText }),
    fc.record({ N: fc.integer().map(String) }),
    fc.record({ BOOL: fc.boolean() }),
    fc.constant({ NULL: true }),
    fc.record({ B: fc.uint8Array({ maxLength: 20 }) }),
    fc.record({ L: fc.array(tie('attribute'), { maxLength: 3 }) }),
    fc.record({ M: fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), tie('attribute'), { maxKeys: 3 }) }),
  ),
}))

/** Names that are long enough to be nobody's yet. */
const unknownName = fc.stringMatching(/^[a-zA-Z]{1,20}$/).map((name) => `later${name}`)

describe('given an item that a later version has written', () => {
  it('when it has attributes that nobody knows yet, then it is received as if it had not', async () => {
    const { services, engine } = await serviceInMemory()
    const queue = { queueName: 'orders' }
    await ask(services, { Action: 'CreateQueue', ...queue })
    const received = async (unknown: Readonly<Record<string, object>>) => {
      await ask(services, { Action: 'SendMessage', ...queue, msgBody: 'hello' })
      const { Items } = engine.execute('ScanCommand', { TableName: MESSAGES }) as { Items: Record<string, object>[] }
      for (const item of Items) engine.execute('PutItemCommand', { TableName: MESSAGES, Item: { ...item, ...unknown } })
      const answer = await ask(services, { Action: 'ReceiveMessage', ...queue })
      expect(answer).toMatchObject({ code: 0, msgBody: 'hello' })
      const { receiptHandle } = answer
      expect(await ask(services, { Action: 'DeleteMessage', ...queue, receiptHandle })).toMatchObject({ code: 0 })
    }
    await fc.assert(fc.asyncProperty(fc.dictionary(unknownName, attribute, { minKeys: 1, maxKeys: 5 }), received), {
      numRuns: 100,
    })
  })
})
