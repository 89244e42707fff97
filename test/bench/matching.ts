import { binds, keyLimits, matcher } from '../../lib/domain/binding-key.ts'
import { below, median, quantile, table, type Findings, type Requirement } from './report.ts'
import type { Size } from './run.ts'

const SUBSCRIPTIONS = 500
const KEYS = SUBSCRIPTIONS * keyLimits.keys

/** Rounds before those that count: by then the code is compiled. */
const WARM_UP = 100

/** What a publish may spend on choosing its subscriptions, in microseconds; and where keys were made to take long. */
const ORDINARY = 1_000
const CRAFTED = 10_000

interface Kind {
  readonly what: string
  readonly routingKey: string
  /** Made so that few keys bind: a subscription's first key that does would spare its others. */
  readonly bindingKey: (index: number) => string
  readonly allowed: number
}

/** A key of so many words, all alike. */
const bs = (count: number) => Array<string>(count).fill('b').join('.')
const order = 'order.eu.berlin.1234.created'

const kinds: readonly Kind[] = [
  { what: 'literal, other from the first word', routingKey: order, bindingKey: (i) => `${i}.eu`, allowed: ORDINARY },
  {
    what: 'literal, other in the last word',
    routingKey: order,
    bindingKey: (i) => `order.eu.berlin.1234.${i}`,
    allowed: ORDINARY,
  },
  { what: 'with *', routingKey: order, bindingKey: (i) => `order.*.*.${i}.created`, allowed: ORDINARY },
  { what: 'with #', routingKey: order, bindingKey: (i) => `order.#.${i}.created`, allowed: ORDINARY },
  { what: 'with # and *', routingKey: order, bindingKey: (i) => `#.berlin.*.#.${i}`, allowed: ORDINARY },
  {
    what: '16 words, every other #',
    routingKey: bs(16),
    bindingKey: (i) => `${'#.b.'.repeat(7)}#.${i}`,
    allowed: CRAFTED,
  },
  {
    what: '16 words, as many steps as can be',
    routingKey: bs(16),
    bindingKey: (i) => `#.${bs(8)}.${i}`,
    allowed: CRAFTED,
  },
]

/** How long a publish takes to choose among subscriptions by their binding keys. */
export function matching({ quick }: Size): Promise<Findings> {
  const rows: (readonly (string | number)[])[] = []
  const requirements: Requirement[] = []
  for (const { what, routingKey, bindingKey, allowed } of kinds) {
    const made = Array.from({ length: KEYS }, (_, index) => bindingKey(index))
    // What was put together is slower to read than what was parsed, as keys from the database are.
    const keys = JSON.parse(JSON.stringify(made)) as readonly string[]
    const times = measure(routingKey, keys, quick ? 200 : 2_000)
    const micros = median(times)
    const bound = keys.filter((key) => binds(key, routingKey)).length
    rows.push([what, keys.at(-1) ?? '', bound, micros, quantile(times, 0.99), (1_000 * micros) / KEYS])
    requirements.push(below(`µs for one message and ${KEYS} binding keys, ${what}`, micros, allowed))
  }
  const heads = ['binding keys', 'such as', 'bind', 'µs a message', 'p99 µs', 'ns a key']
  return Promise.resolve({ text: table(heads, rows), requirements })
}

/** The time of each of so many messages, in microseconds. */
function measure(routingKey: string, keys: readonly string[], messages: number): readonly number[] {
  const subscriptions = Array.from({ length: SUBSCRIPTIONS }, (_, index) =>
    keys.slice(index * keyLimits.keys, (index + 1) * keyLimits.keys),
  )
  const times = Array.from({ length: WARM_UP + messages }, () => {
    const startedAt = performance.now()
    const isBound = matcher(routingKey)
    subscriptions.filter((bindingKeys) => bindingKeys.some(isBound))
    return 1_000 * (performance.now() - startedAt)
  })
  return times.slice(WARM_UP)
}
