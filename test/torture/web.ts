import type { Clock } from '../../lib/domain/time.ts'
import type { Poster } from '../../lib/push/post.ts'
import { course } from './course.ts'
import type { Life } from './life.ts'
import type { Arrival, History } from './history.ts'
import type { Weather } from './program.ts'

/** The web servers that are pushed to. */
export interface Web {
  set(name: string, weather: Weather): void
  /** All answer well from now on. */
  clear(): void
  /** Posts on behalf of one process. */
  poster(life: Life): Poster
}

/** How long an attempt is waited for (406/7420). */
const PATIENCE = 15_000

/** The URL of a web server, and its name again. */
export const urlOf = (name: string): string => `http://${name}.example.com/`
const nameOf = (url: string): string => new URL(url).hostname.replace('.example.com', '')

export function web(clock: Clock, history: History, isArmed: () => boolean): Web {
  const weathers = new Map<string, Weather>()

  return {
    set: (name, weather) => void weathers.set(name, weather),
    clear: () => weathers.clear(),

    poster: (life) => ({
      close: () => undefined,

      async post(endpoint, { headers, body }, signal) {
        await life.goOn()
        // What has been stopped sends nothing.
        if (signal?.aborted) return { isDelivered: false, outcome: 'stopped', milliseconds: 0 }
        const { random, faults } = course()
        const name = nameOf(endpoint)
        const { status, after } = replyOf(weathers.get(name) ?? 'fair', random)
        const text = body.startsWith('{"TopicOwner"') ? (JSON.parse(body) as { msgBody: string }).msgBody : body
        const arrival: Arrival = {
          web: name,
          messageId: headers['x-cmq-message-id'] ?? '',
          text,
          from: clock.now(),
          to: Infinity,
          outcome: 'never answered',
          faults,
          earlier: faults.length,
        }
        if (isArmed()) await life.pass('before a post')
        history.arrivals.push(arrival)
        await clock.sleep(Math.min(after, PATIENCE), signal)
        if (isArmed()) await life.pass('after a post')
        await life.goOn()
        arrival.to = clock.now()
        arrival.outcome = signal?.aborted ? 'stopped' : after >= PATIENCE ? 'timeout' : status
        const milliseconds = arrival.to - arrival.from
        // When a standstill is over, the end of its time and its answer are there at once, and either may be first.
        const outcome = milliseconds > PATIENCE && random.chance(0.5) ? 'timeout' : arrival.outcome
        return { isDelivered: outcome === '200', outcome, milliseconds }
      },
    }),
  }
}

function replyOf(weather: Weather, random: () => number): { readonly status: string; readonly after: number } {
  switch (weather) {
    case 'fair':
      return { status: '200', after: random() * 100 }
    case 'changing':
      return { status: random() < 0.5 ? '200' : '500', after: random() * 1_000 }
    case 'slow':
      return { status: '200', after: random() * 20_000 }
    case 'down':
      return { status: random() < 0.5 ? '503' : 'ECONNREFUSED', after: random() * 50 }
  }
}
