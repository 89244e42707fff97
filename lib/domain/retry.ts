import type { Seconds } from './time.ts'

/** What follows a delivery that failed, in the words of Subscribe (406/4552). */
export const notifyStrategies = ['BACKOFF_RETRY', 'EXPONENTIAL_DECAY_RETRY'] as const
export type NotifyStrategy = (typeof notifyStrategies)[number]

/**
 * How long to wait before retry number `retry` (the first is 0), or undefined to give up. Counts and waits are CMQ's
 * (406/4552): 3 retries, each after 10 to 20 s at random; or 176, whose waits double from 1 s up to 512 s, nearly a day
 * in all.
 */
export function retryDelay(strategy: NotifyStrategy, retry: number, random: () => number): Seconds | undefined {
  switch (strategy) {
    case 'BACKOFF_RETRY':
      return retry < 3 ? (10_000 + Math.round(random() * 10_000)) / 1000 : undefined
    case 'EXPONENTIAL_DECAY_RETRY':
      return retry < 176 ? Math.min(2 ** retry, 512) : undefined
  }
}
