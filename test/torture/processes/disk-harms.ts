import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../../support/random.ts'
import type { Disk } from '../../support/small-disk.ts'
import { endAs, engineKilled, serverEnded, serverKilled, type End, type Harm, type Harms } from './harms.ts'
import { refusedWhileFull } from './judge.ts'
import type { Stage } from './stage.ts'

/** Each fills the disk of the server, and makes room again; most of them end what runs on it in between. */
export const diskHarms = (disk: Disk): Harms => {
  const ending =
    (end: End): Harm =>
    (stage, random) =>
      whileFull(stage, disk, () => restart(stage, disk, end, random))
  return {
    'disk full': (stage, random) => whileFull(stage, disk, (from) => bear(stage, from, random)),
    'disk full, server killed': ending(serverKilled),
    'disk full, engine killed': ending(engineKilled),
    'disk full, server ended': ending(serverEnded),
  }
}

/** Has the disk full for as long as that takes. If no server runs by then, one is started with room. */
async function whileFull(stage: Stage, disk: Disk, action: (from: number) => Promise<boolean>): Promise<void> {
  disk.fill(0)
  const from = Date.now()
  const runs = await action(from)
  stage.ledger.fullDisks.push({ from, until: Date.now() })
  disk.empty()
  if (!runs) await stage.start()
}

/** Goes on until a send was refused, and for a while after. The engine's log may have had room for some seconds. */
async function bear({ ledger }: Stage, from: number, random: Random): Promise<boolean> {
  const isRefused = () => refusedWhileFull({ ...ledger, fullDisks: [{ from, until: Date.now() }] }) > 0
  for (const giveUpAt = from + LONGEST_BORNE; !isRefused() && Date.now() < giveUpAt;) await sleep(100)
  await sleep(random.below(3_000))
  return true
}

const LONGEST_BORNE = 30_000

/** Ends a server that may have tried for a while, and tries to start another. Returns whether one runs. */
async function restart(stage: Stage, disk: Disk, end: End, random: Random): Promise<boolean> {
  await sleep(random.below(7_000))
  await endAs(stage, end)
  // What has become free is taken, but for a few pages: without them no start succeeds, and with them one may.
  disk.fill(random.below(4) * PAGE)
  const refusal = await stage.start().then(
    () => undefined,
    (error: Error) => error.message,
  )
  stage.ledger.startsWhileFull.push(refusal)
  if (refusal !== undefined) return false
  await sleep(random.below(7_000))
  return true
}

const PAGE = 4_096
