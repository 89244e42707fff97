/** What clients do with messages. To take is to receive and delete. */
export type Load = 'send' | 'take' | 'send and take' | 'send batches' | 'take batches'

/** What publishers do: publish to a topic with so many subscriptions, each of which fills a queue. */
export type Publish = 1 | 10 | 100

/** A way to do it: through the service, or with the bare calls beneath it. */
export interface Loads<Kind> {
  /** Begins with a new queue. */
  prepare(queue: string, kinds: readonly Kind[]): Promise<void>
  /** Does it once; returns how many messages that was. */
  once(kind: Kind, client: number): Promise<number>
  end(): void
}

export const BATCH = 16

export const BODY = 'x'.repeat(256)

/** Loads one after the other, each by so many clients for so long. */
export interface Round<Kind> {
  readonly queue: string
  readonly loads: readonly Kind[]
  readonly clients: number
  readonly milliseconds: number
}

export interface Played {
  readonly messages: number
  /** Messages a second. */
  readonly rate: number
  /** Answers that there is no message, from a queue that had many. */
  readonly empty: number
}

/** What became of each of the round's loads. */
export async function play<Kind>(loads: Loads<Kind>, round: Round<Kind>): Promise<readonly Played[]> {
  await loads.prepare(round.queue, round.loads)
  const played: Played[] = []
  for (const load of round.loads) played.push(await playOne(loads, load, round))
  return played
}

/** So many empty answers in a row are one too many: what was sent before was too little for this load. */
const ENOUGH = 50

async function playOne<Kind>(loads: Loads<Kind>, load: Kind, { clients, milliseconds }: Round<Kind>): Promise<Played> {
  const startedAt = performance.now()
  let messages = 0
  let empty = 0
  const work = async (client: number) => {
    for (let inARow = 0; performance.now() - startedAt < milliseconds;) {
      const count = await loads.once(load, client)
      messages += count
      empty += count === 0 ? 1 : 0
      inARow = count === 0 ? inARow + 1 : 0
      if (inARow === ENOUGH) throw new Error(`nothing left for ${String(load)}`)
    }
  }
  await Promise.all(Array.from({ length: clients }, (_, client) => work(client)))
  return { messages, rate: (1000 * messages) / (performance.now() - startedAt), empty }
}
