import { randomOf } from '../support/random.ts'

/** What may befall a call to DynamoDB. */
export const faultKinds = [
  /** It is refused for now. */
  'throttled',
  /** No answer comes: it was never made, or was, or will be a few seconds later. */
  'lost before',
  'lost after',
  'lost and late',
  /** The answer is a failure of the server, who has done it or not. */
  'failed',
  /** It is answered late, but in time. */
  'slow',
  /** Of a batch only a part is done. */
  'partial',
  /** The process dies: before the call is made, or before its answer comes. */
  'crash',
  /** The process stands still while its clock goes on, as one that nobody gives a core. */
  'standstill',
] as const
export type FaultKind = (typeof faultKinds)[number]

/** What the world of one seed is like. */
export interface Profile {
  /**
   * How many of a thousand calls it befalls. Of a crash: of the first calls at a deadly place; of a standstill: while how
   * many it begins.
   */
  readonly rates: Readonly<Partial<Record<FaultKind, number>>>
  /** Places at which a process dies for certain, by their short names. */
  readonly aims?: readonly string[]
  readonly processes: number
  /** One process owns the data, as on localhost. */
  readonly isAlone: boolean
  /** How far the clocks of processes are off, at most, in milliseconds. */
  readonly skew: number
  /** How old what an eventual read shows may be, in milliseconds. */
  readonly staleness: number
  readonly ttl: 'at once' | 'never'
  /** How often starts and schedules are lost, doubled or late, of a thousand. */
  readonly luck: number
  /** How often a client does not get its answer, of a thousand. */
  readonly leaving: number
  /** How long one way to DynamoDB takes at most, in milliseconds. */
  readonly latency: number
}

/** A world in which nothing goes wrong. */
export const CALM: Profile = {
  rates: {},
  processes: 2,
  isAlone: false,
  skew: 0,
  staleness: 0,
  ttl: 'never',
  luck: 0,
  leaving: 0,
  latency: 8,
}

/** What the seed's world is like: a quarter of them are calm, and few have every fault. */
export function profileOf(seed: number): Profile {
  const random = randomOf(seed, 'profile')
  const common = {
    processes: 1 + random.below(4),
    staleness: random.chance(0.7) ? 900 : 0,
    ttl: random.pick(['at once', 'never'] as const),
    latency: random.pick([1, 8, 40]),
  }
  const isAlone = random.chance(0.15)
  const place = isAlone ? { ...CALM, ...common, isAlone, processes: 1 } : { ...CALM, ...common }
  if (random.chance(0.25)) return place
  const severity = random.pick([3, 15, 60])
  const rates: Profile['rates'] = Object.fromEntries(
    faultKinds.filter(() => random.chance(0.5)).map((kind) => [kind, rateOf(kind, severity)]),
  )
  return {
    ...place,
    // What a server that was killed has sent does not arrive at an engine that ended with it.
    rates: isAlone ? { ...rates, 'lost and late': 0 } : rates,
    skew: !isAlone && random.chance(0.4) ? random.pick([50, 1_000, 5_000]) : 0,
    luck: random.chance(0.5) ? random.pick([30, 300]) : 0,
    leaving: random.chance(0.5) ? random.pick([5, 50]) : 0,
  }
}

function rateOf(kind: FaultKind, severity: number): number {
  if (kind === 'crash') return 500
  // It befalls all that its process is doing.
  return kind === 'standstill' ? severity / 10 : severity
}

/** Whether no call to DynamoDB goes wrong in it, and no process dies or stands still. */
export const isCalm = ({ rates }: Profile): boolean => Object.values(rates).every((rate) => rate === 0)

/** The same world, in which processes die at these places too. */
export const aimed = (profile: Profile, aims: readonly string[]): Profile =>
  aims.length > 0 ? { ...profile, aims } : profile

/** As it can be over an engine that knows neither TTL nor eventual reads. */
export const plainly = (profile: Profile): Profile => ({ ...profile, staleness: 0, ttl: 'never' })
