import { isSecretId, type Key } from '../domain/key.ts'
import { isWithin, type Clock, type Instant } from '../domain/time.ts'
import { boundedMap } from './bounded-map.ts'
import { newKept } from './kept.ts'
import type { KeyStore } from './keys.ts'

/** Whose requests are answered. */
export interface Keys {
  /** The key as it was at most a minute ago. */
  find(secretId: string): Promise<Key | undefined>
}

/** How long a process goes on with what it has read of a key, or with there being none, in milliseconds. */
export const KEY_LIFETIME = 60_000

/** So many of either are kept. What nobody has never pushes out what somebody has. */
const KEPT = 10_000

/** Keys that are read once a minute and process, and so are those that do not exist: anybody may ask for them. */
export function knownKeys({ open }: Pick<KeyStore, 'open'>, clock: Clock): Keys {
  const present = newKept<Key | undefined>(clock, KEY_LIFETIME, KEPT)
  const absent = boundedMap<Instant>(KEPT)

  async function look(secretId: string): Promise<Key | undefined> {
    const startedAt = clock.now()
    const key = await open(secretId)
    if (!key) absent.set(secretId, startedAt)
    return key
  }

  return {
    async find(asked) {
      if (!isSecretId(asked)) return undefined
      const secretId = copied(asked)
      const missedAt = absent.get(secretId)
      if (missedAt !== undefined && isWithin(missedAt, clock.now(), KEY_LIFETIME)) return undefined
      return present.get(secretId, () => look(secretId))
    },
  }
}

/** A piece of a text keeps the whole of it in memory, and a request may have megabytes around the SecretId. */
const copied = (piece: string): string => Buffer.from(piece).toString()
