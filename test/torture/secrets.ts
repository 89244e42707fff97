import { KEY_LIFETIME } from '../../lib/store/known-keys.ts'
import type { KeyStore } from '../../lib/store/keys.ts'
import type { Clock } from '../../lib/domain/time.ts'
import { randomOf } from '../support/random.ts'
import { key } from '../support/service.ts'
import { follow } from './course.ts'
import type { Op } from './program.ts'

/** What clients sign with. */
export interface Secrets {
  /** The one that a client uses for this; whoever intrudes has one that is not good any more, or never was. */
  of(op: Op): string
  /** Gives clients another by way of a process, whose clock is off by `skew`, unless it dies or they have just got one. */
  rotate(op: Op, keys: KeyStore, skew: number, hasDied: Promise<undefined>): Promise<void>
}

/** How long a secret is good beside the one that follows it, and how long any process may go on without the new one. */
const BOTH_GOOD_FOR = 180_000
const KNOWN_AFTER = KEY_LIFETIME + 20_000

/** The secret before the last is not good any more: so often at most clients are given another one. */
const ROTATE_EVERY = 2 * BOTH_GOOD_FOR

/** The secrets of one world. `onlooker` sees what is stored, whatever goes wrong for others. */
export function clientSecrets(seed: number, clock: Clock, onlooker: KeyStore): Secrets {
  let { secretKey: secret } = key
  let rotatedAt = -Infinity
  /** What clients signed with before, and when nobody takes it any more. */
  const former: { readonly secretKey: string; readonly endedBy: number }[] = []

  return {
    of: ({ kind }) =>
      kind === 'intrude' ? (former.findLast(({ endedBy }) => endedBy < clock.now())?.secretKey ?? 'wrong') : secret,

    async rotate(op, keys, skew, hasDied) {
      if (clock.now() - rotatedAt < ROTATE_EVERY) return
      rotatedAt = clock.now()
      const fresh = `secret-${op.id}`
      const rotate = async () => {
        const present = (await keys.read(key.secretId)) ?? (await keys.seed())
        if (present) await keys.rotate(present, fresh, clock.now() + skew + BOTH_GOOD_FOR)
      }
      const rotation = follow({ name: 'rotate', random: randomOf(seed, 'op', op.id), faults: [] }, rotate)
      await Promise.race([rotation, hasDied]).catch(() => undefined)
      // What became of it is seen once nothing can be on its way any more, by somebody to whom nothing happens.
      await clock.sleep(KNOWN_AFTER)
      const [newest] = (await onlooker.open(key.secretId))?.secrets ?? []
      if (newest?.secretKey !== fresh) return
      former.push({ secretKey: secret, endedBy: rotatedAt + BOTH_GOOD_FOR + KNOWN_AFTER })
      secret = fresh
    },
  }
}
