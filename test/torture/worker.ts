import { parentPort } from 'node:worker_threads'
import type { Case } from './cases.ts'
import { trySeed } from './try-seed.ts'

/** Stacks cost more than the errors that have them, most of which are faults; whoever makes a failure short has them. */
Error.stackTraceLimit = 0

/** Runs one case after another as it is told, and tells what each came to. */
parentPort?.on('message', ({ program, profile }: Case) => {
  void trySeed(program, { profile }).then(({ result }) => parentPort?.postMessage(result))
})
