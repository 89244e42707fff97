import { isWithin, type Clock, type Instant } from '../domain/time.ts'
import { boundedMap } from './bounded-map.ts'

/** What was read a moment ago, and is as good as new. Absence and failure are never kept. */
export interface Kept<Value> {
  /** What `read` found at most a lifetime ago, counted from its start. */
  get(key: string, read: () => Promise<Value>): Promise<Value>
  forget(key: string): void
}

/** Nothing kept yet; each of at most `most` values is good for `lifetime` milliseconds. */
export function newKept<Value>(clock: Clock, lifetime: number, most: number): Kept<Value> {
  const values = boundedMap<{ readAt: Instant; value: Promise<Value> }>(most)

  return {
    get(key, read) {
      const now = clock.now()
      const last = values.get(key)
      if (last && isWithin(last.readAt, now, lifetime)) return last.value
      const value = read()
      values.set(key, { readAt: now, value })
      const forget = () => {
        if (values.get(key)?.value === value) values.delete(key)
      }
      value.then((found) => found === undefined && forget(), forget)
      return value
    },

    forget: (key) => values.delete(key),
  }
}
