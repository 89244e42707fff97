import type { Duration } from 'aws-cdk-lib'
import { settingVariables } from '../lib/names.ts'

/** How a deployment may differ from CMQ. What is not given is as the functions have it. */
export interface SettingProps {
  /**
   * The longest wait of a receive, at most the 27 s that API Gateway's time limit of 30 s leaves. Longer means fewer empty
   * answers and less polling; shorter frees functions earlier, where many consumers wait at once.
   * @default Duration.seconds(27)
   */
  readonly longestWait?: Duration

  /**
   * The longest delaySeconds; below the queue's retention in any case. CMQ has an hour; a message that waits longer
   * is stored all the while.
   * @default Duration.hours(1)
   */
  readonly longestDelay?: Duration

  /**
   * How far a request's Timestamp may be off, either way. Wider puts up with poor clocks of clients, and a request that
   * somebody has overheard can be repeated for as long.
   * @default Duration.hours(2)
   */
  readonly timeWindow?: Duration

  /**
   * How long the name of a deleted queue stays taken, up to a day. Longer tells a program that still uses a deleted queue
   * from the one that creates it anew; the default lets a queue be recreated at once.
   * @default Duration.seconds(0)
   */
  readonly recreateWait?: Duration

  /**
   * How many queues there may be, up to a million. Queues cost nothing, but a runaway program that creates them is
   * stopped earlier by a smaller number.
   * @default 1000
   */
  readonly maxQueues?: number

  /**
   * Refuse missing and existing queues by code 4000 with the older code in the text, as newer pages of CMQ have it. Which
   * one is right is what your clients compare.
   * @default false
   */
  readonly layeredErrors?: boolean

  /**
   * Accept SecretIds that do not begin with AKID, for a key pair of your own in the secret. CMQ refuses them by a code of
   * their own.
   * @default false
   */
  readonly anySecretId?: boolean

  /**
   * Names under which clients call the service through a proxy that changes the Host header: a signature covers the name.
   * Each is one more name that requests may be signed for.
   * @default - only the name that arrives as Host
   */
  readonly publicHosts?: readonly string[]
}

/** What the functions accept, durations in seconds. Told when a stack is made, and not when its first request fails. */
export const bounds = {
  longestWait: [0, 27],
  longestDelay: [0, 6_048_000],
  timeWindow: [1, 1_000_000_000],
  recreateWait: [0, 86_400],
  maxQueues: [1, 1_000_000],
} as const

/** The settings that were given, as environment variables of the functions. */
export function settingsOf(props: SettingProps): Record<string, string> {
  const { longestWait, longestDelay, timeWindow, recreateWait, maxQueues, layeredErrors, anySecretId, publicHosts } =
    props
  const values = {
    longestWait: whole('longestWait', longestWait?.toSeconds()),
    longestDelay: whole('longestDelay', longestDelay?.toSeconds()),
    timeWindow: whole('timeWindow', timeWindow?.toSeconds()),
    recreateWait: whole('recreateWait', recreateWait?.toSeconds()),
    maxQueues: whole('maxQueues', maxQueues),
    layeredErrors: flag(layeredErrors),
    anySecretId: flag(anySecretId),
    publicHosts: publicHosts?.join(','),
  } satisfies Record<keyof typeof settingVariables, string | undefined>

  const names = Object.keys(settingVariables) as (keyof typeof settingVariables)[]
  return Object.fromEntries(
    names.flatMap((name) => (values[name] === undefined ? [] : [[settingVariables[name], values[name]]])),
  )
}

const flag = (value: boolean | undefined) => (value === undefined ? undefined : value ? 'on' : 'off')

function whole(name: keyof typeof bounds, value: number | undefined): string | undefined {
  if (value === undefined) return undefined
  const [min, max] = bounds[name]
  if (!Number.isInteger(value) || value < min || value > max)
    throw new Error(`${name} must be a whole number from ${min} to ${max}, not ${value}`)
  return String(value)
}
