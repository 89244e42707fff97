import { setTimeout as sleep } from 'node:timers/promises'
import { cmqClient } from './cmq-client.ts'
import { server } from './processes.ts'
import { messageOf, newTopic, pushed, type Published, type Pushed, type Setting } from './pushes.ts'
import { atLeast, below, exactly, quantile, table, type Findings, type Requirement } from './report.ts'
import type { Size } from './run.ts'
import { monotonic, subscriber } from './subscriber.ts'

/** How much is measured. */
interface Extent {
  /** Rounds over all topics, of which nothing else is published. */
  readonly rounds: number
  /** Publishes of a steady stream. */
  readonly stream: number
  /** Messages that gather before any is pushed. */
  readonly backlog: number
  /** How long all publish as fast as they can, in milliseconds. */
  readonly flood: number
  /** Messages that are refused at first, and subscriptions that each gets. More failing than 16 would hold up others. */
  readonly refused: number
  readonly refusing: number
}

const FULL: Extent = { rounds: 5, stream: 400, backlog: 2_000, flood: 3_000, refused: 12, refusing: 10 }
const QUICK: Extent = { rounds: 1, stream: 50, backlog: 200, flood: 500, refused: 4, refusing: 4 }

/** A record is read anew after a second. Of so many topics, with such a pause after each publish, none is remembered. */
const TOPICS = 12
const PAUSE = 100

/** Publishes a second of a steady stream, the first of which warm up; and how long a slow web server takes to answer. */
const STREAM = 100
const WARM_UP = 20
const SLOW = 200

/** Publishers that publish as fast as they can. */
const PUBLISHERS = 16

/** How long a delivery waits after each refusal, in milliseconds. */
const WAITS = [1_000, 2_000]

/** Due times are whole milliseconds, so what comes less than one before its time is not early. */
const TICK = 1

/** Pushes to one web server: how soon they follow their publish, how many a second there are, and how exact retries are. */
export async function pushing({ quick }: Size): Promise<Findings> {
  const extent = quick ? QUICK : FULL
  await using web = await subscriber()
  await using local = await server(['--memory'])
  const client = cmqClient(local.url)
  const setting = { client, web }
  try {
    await warmUp(setting)
    const latencies = [
      await alone(setting, extent),
      await inStream(setting, extent, 'stream', `in a stream of ${STREAM} a second`),
      await inStream(setting, extent, `slow-${SLOW}`, `in such a stream, answered after ${SLOW} ms`),
    ]
    const rates = [await ofBacklog(setting, extent), await ofFlood(setting, extent)]
    const retries = await lateness(setting, extent)
    const parts = [latencyTable(latencies), rateTable(rates), retryTable(retries)]
    const all = [...latencies, ...rates, retries]
    const sum = (of: (pushed: Pushed) => number) => all.reduce((total, { pushed }) => total + of(pushed), 0)
    return {
      text: parts.map(({ text }) => text).join('\n\n'),
      requirements: [
        ...parts.flatMap(({ requirements }) => requirements),
        exactly(
          'pushes that did not come',
          sum(({ missing }) => missing),
          0,
        ),
        exactly(
          'pushes of what had been taken before',
          sum(({ surplus }) => surplus),
          0,
        ),
      ],
    }
  } finally {
    client.end()
  }
}

async function warmUp(setting: Setting): Promise<void> {
  const { publish } = await newTopic(setting, ['warm-up'])
  for (let count = 0; count < 5 * WARM_UP; count++) await publish()
  await pushed(setting.web, 'warm-up', 5 * WARM_UP)
}

interface Latencies {
  readonly what: string
  readonly pushed: Pushed
  /** From the beginning of each publish to the first byte of its push. */
  readonly milliseconds: readonly number[]
}

function latenciesOf(what: string, published: readonly Published[], pushed: Pushed): Latencies {
  const begun = new Map(published.map(({ id, at }) => [id, at]))
  const firsts = new Map(pushed.arrivals.toReversed().map(({ id, at }) => [id, at]))
  const milliseconds = [...begun].flatMap(([id, at]) => (firsts.has(id) ? [(firsts.get(id) ?? NaN) - at] : []))
  return { what, pushed, milliseconds }
}

/** Publishes one at a time, while nothing else goes on, to topics of which nothing is remembered. */
async function alone(setting: Setting, { rounds }: Extent): Promise<Latencies> {
  const paths = Array.from({ length: TOPICS }, (_, number) => `alone/${number}`)
  const topics = await Promise.all(paths.map((path) => newTopic(setting, [path])))
  // What is noted once for many hours is noted.
  await Promise.all(topics.map(({ publish }) => publish()))
  await pushed(setting.web, 'alone', TOPICS)
  const published: Published[] = []
  for (let round = 0; round < rounds; round++)
    for (const { publish } of topics) {
      await sleep(PAUSE * (0.5 + Math.random()))
      published.push(await publish())
    }
  return latenciesOf(
    'alone, after a second of silence',
    published,
    await pushed(setting.web, 'alone', published.length),
  )
}

/** Publishes at a steady pace, whatever becomes of it. */
async function inStream(setting: Setting, { stream }: Extent, path: string, what: string): Promise<Latencies> {
  const { publish } = await newTopic(setting, [path])
  const begin = monotonic()
  const publishing: Promise<Published>[] = []
  while (publishing.length < WARM_UP + stream) {
    await sleep(Math.max(0, begin + (publishing.length * 1_000) / STREAM - monotonic()))
    publishing.push(publish())
  }
  const published = await Promise.all(publishing)
  return latenciesOf(what, published.slice(WARM_UP), await pushed(setting.web, path, published.length))
}

function latencyTable(all: readonly Latencies[]): Findings {
  const quantiles = (values: readonly number[]) => [0.5, 0.9, 0.99, 1].map((part) => quantile(values, part))
  const p50 = ({ what, milliseconds }: Latencies) =>
    below(`p50 from a publish to its push ${what}, ms`, quantile(milliseconds, 0.5), 50)
  return {
    text: table(
      ['from a publish to its push', 'samples', 'p50 ms', 'p90 ms', 'p99 ms', 'longest ms'],
      all.map(({ what, milliseconds }) => [what, milliseconds.length, ...quantiles(milliseconds)]),
    ),
    requirements: all.map(p50),
  }
}

interface Rate {
  readonly what: string
  readonly pushed: Pushed
  /** Messages a second while they were published, where they were pushed meanwhile. */
  readonly publishes: number | undefined
  readonly pushes: number
}

/** Pushes what has gathered while the web server kept its answers back. */
async function ofBacklog(setting: Setting, { backlog }: Extent): Promise<Rate> {
  const { web } = setting
  const { publishBatch } = await newTopic(setting, ['backlog'])
  web.hold(true)
  let published = 0
  while (published < backlog) published += await publishBatch()
  const begin = monotonic()
  web.hold(false)
  const all = await pushed(web, 'backlog', published)
  return { what: 'what has gathered', pushed: all, publishes: undefined, pushes: rateOf(all, begin) }
}

/** Pushes while all publish as fast as they can. */
async function ofFlood(setting: Setting, { flood }: Extent): Promise<Rate> {
  const { publish } = await newTopic(setting, ['flood'])
  const begin = monotonic()
  let published = 0
  const work = async () => {
    for (; monotonic() < begin + flood; published++) await publish()
  }
  await Promise.all(Array.from({ length: PUBLISHERS }, work))
  const publishes = (1_000 * published) / (monotonic() - begin)
  const all = await pushed(setting.web, 'flood', published)
  return { what: `of ${PUBLISHERS} publishers at once`, pushed: all, publishes, pushes: rateOf(all, begin) }
}

const rateOf = ({ arrivals }: Pushed, begin: number): number =>
  (1_000 * arrivals.filter(({ at }) => at > begin).length) / ((arrivals.at(-1)?.at ?? NaN) - begin)

const rateTable = (rates: readonly Rate[]): Findings => ({
  text: table(
    ['pushes to one web server', 'messages', 'publishes/s', 'pushes/s'],
    rates.map(({ what, pushed, publishes, pushes }) => [what, pushed.arrivals.length, publishes ?? '', pushes]),
  ),
  requirements: [],
})

interface Lateness {
  readonly pushed: Pushed
  /** Of each retry, by its number: milliseconds after it was due, counted from the attempt before it. */
  readonly milliseconds: readonly (readonly number[])[]
}

/** Retries of messages that come at any time, to subscriptions whose web server refuses each as often as there are waits. */
async function lateness(setting: Setting, { refused, refusing }: Extent): Promise<Lateness> {
  const name = `failing-${WAITS.length}`
  const paths = Array.from({ length: refusing }, (_, number) => `${name}/${number}`)
  const { publish } = await newTopic(setting, paths)
  for (let number = 0; number < refused; number++) {
    await publish()
    await sleep(Math.random() * PAUSE)
  }
  const all = await pushed(setting.web, name, refused * refusing, WAITS.length + 1)
  const attempts = [...Map.groupBy(all.arrivals, messageOf).values()]
  const lateAt = (retry: number, wait: number) =>
    attempts.flatMap((of) => {
      const [before, after] = [of[retry], of[retry + 1]]
      return before && after ? [after.at - before.at - wait] : []
    })
  return { pushed: all, milliseconds: WAITS.map((wait, retry) => lateAt(retry, wait)) }
}

function retryTable({ milliseconds }: Lateness): Findings {
  const all = milliseconds.flat()
  const requirements: readonly Requirement[] = [
    atLeast('earliest retry, ms after it was due', Math.min(...all), -TICK),
    below('latest retry, ms after it was due', Math.max(...all), 1_000),
  ]
  const rows = milliseconds.map((values, retry) => [
    `retry ${retry + 1}, after ${(WAITS[retry] ?? 0) / 1_000} s`,
    values.length,
    ...[0, 0.5, 0.99, 1].map((part) => quantile(values, part)),
  ])
  const heads = ['retries after they were due', 'samples', 'earliest ms', 'p50 ms', 'p99 ms', 'latest ms']
  return { text: table(heads, rows), requirements }
}
