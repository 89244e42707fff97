import { START } from '../support/clock.ts'
import type { Client } from '../support/service.ts'
import { withoutChance } from './course.ts'
import type { CrashPoints } from './crash-points.ts'
import type { History } from './history.ts'
import { messagesIn, perform, type Stage } from './perform.ts'
import { plainly, profileOf, type Profile } from './profile.ts'
import type { Program } from './program.ts'
import { newWorld } from './world.ts'

/** A program run to its end, with all that was seen of it. */
export interface Run {
  readonly history: History
  readonly points: CrashPoints
}

export interface RunOptions {
  /** @default that of the seed */
  readonly profile?: Profile
  /** A DynamoDB that runs already, which knows neither TTL nor eventual reads. @default an engine in memory */
  readonly endpoint?: string
  readonly sabotage?: (client: Client) => void
}

/** Whatever still goes on after so much virtual time never ends. */
const LIMIT = 2 * 86_400_000

/** Runs a program in the world of its seed, heals the world, and has everything found that is there. */
export async function runProgram(
  program: Program,
  { profile = profileOf(program.seed), endpoint, ...rest }: RunOptions = {},
): Promise<Run> {
  return withoutChance(async () => {
    const history: History = {
      program,
      profile: endpoint === undefined ? profile : plainly(profile),
      calls: [],
      arrivals: [],
      runs: [],
      deaths: [],
      healedAt: 0,
      settledAt: 0,
      endedAt: 0,
      troubles: [],
    }
    const world = await newWorld({
      seed: program.seed,
      profile: history.profile,
      history,
      ...(endpoint === undefined ? {} : { endpoint }),
      ...rest,
    })
    const stage: Stage = { world, history, handles: new Map() }
    const done = play(stage).catch((error: unknown) => history.troubles.push(String((error as Error).stack)))
    if (!(await world.clock.drive(done, START + LIMIT))) history.troubles.push('something never ended')
    history.endedAt = world.clock.now()
    await world.end()
    return { history, points: world.points }
  })
}

async function play(stage: Stage): Promise<void> {
  const { world, history } = stage
  const { program } = history
  for (const op of program.setUp) await perform(stage, op)
  world.arm(true)
  const begunAt = world.clock.now()
  const under: Promise<unknown>[] = []
  for (const op of program.ops) {
    await world.clock.sleep(begunAt + op.at - world.clock.now())
    under.push(perform(stage, op))
  }
  await Promise.all(under)
  world.arm(false)
  world.web.clear()
  history.healedAt = world.clock.now()
  await findAll(stage)
}

/** How long, and how often, somebody looks once nothing goes wrong any more: whatever is ready is found in half that time. */
const WATCHED = 120_000
const WATCH_EVERY = 3_000

/** Leases and delays are over by then, calls that were lost have been made or not, and pushes are retried. */
const SETTLING = 700_000

/** How long, how often and by whom what is there is looked for: anything is found within a minute (406/5839). */
const LOOKED_FOR = 80_000
const LOOK_EVERY = 8_000

async function findAll(stage: Stage): Promise<void> {
  const { world, history } = stage
  const draw = drawer(stage)
  await watch(stage, draw)
  await world.clock.sleep(history.healedAt + SETTLING - world.clock.now())
  while (!(await world.isIdle()) && world.clock.now() < history.healedAt + LIMIT / 2) await world.clock.sleep(10_000)
  const queues = queuesOf(history)
  const { processes } = history.profile
  for (const end = world.clock.now() + LOOKED_FOR; world.clock.now() < end; await world.clock.sleep(LOOK_EVERY))
    for (let process = 0; process < processes; process++) for (const queue of queues) await draw(queue, process)
  history.settledAt = world.clock.now()

  const fresh = world.addProcess()
  for (const queue of queues)
    for (let empty = 0; empty < 3; await world.clock.sleep(1_100)) empty = (await draw(queue, fresh)) ? 0 : empty + 1
  for (const [index, queue] of queues.entries())
    await perform(stage, { id: 2 * CLOSING + index, at: 0, process: fresh, kind: 'count', queue })
}

/**
 * One process after the other may have missed what landed late; each queue is left to one of them, which has to find it.
 * When it has been alone for a while it gets something in order.
 */
async function watch(stage: Stage, draw: Draw): Promise<void> {
  const { world, history } = stage
  const { processes } = history.profile
  const end = world.clock.now() + WATCHED
  for (let round = 0; world.clock.now() < end; round++, await world.clock.sleep(WATCH_EVERY))
    for (const [index, queue] of queuesOf(history).entries()) {
      if (round === ORDERED_IN) await lineUp(stage, queue, index)
      await draw(queue, index % processes, round === ORDERED_IN ? 2 : 16)
    }
}

/** The round before which somebody sends some messages, one after the other. */
const ORDERED_IN = 20
const LINE = 5

async function lineUp(stage: Stage, queue: string, index: number): Promise<void> {
  for (let id = 3 * CLOSING + index * LINE, left = LINE; left > 0; id++, left--)
    await perform(stage, { id, at: 0, process: index + 1, kind: 'send', queue, sizes: [8], delay: 0 })
}

/** Operations that nobody drew are numbered from here. */
export const CLOSING = 1_000_000

function queuesOf({ program: { setUp } }: History): readonly string[] {
  return setUp.flatMap((op) => (op.kind === 'create' ? [op.queue] : []))
}

/** Takes all that a process finds in a queue, and deletes it; false when there was nothing. */
type Draw = (queue: string, process: number, count?: number) => Promise<boolean>

function drawer(stage: Stage): Draw {
  let count = 0
  const numbered = () => ({ id: CLOSING + ++count, at: 0 })

  return async (queue, process, most = 16) => {
    for (let found = false; ; found = true) {
      const call = await perform(stage, { ...numbered(), process, kind: 'receive', queue, count: most, wait: 0 })
      const { length } = messagesIn(call?.answer)
      if (length === 0) return found
      const back = Array.from({ length }, (_, index) => index)
      await perform(stage, { ...numbered(), process, kind: 'delete', queue, back })
    }
  }
}
