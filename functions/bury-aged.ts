import type { Queue } from '../lib/domain/queue.ts'
import type { AgingQueue } from '../lib/store/aging.ts'
import { logger } from './logger.ts'
import type { Services } from './services.ts'
import { nothing } from './nothing.ts'

/** Queues that are looked after at once. */
const AT_ONCE = 32

/** How long one beat looks after them, in milliseconds: the next one goes on. */
const LONGEST = 50_000

/**
 * Moves what has died of age to its dead-letter queue, of all queues with such a policy, though nobody receives from them.
 * Returns how many messages that were.
 */
export async function buryAged(services: Services, endBy: number, signal: AbortSignal): Promise<number> {
  const { aging, clock, random } = services
  const until = Math.min(endBy, clock.now() + LONGEST)
  const found = await aging.list()
  // In no fixed order, so that none is always the last.
  const left = found.map((mark) => ({ mark, place: random() })).toSorted((a, b) => a.place - b.place)
  let moved = 0
  const work = async () => {
    for (let next = left.pop(); next && clock.now() < until; next = left.pop()) {
      // Not in one statement, which would add to what there was before the others added theirs.
      const more = await buryOf(next.mark, until, signal, services)
      moved += more
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return moved
}

async function buryOf(mark: AgingQueue, until: number, signal: AbortSignal, services: Services): Promise<number> {
  const { aging, messages, queues } = services
  try {
    const recent = await queues.get(mark.account, mark.name).catch(nothing)
    if (recent && isAging(recent, mark)) return await messages.buryAged(recent, until, signal)
    // What is kept may be what there was before.
    const queue = await queues.read(mark.account, mark.name).catch(nothing)
    if (!queue || !isAging(queue, mark)) await aging.forget(mark)
  } catch (error) {
    // The others need not wait for it; it is looked after again by the next beat.
    logger.error('a queue could not be looked after', { error, queue: mark.name })
  }
  return 0
}

const isAging = ({ id, deadLetterPolicy }: Queue, { queueId }: AgingQueue): boolean =>
  id === queueId && deadLetterPolicy?.policy === 1
