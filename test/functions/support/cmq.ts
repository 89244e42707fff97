import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { CmqHandler } from '../../../functions/cmq-handler.ts'
import type { Services } from '../../../functions/services.ts'
import type { Settings } from '../../../functions/settings.ts'
import { ONLY_ACCOUNT } from '../../../lib/names.ts'
import { targets } from '../../../lib/push/addresses.ts'
import type { ManualClock } from '../../support/clock.ts'
import { testEngine } from '../../support/engine.ts'
import {
  ask,
  asker,
  newTables,
  serviceAt,
  testServices,
  type Answer,
  type Ask,
  type ServiceOptions,
} from '../../support/service.ts'
import type { SigningOptions } from '../../support/signed-request.ts'

export type Sent = Record<string, string | number>

export interface CallOptions extends SigningOptions {
  readonly settings?: Partial<Settings>
  readonly signal?: AbortSignal
}

/** Calls one action's handler with what was agreed on, what is sent beside it, and a signature. */
export type Call = (sent?: Sent, options?: CallOptions) => Promise<Answer>

/** What a test of an action works with. */
export interface Cmq {
  readonly services: Services
  readonly clock: ManualClock
  /** Whose key pair signs the calls. */
  readonly account: string
  /** Any action, by its name. */
  readonly ask: Ask
  /** This very handler. A parameter of '-' is not sent. */
  caller(handler: CmqHandler, Action: string, always?: Sent): Call
  /** Another process over the same tables, at the same clock. */
  anotherProcess(options?: Partial<ServiceOptions>): Promise<Services>
}

/** A service for each test of a file, empty at first, over one engine. */
export const serviceForEachTest = (): Cmq => cmqForEachTest({ hasOwnTables: true })

/** The same over one set of tables: each test has an account of its own, which is sooner made than tables. */
export const accountForEachTest = (): Cmq => cmqForEachTest({ hasOwnTables: false })

function cmqForEachTest({ hasOwnTables }: { readonly hasOwnTables: boolean }): Cmq {
  let engine: Awaited<ReturnType<typeof testEngine>>
  let tableNames: Awaited<ReturnType<typeof newTables>> | undefined
  let current: { readonly services: Services; readonly clock: ManualClock; readonly ask: Ask }
  let account = ONLY_ACCOUNT
  /** The services, to whom the one key pair is that account's. */
  const owned = (services: Services): Services => {
    const owner = account
    const find = async (secretId: string) => {
      const found = await services.keys.find(secretId)
      return found && { ...found, account: owner }
    }
    return { ...services, keys: { find } }
  }

  beforeAll(async () => {
    engine = await testEngine()
  })
  afterAll(() => engine.stop())
  beforeEach(async () => {
    if (hasOwnTables) tableNames = undefined
    else account = String(Number(account) + 1)
    tableNames ??= await newTables(engine.endpoint)
    const { services, clock } = await serviceAt(engine.endpoint, { tableNames })
    current = { services: owned(services), clock, ask: asker(owned(services)) }
    // Most lives begin within a second, not at its start.
    clock.set(clock.now() + 137)
  })

  return {
    get services() {
      return current.services
    },
    get clock() {
      return current.clock
    },
    get account() {
      return account
    },
    ask: (...sent) => current.ask(...sent),
    caller:
      (handler, Action, always = {}) =>
      (sent = {}, { settings = {}, ...options } = {}) => {
        const wanted = { ...current.services.settings, ...settings }
        const services = { ...current.services, settings: wanted, targets: targets(wanted.pushTargets) }
        const parameters = Object.entries({ Action, ...always, ...sent }).filter(([, value]) => value !== '-')
        return ask(services, Object.fromEntries(parameters), { handler, ...options })
      },
    anotherProcess: async (options = {}) =>
      owned(
        await testServices({
          endpoint: engine.endpoint,
          ...(tableNames && { tableNames }),
          clock: current.clock,
          ...options,
        }),
      ),
  }
}

const matching = (pattern: RegExp): string => expect.stringMatching(pattern) as string

export const aRequestId = matching(/^request-\d+$/)
export const aQueueId = matching(/^queue-[a-z0-9]{8}$/)
export const aTopicId = matching(/^topic-[a-z0-9]{8}$/)
export const aSubscriptionId = matching(/^subsc-[a-z0-9]{8}$/)
export const aMessageId = matching(/^[0-9a-f]{32}$/)
export const aReceiptHandle = matching(/^[A-Za-z0-9%#:_-]{1,256}$/)

/** The whole envelope of a success. */
export const success = (fields: object = {}) => ({ code: 0, message: '', requestId: aRequestId, ...fields })

/** The whole envelope of a refusal. */
export const refusal = (code: number, message: string, fields: object = {}) => ({
  code,
  message,
  requestId: aRequestId,
  ...fields,
})

export const queueIsMissing = refusal(4440, '(10100)queue is not existed, or deleted')
export const topicIsMissing = refusal(4440, '(10600)topic is not existed, or deleted')
export const subscriptionIsMissing = refusal(4440, '(10600)subscription is not existed, or deleted')
export const noMessage = refusal(7000, '(10200)no message')
export const handleIsInvalid = refusal(4430, '(10260)receipt handle is invalid')

export const missing = (name: string) => refusal(4000, `(10390)lacked of required parameter ${name}`)
export const notRepeatable = (name: string) => refusal(4000, `(10330)parameter ${name} is NOT a repeatable parameter`)
export const outOfRange = (name: string) => refusal(4000, `(10350)parameter ${name} value or length is out of range`)

/** What every action refuses. `call` is complete but for what is sent beside it. */
export function describeRequest(call: Call) {
  describe('given a request', () => {
    it('when its signature is wrong, then it is refused', async () => {
      const answer = await call({}, { secretKey: 'another' })
      expect(answer).toEqual(refusal(4100, '(10030)authentication failed'))
    })

    it('when it has parameters that nobody knows, then they are ignored', async () => {
      const unknown = {
        UserpollingWaitSeconds: 30_000,
        clientRequestId: 7,
        RequestClient: 'SDK',
        ['__proto__']: 'x',
        '': '',
      }
      expect(await call(unknown)).toHaveProperty('code', 0)
    })

    it('when it is a GET, then it is answered alike', async () => {
      expect(await call({}, { method: 'GET' })).toHaveProperty('code', 0)
    })
  })
}

/** What every action refuses that is about one queue, `orders`, which must be there. */
export const describeQueue = (call: Call) =>
  describeName(call, 'queue', {
    there: 'orders',
    format: '(10020)queue name format error',
    isMissing: '(10100)queue is not existed, or deleted',
  })

/** What every action refuses that is about one topic, `news`, which must be there. */
export const describeTopic = (call: Call) =>
  describeName(call, 'topic', {
    there: 'news',
    format: '(10590)topic name format error',
    isMissing: '(10600)topic is not existed, or deleted',
  })

/** What every action refuses that is about one subscription, `mail`, which must be there. */
export const describeSubscription = (call: Call) =>
  describeName(call, 'subscription', {
    there: 'mail',
    format: '(10580)subscription name format error',
    isMissing: '(10600)subscription is not existed, or deleted',
  })

interface NameRules {
  /** The name of what is there, in small letters. */
  readonly there: string
  /** What is answered to what can be no name. */
  readonly format: string
  /** What is answered where nothing has the name. */
  readonly isMissing: string
}

function describeName(call: Call, kind: 'queue' | 'topic' | 'subscription', { there, format, isMissing }: NameRules) {
  const parameter = `${kind}Name`

  describe(`given a ${kind} name`, () => {
    it('when it is absent or a list, then that is refused', async () => {
      expect(await call({ [parameter]: '-' })).toEqual(missing(parameter))
      expect(await call({ [parameter]: '-', [`${parameter}.1`]: there })).toEqual(notRepeatable(parameter))
    })

    it('when it can be no name, then it is refused', async () => {
      for (const name of ['', '1orders', '_orders', 'or.ders', 'or ders', 'größe', 'orders\n', 'a'.repeat(65)])
        expect(await call({ [parameter]: name }), name).toEqual(refusal(4000, format))
    })

    it(`when there is no such ${kind}, then that is said, in the form that is set`, async () => {
      expect(await call({ [parameter]: 'nobody' })).toEqual(refusal(4440, isMissing))
      expect(await call({ [parameter]: 'nobody' }, { settings: { layeredErrors: true } })).toEqual(
        refusal(4000, `(4440) ${isMissing}`),
      )
    })

    it(`when it and its key differ in case, and the key has a trailing blank, then it is the same ${kind}`, async () => {
      const key = `${parameter[0]?.toUpperCase()}${parameter.slice(1)} `
      const name = there.slice(0, 2).toUpperCase() + there.slice(2)
      expect(await call({ [parameter]: '-', [key]: name })).toHaveProperty('code', 0)
    })
  })
}

interface NumberRules {
  readonly min: number
  readonly max: number
  readonly isRequired?: boolean
  /** What is answered to what lies beyond. */
  readonly outOfRange?: object
  /** Whether there is an upper end at all. */
  readonly isOpen?: boolean
}

/** Both ends of a number's range are in, what lies beyond and what is no number is refused. */
export function describeNumber(
  call: Call,
  name: string,
  { min, max, isOpen, isRequired, outOfRange: beyond }: NumberRules,
) {
  const refused = beyond ?? outOfRange(name)

  describe(`given ${name}`, () => {
    it.each([min, max])('when it is %d, then it is accepted', async (value) => {
      expect(await call({ [name]: value })).toHaveProperty('code', 0)
    })

    it.each(isOpen ? [min - 1] : [min - 1, max + 1, 10 ** 14])('when it is %d, then it is refused', async (value) => {
      expect(await call({ [name]: value })).toEqual(refused)
    })

    it('when it is no number, then it is refused', async () => {
      for (const text of ['', 'x', '1.5', '+1', '0x1', '1e1', ' 1', '1'.repeat(16)])
        expect(await call({ [name]: text })).toEqual(refusal(4000, `(10360)parameter ${name} error type`))
    })

    it('when it is sent as a list, then it is refused', async () => {
      expect(await call({ [name]: '-', [`${name}.0`]: min })).toEqual(notRepeatable(name))
    })

    if (isRequired)
      it('when it is absent, then it is asked for', async () => {
        expect(await call({ [name]: '-' })).toEqual(missing(name))
      })
  })
}

/** The elements of a list under their keys. */
export const numbered = (name: string, values: readonly (string | number)[], base = 1): Sent =>
  Object.fromEntries(values.map((value, index) => [`${name}.${base + index}`, value]))

/** What is refused of a list of 1 to 16 elements. `call` is complete but for the list. */
export function describeListOf16(call: Call, name: string) {
  const sixteen = Array.from({ length: 16 }, (_, index) => `x${index}`)
  const tooMany = refusal(4000, `(10370)${name} parameter batch size is out of range`)
  const gap = refusal(4000, `(10380)${name} parameter is not consequent`)
  const wrongKey = refusal(4000, `(10310)error: parameter ${name} key format error`)

  describe(`given a list ${name}`, () => {
    it('when it has no element, then it is asked for', async () => {
      expect(await call()).toEqual(missing(name))
    })

    it.each([0, 1])('when it has 17 elements from %d on, then they are too many', async (base) => {
      expect(await call(numbered(name, [...sixteen, 'x'], base))).toEqual(tooMany)
    })

    it('when it has 10,000 elements, then they are too many', async () => {
      const many = Array.from({ length: 10_000 }, () => 'x')
      expect(await call(numbered(name, many))).toEqual(tooMany)
    })

    it.each([[[0, 2]], [[1, 3]], [[2]], [[16, 17]], [[0, 1, 2, 3, 4, 5, 6, 7, 8, 10]], [[1, 99999999999999999999]]])(
      'when its numbers are %j, then a gap is found',
      async (numbers) => {
        expect(await call(Object.fromEntries(numbers.map((n) => [`${name}.${BigInt(n)}`, 'x'])))).toEqual(gap)
      },
    )

    it.each(['', '.', '.x', '.01', '.-1', '.1.2', '.1x', '.٣', '. 1'])(
      'when a key ends in %j, then it is refused',
      async (ending) => {
        expect(await call({ [name + ending]: 'x' })).toEqual(wrongKey)
        expect(await call({ ...numbered(name, ['a', 'b']), [name + ending]: 'x' })).toEqual(wrongKey)
      },
    )
  })
}
