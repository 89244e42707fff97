import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CmqError } from '../../lib/domain/errors.ts'
import { largestBody, parseRequest } from '../../lib/protocol/request.ts'
import { formEvent, httpEvent } from '../support/signed-request.ts'

const post = (body: string | Uint8Array) => httpEvent({ body: Buffer.from(body) })
const get = (rawQueryString: string) => httpEvent({ method: 'GET', rawQueryString })
const parametersOf = (body: string | Uint8Array) => [...parseRequest(post(body)).parameters]

const unreadable = (part: string) => new CmqError('requestUnreadable', part)
const unicode = fc.string({ unit: 'binary' })

describe('given a request', () => {
  it('when it is a POST, then its form, host and path are read', () => {
    const request = parseRequest(post('Action=SendMessage&queueName=orders&msgBody=a+b%2Bc'))
    expect(request).toMatchObject({
      method: 'POST',
      host: '127.0.0.1:8080',
      path: '/v2/index.php',
      action: 'SendMessage',
    })
    expect([...request.parameters]).toEqual([
      ['Action', 'SendMessage'],
      ['queueName', 'orders'],
      ['msgBody', 'a b+c'],
    ])
  })

  it('when it is a GET, then its query string is read and its body is not', () => {
    const event = { ...get('Action=ListQueue&limit=5'), body: 'limit=%', isBase64Encoded: false }
    expect([...parseRequest(event).parameters]).toEqual([
      ['Action', 'ListQueue'],
      ['limit', '5'],
    ])
  })

  it('when it has both a query string and a form, then the form comes last and wins', () => {
    const request = parseRequest({ ...post('queueName=b'), rawQueryString: 'Action=DeleteQueue&queueName=a' })
    expect(request.action).toBe('DeleteQueue')
    expect(request.parameters.get('queueName')).toBe('b')
  })

  it.each(['PUT', 'get', 'HEAD'])('when its method is %s, then it is refused', (method) => {
    const event = httpEvent({})
    event.requestContext.http.method = method
    expect(() => parseRequest(event)).toThrow(new CmqError('methodUnsupported', method))
    expect(new CmqError('methodUnsupported', method).message).toBe(
      `unexpected http ${method} only GET or POST is supported`,
    )
  })

  it('when its content type says something else, then its body is a form all the same', () => {
    const event = post('Action=ListQueue')
    event.headers['content-type'] = '*/*;charset=utf-8'
    expect(parseRequest(event).action).toBe('ListQueue')
  })

  it('when its body is not base64, then it is read as it is', () => {
    const event = { ...post(''), body: 'msgBody=中%E4%B8%AD', isBase64Encoded: false }
    expect(parseRequest(event).parameters.get('msgBody')).toBe('中中')
  })

  it('when it has no body and no Host header, then it has no parameters and no host', () => {
    const event = httpEvent({})
    delete event.headers.host
    expect(parseRequest(event)).toMatchObject({ host: '', action: undefined })
    expect(parseRequest(event).parameters.size).toBe(0)
  })

  it('when it is parsed twice, then the work is done once', () => {
    const event = post('Action=ListQueue')
    expect(parseRequest(event)).toBe(parseRequest(event))
    expect(parseRequest({ ...event })).not.toBe(parseRequest(event))
  })
})

describe('given a form', () => {
  it.each([
    ['a blank as + or %20', 'a=x+y%20z', [['a', 'x y z']]],
    [
      'raw blanks in names',
      'limit =10&search+Word =x',
      [
        ['limit ', '10'],
        ['search Word ', 'x'],
      ],
    ],
    ['raw characters beyond ASCII', 'ä=中', [['ä', '中']]],
    ['a value with =', 'a=b=c==', [['a', 'b=c==']]],
    [
      'a name alone',
      'a&b=',
      [
        ['a', ''],
        ['b', ''],
      ],
    ],
    [
      'empty pairs',
      '&&a=1&&b=2&',
      [
        ['a', '1'],
        ['b', '2'],
      ],
    ],
    ['an empty name', '=x', [['', 'x']]],
    [
      'a name given twice',
      'a=1&b=2&a=3',
      [
        ['a', '3'],
        ['b', '2'],
      ],
    ],
    ['escaped separators', '%61%26=%3D%26', [['a&', '=&']]],
    ['an escaped zero byte', 'a=%00', [['a', '\0']]],
    ['a byte order mark', '\uFEFFa=1', [['\uFEFFa', '1']]],
    [
      'names of object members',
      '__proto__=1&constructor=2',
      [
        ['__proto__', '1'],
        ['constructor', '2'],
      ],
    ],
    ['nothing', '', []],
  ])('when it has %s, then it is decoded', (_, form, parameters) => {
    expect(parametersOf(form)).toEqual(parameters)
  })

  it('when names differ in case or blanks, then they are looked up as one, and the last counts', () => {
    const { parameters, values } = parseRequest(post('queueName=a&QueueName+=b&LIMIT=3&queueName=c'))
    expect([...values]).toEqual([
      ['queuename', 'c'],
      ['limit', '3'],
    ])
    expect(parameters.size).toBe(3)
  })

  it.each([
    ['a truncated escape', 'a=%'],
    ['half an escape', 'a=%4'],
    ['an escape that is no number', 'a=%zz'],
    ['an escaped byte alone', 'a=%E4'],
    ['an escaped overlong form', 'a=%C0%80'],
    ['an escaped surrogate', 'a=%ED%A0%80'],
    ['a wrong escape in a name', '%=a'],
    ['a raw byte alone', Uint8Array.of(0x61, 0x3d, 0xe4)],
    ['a raw surrogate', Uint8Array.of(0x61, 0x3d, 0xed, 0xa0, 0x80)],
  ])('when it has %s, then it is refused as unreadable', (_, form) => {
    expect(() => parseRequest(post(form))).toThrow(unreadable('body'))
  })

  it('when the query string has a wrong escape, then that is what is refused', () => {
    expect(() => parseRequest(get('a=%'))).toThrow(unreadable('query string'))
    expect(unreadable('query string').message).toBe('cannot parse query string, or request size is more than 1MB')
  })

  it('when half a character comes as text, then it is refused', () => {
    expect(() => parseRequest({ ...post(''), body: 'a=\ud800', isBase64Encoded: false })).toThrow(unreadable('body'))
  })

  it('when it fills 4 MB, then it is read, and a byte more is refused', () => {
    const full = Buffer.alloc(largestBody, 'a')
    const more = Buffer.alloc(largestBody + 1, 'a')
    expect(parametersOf(full)).toHaveLength(1)
    expect(() => parseRequest(post(more))).toThrow(unreadable('body'))
    const plain = { ...post(''), isBase64Encoded: false }
    expect(parseRequest({ ...plain, body: full.toString() }).parameters.size).toBe(1)
    expect(() => parseRequest({ ...plain, body: more.toString() })).toThrow(unreadable('body'))
    expect(() => parseRequest({ ...plain, body: '中'.repeat(largestBody / 3 + 1) })).toThrow(unreadable('body'))
  })

  it('when it has 10,000 parameters, then all are there', () => {
    const names = Array.from({ length: 10_000 }, (_, index) => `name.${index}`)
    const { parameters } = parseRequest(formEvent(names.map((name) => [name, name])))
    expect([...parameters.keys()]).toEqual(names)
  })
})

describe('given any form', () => {
  it('when a client encodes it, then what is read is what was meant', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(unicode, unicode), { selector: ([name]) => name }),
        fc.constantFrom('GET' as const, 'POST' as const),
        (pairs, method) => {
          expect([...parseRequest(formEvent(pairs, { method })).parameters]).toEqual(pairs)
        },
      ),
    )
  })

  it('when it is any bytes at all, then nothing but a refusal is thrown', () => {
    const syntax = fc.constantFrom(...Buffer.from('%+&=a0.\xe4\xed\xa0', 'latin1'))
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), fc.array(syntax)), (bytes) => {
        try {
          parseRequest(post(Uint8Array.from(bytes)))
        } catch (error) {
          expect(error).toBeInstanceOf(CmqError)
        }
      }),
    )
  })

  it.each(['a&', '&', '+', '%61', '%61=%61&', '=', 'aaaaaaa'])(
    'when it repeats %s eight times as often, then reading takes some eight times as long, not its square',
    (piece) => {
      const cost = (event: ReturnType<typeof post>) => {
        const fresh = { ...event }
        const before = process.cpuUsage()
        parseRequest(fresh)
        const { user, system } = process.cpuUsage(before)
        return user + system
      }
      const size = 500_000
      const long = post(piece.repeat((8 * size) / piece.length))
      const short = post(piece.repeat(size / piece.length))
      // In turns, so that a busy machine slows both alike.
      const costs = Array.from({ length: 9 }, () => ({ long: cost(long), short: cost(short) }))
      const least = (of: 'long' | 'short') => Math.min(...costs.map((round) => round[of]))
      // The least of nine is free of what else the machine did; less than a millisecond is too short to be measured.
      expect(least('long')).toBeLessThan(32 * Math.max(least('short'), 1_000))
    },
  )
})
