import * as v from 'valibot'
import { afterEach, describe, expect, expectTypeOf, it, vi } from 'vitest'
import { cmqHandler, type Call } from '../../functions/cmq-handler.ts'
import { logger } from '../../functions/logger.ts'
import type { Services } from '../../functions/services.ts'
import { readSettings } from '../../functions/settings.ts'
import { CmqError } from '../../lib/domain/errors.ts'
import { randomIds } from '../../lib/domain/ids.ts'
import { onlyKey } from '../support/only-key.ts'
import { integer, list, queueName, text } from '../../lib/protocol/params.ts'
import { newBeside } from '../../lib/store/beside.ts'
import { manualClock } from '../support/clock.ts'
import { ask, key } from '../support/service.ts'
import { formEvent } from '../support/signed-request.ts'
import { aRequestId, refusal, success } from './support/cmq.ts'

/** A store that must not be asked. */
const untouched = <Store extends object>() =>
  new Proxy({} as Store, {
    get() {
      throw new Error('the store was asked')
    },
  })

const clock = manualClock()
const services: Services = {
  queues: untouched(),
  messages: untouched(),
  topics: untouched(),
  subscriptions: untouched(),
  deliveries: untouched(),
  fanOut: untouched(),
  workList: untouched(),
  aging: untouched(),
  bodies: untouched(),
  depth: untouched(),
  rates: untouched(),
  tallies: untouched(),
  beside: newBeside(() => {}, { freezes: true }),
  deliveryBell: untouched(),
  targets: untouched(),
  start: () => Promise.reject(new Error('a run was started')),
  keys: onlyKey(key),
  settings: readSettings({}),
  clock,
  ids: randomIds(),
  random: Math.random,
}

/** A handler of its own, and what its action was given. */
function echo() {
  const calls: Call[] = []
  const handler = cmqHandler({
    params: v.object({ queueName, count: v.optional(integer(0, 9), '3'), tag: v.optional(list(text(1, 3))) }),

    run(params, call) {
      calls.push(call)
      expectTypeOf(params).toEqualTypeOf<{ queueName: string; count: number; tag?: string[] | undefined }>()
      return Promise.resolve(params)
    },
  })
  return { calls, handler }
}

const failing = (failure: () => never) =>
  cmqHandler({
    params: v.object({}),
    async run() {
      await Promise.resolve()
      failure()
    },
  })

afterEach(() => {
  vi.restoreAllMocks()
})

describe('given an action', () => {
  it('when it is called, then it gets its parameters, converted, and its fields are answered', async () => {
    const { handler } = echo()
    const sent = { Action: 'Echo', queueName: 'orders', count: 7, 'tag.0': 'a', 'tag.1': 'b' }
    expect(await ask(services, sent, { handler })).toEqual(success({ queueName: 'orders', count: 7, tag: ['a', 'b'] }))
    expect(await ask(services, { queueName: 'orders' }, { handler })).toEqual(
      success({ queueName: 'orders', count: 3 }),
    )
  })

  it('when it is called, then it gets who asks, for what, since when, and what it works with', async () => {
    const { handler, calls } = echo()
    await ask(services, { Action: 'Echo', queueName: 'orders' }, { handler })
    expect(calls).toEqual([expect.objectContaining({ account: '1250000000', action: 'Echo', startedAt: clock.now() })])
    expect(calls[0]?.now()).toBe(clock.now())
    expect(calls[0]?.settings).toBe(services.settings)
    expect(calls[0]?.signal.aborted).toBe(false)
  })

  it('when its client may leave, then it gets the signal that tells', async () => {
    const { handler, calls } = echo()
    const { signal } = new AbortController()
    await ask(services, { queueName: 'orders' }, { handler, signal })
    expect(calls[0]?.signal).toBe(signal)
  })

  it.each([
    ['it is not signed', {}, { secretKey: 'wrong' }, refusal(4100, '(10030)authentication failed')],
    ['its key is unknown', {}, { secretId: 'AKIDx' }, refusal(4100, '(10270)secret id is not existed')],
    ['a parameter is missing', {}, {}, refusal(4000, '(10390)lacked of required parameter queueName')],
    [
      'a parameter is wrong',
      { queueName: 'orders', count: 10 },
      {},
      refusal(4000, '(10350)parameter count value or length is out of range'),
    ],
  ])('when %s, then it is not called', async (_, sent, signing, refused) => {
    const { handler, calls } = echo()
    expect(await ask(services, sent, { handler, ...signing })).toEqual(refused)
    expect(calls).toEqual([])
  })

  it('when two requests come at once, then neither learns of the other', async () => {
    const { handler, calls } = echo()
    const answers = await Promise.all(
      ['a', 'b'].map((name) => ask(services, { Action: name, queueName: name }, { handler })),
    )
    expect(answers.map((answer) => answer.queueName as string)).toEqual(['a', 'b'])
    expect(calls.map(({ action }) => action)).toEqual(['a', 'b'])
    expect(new Set(answers.map(({ requestId }) => requestId)).size).toBe(2)
  })
})

describe('given a request id', () => {
  it.each([
    ['success', echo().handler],
    [
      'refusal',
      failing(() => {
        throw new CmqError('noMessage')
      }),
    ],
    [
      'failure',
      failing(() => {
        throw new Error('broken')
      }),
    ],
  ])('when the answer is a %s, then it is that of the invocation, as text', async (_, handler) => {
    const event = formEvent([])
    const { body = '' } = await handler(event, { awsRequestId: '9000000000000000001', services })
    expect(JSON.parse(body)).toHaveProperty('requestId', '9000000000000000001')
    expect(await ask(services, { queueName: 'orders' }, { handler })).toHaveProperty('requestId', aRequestId)
  })
})

describe('given an action that throws', () => {
  it('when it is a refusal, then that is answered, with its fields, and nothing is logged as a failure', async () => {
    const logged = vi.spyOn(logger, 'error')
    const handler = failing(() => {
      throw new CmqError('partlyDeleted', '', { errorList: [] })
    })
    expect(await ask(services, {}, { handler })).toEqual(
      refusal(6010, '(10150)delete message partially failed', { errorList: [] }),
    )
    expect(logged).not.toHaveBeenCalled()
  })

  it('when it is anything else, then an internal error is answered and the cause is in the log alone', async () => {
    const logged = vi.spyOn(logger, 'error')
    const cause = new TypeError('x is not a function')
    const handler = failing(() => {
      throw cause
    })
    const answer = await ask(services, { Action: 'Fail' }, { handler })
    expect(answer).toEqual(refusal(6000, '(10050)server internal error'))
    expect(logged.mock.calls).toEqual([
      ['unexpected failure', { error: cause, requestId: answer.requestId, action: 'Fail' }],
    ])
  })

  it('when it answers what cannot be JSON, then an internal error is answered', async () => {
    const handler = cmqHandler({ params: v.object({}), run: () => Promise.resolve({ count: 1n }) })
    expect(await ask(services, {}, { handler })).toEqual(refusal(6000, '(10050)server internal error'))
  })

  it('when the store is asked, then a request without a valid signature never came so far', async () => {
    const handler = cmqHandler({
      params: v.object({}),
      run: async (_, { queues }) => ({ all: await queues.list('') }),
    })
    expect(await ask(services, {}, { handler, secretKey: 'wrong' })).toHaveProperty('code', 4100)
    expect(await ask(services, {}, { handler })).toHaveProperty('code', 6000)
  })
})

describe('given the log', () => {
  const linesOf = async (...given: Parameters<typeof ask>) => {
    const logged = vi.spyOn(logger, 'info')
    await ask(...given)
    return logged.mock.calls
  }

  it('when a request is answered, then there is one line of it, without a body or a secret', async () => {
    const { handler } = echo()
    const sent = { Action: 'Echo', queueName: 'orders', msgBody: 'private', receiptHandle: 'handle' }
    const lines = await linesOf(services, sent, { handler })
    expect(lines).toEqual([
      [
        'request',
        expect.objectContaining({
          requestId: aRequestId,
          action: 'Echo',
          account: '1250000000',
          queue: 'orders',
          code: 0,
          milliseconds: 0,
        }),
      ],
    ])
    expect(JSON.stringify(lines)).not.toMatch(/private|handle|local-secret|AKID|Signature/i)
  })

  it.each([
    [
      'the action',
      {},
      7000,
      failing(() => {
        throw new CmqError('noMessage')
      }),
    ],
    [
      'nobody, being broken',
      {},
      6000,
      failing(() => {
        throw new Error('broken')
      }),
    ],
    ['the SecretId', { secretId: 'AKIDx' }, 4100, echo().handler],
  ])('when it is refused by %s, then its line has the code', async (_, signing, code, handler) => {
    const lines = await linesOf(services, { Action: 'Echo', queueName: 'orders' }, { handler, ...signing })
    expect(lines).toEqual([['request', expect.objectContaining({ code, action: 'Echo', queue: 'orders' })]])
  })

  it.each([
    ['the key is wrong', 'signatureWrong', { secretKey: 'wrong', now: clock.now() }],
    ['the clock is wrong', 'signatureExpired', { secretKey: key.secretKey, now: 1_000 }],
  ])('when %s, then only a warning in the log says so', async (_, failure, signing) => {
    const logged = vi.spyOn(logger, 'warn').mockReturnValue(undefined)
    const answer = await ask(services, { Action: 'Echo' }, { handler: echo().handler, ...signing })
    expect(answer).toEqual(refusal(4100, '(10030)authentication failed'))
    const clientTime = String(Math.floor(signing.now / 1000))
    const sent = { method: 'POST', host: '127.0.0.1:8080', path: '/v2/index.php' }
    expect(logged.mock.calls).toEqual([
      ['request', expect.objectContaining({ code: 4100, failure, ...sent, clientTime })],
    ])
    expect(JSON.stringify(logged.mock.calls)).not.toMatch(/local-secret|AKID/)
  })

  it('when a request takes time, then its line tells how long', async () => {
    const handler = cmqHandler({
      params: v.object({}),
      run: async (_, call) => {
        await call.clock.sleep(250)
        return {}
      },
    })
    const waiting = linesOf(services, {}, { handler })
    await clock.advance(250)
    expect(await waiting).toEqual([['request', expect.objectContaining({ milliseconds: 250 })]])
  })
})
