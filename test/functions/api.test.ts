import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import fc from 'fast-check'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { handler } from '../../functions/api.ts'
import { logger } from '../../functions/logger.ts'
import type { Services } from '../../functions/services.ts'
import { onlyKey } from '../support/only-key.ts'
import { key, type Answer } from '../support/service.ts'
import { formEvent, httpEvent, signedEvent, type SigningOptions } from '../support/signed-request.ts'
import { aRequestId, refusal, serviceForEachTest, success } from './support/cmq.ts'

const cmq = serviceForEachTest()

beforeEach(() => cmq.ask('CreateQueue', { queueName: 'orders' }))

let requests = 0

/** What the gateway answers to this very event. Whatever it is, it has status 200 and is JSON without a null. */
async function answerTo(event: APIGatewayProxyEventV2, services: Partial<Services> = {}): Promise<Answer> {
  const invocation = { awsRequestId: `request-${++requests}`, services: { ...cmq.services, ...services } }
  const { statusCode, headers, body } = await handler(event, invocation)
  expect(statusCode).toBe(200)
  expect(headers).toEqual({ 'content-type': 'application/json; charset=utf-8' })
  const answer = JSON.parse(body ?? '', (_, value: unknown) => {
    expect(value).not.toBeNull()
    return value
  }) as Answer
  expect(answer).toMatchObject({
    code: expect.any(Number) as number,
    message: expect.any(String) as string,
    requestId: `request-${requests}`,
  })
  return answer
}

const signed = (parameters: Record<string, string>, options: SigningOptions = {}) =>
  signedEvent(parameters, { now: cmq.clock.now(), ...options })

/** The event with another form in its body. */
function reformed(event: APIGatewayProxyEventV2, change: (form: URLSearchParams) => void): APIGatewayProxyEventV2 {
  const form = new URLSearchParams(Buffer.from(event.body ?? '', 'base64').toString())
  change(form)
  return { ...event, body: Buffer.from(form.toString()).toString('base64') }
}

const send = { Action: 'SendMessage', queueName: 'orders', msgBody: 'x' }
const unauthenticated = refusal(4100, '(10030)authentication failed')
const unreadable = (part: string) => refusal(4000, `(10420)cannot parse ${part}, or request size is more than 1MB`)
const missing = (name: string) => refusal(4000, `(10390)lacked of required parameter ${name}`)

describe('given the names of the actions', () => {
  const swapped = (name: string) => name.slice(0, -2) + name.slice(-2).toUpperCase()

  it.each([
    ['as they are', (name: string) => name],
    ['in small letters', (name: string) => name.toLowerCase()],
    ['in capitals', (name: string) => name.toUpperCase()],
    ['with some other capitals', swapped],
    ['with blanks around', (name: string) => ` ${name} `],
  ])('when they are sent %s, then each is answered by its own action', async (_, spelled) => {
    const ask = (name: string, sent = {}) => cmq.ask(spelled(name), { queueName: 'orders', ...sent })
    expect(await ask('CreateQueue', { queueName: 'b' })).toHaveProperty('queueId')
    expect(await ask('SetQueueAttributes', { maxMsgSize: 2_000 })).toHaveProperty('queueId')
    expect(await ask('GetQueueAttributes')).toHaveProperty('maxMsgSize', 2_000)
    expect(await ask('ListQueue')).toHaveProperty('totalCount', 2)
    expect(await ask('QueryQueueRoute')).toHaveProperty('addr', [])
    expect(await ask('SendMessage', { msgBody: 'x' })).toHaveProperty('msgId')
    expect(await ask('BatchSendMessage', { 'msgBody.0': 'y' })).toHaveProperty('msgList.length', 1)
    const { receiptHandle } = await ask('ReceiveMessage')
    const { msgInfoList } = await ask('BatchReceiveMessage', { numOfMsg: 1 })
    expect(await ask('DeleteMessage', { receiptHandle })).toEqual(success())
    const handles = { 'receiptHandle.0': msgInfoList[0].receiptHandle as string, 'receiptHandle.1': receiptHandle }
    expect(await ask('BatchDeleteMessage', handles)).toHaveProperty('errorList.length', 1)
    expect(await ask('DeleteQueue')).toHaveProperty('queueId')
    expect(await ask('ListQueue')).toHaveProperty('totalCount', 1)
  })

  it.each(['Nothing', '', '__proto__', 'constructor', 'toString', 'ClearSubscriptionFilters', '中\0'])(
    'when %j is sent, then there is no such action',
    async (Action) => {
      expect(await answerTo(signed({ Action }))).toEqual(refusal(4000, `(10430)action name ${Action} is not existed`))
    },
  )

  it('when none is sent, then it is asked for', async () => {
    expect(await answerTo(signed({}))).toEqual(missing('Action'))
  })

  it('when nobody signed, then nothing is said of the action', async () => {
    expect(await answerTo(formEvent([['Action', 'Nothing']]))).toEqual(missing('SecretId'))
  })
})

describe('given a path', () => {
  const paths = ['/v2/index.php', '/', '//v2/index.php', '/v2/index.php/v2/index.php', '/v2/index.php/', '/any/other']

  it.each(paths.flatMap((path) => [[path, 'GET'] as const, [path, 'POST'] as const]))(
    'when it is %s by %s, then the request is answered',
    async (path, method) => {
      expect(await answerTo(signed(send, { path, method }))).toHaveProperty('code', 0)
    },
  )

  it('when the PHP SDK doubles it and signs it as it was, then the request is answered', async () => {
    const event = { ...signed(send, { method: 'GET' }), rawPath: '/v2/index.php/v2/index.php' }
    expect(await answerTo(event)).toHaveProperty('code', 0)
  })
})

describe('given everything that may be wrong at once', () => {
  const faults = [
    ['its method', refusal(4000, '(10410)unexpected http PUT only GET or POST is supported')],
    ['its form', unreadable('body')],
    ['the lack of a SecretId', missing('SecretId')],
    ['the lack of a signature', missing('Signature')],
    ['the beginning of its SecretId', refusal(4000, "(10450)secret id dosen't begin with AKID")],
    ['an unknown SecretId', refusal(4100, '(10270)secret id is not existed')],
    ['its time', unauthenticated],
    ['its signature', unauthenticated],
    ['its action', refusal(4000, '(10430)action name Nothing is not existed')],
    ['its parameters', refusal(4000, '(10390)lacked of required parameter queueName')],
    ['its queue', refusal(4440, '(10100)queue is not existed, or deleted')],
  ] as const
  type Fault = (typeof faults)[number][0]

  function faulty(left: readonly Fault[]): APIGatewayProxyEventV2 {
    const has = (fault: Fault) => left.includes(fault)
    const event = signed(
      {
        Action: has('its action') ? 'Nothing' : 'SendMessage',
        msgBody: 'x',
        ...(has('its parameters') ? {} : { queueName: has('its queue') ? 'nobody' : 'orders' }),
      },
      {
        secretId: has('the beginning of its SecretId') ? 'id' : has('an unknown SecretId') ? 'AKIDother' : key.secretId,
        secretKey: has('its signature') ? 'wrong' : key.secretKey,
        now: has('its time') ? 0 : cmq.clock.now(),
      },
    )
    const changed = reformed(event, (form) => {
      if (has('the lack of a SecretId')) form.delete('SecretId')
      if (has('the lack of a signature')) form.delete('Signature')
    })
    if (has('its form')) changed.body = Buffer.from('Action=%').toString('base64')
    if (has('its method')) changed.requestContext.http.method = 'PUT'
    return changed
  }

  it.each(
    faults.map(([fault, refused], index) => [fault, refused, faults.slice(index).map(([name]) => name)] as const),
  )('when nothing is wrong that comes before %s, then that is refused', async (_, refused, left) => {
    expect(await answerTo(faulty(left))).toEqual(refused)
  })

  it('when nothing is wrong, then it is answered', async () => {
    expect(await answerTo(faulty([]))).toHaveProperty('code', 0)
  })
})

describe('given hostile input', () => {
  it.each(['PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'get', ''])(
    'when the method is %s, then it is refused',
    async (method) => {
      const event = signed(send)
      event.requestContext.http.method = method
      expect(await answerTo(event)).toEqual(
        refusal(4000, `(10410)unexpected http ${method} only GET or POST is supported`),
      )
    },
  )

  it.each([
    ['a truncated escape', 'Action=ListQueue&a=%'],
    ['an escape that is no number', 'Action=ListQueue&a=%zz'],
    ['a byte alone', Buffer.from([0x61, 0x3d, 0xe4])],
    ['an escaped byte alone', 'a=%E4'],
    ['a surrogate', 'a=%ED%A0%80'],
    ['more than 4 MB', Buffer.alloc(4 * 1_048_576 + 1, 'a')],
  ])('when the body has %s, then it cannot be read', async (_, body) => {
    expect(await answerTo(httpEvent({ body: Buffer.from(body) }))).toEqual(unreadable('body'))
  })

  it('when the query string has a truncated escape, then it cannot be read', async () => {
    expect(await answerTo(httpEvent({ method: 'GET', rawQueryString: 'Action=%4' }))).toEqual(
      unreadable('query string'),
    )
  })

  it('when there is neither a body nor a query string, then a SecretId is asked for', async () => {
    expect(await answerTo(httpEvent({}))).toEqual(missing('SecretId'))
  })

  it('when there are 10,000 parameters, then those that are known count', async () => {
    const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`p${index}`, 'x'] as const))
    expect(await answerTo(signed({ ...many, ...send }))).toHaveProperty('code', 0)
  })

  it('when parameters are named like members of objects, then they are ignored', async () => {
    const members = { ['__proto__']: 'a', constructor: 'b', prototype: 'c', hasOwnProperty: 'd', toString: 'e' }
    expect(await answerTo(signed({ ...members, ...send }))).toHaveProperty('code', 0)
    expect(Object.hasOwn(Object.prototype, 'a')).toBe(false)
  })

  it('when it is any bytes at all, then it is refused as an answer', async () => {
    const syntax = fc.constantFrom(...Buffer.from('Action=SecretId%+&=a0.\xe4\xed\xa0', 'latin1'))
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array(), fc.array(syntax)), async (bytes) => {
        expect((await answerTo(httpEvent({ body: Uint8Array.from(bytes) }))).code).toBeOneOf([4000, 4100])
      }),
      { numRuns: 200 },
    )
  })

  it('when it is any signed parameters, then nothing but CMQ answers, and never an internal error', async () => {
    const { services } = cmq
    const names = ['queueName', 'msgBody', 'msgBody.1', 'msgBody.2', 'delaySeconds', 'receiptHandle', 'receiptHandle.0']
    const others = ['numOfMsg', 'limit', 'offset', 'searchWord', 'visibilityTimeout', 'msgRetentionSeconds', 'shards']
    const value = fc.oneof(
      fc.constantFrom('orders', '', '0', '1', '-1', '60', '999999999999999', 'null', '__proto__'),
      fc.string({ unit: 'binary', maxLength: 40 }),
    )
    const actions = ['CreateQueue', 'ListQueue', 'GetQueueAttributes', 'SetQueueAttributes', 'DeleteQueue']
    const onMessages = ['SendMessage', 'BatchSendMessage', 'ReceiveMessage', 'BatchReceiveMessage', 'DeleteMessage']
    const action = fc.constantFrom(...actions, ...onMessages, 'BatchDeleteMessage', 'QueryQueueRoute')
    const parameters = fc.dictionary(fc.oneof(fc.constantFrom(...names, ...others), fc.string()), value)
    await fc.assert(
      fc.asyncProperty(action, parameters, fc.boolean(), async (Action, sent, isOrders) => {
        const given = { ...sent, ...(isOrders ? { queueName: 'orders' } : {}), Action }
        const reserved = new Set(['secretid', 'signature', 'timestamp', 'signaturemethod'])
        fc.pre(!Object.keys(given).some((name) => reserved.has(name.trim().toLowerCase())))
        const settings = { ...services.settings, longestWait: 0 }
        const { code } = await answerTo(signed(given), { settings })
        expect([0, 4000, 4400, 4430, 4440, 4450, 4460, 6010, 6020, 7000]).toContain(code)
      }),
      { numRuns: 300 },
    )
  })
})

describe('given a key and a signature', () => {
  it('when an appId comes instead of them, then it is refused', async () => {
    const event = formEvent([...Object.entries(send), ['appId', '1250000000']])
    expect(await answerTo(event)).toEqual(missing('SecretId'))
  })

  it.each([
    ['the signature is empty', (form: URLSearchParams) => form.set('Signature', '')],
    ['the signature is another', (form: URLSearchParams) => form.set('Signature', 'A'.repeat(27) + '=')],
    ['a value was changed', (form: URLSearchParams) => form.set('msgBody', 'y')],
    ['a parameter was added', (form: URLSearchParams) => form.append('delaySeconds', '5')],
    ['a parameter was left out', (form: URLSearchParams) => form.delete('Nonce')],
    ['the method was changed', (form: URLSearchParams) => form.set('SignatureMethod', 'HmacSHA256')],
  ])('when %s, then it is refused', async (_, change) => {
    expect(await answerTo(reformed(signed(send), change))).toEqual(unauthenticated)
  })

  it.each(['HmacSHA1', 'HmacSHA256'] as const)(
    'when it is signed by %s, then it is accepted',
    async (signatureMethod) => {
      expect(await answerTo(signed(send, { signatureMethod }))).toHaveProperty('code', 0)
    },
  )

  it('when a Token is signed, then it is accepted, and refused when it was changed', async () => {
    const event = signed({ ...send, Token: 'tmp-token-1' })
    expect(await answerTo(event)).toHaveProperty('code', 0)
    expect(await answerTo(reformed(event, (form) => form.set('Token', 'another')))).toEqual(unauthenticated)
  })

  it('when a body begins with @, then it is accepted signed or left out of the signature', async () => {
    expect(await answerTo(signed({ ...send, msgBody: '@hello' }))).toHaveProperty('code', 0)
    const { msgBody: _, ...others } = send
    const event = reformed(signed(others), (form) => form.set('msgBody', '@hello'))
    expect(await answerTo(event)).toHaveProperty('code', 0)
  })

  it('when the same request comes again, then it is accepted again', async () => {
    const event = signed(send)
    expect(await answerTo(event)).toHaveProperty('code', 0)
    expect(await answerTo({ ...event })).toHaveProperty('code', 0)
  })

  it.each([
    [0, 0],
    [7_200, 0],
    [-7_200, 0],
    [7_201, 4100],
    [-7_201, 4100],
  ])('when its Timestamp is %d s off, then it is answered by code %d', async (off, code) => {
    cmq.clock.set(Math.floor(cmq.clock.now() / 1_000) * 1_000)
    expect(await answerTo(signed(send, { now: cmq.clock.now() + off * 1_000 }))).toHaveProperty('code', code)
  })

  it.each(['', '-', 'x', '1e9', '9'.repeat(16)])('when its Timestamp is %j, then it is refused', async (Timestamp) => {
    expect(await answerTo(signed({ ...send, Timestamp }))).toEqual(unauthenticated)
  })

  it('when the deployment allows a minute, then 61 s are too many', async () => {
    const settings = { ...cmq.services.settings, timeWindow: 60 }
    const now = cmq.clock.now()
    expect(await answerTo(signed(send, { now: now - 59_000 }), { settings })).toHaveProperty('code', 0)
    expect(await answerTo(signed(send, { now: now - 61_000 }), { settings })).toEqual(unauthenticated)
  })

  it('when the deployment allows any SecretId, then one without AKID is accepted if it is known', async () => {
    const keys = onlyKey({ secretId: 'my-id', secretKey: 'my-secret' })
    const settings = { ...cmq.services.settings, anySecretId: true }
    const mine = () => signed(send, { secretId: 'my-id', secretKey: 'my-secret' })
    expect(await answerTo(mine(), { keys })).toEqual(refusal(4000, "(10450)secret id dosen't begin with AKID"))
    expect(await answerTo(mine(), { keys, settings })).toHaveProperty('code', 0)
    expect(await answerTo(mine(), { settings })).toEqual(refusal(4100, '(10270)secret id is not existed'))
  })

  it('when a proxy changes the host, then a name that the deployment knows is accepted', async () => {
    const event = signed(send, { host: 'cmq.example.com' })
    event.headers.host = '10.0.0.1:8080'
    const settings = { ...cmq.services.settings, publicHosts: ['cmq.example.com'] }
    expect(await answerTo(event)).toEqual(unauthenticated)
    expect(await answerTo({ ...event }, { settings })).toHaveProperty('code', 0)
  })
})

describe('given a failure that nobody expected', () => {
  it('when the store throws, then an internal error is answered without its cause, which is logged', async () => {
    const logged = vi.spyOn(logger, 'error')
    const cause = new Error('the table is on fire')
    const messages = { ...cmq.services.messages, send: () => Promise.reject(cause) }
    expect(await answerTo(signed(send), { messages })).toEqual({
      code: 6000,
      message: '(10050)server internal error',
      requestId: aRequestId,
    })
    expect(logged.mock.calls).toEqual([
      ['unexpected failure', { error: cause, requestId: `request-${requests}`, action: 'SendMessage' }],
    ])
    logged.mockRestore()
  })

  it('when the keys cannot be read, then an internal error is answered', async () => {
    const keys = { find: () => Promise.reject(new Error('no access')) }
    expect(await answerTo(signed(send), { keys })).toEqual(refusal(6000, '(10050)server internal error'))
  })
})
