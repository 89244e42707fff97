import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { targets } from '../../lib/push/addresses.ts'
import { endpointFault } from '../../lib/push/endpoint.ts'
import { harmlessUrls } from './harmless-urls.ts'

const nothingPrivate = targets([])
const fault = (endpoint: string) => endpointFault(endpoint, nothingPrivate)

describe('given a harmless endpoint', () => {
  it.each(harmlessUrls)('when it is %s, then nothing is wrong with it', (endpoint) => {
    expect(fault(endpoint)).toBeUndefined()
  })

  it('when it has 500 characters, then nothing is wrong with it, and with 501 it is wrong', () => {
    const endpoint = 'http://example.com/'.padEnd(500, 'x')
    expect([fault(endpoint), fault(`${endpoint}x`)]).toEqual([undefined, 'endpointWrong'])
  })
})

describe('given an endpoint with a blank or a control character', () => {
  it.each([' ', '\t', '\r', '\n', '\0', '\v', '\x1b', '\x7f', '\x85', '\xa0', '\u2003', '\u2028', '\u3000', '\ufeff'])(
    'when that is %j, wherever it stands, then that is what is wrong',
    (blank) => {
      const endpoints = [`${blank}http://example.com/`, `http://exam${blank}ple.com/`, `http://example.com/?a${blank}`]
      expect(endpoints.map(fault)).toEqual(endpoints.map(() => 'endpointBlank'))
    },
  )
})

describe('given an endpoint that is no web address', () => {
  it.each([
    [''],
    ['example.com'],
    ['//example.com/'],
    ['/path'],
    ['ftp://example.com/'],
    ['httpx://example.com/'],
    ['file:///etc/passwd'],
    ['javascript:alert(1)'],
    ['my-queue'],
    ['http:'],
    ['http://'],
    ['http:///example.com'],
    ['http:example.com'],
    ['http:/example.com'],
    ['http://?query'],
    ['http://#fragment'],
    ['http://:80/'],
    ['http:\\\\example.com\\'],
    ['http://example.com\\@10.0.0.1/'],
    ['http://example.com/?a\\b'],
    ['http://user@example.com/'],
    ['http://user:password@example.com/'],
    ['http://@example.com/'],
    ['http://:@example.com/'],
    ['http://example.com:0/'],
    ['http://example.com:65536/'],
    ['http://example.com:-1/'],
    ['http://example.com:http/'],
    ['http://example.com:80:80/'],
    ['http://exa<mple.com/'],
    ['http://exa%00mple.com/'],
    ['http://256.256.256.256/'],
    ['http://1.2.3.4.5/'],
    ['http://[::1/'],
    ['http://[fe80::1%25eth0]/'],
  ])('when it is %s, then its format is wrong', (endpoint) => {
    expect(fault(endpoint)).toBe('endpointWrong')
  })
})

describe('given an endpoint on an address', () => {
  const address = fc.oneof(
    fc.ipV4(),
    fc.constantFrom('127.0.0.1', '10.1.2.3', '169.254.169.254', '192.168.0.1', '8.8.8.8'),
  )
  const base = fc.constantFrom(
    (part: number) => part.toString(),
    (part: number) => `0x${part.toString(16)}`,
    (part: number) => `0X${part.toString(16).toUpperCase().padStart(8, '0')}`,
    (part: number) => `0${part.toString(8)}`,
    (part: number) => `000${part.toString(8)}`,
  )

  it('when it is written in one to four parts, each decimal, hexadecimal or octal, then it counts as what it is', () => {
    fc.assert(
      fc.property(address, fc.tuple(base, base, base, base), fc.integer({ min: 1, max: 4 }), (plain, write, parts) => {
        const bytes = plain.split('.').map(Number)
        const last = bytes.slice(parts - 1).reduce((value, byte) => value * 256 + byte, 0)
        const host = [...bytes.slice(0, parts - 1), last].map((value, index) => write[index]?.(value)).join('.')
        const expected = nothingPrivate.allows(plain) ? undefined : 'endpointIllegal'
        expect([host, fault(`http://${host}/`)]).toEqual([host, expected])
        expect([host, fault(`https://${host}.:8443?x`)]).toEqual([host, expected])
      }),
    )
  })
})

describe('given an endpoint on this machine', () => {
  const local = [
    'http://localhost/',
    'http://LocalHost.:8080/',
    'http://a.localhost/',
    'http://127.0.0.1/',
    'http://[::1]/',
  ]

  it('when loopback is no target, then it is illegal', () => {
    expect(local.map(fault)).toEqual(local.map(() => 'endpointIllegal'))
  })

  it('when loopback is a target, then nothing is wrong with it', () => {
    const loopback = targets(['127.0.0.0/8', '::1'])
    expect(local.map((endpoint) => endpointFault(endpoint, loopback))).toEqual(local.map(() => undefined))
  })

  it.each([
    ['127.0.0.0/8', 'http://127.0.0.1/', 'http://[::1]/'],
    ['::1', 'http://[::1]/', 'http://127.0.0.1/'],
  ])(
    'when of loopback only %s is a target, then so is its name, and the other address is not',
    (range, same, other) => {
      const endpoints = ['http://localhost/', same, other]
      const faults = endpoints.map((endpoint) => endpointFault(endpoint, targets([range])))
      expect(faults).toEqual([undefined, undefined, 'endpointIllegal'])
    },
  )
})
