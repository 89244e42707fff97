import type { LookupAddress, LookupAllOptions } from 'node:dns'
import type { LookupFunction } from 'node:net'
import type { Targets } from './addresses.ts'

/** Resolves a name to all its addresses, as `dns.lookup` does. */
export type Lookup = (
  name: string,
  options: LookupAllOptions,
  answer: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

/**
 * One lookup of a name at a time, whoever waits for it. The operating system's resolver works on two slow names at once,
 * and everything else of the process, so one name that does not answer must not be asked for again and again.
 */
export function shared(lookup: Lookup): Lookup {
  const waiting = new Map<string, Parameters<Lookup>[2][]>()
  return (name, options, answer) => {
    const key = `${name} ${options.family ?? 0}`
    const others = waiting.get(key)
    if (others) return void others.push(answer)
    const all = [answer]
    waiting.set(key, all)
    lookup(name, options, (error, addresses) => {
      waiting.delete(key)
      for (const one of all) one(error, addresses)
    })
  }
}

/** The code of the error for an address that must not be connected to. */
export const ADDRESS_REFUSED = 'address refused'

/**
 * A lookup for sockets that answers allowed addresses only. One forbidden address refuses the whole name: who mixes them
 * hopes that we try the other one. The socket connects to what was checked here and does not ask again, so a name that
 * changes its address afterwards changes nothing.
 */
export const guarded =
  (lookup: Lookup, targets: Targets): LookupFunction =>
  (name, options, answer) =>
    lookup(name, { ...options, all: true }, (error, addresses) => {
      const [first] = addresses ?? []
      if (error) return answer(error, [])
      // Sockets throw where nobody can catch it when they are given none.
      if (first === undefined) return answer(failure('ENOTFOUND', name), [])
      if (!addresses.every(({ address }) => targets.allows(address))) return answer(failure(ADDRESS_REFUSED, name), [])
      if (options.all) return answer(null, addresses)
      return answer(null, first.address, first.family)
    })

const failure = (code: string, name: string): NodeJS.ErrnoException =>
  Object.assign(new Error(`${code} ${name}`), { code })
