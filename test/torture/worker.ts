import { parentPort } from 'node:worker_threads'
import type { Case } from './cases.ts'
import { trySeed } from './try-seed.ts'

/** Runs one case after another as it is told, and tells what each came to. */
parentPort?.on('message', ({ program, profile }: Case) => {
  void trySeed(program, { profile }).then(({ result }) => parentPort?.postMessage(result))
})
