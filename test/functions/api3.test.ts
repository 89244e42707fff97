import fc from 'fast-check'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { handler as createQueue } from '../../functions/actions/create-queue.ts'
import { handler as api } from '../../functions/api.ts'
import { logger } from '../../functions/logger.ts'
import type { Services } from '../../functions/services.ts'
import type { Key } from '../../lib/domain/key.ts'
import { api3Event, type Api3Options } from '../support/api3-request.ts'
import { onlyKey } from '../support/only-key.ts'
import { formEvent } from '../support/signed-request.ts'
import { api3Asker, ofCmq, ofTdmq, refused, response } from './support/api3.ts'
import { accountForEachTest, aQueueId, refusal, success } from './support/cmq.ts'

const cmq = accountForEachTest()
const ask = api3Asker(cmq, ofCmq)
const askTdmq = api3Asker(cmq, ofTdmq)

beforeEach(() => cmq.ask('CreateQueue', { queueName: 'orders' }))

const create = { QueueName: 'b', VisibilityTimeout: 60 }
const signatureIsWrong = refused('AuthFailure.SignatureFailure', 'authentication failed')

describe('given a request of API 3.0', () => {
  it.each<[string, Api3Options]>([
    ['a POST of JSON, by TC3', {}],
    ['a GET, by TC3', { method: 'GET' }],
    ['a form, by HmacSHA1', { signatureMethod: 'HmacSHA1' }],
    ['a form, by HmacSHA256', { signatureMethod: 'HmacSHA256' }],
    ['a GET, by HmacSHA1', { signatureMethod: 'HmacSHA1', method: 'GET' }],
    ['a GET, by HmacSHA256', { signatureMethod: 'HmacSHA256', method: 'GET' }],
    ['a POST of JSON whose body is not signed', { headers: { 'x-tc-content-sha256': 'UNSIGNED-PAYLOAD' } }],
    ['a POST of JSON on a path of its own', { path: '/v2/index.php' }],
  ])('when it is %s, then it is answered in its envelope', async (_, options) => {
    expect(await ask('CreateQueue', create, options)).toEqual(response({ QueueId: aQueueId }))
    expect(await cmq.ask('GetQueueAttributes', { queueName: 'b' })).toHaveProperty('visibilityTimeout', 60)
  })

  it('when its body is a form although TC3 signs it, then it is read as one', async () => {
    const form = {
      body: 'QueueName=b&VisibilityTimeout=60',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    }
    expect(await ask('CreateQueue', {}, form)).toEqual(response({ QueueId: aQueueId }))
  })

  it('when values are texts, or null for what was not set, then they are taken as meant', async () => {
    const sent = { QueueName: 'b', VisibilityTimeout: '60', MaxMsgSize: null, Tags: [] }
    expect(await ask('CreateQueue', sent)).toEqual(response({ QueueId: aQueueId }))
  })

  it('when an action answers nothing, then the envelope holds the id of the request alone', async () => {
    expect(await ask('DeleteQueue', { QueueName: 'orders' })).toEqual(response())
  })

  it('when its action is called alone, then it answers all the same', async () => {
    expect(await ask('CreateQueue', create, { handler: createQueue })).toEqual(response({ QueueId: aQueueId }))
  })

  it('when an action goes by one name in two products, then each product has its own', async () => {
    expect(await askTdmq('CreateQueue', create)).toEqual(
      refused('InvalidAction', 'action name CreateQueue is not existed'),
    )
    expect(await ask('CreateCmqQueue', create)).toEqual(
      refused('InvalidAction', 'action name CreateCmqQueue is not existed'),
    )
  })

  it('when its action is there for API 3.0 alone, then API 2.0 does not have it', async () => {
    expect(await cmq.ask('DescribeQueueDetail')).toEqual(
      refusal(4000, '(10430)action name DescribeQueueDetail is not existed'),
    )
  })

  it('when a request of API 2.0 goes by the same path, then it is answered as ever', async () => {
    expect(await cmq.ask('CreateQueue', { queueName: 'b' }, { path: '/' })).toEqual(success({ queueId: aQueueId }))
  })

  it('when it is logged, then its line names the action that it runs, and no secret', async () => {
    const logged = vi.spyOn(logger, 'info')
    await askTdmq('SendCmqMsg', { QueueName: 'orders', MsgContent: 'private', DelaySeconds: 0 })
    expect(logged).toHaveBeenLastCalledWith(
      'request',
      expect.objectContaining({ action: 'SendMessage', queue: 'orders', code: 0 }),
    )
    expect(JSON.stringify(logged.mock.calls)).not.toMatch(/private|local-secret|AKID|Signature/i)
  })
})

describe('given what the documents say of the older signature', () => {
  it('when the source is that of the example, then its signature is accepted', async () => {
    const key = { secretId: 'AKIDlocaltestid', secretKey: 'local-test-secret-key' }
    const parameters = {
      Action: 'CreateQueue',
      Nonce: '11886',
      QueueName: 'orders',
      Region: 'ap-guangzhou',
      SecretId: key.secretId,
      SignatureMethod: 'HmacSHA256',
      Timestamp: '1600000000',
      Version: '2019-03-04',
    }
    const example = { ...parameters, Signature: 'C5ymvoKLQr3KiqS5nOv7XKDuKYB8vQoxCfvC15OzcJI=' }
    const services: Services = { ...cmq.services, keys: onlyKey(key) }
    const codeOf = async (sent: Record<string, string>) => {
      cmq.clock.set(1_600_000_000_000)
      const event = formEvent(Object.entries(sent), { method: 'GET', path: '/' })
      const { body = '' } = await api(event, { awsRequestId: 'r', services })
      return (JSON.parse(body) as { Response: { Error?: { Code: string } } }).Response.Error?.Code
    }
    expect(await codeOf({ ...example, QueueName: 'another' })).toBe('AuthFailure.SignatureFailure')
    expect(await codeOf(example)).toBeUndefined()
  })

  it('when a value begins with @, then it is signed like any other', async () => {
    const sent = { QueueName: 'orders', MsgContent: '@hello', DelaySeconds: 0 }
    expect(await askTdmq('SendCmqMsg', sent, { signatureMethod: 'HmacSHA1' })).toHaveProperty('Result', true)
    const { MsgContent: _, ...others } = sent
    const event = api3Event('SendCmqMsg', others, {
      version: ofTdmq,
      signatureMethod: 'HmacSHA1',
      now: cmq.clock.now(),
    })
    const form = new URLSearchParams(Buffer.from(event.body ?? '', 'base64').toString())
    form.set('MsgContent', '@hello')
    const tampered = { ...event, body: Buffer.from(form.toString()).toString('base64') }
    const { body = '' } = await api(tampered, { awsRequestId: 'r', services: cmq.services })
    expect(JSON.parse(body)).toHaveProperty('Response.Error.Code', 'AuthFailure.SignatureFailure')
  })
})

describe('given a key and a signature', () => {
  const both: [string, Api3Options][] = [
    ['TC3', {}],
    ['HmacSHA256', { signatureMethod: 'HmacSHA256' }],
  ]

  it.each(both)('when the key is wrong by %s, then that is said', async (_, options) => {
    expect(await ask('CreateQueue', create, { ...options, secretKey: 'wrong' })).toEqual(signatureIsWrong)
  })

  it.each(both)('when the SecretId is unknown by %s, then that is said', async (_, options) => {
    expect(await ask('CreateQueue', create, { ...options, secretId: 'AKIDother' })).toEqual(
      refused('AuthFailure.SecretIdNotFound', 'secret id is not existed'),
    )
  })

  it.each(both)('when the SecretId is none of the cloud by %s, then that is said', async (_, options) => {
    expect(await ask('CreateQueue', create, { ...options, secretId: 'other' })).toEqual(
      refused('AuthFailure.InvalidSecretId', "secret id dosen't begin with AKID"),
    )
  })

  it.each(
    both.flatMap(([name, options]) => [-300, 300, -301, 301].map((off) => [off, name, { ...options, off }] as const)),
  )('when its time is %d s off by %s, then five minutes are allowed', async (off, _, options) => {
    cmq.clock.set(Math.floor(cmq.clock.now() / 1_000) * 1_000)
    expect(await ask('CreateQueue', create, { ...options, now: cmq.clock.now() + off * 1_000 })).toEqual(
      Math.abs(off) <= 300 ? response({ QueueId: aQueueId }) : refused('AuthFailure.SignatureExpire'),
    )
  })

  it.each(both)('when its time is wrong by %s, then the log says what it was', async (_, options) => {
    const logged = vi.spyOn(logger, 'warn').mockReturnValue(undefined)
    await ask('CreateQueue', create, { ...options, now: 1_000_000 })
    const line = { failure: 'signatureExpired', clientTime: '1000' }
    expect(logged.mock.calls).toEqual([['request', expect.objectContaining(line)]])
  })

  it('when the deployment allows a minute, then 61 s are too many', async () => {
    const off = (seconds: number) => ({ settings: { timeWindow: 60 }, now: cmq.clock.now() - seconds * 1_000 })
    expect(await ask('CreateQueue', create, off(59))).toEqual(response({ QueueId: aQueueId }))
    expect(await ask('CreateQueue', create, off(62))).toEqual(refused('AuthFailure.SignatureExpire'))
  })

  it('when the scope names the day before, then the signature is none', async () => {
    expect(await ask('CreateQueue', create, { date: '2026-01-04' })).toEqual(signatureIsWrong)
  })

  it.each(['tdmq', '127', 'cmq-endpoint'])(
    'when the scope names the service %s, then that is accepted',
    async (service) => {
      expect(await ask('CreateQueue', create, { service })).toEqual(response({ QueueId: aQueueId }))
    },
  )

  it('when it knows the service by a public name, then it is accepted where that is set', async () => {
    const signedHost = 'cmq.example.com'
    expect(await ask('CreateQueue', create, { signedHost })).toEqual(signatureIsWrong)
    expect(await ask('CreateQueue', create, { signedHost, settings: { publicHosts: [signedHost] } })).toEqual(
      response({ QueueId: aQueueId }),
    )
  })

  it.each(['', 'SKIP', 'TC3-HMAC-SHA256 Credential=AKIDlocal'])(
    'when its Authorization is %j, then it cannot be read',
    async (authorization) => {
      expect(await changed({ authorization })).toEqual(refused('AuthFailure.InvalidAuthorization'))
    },
  )

  it('when its time is missing, then it is asked for', async () => {
    expect(await changed({ 'x-tc-timestamp': undefined })).toEqual(
      refused('MissingParameter', 'lacked of required parameter X-TC-Timestamp'),
    )
  })

  it('when it is not signed at all in the older way, then what is missing is named', async () => {
    const event = formEvent([
      ['Action', 'CreateQueue'],
      ['Version', ofCmq],
    ])
    const { body = '' } = await api(event, { awsRequestId: 'request-0', services: cmq.services })
    expect(JSON.parse(body)).toEqual({
      Response: refused('MissingParameter', 'lacked of required parameter SecretId'),
    })
  })
})

describe('given a key', () => {
  /** The key of the test's account, changed. */
  const withKey = (change: Partial<Key>): Partial<Services> => ({
    keys: {
      find: async (secretId) => {
        const key = await cmq.services.keys.find(secretId)
        return key && { ...key, ...change }
      },
    },
  })

  it('when it is limited, then what it may do goes by the names of API 2.0', async () => {
    const allow = [
      { actions: ['SendMessage', 'GetQueueAttributes'], resources: ['queue/orders'] },
      { actions: ['PublishMessage'], resources: ['topic/*'] },
    ]
    const services = withKey({ allow })
    const forbidden = refused('UnauthorizedOperation', 'no cam authentication')
    const message = { QueueName: 'orders', MsgContent: 'x', DelaySeconds: 0 }
    expect(await askTdmq('SendCmqMsg', message, { services })).toHaveProperty('Result', true)
    expect(await askTdmq('SendCmqMsg', { ...message, QueueName: 'b' }, { services })).toEqual(forbidden)
    expect(await ask('DescribeQueueDetail', { QueueName: 'orders' }, { services })).toHaveProperty('TotalCount', 1)
    expect(await askTdmq('DescribeCmqQueueDetail', { QueueName: 'b' }, { services })).toEqual(forbidden)
    expect(await ask('DescribeQueueDetail', {}, { services })).toEqual(forbidden)
    expect(await ask('DescribeTopicDetail', {}, { services })).toEqual(forbidden)
    expect(await ask('DescribeSubscriptionDetail', { TopicName: 'news' }, { services })).toEqual(forbidden)
    expect(await ask('DeleteQueue', { QueueName: 'orders' }, { services })).toEqual(forbidden)
    expect(await askTdmq('PublishCmqMsg', { TopicName: 'news', MsgContent: 'x' }, { services })).toEqual(
      refused('ResourceNotFound'),
    )
  })

  it('when it is disabled, then who has it is told as if it were gone', async () => {
    expect(await ask('CreateQueue', create, { services: withKey({ status: 'disabled' }) })).toEqual(
      refused('AuthFailure.SecretIdNotFound', 'secret id status error'),
    )
  })

  it.each<[string, Api3Options]>([
    ['TC3', {}],
    ['HmacSHA1', { signatureMethod: 'HmacSHA1' }],
  ])('when it is being rotated, then both secrets hold by %s, until the older one ends', async (_, options) => {
    const until = cmq.clock.now() + 1_000
    const services = withKey({ secrets: [{ secretKey: 'new' }, { secretKey: 'old', until }] })
    const by = (secretKey: string) => ask('DescribeQueueDetail', {}, { ...options, services, secretKey })
    expect(await by('new')).toHaveProperty('TotalCount', 1)
    expect(await by('old')).toHaveProperty('TotalCount', 1)
    cmq.clock.set(until)
    expect(await by('old')).toEqual(signatureIsWrong)
    expect(await by('new')).toHaveProperty('TotalCount', 1)
  })
})

/** What is answered to a good request of which these headers were changed. */
async function changed(headers: Readonly<Record<string, string | undefined>>, body?: Uint8Array): Promise<unknown> {
  const event = api3Event('CreateQueue', create, { now: cmq.clock.now() })
  Object.assign(event.headers, headers)
  if (body) event.body = Buffer.from(body).toString('base64')
  const answer = await api(event, { awsRequestId: 'request-0', services: cmq.services })
  return (JSON.parse(answer.body ?? '') as { Response: unknown }).Response
}

describe('given an action and a version', () => {
  it('when the action is unknown, then that is said', async () => {
    for (const action of ['Nothing', 'createqueue', '__proto__', 'constructor'])
      expect(await ask(action)).toEqual(refused('InvalidAction', `action name ${action} is not existed`))
  })

  it('when the version is unknown, then that is said', async () => {
    expect(await ask('CreateQueue', create, { version: '2017-03-12' })).toEqual(
      refused('NoSuchVersion', 'version 2017-03-12 is not existed'),
    )
  })

  it('when either is missing, then it is asked for', async () => {
    expect(await ask('', create)).toEqual(refused('MissingParameter', 'lacked of required parameter Action'))
    expect(await ask('CreateQueue', create, { version: '' })).toEqual(
      refused('MissingParameter', 'lacked of required parameter Version'),
    )
  })

  it('when nobody signed, then nothing is said of them', async () => {
    expect(await ask('Nothing', {}, { secretKey: 'wrong' })).toEqual(signatureIsWrong)
  })
})

describe('given parameters', () => {
  it('when one is missing, then it is named as API 3.0 names it', async () => {
    expect(await ask('CreateQueue')).toEqual(refused('MissingParameter', 'lacked of required parameter QueueName'))
    expect(await askTdmq('SendCmqMsg', { QueueName: 'orders', DelaySeconds: 0 })).toEqual(
      refused('MissingParameter', 'lacked of required parameter MsgContent'),
    )
    expect(await askTdmq('SendCmqMsg', { QueueName: 'orders', MsgContent: 'x' })).toEqual(
      refused('MissingParameter', 'lacked of required parameter DelaySeconds'),
    )
  })

  it('when one is unknown, then it is named as it was sent', async () => {
    expect(await ask('CreateQueue', { ...create, VisibilityTimeOut2: 5 })).toEqual(
      refused('UnknownParameter', 'no such parameter VisibilityTimeOut2'),
    )
  })

  it.each<[string, object, string]>([
    ['beyond its range', { VisibilityTimeout: 43_201 }, 'InvalidParameterValue'],
    ['no number', { VisibilityTimeout: 'soon' }, 'InvalidParameter'],
    ['half a number', { VisibilityTimeout: 1.5 }, 'InvalidParameter'],
    ['no truth', { Trace: 'perhaps' }, 'InvalidParameter'],
    ['a list', { VisibilityTimeout: [60] }, 'InvalidParameter'],
    ['no list', { Tags: 'team' }, 'InvalidParameter'],
    ['a list of something else', { Tags: ['team'] }, 'InvalidParameter'],
    ['a tag without a value', { Tags: [{ TagKey: 'team' }] }, 'MissingParameter'],
    ['no name', { QueueName: '1orders' }, 'InvalidParameterValue'],
    ['too much to rewind', { RewindSeconds: 1_000, MsgRetentionSeconds: 999 }, 'InvalidParameterValue'],
  ])('when one is %s, then it is refused', async (_, wrong, code) => {
    expect(await ask('CreateQueue', { ...create, ...wrong })).toEqual(refused(code))
  })

  it('when tags are more than fifty, then they are refused', async () => {
    const tags = (count: number) => Array.from({ length: count }, (_, n) => ({ TagKey: `k${n}`, TagValue: '' }))
    expect(await ask('CreateQueue', { ...create, Tags: tags(51) })).toEqual(refused('InvalidParameterValue'))
    expect(await ask('CreateQueue', { ...create, Tags: tags(50) })).toEqual(response({ QueueId: aQueueId }))
  })
})

describe('given hostile input', () => {
  it.each(['PUT', 'DELETE', 'HEAD', 'OPTIONS'])('when the method is %s, then it is refused', async (method) => {
    const event = api3Event('CreateQueue', create, { now: cmq.clock.now() })
    event.requestContext.http.method = method
    const { body = '' } = await api(event, { awsRequestId: 'request-0', services: cmq.services })
    expect(JSON.parse(body)).toEqual({
      Response: refused('UnsupportedProtocol', `unexpected http ${method} only GET or POST is supported`),
    })
  })

  it.each([
    ['no JSON', '{"QueueName":'],
    ['a list', '[]'],
    ['a text', '"x"'],
    ['null', 'null'],
    ['deeper than any parameter', '{"a":{"b":{"c":{"d":{"e":1}}}}}'],
    ['a hundred thousand lists deep', '{"a":' + '['.repeat(100_000) + ']'.repeat(100_000) + '}'],
    ['a list with a longer name than any has', `{"${'a'.repeat(300)}":["x"]}`],
    ['bytes that are no text', new Uint8Array([0x7b, 0xe4, 0x7d])],
  ])('when the body is %s, then it cannot be read', async (_, body) => {
    expect(await changed({}, Buffer.from(body))).toEqual(
      refused('InvalidParameter', 'cannot parse body, or request size is more than 1MB'),
    )
  })

  it('when the body has more than 4 MB, then it is too large', async () => {
    expect(await changed({}, Buffer.alloc(4 * 1_048_576 + 1, ' '))).toEqual(refused('RequestSizeLimitExceeded'))
  })

  it('when it is any parameters at all, then it is answered in its envelope, and never by an internal error', async () => {
    const actions = ['CreateQueue', 'ModifyQueueAttribute', 'DescribeQueueDetail', 'CreateTopic', 'DescribeTopicDetail']
    const others = ['CreateSubscribe', 'DescribeSubscriptionDetail', 'ModifySubscriptionAttribute', 'DeleteQueue']
    const names = ['QueueName', 'TopicName', 'Tags', 'Filters', 'Limit', 'Trace', 'BindingKey', 'FilterTag', 'Endpoint']
    const value = fc.oneof(
      fc.constantFrom('orders', '', 0, -1, null, true, [], {}, [{ Name: 'QueueName' }]),
      fc.jsonValue(),
    )
    const parameters = fc.dictionary(fc.oneof(fc.constantFrom(...names), fc.string()), value)
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...actions, ...others), parameters, async (action, sent) => {
        const { Error } = await ask(action, sent)
        expect((Error as { Code: string } | undefined)?.Code).not.toBe('InternalError')
      }),
      { numRuns: 200 },
    )
  })

  it('when the store fails, then the cause is in the log alone', async () => {
    const logged = vi.spyOn(logger, 'error')
    const cause = new Error('broken')
    const queues = { ...cmq.services.queues, list: () => Promise.reject(cause) }
    const event = api3Event('CreateQueue', create, { now: cmq.clock.now() })
    const { body = '' } = await api(event, { awsRequestId: 'request-0', services: { ...cmq.services, queues } })
    expect(JSON.parse(body)).toEqual({ Response: refused('InternalError', 'server internal error') })
    expect(logged).toHaveBeenCalledWith('unexpected failure', expect.objectContaining({ error: cause }))
  })
})
