import type { Clock } from '../../lib/domain/time.ts'
import { START } from '../support/clock.ts'
import type { Client } from '../support/service.ts'

/**
 * Time that passes only while everybody waits. Each call to the engine takes as long as a call to DynamoDB does, whatever
 * this machine needs for it, so a hundred processes can be played in one and every run comes out much alike.
 */
export interface VirtualTime extends Clock {
  /** Does what a call to DynamoDB does, in the time that one takes. */
  takingACall<Result>(work: () => Promise<Result>): Promise<Result>
  /** Gives the calls of this client their latency. */
  slow(client: Client): void
  /** Lets time pass until the promise settles. */
  until<Result>(promise: Promise<Result>): Promise<Result>
}

interface Sleeper {
  readonly until: number
  wake(): void
}

/** A call to DynamoDB from within its region, in milliseconds: never less than the first, by as much as the second more. */
const FASTEST = 3
const MEAN_BEYOND = 3

export function virtualTime(random: () => number): VirtualTime {
  let now = START
  let underWay = 0
  const sleepers = new Set<Sleeper>()

  const sleep: Clock['sleep'] = (milliseconds, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted || milliseconds <= 0) return resolve()
      const sleeper = {
        until: now + Math.ceil(milliseconds),
        wake() {
          sleepers.delete(sleeper)
          signal?.removeEventListener('abort', sleeper.wake)
          resolve()
        },
      }
      signal?.addEventListener('abort', sleeper.wake)
      sleepers.add(sleeper)
    })

  /** Resolves once nothing goes on but sleeping: a few turns of the event loop are enough for what follows an answer. */
  async function quiet(): Promise<void> {
    for (let turns = 0; turns < 3; turns = underWay === 0 ? turns + 1 : 0)
      await new Promise((resolve) => setImmediate(resolve))
  }

  const latency = () => FASTEST - MEAN_BEYOND * Math.log(1 - random())

  const takingACall: VirtualTime['takingACall'] = async (work) => {
    // Half on the way there, half on the way back: what others do in between, this call has not seen.
    const half = latency() / 2
    await sleep(half)
    underWay++
    const result = await work().finally(() => underWay--)
    await sleep(half)
    return result
  }

  return {
    now: () => now,
    sleep,
    takingACall,

    slow(client) {
      client.middlewareStack.add((next) => (args) => takingACall(() => next(args)), {
        step: 'initialize',
        priority: 'low',
        name: 'slow',
      })
    },

    async until(promise) {
      let isSettled = false
      const settle = () => (isSettled = true)
      promise.then(settle, settle)
      for (;;) {
        await quiet()
        if (isSettled) return promise
        const next = Math.min(...[...sleepers].map(({ until }) => until))
        if (next === Infinity) throw new Error('everybody waits for something that does not come')
        now = Math.max(now, next)
        for (const sleeper of [...sleepers]) if (sleeper.until <= now) sleeper.wake()
      }
    },
  }
}

/** A generator of chance that begins alike in every run (mulberry32). */
export function chance(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
