import { parentPort, workerData } from 'node:worker_threads'
import { programOf } from './program.ts'
import { trySeed } from './try-seed.ts'

/** Runs one seed after another as it is told, and tells what each came to. */
const { ops } = workerData as { readonly ops: number }

parentPort?.on('message', (seed: number) => {
  void trySeed(programOf(seed, ops)).then(({ result }) => parentPort?.postMessage(result))
})
