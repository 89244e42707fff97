import { setTimeout as sleep } from 'node:timers/promises'
import type { LocalServer } from '../../support/local-server.ts'
import type { Random } from '../../support/random.ts'
import type { Stage } from './stage.ts'

/** Does something to the processes, for a time of the seed's. When it is over the service must work again. */
export type Harm = (stage: Stage, random: Random) => Promise<void>
export type Harms = Readonly<Record<string, Harm>>

/** How a server is ended, by which exit code or signal it is to end then, and what its last line is to say. */
export interface End {
  readonly by: (server: LocalServer) => unknown
  readonly as: number | NodeJS.Signals
  readonly saying?: RegExp
}

export const serverKilled: End = { by: (server) => server.kill('SIGKILL'), as: 'SIGKILL' }
export const serverEnded: End = { by: (server) => server.kill('SIGTERM'), as: 0 }
export const engineKilled: End = {
  by: (server) => process.kill(server.engine, 'SIGKILL'),
  as: 1,
  saying: /^the database engine .* ended: signal SIGKILL$/,
}

export const processHarms: Harms = {
  'server killed': (stage) => restart(stage, serverKilled),
  'engine killed': (stage) => restart(stage, engineKilled),
  'server ended': (stage) => restart(stage, serverEnded),
  'server stopped': ({ server }, random) => stop(server.pid, random),
  'engine stopped': ({ server }, random) => stop(server.engine, random),

  async 'connections cut'({ proxy }, random) {
    for (let cuts = 1 + random.below(20); cuts > 0; cuts--) {
      proxy.cut()
      await sleep(random.below(150))
    }
  },
}

async function restart(stage: Stage, end: End): Promise<void> {
  await endAs(stage, end)
  await stage.start()
}

/** Ends the server, which has to take that as it should. */
export async function endAs({ end, server }: Stage, { by, as, saying }: End): Promise<void> {
  const { code, signal } = await end(by)
  const lastLine = server.errors().trimEnd().split('\n').at(-1) ?? ''
  if ((signal ?? code) !== as || (saying && !saying.test(lastLine)))
    throw new Error(`a server was to end by ${as}, and ended by ${signal ?? code}: ${lastLine}`)
}

async function stop(pid: number, random: Random): Promise<void> {
  process.kill(pid, 'SIGSTOP')
  await sleep(200 + random.below(4_000))
  process.kill(pid, 'SIGCONT')
}

/** What is to be done, all of it once before anything comes again. */
export function* turnsOf(harms: Harms, random: Random): Generator<[name: string, harm: Harm], never> {
  for (;;) {
    const left = Object.entries(harms)
    while (left.length > 0) yield* left.splice(random.below(left.length), 1)
  }
}
