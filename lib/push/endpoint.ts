import { isIP } from 'node:net'
import type { Targets } from './addresses.ts'

/** What is wrong with an endpoint, by the names of CMQ's refusals. */
export type EndpointFault = 'endpointBlank' | 'endpointWrong' | 'endpointIllegal'

/** Characters of an endpoint (406/7414). */
const LONGEST_ENDPOINT = 500

/**
 * What is wrong with the URL at sight, when somebody subscribes it (406/7414); undefined if nothing is. What its name
 * leads to is asked when a connection is made, since that may change.
 */
export function endpointFault(endpoint: string, targets: Targets): EndpointFault | undefined {
  if (/[\s\p{Z}\p{Cc}]/u.test(endpoint)) return 'endpointBlank'
  const url = endpoint.length > LONGEST_ENDPOINT ? undefined : webAddress(endpoint)
  if (url === undefined) return 'endpointWrong'
  return isForbidden(hostOf(url), targets) ? 'endpointIllegal' : undefined
}

/** The host to connect to: of an IPv6 address, what is between its brackets. */
export const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[(.*)\]$/, '$1')

/**
 * The parser takes much that others would read differently: no slashes or three, backslashes for slashes, a name and a
 * password before the host. What two readers might send to two hosts is refused.
 */
function webAddress(endpoint: string): URL | undefined {
  const [, authority] = /^https?:\/\/([^/?#\\]+)[^\\]*$/i.exec(endpoint) ?? []
  if (authority === undefined || authority.includes('@')) return undefined
  const url = URL.parse(endpoint)
  return url === null || url.port === '0' ? undefined : url
}

/** The parser has turned every spelling of an address (0x7f.1, 2130706433, full-width digits) into the usual one. */
function isForbidden(host: string, targets: Targets): boolean {
  if (isIP(host) !== 0) return !targets.allows(host)
  return /(^|\.)localhost\.*$/.test(host) && !targets.allows('127.0.0.1') && !targets.allows('::1')
}
