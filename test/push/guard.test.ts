import type { LookupAddress, LookupAllOptions, LookupOptions } from 'node:dns'
import { describe, expect, it } from 'vitest'
import { targets } from '../../lib/push/addresses.ts'
import { guarded } from '../../lib/push/guard.ts'

const ipv4 = { address: '93.184.215.14', family: 4 }
const ipv6 = { address: '2606:2800::1', family: 6 }
const secret = { address: '10.0.0.1', family: 4 }

/** What a socket is answered that asks with these options, when the name leads to these addresses. */
function asked(options: LookupOptions, addresses: readonly LookupAddress[] | NodeJS.ErrnoException) {
  const seen: LookupAllOptions[] = []
  const answers: unknown[][] = []
  const lookup = guarded((_name, options, answer) => {
    seen.push(options)
    if (addresses instanceof Error) answer(addresses, undefined as never)
    else answer(null, [...addresses])
  }, targets([]))
  lookup('name.test', options, (error, ...answer) => answers.push(error ? [error.code] : answer))
  return { seen, answers }
}

describe('given a name that leads to allowed addresses', () => {
  it('when a socket asks for all, then it gets all, in their order', () => {
    const { seen, answers } = asked({ all: true, hints: 32, family: 0 }, [ipv6, ipv4])
    expect(answers).toEqual([[[ipv6, ipv4]]])
    expect(seen).toEqual([{ all: true, hints: 32, family: 0 }])
  })

  it('when a socket asks for one, then it gets the first', () => {
    const { seen, answers } = asked({ family: 4 }, [ipv4, ipv6])
    expect(answers).toEqual([['93.184.215.14', 4]])
    expect(seen).toEqual([{ all: true, family: 4 }])
  })
})

describe('given a name that does not', () => {
  it.each([{ all: true }, { all: false }, {}])('when a socket asks with %j, then it is told why', (options) => {
    expect(asked(options, [secret]).answers).toEqual([['address refused']])
    expect(asked(options, [ipv4, ipv6, secret]).answers).toEqual([['address refused']])
    expect(asked(options, []).answers).toEqual([['ENOTFOUND']])
    expect(asked(options, Object.assign(new Error(), { code: 'EAI_AGAIN' })).answers).toEqual([['EAI_AGAIN']])
  })
})
