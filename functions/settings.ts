import { LONGEST_DELAY } from '../lib/domain/queue.ts'
import type { Seconds } from '../lib/domain/time.ts'
import { keyVariables, settingVariables } from '../lib/names.ts'
import { targets } from '../lib/push/addresses.ts'

/** What a deployment may set. The README lists the same, with the reasons for the defaults. */
export interface Settings {
  /** Refuse missing and existing queues by code 4000 with the older code in the text, as newer CMQ pages do. Off. */
  readonly layeredErrors: boolean
  /** Accept SecretIds that do not begin with AKID. Off. */
  readonly anySecretId: boolean
  /** How long the name of a deleted queue stays taken. 0. */
  readonly recreateWait: Seconds
  /** How far a request's Timestamp may be off. 7200. */
  readonly timeWindow: Seconds
  /** The longest delaySeconds. 3600. A message must become visible before its retention ends, whatever this says. */
  readonly longestDelay: Seconds
  /** The longest wait of a receive. 27 behind API Gateway, which gives up at 30; 30 on localhost. */
  readonly longestWait: Seconds
  /** Queues of one account. 1000. */
  readonly maxQueues: number
  /** Topics of one account. 1000. */
  readonly maxTopics: number
  /** Subscriptions of one topic. 500. */
  readonly maxSubscriptions: number
  /** Messages a second, for each action of a queue or topic; 0 is no limit. 5000; 0 on localhost. */
  readonly maxRate: number
  /** Messages of one queue in flight at once; 0 is no limit. 0. */
  readonly maxInFlight: number
  /** Messages of one queue that wait for their delay at once; 0 is no limit. 0. */
  readonly maxDelayed: number
  /** Accept a message that no subscription gets, where CMQ refuses it by 6030. Off. */
  readonly publishToNobody: boolean
  /** Refuse a queue subscription that asks for JSON, as CMQ does; otherwise it is taken as SIMPLIFIED. Off. */
  readonly strictContentFormat: boolean
  /** Deliveries of one subscription that may be failing before nothing new begins. 16; 1 is CMQ's strict order. */
  readonly pushWindow: number
  /** First tries of one subscription at once, beside those that are failing. 100. */
  readonly pushFirstTries: number
  /** Addresses that may be pushed to although they are not public, as CIDR blocks. None; loopback on localhost. */
  readonly pushTargets: readonly string[]
  /** The longest pause between two attempts that a running function waits out; longer ones it is woken after. 120. */
  readonly longestPause: Seconds
  /** Names under which clients may know this service, beside the one that arrives as Host: a proxy may change that. */
  readonly publicHosts: readonly string[]
}

type Environment = Readonly<Record<string, string | undefined>>

/** Throws what is wrong with a setting, by its variable's name. */
export const readSettings = (environment: Environment, defaults: Partial<Settings> = {}): Settings => ({
  layeredErrors: flag(environment, settingVariables.layeredErrors),
  anySecretId: flag(environment, settingVariables.anySecretId),
  recreateWait: whole(environment, settingVariables.recreateWait, 0, 86_400, 0),
  timeWindow: whole(environment, settingVariables.timeWindow, 1, 1_000_000_000, 7_200),
  longestDelay: whole(environment, settingVariables.longestDelay, 0, LONGEST_DELAY, 3_600),
  longestWait: whole(environment, settingVariables.longestWait, 0, 30, defaults.longestWait ?? 27),
  maxQueues: whole(environment, settingVariables.maxQueues, 1, 1_000_000, 1_000),
  maxTopics: whole(environment, settingVariables.maxTopics, 1, 1_000_000, 1_000),
  maxSubscriptions: whole(environment, settingVariables.maxSubscriptions, 1, 10_000, 500),
  maxRate: whole(environment, settingVariables.maxRate, 0, 1_000_000, defaults.maxRate ?? 5_000),
  maxInFlight: whole(environment, settingVariables.maxInFlight, 0, 1_000_000_000, 0),
  maxDelayed: whole(environment, settingVariables.maxDelayed, 0, 1_000_000_000, 0),
  publishToNobody: flag(environment, settingVariables.publishToNobody),
  strictContentFormat: flag(environment, settingVariables.strictContentFormat),
  pushWindow: whole(environment, settingVariables.pushWindow, 1, 100, 16),
  pushFirstTries: whole(environment, settingVariables.pushFirstTries, 1, 500, 100),
  pushTargets: blocks(environment, settingVariables.pushTargets, defaults.pushTargets ?? []),
  longestPause: whole(environment, settingVariables.longestPause, 0, 600, 120),
  publicHosts: hosts(environment, settingVariables.publicHosts),
})

/** Variables that look like settings and are none: they may be mistyped. */
export function unknownSettings(environment: Environment): readonly string[] {
  const known = new Set<string>([...Object.values(settingVariables), ...Object.values(keyVariables)])
  return Object.keys(environment).filter((name) => name.startsWith('CMQ_') && !known.has(name))
}

function flag(environment: Environment, name: string): boolean {
  const value = environment[name] || 'off'
  if (value !== 'on' && value !== 'off') throw new Error(`${name} must be on or off, not ${value}`)
  return value === 'on'
}

function hosts(environment: Environment, name: string): readonly string[] {
  const given = (environment[name] ?? '').split(',').flatMap((host) => host.trim() || [])
  const wrong = given.find((host) => !/^[\w.-]+(:\d+)?$/.test(host))
  if (wrong !== undefined) throw new Error(`${name} takes host names without a scheme or a path, not ${wrong}`)
  return given
}

function blocks(environment: Environment, name: string, otherwise: readonly string[]): readonly string[] {
  const given = (environment[name] ?? '').split(',').flatMap((block) => block.trim() || [])
  try {
    targets(given)
  } catch (error) {
    throw new Error(`${name}: ${(error as Error).message}`)
  }
  return [...otherwise, ...given]
}

function whole(environment: Environment, name: string, min: number, max: number, otherwise: number): number {
  const text = environment[name] || String(otherwise)
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < min || value > max)
    throw new Error(`${name} must be a whole number from ${min} to ${max}, not ${text}`)
  return value
}
