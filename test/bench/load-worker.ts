import { parentPort, workerData } from 'node:worker_threads'
import { cmqLoads, cmqPublishes } from './cmq-calls.ts'
import { play, type Loads, type Round } from './loads.ts'
import { rawLoads, rawPublishes } from './raw-calls.ts'

/** The clients, in a thread of their own: it plays the rounds that it is sent and answers each with what became of it. */

export interface LoadTarget {
  readonly what: 'messages' | 'publishes'
  readonly through: 'service' | 'SDK alone'
  readonly url: string
}

const { what, through, url } = workerData as LoadTarget
if (what === 'messages') answer(through === 'service' ? cmqLoads(url) : await rawLoads(url))
else answer(through === 'service' ? cmqPublishes(url) : await rawPublishes(url))

function answer<Kind>(loads: Loads<Kind>): void {
  parentPort?.on('message', (round: Round<Kind>) => {
    // A failure ends the thread, which tells whoever started it.
    void play(loads, round).then((played) => parentPort?.postMessage(played))
  })
}
