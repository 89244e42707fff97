import { isIPv6 } from 'node:net'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { targets } from '../../lib/push/addresses.ts'
import { endpointFault } from '../../lib/push/endpoint.ts'
import type { Lookup } from '../../lib/push/guard.ts'
import { poster } from '../../lib/push/post.ts'
import { hostileUrls } from './hostile-urls.ts'
import { watchSockets, type WatchedSockets } from './watch-sockets.ts'

const nothingPrivate = targets([])

let names: readonly string[] = []
const lookup: Lookup = (_name, _options, answer) =>
  answer(
    null,
    names.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 })),
  )
const { post, close } = poster({ targets: nothingPrivate, lookup })
afterAll(close)

let watched: WatchedSockets
beforeEach(() => {
  watched = watchSockets()
})
afterEach(() => watched.restore())

it('given the hostile endpoints, when they are counted, then they are many, and no two the same', () => {
  expect(new Set(hostileUrls.map(([url]) => url)).size).toBe(hostileUrls.length)
  expect(hostileUrls.length).toBeGreaterThanOrEqual(160)
})

describe('given a hostile endpoint', () => {
  it.each(hostileUrls)(
    'when it is %j (%s), then it is refused, and never connected to',
    async (url, _why, ...addresses) => {
      const fault = endpointFault(url, nothingPrivate)
      // A name tells nothing until it is looked up; whatever is wrong besides has to be told at once.
      expect(fault === undefined).toBe(addresses.length > 0 || url === 'http://nothing.example.com/')
      if (fault === 'endpointBlank' || fault === 'endpointWrong') return
      // What is illegal at sight must not be reached either, should it have been subscribed some other way.
      names = fault === undefined ? addresses : ['127.0.0.1']
      const { isDelivered, outcome } = await post(url, { headers: {}, body: 'secret' })
      expect({ isDelivered, outcome }).toEqual({
        isDelivered: false,
        outcome: names.length === 0 ? 'ENOTFOUND' : 'address refused',
      })
      expect(watched.attempts).toEqual([])
    },
  )
})

it('given a target, when it is posted to, then the attempt is noticed', async () => {
  names = ['127.0.0.1']
  const { post, close } = poster({ targets: targets(['127.0.0.0/8']), lookup })
  await post('http://name.test:1/', { headers: {}, body: '' })
  close()
  expect(watched.attempts).toEqual(['127.0.0.1'])
})
