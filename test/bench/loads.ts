/** What clients do with messages. To take is to receive and delete. */
export type Load = 'send' | 'take' | 'send and take' | 'send batches' | 'take batches'

/** A way to do it: through the service, or with the bare calls beneath it. */
export interface Loads {
  /** Begins with a new queue. */
  prepare(queue: string): Promise<void>
  /** Does it once; returns how many messages that was. */
  once(load: Load, client: number): Promise<number>
  end(): void
}

export const BATCH = 16

export const BODY = 'x'.repeat(256)

/** Loads one after the other, each by so many clients for so long. */
export interface Round {
  readonly queue: string
  readonly loads: readonly Load[]
  readonly clients: number
  readonly milliseconds: number
}

export interface Played {
  /** Messages a second. */
  readonly rate: number
  /** Answers that there is no message, from a queue that had many. */
  readonly empty: number
}

/** What became of each of the round's loads. */
export async function play(loads: Loads, round: Round): Promise<readonly Played[]> {
  await loads.prepare(round.queue)
  const played: Played[] = []
  for (const load of round.loads) played.push(await playOne(loads, load, round))
  return played
}

/** So many empty answers in a row are one too many: what was sent before was too little for this load. */
const ENOUGH = 50

async function playOne(loads: Loads, load: Load, { clients, milliseconds }: Round): Promise<Played> {
  const startedAt = performance.now()
  let messages = 0
  let empty = 0
  const work = async (client: number) => {
    for (let inARow = 0; performance.now() - startedAt < milliseconds;) {
      const count = await loads.once(load, client)
      messages += count
      empty += count === 0 ? 1 : 0
      inARow = count === 0 ? inARow + 1 : 0
      if (inARow === ENOUGH) throw new Error(`nothing left for ${load}`)
    }
  }
  await Promise.all(Array.from({ length: clients }, (_, client) => work(client)))
  return { rate: (1000 * messages) / (performance.now() - startedAt), empty }
}
