/** Numbers that look random and are the same for the same seed: each from 0 up to, but not including, 1. */
export interface Random {
  (): number
  /** A whole number from 0 up to, but not including, `below`. */
  below(below: number): number
  /** Whether something happens that has this chance. */
  chance(chance: number): boolean
  pick<Value>(values: readonly [Value, ...Value[]]): Value
  /** One of the values, each as likely as its weight says. */
  weighted<Value>(values: readonly (readonly [weight: number, value: Value])[]): Value
}

/** The stream of these labels: another one for each list of them. */
export function randomOf(...labels: readonly (string | number)[]): Random {
  let state = hashOf(labels.join('/'))

  /** Mulberry32: four bytes of state, which is plenty for one operation. */
  function next(): number {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }

  const below = (limit: number): number => Math.floor(next() * limit)
  return Object.assign(next, {
    below,
    chance: (chance: number) => next() < chance,
    pick: <Value>(values: readonly [Value, ...Value[]]): Value => values[below(values.length)] ?? values[0],

    weighted<Value>(values: readonly (readonly [weight: number, value: Value])[]): Value {
      let left = next() * values.reduce((sum, [weight]) => sum + weight, 0)
      for (const [weight, value] of values) {
        left -= weight
        if (left < 0) return value
      }
      throw new Error('there is nothing to choose from')
    },
  })
}

/** FNV-1a: four bytes of any text. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash >>> 0
}
