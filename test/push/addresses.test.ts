import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { targets } from '../../lib/push/addresses.ts'

const { allows } = targets([])

describe('given no exceptions', () => {
  it.each([
    ['this host', '0.0.0.0', '0.255.255.255'],
    ['private', '10.0.0.0', '10.255.255.255'],
    ['behind a carrier', '100.64.0.0', '100.127.255.255'],
    ['loopback', '127.0.0.0', '127.255.255.255'],
    ['of an Azure host', '168.63.129.16', '168.63.129.16'],
    ['link-local', '169.254.0.0', '169.254.255.255'],
    ['private', '172.16.0.0', '172.31.255.255'],
    ['for protocols', '192.0.0.0', '192.0.0.255'],
    ['for documentation', '192.0.2.0', '192.0.2.255'],
    ['a relay of 6to4', '192.88.99.0', '192.88.99.255'],
    ['private', '192.168.0.0', '192.168.255.255'],
    ['for benchmarks', '198.18.0.0', '198.19.255.255'],
    ['for documentation', '198.51.100.0', '198.51.100.255'],
    ['for documentation', '203.0.113.0', '203.0.113.255'],
    ['multicast', '224.0.0.0', '239.255.255.255'],
    ['reserved, or broadcast', '240.0.0.0', '255.255.255.255'],
  ])('when an address is %s, from %s to %s, then it is refused', (_kind, first, last) => {
    expect([first, last].map(allows)).toEqual([false, false])
  })

  it.each([
    ['unspecified', '::', '::'],
    ['loopback', '::1', '::1'],
    ['IPv4-compatible', '::2', '::ffff:ffff'],
    ['IPv4-translated', '::ffff:0:8.8.8.8', '::ffff:0:ffff:ffff'],
    ['behind NAT64', '64:ff9b::', '64:ff9b::ffff:ffff'],
    ['behind a NAT64 of one network', '64:ff9b:1::', '64:ff9b:1:ffff:ffff:ffff:ffff:ffff'],
    ['discarded', '100::', '100::ffff:ffff:ffff:ffff'],
    ['before unicast', '1fff::', '1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['Teredo', '2001::', '2001:0:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['for protocols', '2001:1::', '2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['for documentation', '2001:db8::', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['6to4', '2002::', '2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['for documentation', '3fff::', '3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['behind unicast', '4000::', '5f00::1'],
    ['unique to a site', 'fc00::', 'fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['the metadata of AWS', 'fd00:ec2::254', 'fd00:ec2::254'],
    ['link-local', 'fe80::', 'febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['site-local', 'fec0::', 'feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['multicast', 'ff00::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ])('when an address is %s, from %s to %s, then it is refused', (_kind, first, last) => {
    expect([first, last].map(allows)).toEqual([false, false])
  })

  it.each([
    ['1.0.0.0', '9.255.255.255'],
    ['11.0.0.0', '100.63.255.255'],
    ['100.128.0.0', '126.255.255.255'],
    ['128.0.0.0', '168.63.129.15'],
    ['168.63.129.17', '169.253.255.255'],
    ['169.255.0.0', '172.15.255.255'],
    ['172.32.0.0', '191.255.255.255'],
    ['192.0.1.0', '192.0.1.255'],
    ['192.0.3.0', '192.88.98.255'],
    ['192.88.100.0', '192.167.255.255'],
    ['192.169.0.0', '198.17.255.255'],
    ['198.20.0.0', '198.51.99.255'],
    ['198.51.101.0', '203.0.112.255'],
    ['203.0.114.0', '223.255.255.255'],
    ['2000::', '2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['2001:200::', '2001:db7:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['2001:db9::', '2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['2003::', '3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
    ['3fff:1000::', '3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ])('when an address lies between those, as %s and %s, then it is allowed', (first, last) => {
    expect([first, last].map(allows)).toEqual([true, true])
  })

  it('when an IPv4 address is mapped into IPv6, however it is written, then it counts as what it is', () => {
    const ipv4 = fc.ipV4()
    fc.assert(
      fc.property(ipv4, (address) => {
        const [a, b, c, d] = address.split('.').map(Number) as [number, number, number, number]
        const groups = `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`
        const spellings = [`::ffff:${address}`, `::FFFF:${groups}`, `0:0:0:0:0:ffff:${groups}`]
        expect(spellings.map(allows)).toEqual(spellings.map(() => allows(address)))
      }),
      { examples: [['127.0.0.1'], ['8.8.8.8'], ['169.254.169.254']] },
    )
  })

  it.each([
    '',
    ' ',
    'example.com',
    '8.8.8',
    '8.8.8.8 ',
    '08.8.8.8',
    '8.8.8.8/32',
    '[2a00::1]',
    '2a00::1%eth0',
    'fe80::1%1',
  ])('when %j is no address, or one with a zone, then it is refused', (text) => {
    expect(allows(text)).toBe(false)
  })
})

describe('given exceptions', () => {
  it.each([
    ['10.1.0.0/16', ['10.1.0.0', '10.1.255.255', '::ffff:10.1.2.3'], ['10.0.255.255', '10.2.0.0']],
    ['127.0.0.1', ['127.0.0.1', '::ffff:7f00:1'], ['127.0.0.2', '::1']],
    ['::1', ['::1', '0:0:0:0:0:0:0:1'], ['::2', '127.0.0.1']],
    ['FD00::/8', ['fd00:ec2::254'], ['fc00::1', 'fe80::1']],
    ['0.0.0.0/0', ['127.0.0.1', '255.255.255.255'], ['::1']],
    ['::/0', ['::1', 'fe80::1'], ['127.0.0.1', '::ffff:127.0.0.1', 'fe80::1%eth0']],
  ])('when one is %s, then it allows what is in it and nothing more', (exception, inside, outside) => {
    const { allows } = targets([exception])
    expect(inside.map(allows)).toEqual(inside.map(() => true))
    expect(outside.map(allows)).toEqual(outside.map(() => false))
    expect(['8.8.8.8', '2a00::1'].map(allows)).toEqual([true, true])
  })

  it('when there are several, then each counts', () => {
    const { allows } = targets(['127.0.0.0/8', '::1'])
    expect(['127.9.9.9', '::1', '10.0.0.1'].map(allows)).toEqual([true, true, false])
  })

  it.each([
    '',
    'localhost',
    '10.0.0',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0.0.0/255.0.0.0',
    '010.0.0.0/8',
    '10.0.0.0 /8',
    '::1/129',
    '[::1]',
    'fe80::1%eth0',
    '::ffff:10.0.0.1',
    '::ffff:10.0.0.0/104',
  ])('when one is %j, then it is named as wrong', (exception) => {
    expect(() => targets(['127.0.0.1', exception])).toThrow(new Error(`not an IP address or a CIDR: ${exception}`))
  })
})
