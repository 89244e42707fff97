import { Duration, RemovalPolicy, aws_logs as logs } from 'aws-cdk-lib'
import * as v from 'valibot'
import { type Table, tables } from '../lib/tables.ts'
import { functionKinds, type FunctionName, type FunctionSize } from './functions.ts'
import type { References } from './references.ts'
import type { CmqServiceProps } from './props.ts'
import { bounds, isBlock } from './settings.ts'

/** A value is text when it comes from `-c`, and may be a number or a flag when it comes from cdk.json. */
const text = v.pipe(v.union([v.string(), v.number(), v.boolean()], 'must be a single value'), v.transform(String))

const matching = (pattern: RegExp, what: string) => v.pipe(text, v.regex(pattern, `must be ${what}`))

const stage = v.pipe(text, v.regex(/^[A-Za-z0-9-]{1,64}$/, 'must be of letters, digits and hyphens'))

const removalPolicy = v.pipe(
  text,
  v.picklist(['retain', 'destroy'], 'must be retain or destroy'),
  v.transform((policy) => (policy === 'destroy' ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN)),
)

function wholeWithin(min: number, max: number) {
  const isWhole = (value: string) => /^\d+$/.test(value) && Number(value) >= min && Number(value) <= max
  return v.pipe(text, v.check(isWhole, `must be a whole number from ${min} to ${max}`), v.transform(Number))
}

const whole = (name: keyof typeof bounds) => wholeWithin(bounds[name][0], bounds[name][1])

const seconds = (name: keyof typeof bounds) => v.pipe(whole(name), v.transform(Duration.seconds))

const flag = v.pipe(
  text,
  v.picklist(['true', 'false'], 'must be true or false'),
  v.transform((value) => value === 'true'),
)

const listed = v.transform((list: string) => list.split(','))

const hosts = v.pipe(matching(/^[\w.:-]+(,[\w.:-]+)*$/, 'host names with commas between them'), listed)

const blocks = v.pipe(
  text,
  listed,
  v.check((list) => list.every(isBlock), 'must be IP addresses or CIDR blocks with commas between them'),
)

const tableNames = Object.keys(tables)

const restorable = v.pipe(
  text,
  v.transform((list) => (list === 'none' ? [] : list.split(','))),
  v.check(
    (list) => list.every((name) => tableNames.includes(name)),
    `must be none, or of ${tableNames.join(', ')} with commas between them`,
  ),
  v.transform((list) => list as Table[]),
)

const days = Object.values(logs.RetentionDays).filter((value): value is logs.RetentionDays => typeof value === 'number')

const retention = v.pipe(
  text,
  v.transform(Number),
  v.picklist(days, `must be a number of days that CloudWatch knows: ${days.join(', ')}`),
)

const tags = v.pipe(
  matching(/^[^=,]+=[^=,]*(,[^=,]+=[^=,]*)*$/, 'name=value with commas between them'),
  listed,
  v.transform((list) => new Map(list.map((tag) => tag.split('=') as [name: string, value: string]))),
  v.transform((tags): Record<string, string> => Object.fromEntries(tags)),
)

const arn = matching(/^arn:/, 'an ARN')
const ids = (prefix: string) =>
  v.pipe(
    matching(new RegExp(`^${prefix}-\\w+(,${prefix}-\\w+)*$`), `ids like ${prefix}-1a2b with commas between them`),
    listed,
  )

/** Context values that are a part of a property. */
const parts = {
  apiMemory: v.exactOptional(wholeWithin(128, 10_240)),
  apiConcurrency: v.exactOptional(wholeWithin(0, 100_000)),
  pushMemory: v.exactOptional(wholeWithin(128, 10_240)),
  pushConcurrency: v.exactOptional(wholeWithin(0, 100_000)),
  releaseDelayedMemory: v.exactOptional(wholeWithin(128, 10_240)),
  releaseDelayedConcurrency: v.exactOptional(wholeWithin(0, 100_000)),
  retryDeliveriesMemory: v.exactOptional(wholeWithin(128, 10_240)),
  retryDeliveriesConcurrency: v.exactOptional(wholeWithin(0, 100_000)),
  rateLimit: v.exactOptional(wholeWithin(1, 1_000_000)),
  burstLimit: v.exactOptional(wholeWithin(1, 1_000_000)),
}

/** Context values that name what is there already. */
const references = {
  encryptionKeyArn: v.exactOptional(arn),
  alarmTopicArn: v.exactOptional(arn),
  domainName: v.exactOptional(matching(/^[\w-]+(\.[\w-]+)+$/, 'a host name')),
  certificateArn: v.exactOptional(arn),
  hostedZoneId: v.exactOptional(matching(/^Z\w+$/, 'the id of a hosted zone of Route 53')),
  hostedZoneName: v.exactOptional(matching(/^[\w-]+(\.[\w-]+)*$/, 'the name of a hosted zone of Route 53')),
  vpcId: v.exactOptional(matching(/^vpc-\w+$/, 'the id of a VPC')),
  subnetIds: v.exactOptional(ids('subnet')),
  securityGroupIds: v.exactOptional(ids('sg')),
}

const context = v.strictObject(
  {
    stage: v.exactOptional(stage),
    removalPolicy: v.exactOptional(removalPolicy),
    pointInTimeRecovery: v.exactOptional(restorable),
    logRetention: v.exactOptional(retention),
    metrics: v.exactOptional(flag),
    alarms: v.exactOptional(flag),
    dashboard: v.exactOptional(flag),
    tags: v.exactOptional(tags),
    ...parts,
    ...references,
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

/** The context values that there are. */
export const contextNames: readonly string[] = Object.keys(context.entries)

/** Values that say something only beside others. */
const companions: readonly (readonly [name: string, needed: string])[] = [
  ['rateLimit', 'burstLimit'],
  ['burstLimit', 'rateLimit'],
  ['certificateArn', 'domainName'],
  ['hostedZoneId', 'domainName'],
  ['hostedZoneId', 'hostedZoneName'],
  ['hostedZoneName', 'hostedZoneId'],
  ['vpcId', 'subnetIds'],
  ['subnetIds', 'vpcId'],
  ['securityGroupIds', 'vpcId'],
]

/** What the context values say. */
export type Context =
  | { readonly problem: string; readonly props?: undefined }
  | {
      readonly problem?: undefined
      readonly stackName: string
      readonly props: CmqServiceProps
      /** What they name by ids, to be looked up where there is a stack. */
      readonly references: References
    }

/** What the context values say of the stack, or what is wrong with the first wrong one. CDK's own are left to it. */
export function readContext(values: Readonly<Record<string, unknown>>): Context {
  // The names of CDK's own values hold a slash, a colon or a hyphen.
  const ours = Object.entries(values).filter(([name]) => /^\w+$/.test(name))
  const read = v.safeParse(context, Object.fromEntries(ours))
  if (!read.success) return { problem: `the context value ${v.getDotPath(read.issues[0])} ${read.issues[0].message}` }
  const { output } = read
  const alone = companions.find(([name, needed]) => name in output && !(needed in output))
  if (alone) return { problem: `the context value ${alone[0]} needs ${alone[1]} beside it` }

  const { stage, rateLimit, burstLimit, ...others } = output
  const { sizes, rest } = sizesIn(others)
  const named = rest.filter(([name]) => name in references)
  const props = rest.filter(([name]) => !(name in references))
  const throttle = rateLimit !== undefined && burstLimit !== undefined ? { throttle: { rateLimit, burstLimit } } : {}
  return {
    stackName: stage === undefined ? 'cmq' : `cmq-${stage}`,
    props: { ...(Object.fromEntries(props) as CmqServiceProps), ...sizes, ...throttle },
    references: Object.fromEntries(named),
  }
}

/** What is said of the functions' sizes, `apiMemory` of that of `api`; and everything else. */
function sizesIn(values: Readonly<Record<string, unknown>>) {
  const names = Object.keys(functionKinds) as FunctionName[]
  const sizes = names.flatMap((name): [FunctionName, FunctionSize][] => {
    const memorySize = values[`${name}Memory`] as number | undefined
    const reservedConcurrency = values[`${name}Concurrency`] as number | undefined
    if (memorySize === undefined && reservedConcurrency === undefined) return []
    const memory = memorySize === undefined ? {} : { memorySize }
    return [[name, { ...memory, ...(reservedConcurrency === undefined ? {} : { reservedConcurrency }) }]]
  })
  const rest = Object.entries(values).filter(([name]) => !(name in parts))
  return { sizes: Object.fromEntries(sizes), rest }
}
