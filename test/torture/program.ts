import { randomOf, type Random } from '../support/random.ts'

/** One thing that somebody does. Each is told apart by its number, and draws its own chance from it. */
export type Op = OpBase & Act

interface OpBase {
  readonly id: number
  /** Whether one message goes by the action for one, rather than by that for many. */
  readonly isSingle?: boolean
  /** Milliseconds after the beginning. */
  readonly at: number
  readonly process: number
}

export type Act =
  | { readonly kind: 'send'; readonly queue: string; readonly sizes: readonly number[]; readonly delay: number }
  | { readonly kind: 'receive'; readonly queue: string; readonly count: number; readonly wait: number }
  /** Handles counted back from the newest; `of` another queue they are of no use in this one. */
  | { readonly kind: 'delete'; readonly queue: string; readonly back: readonly number[]; readonly of?: string }
  | { readonly kind: 'count'; readonly queue: string }
  | { readonly kind: 'create'; readonly queue: string; readonly attributes: Attributes }
  | { readonly kind: 'change'; readonly queue: string; readonly attributes: Attributes }
  | { readonly kind: 'destroy' | 'clear'; readonly queue: string }
  /** To so many seconds ago. */
  | { readonly kind: 'rewind'; readonly queue: string; readonly ago: number }
  /** Dead letters go to the queue that is there for them, as these settings say; without any they go nowhere any more. */
  | { readonly kind: 'bury'; readonly queue: string; readonly settings: Attributes | undefined }
  | { readonly kind: 'topic'; readonly topic: string; readonly filterType: 1 | 2 }
  | { readonly kind: 'abolish'; readonly topic: string }
  /** So many bytes at most. */
  | { readonly kind: 'resize'; readonly topic: string; readonly largest: number }
  | ({
      readonly kind: 'publish'
      readonly topic: string
      readonly sizes: readonly number[]
      readonly delay: number
    } & Labels)
  | ({ readonly kind: 'subscribe'; readonly topic: string; readonly name: string; readonly endpoint: Endpoint } & Wants)
  | ({ readonly kind: 'want'; readonly topic: string; readonly name: string } & Pick<Wants, 'filter' | 'strategy'>)
  | { readonly kind: 'unsubscribe'; readonly topic: string; readonly name: string }
  | { readonly kind: 'weather'; readonly name: string; readonly as: Weather }
  | { readonly kind: 'kill' }
  /** Clients get another secret; somebody asks with one that is not good any more, or never was. */
  | { readonly kind: 'rotate' }
  | { readonly kind: 'intrude'; readonly queue: string }

/** By the names that CMQ gives them. */
export type Attributes = Readonly<Record<string, number>>

export interface Labels {
  readonly tags: readonly string[]
  readonly routingKey: string
}

/** What a subscription asks for: tags of a topic that filters by tags, else binding keys. */
export interface Wants {
  readonly filter: readonly string[]
  readonly strategy: Strategy
  readonly format: 'JSON' | 'SIMPLIFIED'
}

export type Strategy = 'BACKOFF_RETRY' | 'EXPONENTIAL_DECAY_RETRY'

/** A queue's name; or a web server's, which is its subscription's own. */
export type Endpoint = { readonly queue: string } | { readonly web: string }

/** How a web server answers. */
export type Weather = 'fair' | 'changing' | 'slow' | 'down'

export interface Program {
  readonly seed: number
  /** In order, one after the other, before anything goes wrong. */
  readonly setUp: readonly Op[]
  readonly ops: readonly Op[]
}

const queues = ['orders', 'mail', 'jobs'] as const
/** Where dead letters go. */
export const GRAVEYARD = 'graveyard'
const topics = ['news', 'keys'] as const
/** It has few subscriptions, so that it can be deleted: a topic that has some cannot. */
const BRIEF = 'brief'
const names = ['one', 'two', 'three'] as const
const tags = ['red', 'blue', 'green'] as const
const words = ['a', 'b', 'a.b', 'a.b.c', 'b.c', 'c'] as const
const bindings = ['#', '*', 'a.#', '#.c', 'a.*', '*.b.*', 'b', 'a.b'] as const

/** The scene that operations are drawn in. */
interface Scene {
  readonly random: Random
  /** Topics are for some seeds alone: their runs cost more than all else. */
  readonly hasTopics: boolean
  readonly hasRewinds: boolean
  readonly hasDeadLetters: boolean
  readonly hasKills: boolean
}

const queueOf = ({ random }: Scene): string =>
  random.weighted([
    [6, queues[0]],
    [3, queues[1]],
    [1, queues[2]],
  ])

/** Characters of bodies: most fit into a message's item, few need a chunk or more beside it. */
const sizesOf = ({ random }: Scene, most: number): readonly number[] =>
  Array.from({ length: 1 + random.below(most) }, () =>
    random.weighted([
      [1_000, random.below(40)],
      [60, 650 + random.below(300)],
      [15, 3_000],
      [1, 140_000],
    ]),
  )

const delayOf = ({ random }: Scene): number =>
  random.weighted([
    [8, 0],
    [1, 1 + random.below(9)],
    [1, random.below(300)],
  ])

const attributesOf = ({ random }: Scene): Attributes =>
  random.weighted<Attributes>([
    [4, { visibilityTimeout: random.pick([1, 5, 30, 120]) }],
    [1, { msgRetentionSeconds: random.pick([60, 300, 345_600]) }],
    [3, { shards: random.pick([1, 2, 3, 5]) }],
    [2, { pollingWaitSeconds: random.pick([0, 3]) }],
    [1, { maxMsgSize: random.pick([2_048, 1_048_576]) }],
  ])

/** At least so many tags: a subscription without any wants everything, a change without any changes none. */
const filterOf = ({ random }: Scene, topic: string, least: 0 | 1): readonly string[] =>
  topic === 'keys'
    ? Array.from({ length: 1 + random.below(2) }, () => random.pick(bindings))
    : Array.from({ length: least + random.below(3 - least) }, () => random.pick(tags))

const strategyOf = ({ random }: Scene): Strategy => random.pick(['BACKOFF_RETRY', 'EXPONENTIAL_DECAY_RETRY'])

/** How each kind of operation is drawn, and how often. Another kind is another line. */
const kinds: readonly (readonly [weight: number, draw: (scene: Scene) => Act])[] = [
  [90, (scene) => ({ kind: 'send', queue: queueOf(scene), sizes: sizesOf(scene, 4), delay: delayOf(scene) })],
  [
    110,
    (scene) => ({
      kind: 'receive',
      queue: queueOf(scene),
      count: scene.random.pick([1, 2, 5, 16]),
      wait: scene.random.weighted([
        [10, 0],
        [1, 2],
        [1, 27],
      ]),
    }),
  ],
  [
    110,
    (scene) => ({
      kind: 'delete',
      queue: queueOf(scene),
      back: Array.from({ length: 1 + scene.random.below(4) }, () => scene.random.below(12)),
    }),
  ],
  [
    5,
    ({ random }) => ({ kind: 'delete', queue: random.pick(queues), of: random.pick(queues), back: [random.below(4)] }),
  ],
  [4, (scene) => ({ kind: 'count', queue: queueOf(scene) })],
  [4, (scene) => ({ kind: 'change', queue: queueOf(scene), attributes: attributesOf(scene) })],
  [1, () => ({ kind: 'destroy', queue: queues[2] })],
  [3, (scene) => ({ kind: 'create', queue: queues[2], attributes: attributesOf(scene) })],
  [1, () => ({ kind: 'rotate' })],
  [2, (scene) => ({ kind: 'intrude', queue: queueOf(scene) })],
]

const killing: typeof kinds = [[2, () => ({ kind: 'kill' })]]

const rewindKinds: typeof kinds = [
  [9, (scene) => ({ kind: 'rewind', queue: queueOf(scene), ago: scene.random.pick([0, 5, 60, 600]) })],
  [1, (scene) => ({ kind: 'clear', queue: scene.random.pick([queues[1], queues[2]]) })],
  [
    5,
    (scene) => ({
      kind: 'change',
      queue: queues[1],
      attributes: { rewindSeconds: scene.random.pick([0, 60, 3_600, 3_600]) },
    }),
  ],
]

const deadLetterKinds: typeof kinds = [
  [
    4,
    (scene) => ({
      kind: 'bury',
      queue: scene.random.pick(queues),
      settings: scene.random.weighted<Attributes | undefined>([
        [4, { policy: 0, maxReceiveCount: scene.random.pick([1, 2, 4]) }],
        [1, { policy: 1, maxTimeToLive: 300 }],
        [1, undefined],
      ]),
    }),
  ],
  [20, () => ({ kind: 'receive', queue: GRAVEYARD, count: 5, wait: 0 })],
  [10, () => ({ kind: 'delete', queue: GRAVEYARD, back: [0, 1, 2] })],
]

const topicKinds: typeof kinds = [
  [60, (scene) => publication(scene, scene.random.pick(topics))],
  [8, (scene) => subscription(scene, scene.random.pick(topics), scene.random.pick(names))],
  [6, (scene) => publication(scene, BRIEF)],
  [3, (scene) => subscription(scene, BRIEF, names[0])],
  [6, () => ({ kind: 'unsubscribe', topic: BRIEF, name: names[0] })],
  [4, ({ random }) => ({ kind: 'abolish', topic: random.pick([BRIEF, BRIEF, BRIEF, ...topics]) })],
  [5, ({ random }) => made(random.pick([BRIEF, BRIEF, BRIEF, ...topics]))],
  [
    2,
    ({ random }) => ({ kind: 'resize', topic: random.pick([BRIEF, ...topics]), largest: random.pick(sizesOfTopics) }),
  ],
  [3, ({ random }) => ({ kind: 'unsubscribe', topic: random.pick(topics), name: random.pick(names) })],
  [
    5,
    (scene) => {
      const topic = scene.random.pick(topics)
      const name = scene.random.pick(names)
      return { kind: 'want', topic, name, filter: filterOf(scene, topic, 1), strategy: strategyOf(scene) }
    },
  ],
  [
    6,
    ({ random }) => ({
      kind: 'weather',
      name: `${random.pick(topics)}-${random.pick(names)}`,
      as: random.pick(['fair', 'fair', 'changing', 'slow', 'down']),
    }),
  ],
]

const sizesOfTopics = [2_048, 1_048_576, 1_048_576] as const

const made = (topic: string): Act => ({ kind: 'topic', topic, filterType: topic === 'keys' ? 2 : 1 })

const publication = (scene: Scene, topic: string): Act => ({
  kind: 'publish',
  topic,
  sizes: sizesOf(scene, 3),
  delay: delayOf(scene),
  tags: Array.from({ length: scene.random.below(3) }, () => scene.random.pick(tags)),
  routingKey: scene.random.pick(words),
})

function subscription(scene: Scene, topic: string, name: string): Act {
  const { random } = scene
  return {
    kind: 'subscribe',
    topic,
    name,
    endpoint: random.chance(0.5) ? { queue: queueOf(scene) } : { web: `${topic}-${name}` },
    filter: filterOf(scene, topic, 0),
    strategy: strategyOf(scene),
    format: random.pick(['JSON', 'SIMPLIFIED']),
  }
}

const PROCESSES = 60

/** The program of a seed: so many operations, some at once, most within a second or so. */
export function programOf(seed: number, count: number): Program {
  const random = randomOf(seed, 'program')
  const scene: Scene = {
    random,
    hasTopics: random.chance(0.4),
    hasRewinds: random.chance(0.3),
    hasDeadLetters: random.chance(0.3),
    hasKills: random.chance(0.7),
  }
  const numbered = (acts: readonly Act[], first: number): readonly Op[] =>
    acts.map((act, index) => ({ id: first + index, at: 0, process: 0, ...act }))
  const attributes = {
    visibilityTimeout: random.pick([1, 5, 30, 120]),
    msgRetentionSeconds: random.weighted([
      [1, 60],
      [1, 600],
      [4, 345_600],
    ]),
    maxMsgSize: 1_048_576,
    shards: random.pick([1, 1, 1, 2, 4]),
  }
  const rewinding = scene.hasRewinds && attributes.msgRetentionSeconds > 3_600 ? { rewindSeconds: 3_600 } : {}
  const all = scene.hasDeadLetters ? [...queues, GRAVEYARD] : queues
  const setUp: Act[] = all.map((queue) => ({ kind: 'create', queue, attributes: { ...attributes, ...rewinding } }))
  if (scene.hasTopics) {
    setUp.push(...[...topics, BRIEF].map(made))
    for (const topic of topics) setUp.push(subscription(scene, topic, 'one'), subscription(scene, topic, 'two'))
  }
  const drawn = [
    ...kinds,
    ...(scene.hasKills ? killing : []),
    ...(scene.hasTopics ? topicKinds : []),
    ...(scene.hasRewinds ? rewindKinds : []),
    ...(scene.hasDeadLetters ? deadLetterKinds : []),
  ]
  const pause = random.pick([60, 300, 1_500])
  let at = 1_000
  const ops = Array.from({ length: count }, (_, index): Op => {
    at += random.chance(0.2) ? 0 : random.chance(0.02) ? random.below(40_000) : random.below(pause)
    const act = random.weighted(drawn)(scene)
    const isSingle = random.chance(0.5)
    return { id: setUp.length + index, at, process: random.below(PROCESSES), ...(isSingle ? { isSingle } : {}), ...act }
  })
  return { seed, setUp: numbered(setUp, 0), ops }
}

const CHARACTERS = ['x', '中', '😀', '\u0000', '"'] as const

/** A body that tells which it is, so that no two are alike and each can be told from what it should be. */
export const bodyOf = (op: number, index: number, size: number): string =>
  `${op}.${index}|${(CHARACTERS[(op + index) % CHARACTERS.length] ?? 'x').repeat(size)}`
