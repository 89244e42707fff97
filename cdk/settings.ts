import type { Duration } from 'aws-cdk-lib'
import { isIP } from 'node:net'
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
   * How long the name of a deleted queue or topic stays taken, up to a day. Longer tells a program that still uses a
   * deleted one from the one that creates it anew; the default lets it be recreated at once.
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
   * How many topics there may be, up to a million; as with queues.
   * @default 1000
   */
  readonly maxTopics?: number

  /**
   * How many subscriptions a topic may have, up to 10,000. A publish answers when every subscription that wants the message
   * has a copy, so more make it slower, and each copy is paid for.
   * @default 500
   */
  readonly maxSubscriptions?: number

  /**
   * How many messages a second each action of a queue or topic may carry, up to a million, a batch counted by its messages;
   * receiving and deleting a tenth more. 0 is no limit. Busy functions tell each other what they
   * do, which costs up to a twentieth of a write unit in a message's life; without a limit they tell only what is sent.
   * @default 5000
   */
  readonly maxRate?: number

  /**
   * How many messages of one queue may be in flight at once, up to a billion; beyond it receives are refused (6070). 0 is no
   * limit. A consumer that never deletes is stopped by a small one.
   * @default 0
   */
  readonly maxInFlight?: number

  /**
   * How many messages of one queue may wait for their delay at once, up to a billion; beyond it delayed sends are refused
   * (6070). 0 is no limit: a message that waits costs nothing but its storage. CMQ had 20,000.
   * @default 0
   */
  readonly maxDelayed?: number

  /**
   * Accept a message that no subscription gets, and forget it. CMQ refuses it, which tells publishers that nobody listens;
   * accepted, a topic can be published to before anybody subscribes.
   * @default false
   */
  readonly publishToNobody?: boolean

  /**
   * Refuse a subscription of a queue that asks for JSON, as CMQ does. Otherwise it is taken as SIMPLIFIED, since SDKs ask
   * for JSON by themselves.
   * @default false
   */
  readonly strictContentFormat?: boolean

  /**
   * How many messages of one subscription may be failing before nothing new is pushed to it, up to 100. 1 is CMQ's strict
   * order: a message that fails holds up all later ones until it is delivered or given up. More lets later ones overtake.
   * @default 16
   */
  readonly pushWindow?: number

  /**
   * How many messages are pushed to one subscriber at once for the first time, up to 500, as long as it keeps up. More
   * empties a long line sooner; fewer spares a subscriber that would rather be slow than fail.
   * @default 100
   */
  readonly pushFirstTries?: number

  /**
   * IP addresses and CIDR blocks that may be pushed to although they are not public. Whoever may subscribe can have
   * requests sent to whatever answers there.
   * @default - none
   */
  readonly pushTargets?: readonly string[]

  /**
   * The longest pause between two attempts that a running function waits out, up to ten minutes; after a longer one a
   * schedule wakes it, one or two minutes ahead. Longer pays for functions that wait, shorter for more schedules.
   * @default Duration.minutes(2)
   */
  readonly longestPause?: Duration

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
  maxTopics: [1, 1_000_000],
  maxSubscriptions: [1, 10_000],
  maxRate: [0, 1_000_000],
  maxInFlight: [0, 1_000_000_000],
  maxDelayed: [0, 1_000_000_000],
  pushWindow: [1, 100],
  pushFirstTries: [1, 500],
  longestPause: [0, 600],
} as const

/** The settings that were given, as environment variables of the functions. */
export function settingsOf(props: SettingProps): Record<string, string> {
  const values = {
    longestWait: whole('longestWait', props.longestWait?.toSeconds()),
    longestDelay: whole('longestDelay', props.longestDelay?.toSeconds()),
    timeWindow: whole('timeWindow', props.timeWindow?.toSeconds()),
    recreateWait: whole('recreateWait', props.recreateWait?.toSeconds()),
    maxQueues: whole('maxQueues', props.maxQueues),
    maxTopics: whole('maxTopics', props.maxTopics),
    maxSubscriptions: whole('maxSubscriptions', props.maxSubscriptions),
    maxRate: whole('maxRate', props.maxRate),
    maxInFlight: whole('maxInFlight', props.maxInFlight),
    maxDelayed: whole('maxDelayed', props.maxDelayed),
    layeredErrors: flag(props.layeredErrors),
    anySecretId: flag(props.anySecretId),
    publishToNobody: flag(props.publishToNobody),
    strictContentFormat: flag(props.strictContentFormat),
    pushWindow: whole('pushWindow', props.pushWindow),
    pushFirstTries: whole('pushFirstTries', props.pushFirstTries),
    pushTargets: blocks(props.pushTargets),
    longestPause: whole('longestPause', props.longestPause?.toSeconds()),
    publicHosts: props.publicHosts?.join(','),
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

function blocks(values: readonly string[] | undefined): string | undefined {
  const wrong = values?.find((value) => !isBlock(value))
  if (wrong !== undefined) throw new Error(`pushTargets must be IP addresses or CIDR blocks, not ${wrong}`)
  return values?.join(',')
}

/** Whether the text is an IP address or a CIDR block as the functions take it: an IPv4 address is never written as IPv6. */
export function isBlock(text: string): boolean {
  const [, address = '', bits] = /^([\da-f.:]+)(?:\/(\d{1,3}))?$/i.exec(text) ?? []
  const version = isIP(address)
  const isMapped = /^[0:]*:ffff:([\d.]+|[^.:]+:[^.:]+)$/i.test(address)
  return version !== 0 && !isMapped && Number(bits ?? 0) <= (version === 4 ? 32 : 128)
}
