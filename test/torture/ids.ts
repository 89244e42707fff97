import type { Ids } from '../../lib/domain/ids.ts'

/** Ids as long as random ones, that are the same in every run of a program, and rise within each process. */
export function idsOf(): Ids {
  let last = 0
  let count = 0
  const next = (digits: number, base: number) => (++count).toString(base).padStart(digits, '0')

  return {
    messageId(now) {
      last = Math.max(last, now)
      return last.toString(16).padStart(12, '0') + next(20, 16)
    },
    leaseId: () => next(22, 36),
    resourceId: (kind, length = 8) => `${kind}-${next(length, 36)}`,
  }
}
