import { randomBytes, randomInt } from 'node:crypto'
import type { Instant } from './time.ts'

/** Where names for new things come from; tests give their own. */
export interface Ids {
  /** Time-ordered, and rising within the process: what is sent first sorts first. 32 hexadecimal digits (UUID version 7). */
  messageId(now: Instant): string
  /** Never used twice: a write on condition of it tells whose write it was. */
  leaseId(): string
  /** `<kind>-` and eight characters of a-z0-9 unless told otherwise, as CMQ's ids of queues, topics and subscriptions. */
  resourceId(kind: string, length?: number): string
}

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789'

/** Ids from the random numbers of this machine. */
export function randomIds(): Ids {
  let lastMillisecond = 0
  let counter = 0

  /** The next (millisecond, counter), never lower than the last, also when the clock steps back. */
  function tick(now: Instant): void {
    if (now > lastMillisecond) {
      lastMillisecond = now
      counter = randomInt(0x8000_0000)
    } else if (++counter > 0xffff_ffff) {
      lastMillisecond++
      counter = 0
    }
  }

  return {
    messageId(now) {
      tick(now)
      const uuid = randomBytes(16)
      uuid.writeUIntBE(lastMillisecond, 0, 6)
      // The 32 bits of the counter lie around the version and the variant: 12 bits before, 20 after.
      uuid.writeUInt16BE(0x7000 | (counter >>> 20), 6)
      uuid.writeUIntBE(0x800000 | ((counter & 0xfffff) << 2) | (uuid.readUInt8(10) & 3), 8, 3)
      return uuid.toString('hex')
    },
    leaseId: () => randomBytes(16).toString('base64url'),
    resourceId: (kind, length = 8) =>
      `${kind}-${Array.from({ length }, () => ALPHABET[randomInt(ALPHABET.length)]).join('')}`,
  }
}
