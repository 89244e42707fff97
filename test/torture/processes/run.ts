import { setTimeout as sleep } from 'node:timers/promises'
import { randomOf } from '../../support/random.ts'
import { mountDisk } from '../../support/small-disk.ts'
import { failing } from '../interruption.ts'
import { drain, makeQueue, work } from './clients.ts'
import { diskHarms } from './disk-harms.ts'
import { processHarms, turnsOf, type Harms } from './harms.ts'
import type { Outcome } from './report.ts'
import { newStage, type Stage } from './stage.ts'

/** Room for all bodies of a minute, which stay there after their messages. */
const DISK_MEGABYTES = 256

/**
 * Has clients work while processes are killed, stopped and cut off, for so long; then drains the queue. Whoever interrupts
 * it gets no outcome but a failure, and nothing is left behind.
 */
export async function tortureProcesses(seed: number, seconds: number, interrupted?: AbortSignal): Promise<Outcome> {
  interrupted?.throwIfAborted()
  return torture(await newStage(), processHarms, seed, seconds, interrupted)
}

/** The same while the disk is full now and then; undefined where this machine gives no small disk. */
export async function tortureDisk(
  seed: number,
  seconds: number,
  interrupted?: AbortSignal,
): Promise<Outcome | undefined> {
  interrupted?.throwIfAborted()
  const disk = await mountDisk(DISK_MEGABYTES)
  if (!disk) return undefined
  try {
    return await torture(await newStage(disk), diskHarms(disk), seed, seconds, interrupted)
  } finally {
    await disk.close()
  }
}

async function torture(
  stage: Stage,
  harms: Harms,
  seed: number,
  seconds: number,
  interrupted = new AbortController().signal,
): Promise<Outcome> {
  const over = new AbortController()
  try {
    return await Promise.race([course(stage, harms, seed, seconds, over), stage.crash, failing(interrupted)])
  } finally {
    over.abort()
    await stage.close()
  }
}

async function course(
  stage: Stage,
  harms: Harms,
  seed: number,
  seconds: number,
  over: AbortController,
): Promise<Outcome> {
  await makeQueue(stage)
  const working = work(stage, seed, over.signal)
  await Promise.race([harm(stage, harms, seed, seconds, over.signal), working])
  over.abort()
  await working
  return { ledger: stage.ledger, left: await drain(stage) }
}

/** Does one thing after the other until the time is over, and begins none later but the first. */
async function harm(stage: Stage, harms: Harms, seed: number, seconds: number, over: AbortSignal): Promise<void> {
  const random = randomOf(seed, 'harms')
  const deadline = performance.now() + seconds * 1_000
  for (const [name, harm] of turnsOf(harms, random)) {
    await sleep(500 + random.below(2_000), undefined, { signal: over })
    // However slow the machine is, something is done.
    if (performance.now() > deadline && stage.ledger.harms.length > 0) return
    const from = Date.now()
    await harm(stage, random)
    stage.ledger.harms.push({ name, from, until: Date.now() })
  }
}
