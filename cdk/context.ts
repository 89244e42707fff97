import { Duration, RemovalPolicy } from 'aws-cdk-lib'
import * as v from 'valibot'
import { bounds, isBlock } from './settings.ts'

/** A value is text when it comes from `-c`, and may be a number or a flag when it comes from cdk.json. */
const text = v.pipe(v.union([v.string(), v.number(), v.boolean()], 'must be a single value'), v.transform(String))

const stage = v.pipe(text, v.regex(/^[A-Za-z0-9-]{1,64}$/, 'must be of letters, digits and hyphens'))

const removalPolicy = v.pipe(
  text,
  v.picklist(['retain', 'destroy'], 'must be retain or destroy'),
  v.transform((policy) => (policy === 'destroy' ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN)),
)

function whole(name: keyof typeof bounds) {
  const [min, max] = bounds[name]
  const isWhole = (value: string) => /^\d+$/.test(value) && Number(value) >= min && Number(value) <= max
  return v.pipe(text, v.check(isWhole, `must be a whole number from ${min} to ${max}`), v.transform(Number))
}

const seconds = (name: keyof typeof bounds) => v.pipe(whole(name), v.transform(Duration.seconds))

const flag = v.pipe(
  text,
  v.picklist(['true', 'false'], 'must be true or false'),
  v.transform((value) => value === 'true'),
)

const hosts = v.pipe(
  text,
  v.regex(/^[\w.:-]+(,[\w.:-]+)*$/, 'must be host names with commas between them'),
  v.transform((list) => list.split(',')),
)

const blocks = v.pipe(
  text,
  v.transform((list) => list.split(',')),
  v.check((list) => list.every(isBlock), 'must be IP addresses or CIDR blocks with commas between them'),
)

const context = v.strictObject(
  {
    stage: v.exactOptional(stage),
    removalPolicy: v.exactOptional(removalPolicy),
    longestWait: v.exactOptional(seconds('longestWait')),
    longestDelay: v.exactOptional(seconds('longestDelay')),
    timeWindow: v.exactOptional(seconds('timeWindow')),
    recreateWait: v.exactOptional(seconds('recreateWait')),
    maxQueues: v.exactOptional(whole('maxQueues')),
    maxTopics: v.exactOptional(whole('maxTopics')),
    maxSubscriptions: v.exactOptional(whole('maxSubscriptions')),
    maxRate: v.exactOptional(whole('maxRate')),
    maxInFlight: v.exactOptional(whole('maxInFlight')),
    maxDelayed: v.exactOptional(whole('maxDelayed')),
    publishToNobody: v.exactOptional(flag),
    strictContentFormat: v.exactOptional(flag),
    pushWindow: v.exactOptional(whole('pushWindow')),
    pushFirstTries: v.exactOptional(whole('pushFirstTries')),
    pushTargets: v.exactOptional(blocks),
    longestPause: v.exactOptional(seconds('longestPause')),
    layeredErrors: v.exactOptional(flag),
    anySecretId: v.exactOptional(flag),
    publicHosts: v.exactOptional(hosts),
  },
  'does not exist',
)

/** What the context values say of the stack, or what is wrong with the first wrong one. CDK's own are left to it. */
export function readContext(values: Readonly<Record<string, unknown>>) {
  // The names of CDK's own values hold a slash, a colon or a hyphen.
  const ours = Object.entries(values).filter(([name]) => /^\w+$/.test(name))
  const read = v.safeParse(context, Object.fromEntries(ours))
  if (!read.success) return { problem: `the context value ${v.getDotPath(read.issues[0])} ${read.issues[0].message}` }
  const { stage, ...props } = read.output
  return { stackName: stage === undefined ? 'cmq' : `cmq-${stage}`, props }
}
