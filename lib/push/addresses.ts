import { BlockList, isIP, SocketAddress } from 'node:net'

/** Which IP addresses messages may be pushed to. */
export interface Targets {
  /** False also for what is no address, or names a zone of this machine. */
  allows(address: string): boolean
}

interface Address {
  readonly text: string
  readonly family: 'ipv4' | 'ipv6'
}

/**
 * Every address that anybody on the internet could reach, and the exceptions: addresses or CIDRs, "10.1.0.0/16", "::1".
 * Throws an exception that is neither, by its text. An IPv4-mapped address counts as the IPv4 address in it.
 */
export function targets(exceptions: readonly string[]): Targets {
  const isExcepted = within(exceptions)
  return {
    allows(text) {
      const address = addressOf(text)
      if (address === undefined) return false
      return isExcepted(address) || (isUnicast(address) && !isSpecial(address))
    },
  }
}

function within(ranges: readonly string[]): (address: Address) => boolean {
  // One list for both families would have ::/0 match every IPv4 address.
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() }
  for (const text of ranges) {
    const range = rangeOf(text)
    if (range === undefined) throw new Error(`not an IP address or a CIDR: ${text}`)
    lists[range.family].addSubnet(range.text, range.prefix, range.family)
  }
  return ({ text, family }) => lists[family].check(text, family)
}

/** An exception; undefined where it can be none, as an IPv4-mapped one cannot: it is to be written as IPv4. */
function rangeOf(text: string): (Address & { readonly prefix: number }) | undefined {
  const [, base, bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const address = addressOf(base ?? '')
  if (address === undefined || address.text !== base) return undefined
  const longest = address.family === 'ipv4' ? 32 : 128
  const prefix = Number(bits ?? longest)
  return prefix <= longest ? { ...address, prefix } : undefined
}

function addressOf(text: string): Address | undefined {
  const version = isIP(text)
  // A zone (fe80::1%eth0) is a network card of this machine.
  if (version === 0 || text.includes('%')) return undefined
  if (version === 4) return { text, family: 'ipv4' }
  const { address } = new SocketAddress({ address: text, family: 'ipv6' })
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1]
  return mapped === undefined ? { text, family: 'ipv6' } : { text: mapped, family: 'ipv4' }
}

/** What is handed out to hosts at all. In IPv6 that is an eighth of all, which leaves out ::1, fc00::/7, fe80::/10 … */
const isUnicast = within(['0.0.0.0/0', '2000::/3'])

/** The rows of IANA's special-purpose registries inside of that, but those that are globally reachable. */
const isSpecial = within([
  '0.0.0.0/8', // this host
  '10.0.0.0/8', // private
  '100.64.0.0/10', // behind a carrier's NAT
  '127.0.0.0/8', // loopback
  '168.63.129.16', // a host's own Azure; looks public, and no other network leads there
  '169.254.0.0/16', // link-local, and the metadata of most clouds
  '172.16.0.0/12', // private
  '192.0.0.0/24', // protocol assignments
  '192.0.2.0/24', // documentation
  '192.88.99.0/24', // relays of 6to4
  '192.168.0.0/16', // private
  '198.18.0.0/15', // benchmarks
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, and broadcast
  '2001::/23', // protocol assignments, among them Teredo, which holds an IPv4 address
  '2001:db8::/32', // documentation
  '2002::/16', // 6to4, which holds an IPv4 address
  '3fff::/20', // documentation
])
