import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { LoadTarget } from './load-worker.ts'
import type { Played, Round } from './loads.ts'

/** Loads that are measured together, each for so many rounds of so long. */
export interface Work<Kind> {
  readonly loads: readonly Kind[]
  readonly clients: number
  readonly rounds: number
  readonly milliseconds: number
}

/** What became of each load of a work, in order. */
export interface Compared {
  /** Messages a second of each round, through the service and through the SDK alone. */
  readonly service: readonly number[]
  readonly ceiling: readonly number[]
  /** Through the service, those of the first round included: messages, and empty answers. */
  readonly messages: number
  readonly empty: number
}

/**
 * Plays the same on both sides. Rounds of both take turns, so that whatever else the machine does befalls both alike; the
 * first round warms up.
 */
export async function compare<Kind>(
  service: Clients<Kind>,
  ceiling: Clients<Kind>,
  { rounds, ...work }: Work<Kind>,
  queue: string,
): Promise<readonly Compared[]> {
  const played: (readonly [through: readonly Played[], alone: readonly Played[]])[] = []
  for (let round = 0; round <= rounds; round++) {
    const next = { ...work, queue: `${queue}-${round}` }
    played.push([await service.play(next), await ceiling.play(next)])
  }
  return work.loads.map((_, at) => ({
    service: played.slice(1).map(([through]) => through[at]?.rate ?? NaN),
    ceiling: played.slice(1).map(([, alone]) => alone[at]?.rate ?? NaN),
    messages: played.reduce((sum, [through]) => sum + (through[at]?.messages ?? 0), 0),
    empty: played.reduce((sum, [through]) => sum + (through[at]?.empty ?? 0), 0),
  }))
}

/** Clients in a thread of their own, until the end of the block that uses them. */
export interface Clients<Kind> extends AsyncDisposable {
  play(round: Round<Kind>): Promise<readonly Played[]>
}

export function clients<Kind>(target: LoadTarget): Clients<Kind> {
  const worker = new Worker(new URL('load-worker.ts', import.meta.url), { workerData: target })
  return {
    async play(round) {
      worker.postMessage(round)
      const [played] = (await once(worker, 'message')) as [readonly Played[]]
      return played
    },
    [Symbol.asyncDispose]: async () => {
      await worker.terminate()
    },
  }
}
