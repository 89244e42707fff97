import type { Clock, Instant } from '../../lib/domain/time.ts'

/** A clock that stands still until a test moves it. Whoever sleeps wakes when it passes their time, the first due first. */
export interface ManualClock extends Clock {
  /** Moves on, waking sleepers in order, each at its own time, and letting them act before the next. */
  advance(milliseconds: number): Promise<void>
  set(instant: Instant): void
  readonly sleepers: number
}

interface Sleeper {
  readonly until: Instant
  wake(): void
}

export const START = Date.UTC(2026, 0, 5, 12)

export function manualClock(start: Instant = START): ManualClock {
  let now = start
  let sleepers: Sleeper[] = []

  return {
    now: () => now,
    get sleepers() {
      return sleepers.length
    },
    set(instant) {
      now = instant
    },
    sleep: (milliseconds, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted || milliseconds <= 0) return resolve()
        const sleeper = {
          // Clocks count whole milliseconds; a pause with jitter does not.
          until: now + Math.ceil(milliseconds),
          wake() {
            sleepers = sleepers.filter((other) => other !== sleeper)
            signal?.removeEventListener('abort', sleeper.wake)
            resolve()
          },
        }
        signal?.addEventListener('abort', sleeper.wake)
        sleepers.push(sleeper)
      }),
    async advance(milliseconds) {
      const end = now + milliseconds
      for (;;) {
        await settled()
        const [next] = sleepers.toSorted((a, b) => a.until - b.until)
        if (!next || next.until > end) break
        now = Math.max(now, next.until)
        next.wake()
      }
      now = end
      await settled()
    },
  }
}

/** Calls to the engine that are under way, so that time never passes while somebody waits for an answer. */
let underWay = 0
/** All that ever began: one may begin and end between two looks. */
let begun = 0

export async function during<Result>(call: Promise<Result>): Promise<Result> {
  underWay++
  begun++
  try {
    return await call
  } finally {
    underWay--
  }
}

/** Resolves once nobody waits for anything but time: for so many turns of the event loop no call was under way. */
export async function settled(turns = 3): Promise<void> {
  for (let quiet = 0; quiet < turns;) {
    const before = begun
    await new Promise((resolve) => setImmediate(resolve))
    quiet = underWay === 0 && begun === before ? quiet + 1 : 0
  }
}

/** Resolves once so many sleep: whatever they did before is done. */
export async function untilAsleep(clock: ManualClock, sleepers = 1): Promise<void> {
  while (clock.sleepers < sleepers) await new Promise((resolve) => setImmediate(resolve))
}

/** What a call that waits comes to. Time passes, in steps, only while somebody sleeps, so work itself takes none. */
export async function whilePassing<Result>(clock: ManualClock, call: Promise<Result>, step = 50): Promise<Result> {
  let isSettled = false
  const settle = () => (isSettled = true)
  call.then(settle, settle)
  while (!isSettled) {
    if (clock.sleepers > 0) await clock.advance(step)
    else await new Promise((resolve) => setImmediate(resolve))
  }
  return call
}
