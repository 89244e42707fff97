import { parentPort, workerData } from 'node:worker_threads'
import { cmqLoads } from './cmq-calls.ts'
import { play, type Round } from './loads.ts'
import { rawLoads } from './raw-calls.ts'

/** The clients, in a thread of their own: it plays the rounds that it is sent and answers each with what became of it. */

export interface LoadTarget {
  readonly through: 'service' | 'SDK alone'
  readonly url: string
}

const { through, url } = workerData as LoadTarget
const loads = through === 'service' ? cmqLoads(url) : await rawLoads(url)

parentPort?.on('message', (round: Round) => {
  // A failure ends the thread, which tells whoever started it.
  void play(loads, round).then((played) => parentPort?.postMessage(played))
})
