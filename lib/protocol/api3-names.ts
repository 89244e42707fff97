import type { CmqError, Failure } from '../domain/errors.ts'
import { inSeconds } from '../domain/time.ts'
import type { Fields } from './envelope.ts'

/**
 * What API 3.0 calls what API 2.0 has: actions and their parameters, the fields of answers, refusals. Names that differ in
 * no more than the case of their first letter are not listed. Product cmq has version 2019-03-04, tdmq has 2020-02-17.
 */

/** An action of API 3.0. */
export interface Api3Action {
  /** The action of API 2.0 that it comes to: that is logged, and has to be allowed. */
  readonly runs: string
  /** The handler that runs it, where that of API 2.0 would not do. */
  readonly by?: string
  /** What the action calls a parameter, and how it reads it. One without a name says nothing here. */
  readonly parameters?: ReadonlyMap<string, Api3Parameter>
  /** Parameters that have to be there although the action could do without. */
  readonly required?: readonly string[]
  /** The fields of the answer, of those that the action answers. */
  readonly answer?: (fields: Fields) => Fields
}

/** What an action calls a parameter, and how it reads it. */
interface Api3Parameter {
  readonly as?: string
  readonly read?: (value: string) => string
}

/** The action of that version and name; undefined when there is none. */
export const actionOf = (version: string, name: string): Api3Action | undefined => actions.get(version)?.get(name)

/** Whether there is such a version. */
export const isVersion = (version: string): boolean => actions.has(version)

/** The structure of those fields. What the action does not answer is null: `Transaction`, `DeadLetterPolicy`, … */
function structure(names: string, others: Readonly<Record<string, Source>> = {}): Structure {
  const sources = names.split(/\s+/).map((name) => [name, others[name] ?? fieldOf(name)] as const)
  return (fields) => Object.fromEntries(sources.map(([name, source]) => [name, source(fields) ?? null]))
}

/** Makes a structure of an action's fields. */
type Structure = (fields: Fields) => Fields

/** Where something in a structure comes from. */
type Source = (fields: Fields) => unknown

const fieldOf = (name: string): Source => {
  const field = name.charAt(0).toLowerCase() + name.slice(1)
  return (fields) => fields[field]
}

/** The structure in a field, or null where the action answers none. */
const one =
  (field: string, of: Structure): Source =>
  (fields) => {
    const value = fields[field] as Fields | undefined
    return value && of(value)
  }

/** The structures in a field. */
const many =
  (field: string, of: Structure): Source =>
  (fields) =>
    (fields[field] as readonly Fields[]).map(of)

const tag = structure('TagKey TagValue')
const deadLetterSource = structure('QueueId QueueName')
const transactionPolicy = structure('FirstQueryInterval MaxQueryCount')

const ofQueue = {
  Tags: many('tags', tag),
  DeadLetterSource: many('deadLetterSource', deadLetterSource),
  TransactionPolicy: one('transactionPolicy', transactionPolicy),
}

const queueFields = `QueueId QueueName Qps Bps MaxDelaySeconds MaxMsgHeapNum PollingWaitSeconds MsgRetentionSeconds
  VisibilityTimeout MaxMsgSize RewindSeconds CreateTime LastModifyTime ActiveMsgNum InactiveMsgNum DelayMsgNum RewindMsgNum
  MinMsgTime Transaction DeadLetterSource DeadLetterPolicy TransactionPolicy CreateUin Tags Trace`

/** In product tdmq times are milliseconds. */
const inMilliseconds = {
  CreateTime: (fields: Fields) => fields['createdAt'],
  LastModifyTime: (fields: Fields) => fields['modifiedAt'],
}

/** The policy of a queue that has one: API 2.0 tells it among the queue's own fields. */
const policy =
  (of: Structure): Source =>
  (fields) =>
    fields['deadLetterQueueName'] === undefined ? null : of(fields)

const dead = { DeadLetterQueue: fieldOf('DeadLetterQueueName') }

const queueSet = structure(`${queueFields} Migrate`, {
  ...ofQueue,
  DeadLetterPolicy: policy(structure('DeadLetterQueue DeadLetterQueueName MaxTimeToLive Policy MaxReceiveCount', dead)),
})

const cmqQueue = structure(
  `${queueFields} TenantId NamespaceName Status MaxUnackedMsgNum MaxMsgBacklogSize RetentionSizeInMB`,
  {
    ...ofQueue,
    ...inMilliseconds,
    DeadLetterPolicy: policy(structure('DeadLetterQueue Policy MaxTimeToLive MaxReceiveCount', dead)),
  },
)

const topicFields = `TopicId TopicName MsgRetentionSeconds MaxMsgSize Qps FilterType CreateTime LastModifyTime MsgCount
  CreateUin Tags Trace`

const topicSet = structure(`${topicFields} Migrate`, { Tags: many('tags', tag) })

const cmqTopic = structure(`${topicFields} TenantId NamespaceName Status BrokerType SubscriptionCount`, {
  Tags: many('tags', tag),
  ...inMilliseconds,
})

const subscriptionFields = `SubscriptionName SubscriptionId TopicOwner MsgCount LastModifyTime CreateTime BindingKey Endpoint
  FilterTags Protocol NotifyStrategy NotifyContentFormat`

const subscription = structure(subscriptionFields)
const cmqSubscription = structure(`${subscriptionFields} TopicName`, inMilliseconds)

const queueId = structure('QueueId')
const topicId = structure('TopicId')
const subscriptionId = structure('SubscriptionId')

/** A page of a list, and how many there are in all. */
const page = (name: string, of: Structure): Structure => structure(`TotalCount ${name}`, { [name]: many('found', of) })

/** The only one of a list. */
const single = (name: string, of: Structure): Structure =>
  structure(name, { [name]: ({ found }) => of((found as readonly Fields[])[0] ?? {}) })

const sent = structure('Result MsgId', { Result: () => true })

const renamed = (names: Readonly<Record<string, string>>): ReadonlyMap<string, Api3Parameter> =>
  new Map(Object.entries(names).map(([name, as]) => [name, { as }] as const))

/** Seconds, of milliseconds where it is so many that they must be that: an example has them. */
const seconds = (value: string): string => (/^\d{12,15}$/.test(value) ? String(inSeconds(Number(value))) : value)

const describingQueues = { runs: 'GetQueueAttributes', by: 'DescribeQueueDetail' }
const describingTopics = { runs: 'GetTopicAttributes', by: 'DescribeTopicDetail' }
const describingSubscriptions = { runs: 'GetSubscriptionAttributes', by: 'DescribeSubscriptionDetail' }

const cmq: Readonly<Record<string, Api3Action>> = {
  ClearQueue: { runs: 'ClearQueue' },
  ClearSubscriptionFilterTags: { runs: 'ClearSubscriptionFilterTags' },
  CreateQueue: { runs: 'CreateQueue', answer: queueId },
  CreateSubscribe: { runs: 'Subscribe', answer: subscriptionId },
  CreateTopic: { runs: 'CreateTopic', answer: topicId },
  DeleteQueue: { runs: 'DeleteQueue' },
  DeleteSubscribe: { runs: 'Unsubscribe' },
  DeleteTopic: { runs: 'DeleteTopic' },
  DescribeDeadLetterSourceQueues: {
    runs: 'GetQueueAttributes',
    by: 'DescribeDeadLetterSourceQueues',
    answer: page('QueueSet', deadLetterSource),
  },
  DescribeQueueDetail: { ...describingQueues, answer: page('QueueSet', queueSet) },
  DescribeSubscriptionDetail: { ...describingSubscriptions, answer: page('SubscriptionSet', subscription) },
  DescribeTopicDetail: { ...describingTopics, answer: page('TopicSet', topicSet) },
  ModifyQueueAttribute: { runs: 'SetQueueAttributes' },
  ModifySubscriptionAttribute: { runs: 'SetSubscriptionAttributes', parameters: renamed({ FilterTags: 'filterTag' }) },
  // A documented example sets Qps, which is a setting of the deployment here.
  ModifyTopicAttribute: { runs: 'SetTopicAttributes', parameters: renamed({ Qps: '' }) },
  RewindQueue: { runs: 'RewindQueue' },
  UnbindDeadLetter: { runs: 'UnbindDeadLetter' },
}

const tdmq: Readonly<Record<string, Api3Action>> = {
  ClearCmqQueue: { runs: 'ClearQueue' },
  ClearCmqSubscriptionFilterTags: { runs: 'ClearSubscriptionFilterTags' },
  CreateCmqQueue: { runs: 'CreateQueue', answer: queueId },
  CreateCmqSubscribe: { runs: 'Subscribe', answer: subscriptionId },
  CreateCmqTopic: { runs: 'CreateTopic', answer: topicId },
  DeleteCmqQueue: { runs: 'DeleteQueue' },
  DeleteCmqSubscribe: { runs: 'Unsubscribe' },
  DeleteCmqTopic: { runs: 'DeleteTopic' },
  DescribeCmqQueueDetail: {
    ...describingQueues,
    required: ['queueName'],
    answer: single('QueueDescribe', cmqQueue),
  },
  DescribeCmqQueues: {
    ...describingQueues,
    parameters: renamed({ QueueName: 'searchWord', QueueNameList: 'names', IsTagFilter: '' }),
    answer: page('QueueList', cmqQueue),
  },
  DescribeCmqSubscriptionDetail: {
    ...describingSubscriptions,
    parameters: renamed({ SubscriptionName: 'searchWord' }),
    answer: page('SubscriptionSet', cmqSubscription),
  },
  DescribeCmqTopicDetail: {
    ...describingTopics,
    required: ['topicName'],
    answer: single('TopicDescribe', cmqTopic),
  },
  DescribeCmqTopics: {
    ...describingTopics,
    parameters: renamed({ TopicName: 'searchWord', TopicNameList: 'names', IsTagFilter: '' }),
    answer: page('TopicList', cmqTopic),
  },
  ModifyCmqQueueAttribute: { runs: 'SetQueueAttributes' },
  ModifyCmqSubscriptionAttribute: {
    runs: 'SetSubscriptionAttributes',
    parameters: renamed({ FilterTags: 'filterTag' }),
  },
  ModifyCmqTopicAttribute: { runs: 'SetTopicAttributes' },
  PublishCmqMsg: {
    runs: 'PublishMessage',
    by: 'PublishCmqMsg',
    parameters: renamed({ MsgContent: 'msgBody' }),
    answer: sent,
  },
  RewindCmqQueue: { runs: 'RewindQueue', parameters: new Map([['StartConsumeTime', { read: seconds }]]) },
  SendCmqMsg: {
    runs: 'SendMessage',
    parameters: renamed({ MsgContent: 'msgBody' }),
    required: ['delaySeconds'],
    answer: sent,
  },
  UnbindCmqDeadLetter: { runs: 'UnbindDeadLetter', parameters: renamed({ SourceQueueName: 'queueName' }) },
}

const actions: ReadonlyMap<string, ReadonlyMap<string, Api3Action>> = new Map([
  ['2019-03-04', new Map(Object.entries(cmq))],
  ['2020-02-17', new Map(Object.entries(tdmq))],
])

/** What a refusal is called. */
export const errorName = ({ failure, code }: Pick<CmqError, 'failure' | 'code'>): string =>
  errorNames[failure] ?? errorNames[code] ?? 'FailedOperation'

/** By the failure, or else by its code in API 2.0. */
const errorNames: Readonly<Partial<Record<Failure | number, string>>> = {
  4000: 'InvalidParameterValue',
  requestUnreadable: 'InvalidParameter',
  requestTooLarge: 'RequestSizeLimitExceeded',
  methodUnsupported: 'UnsupportedProtocol',
  actionUnknown: 'InvalidAction',
  versionUnknown: 'NoSuchVersion',
  parameterUnknown: 'UnknownParameter',
  parameterMissing: 'MissingParameter',
  bindingKeyMissing: 'MissingParameter',
  routingKeyMissing: 'MissingParameter',
  parameterTypeWrong: 'InvalidParameter',
  parameterKeyWrong: 'InvalidParameter',
  parameterRepeated: 'InvalidParameter',
  batchNotConsecutive: 'InvalidParameter',
  topicHasSubscriptions: 'ResourceInUse',
  deadLetterQueueInUse: 'ResourceInUse',
  tooManyDeadLetterSources: 'LimitExceeded',
  notAllowed: 'UnauthorizedOperation',
  4100: 'AuthFailure.SignatureFailure',
  signatureExpired: 'AuthFailure.SignatureExpire',
  authorizationUnreadable: 'AuthFailure.InvalidAuthorization',
  secretIdPrefixWrong: 'AuthFailure.InvalidSecretId',
  secretIdUnknown: 'AuthFailure.SecretIdNotFound',
  secretIdDisabled: 'AuthFailure.SecretIdNotFound',
  4400: 'InvalidParameterValue',
  4410: 'LimitExceeded',
  4420: 'RequestLimitExceeded',
  4440: 'ResourceNotFound',
  4450: 'LimitExceeded',
  4460: 'ResourceInUse',
  4470: 'InvalidParameterValue',
  4480: 'RequestLimitExceeded',
  4490: 'ResourceInUse',
  transactionUnsupported: 'UnsupportedOperation',
  4500: 'LimitExceeded',
  4510: 'InvalidParameterValue',
  6000: 'InternalError',
  6040: 'FailedOperation.TryLater',
  6070: 'LimitExceeded',
}
