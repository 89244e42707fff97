/**
 * Every refusal, in CMQ's own words (406/5903). The spelling is CMQ's, mistakes included: clients compare it.
 * Each row is [code, module code, text]; `%s` is the name of the parameter, or of what was asked for.
 */
export const failures = {
  requestUnreadable: [4000, 10420, 'cannot parse %s, or request size is more than 1MB'],
  requestTooLarge: [4000, 10420, 'cannot parse %s, or request size is more than 1MB'],
  methodUnsupported: [4000, 10410, 'unexpected http %s only GET or POST is supported'],
  actionUnknown: [4000, 10430, 'action name %s is not existed'],
  versionUnknown: [4000, 10430, 'version %s is not existed'],
  parameterUnknown: [4000, 10320, 'no such parameter %s'],
  parameterMissing: [4000, 10390, 'lacked of required parameter %s'],
  parameterOutOfRange: [4000, 10350, 'parameter %s value or length is out of range'],
  parameterTypeWrong: [4000, 10360, 'parameter %s error type'],
  parameterKeyWrong: [4000, 10310, 'error: parameter %s key format error'],
  parameterRepeated: [4000, 10330, 'parameter %s is NOT a repeatable parameter'],
  batchSizeOutOfRange: [4000, 10370, '%s parameter batch size is out of range'],
  batchNotConsecutive: [4000, 10380, '%s parameter is not consequent'],
  secretIdPrefixWrong: [4000, 10450, "secret id dosen't begin with AKID"],
  notAllowed: [4000, 10461, 'no cam authentication'],
  signatureWrong: [4100, 10030, 'authentication failed'],
  // The same for clients of API 2.0, which CMQ tells no more; API 3.0 has names for them.
  signatureExpired: [4100, 10030, 'authentication failed'],
  authorizationUnreadable: [4100, 10030, 'authentication failed'],
  secretIdDisabled: [4100, 10080, 'secret id status error'],
  secretIdUnknown: [4100, 10270, 'secret id is not existed'],
  queueNameWrong: [4000, 10020, 'queue name format error'],
  queueNotFound: [4440, 10100, 'queue is not existed, or deleted'],
  queueExists: [4460, 10210, 'queue is already existed'],
  queueNameInRelease: [
    6040,
    10660,
    'it will take some time to release resources of previous queue before you create a new one with the same name, ' +
      'please try later',
  ],
  tooManyQueues: [4450, 10220, 'number of queues has reached the limit'],
  rewindBeyondRetention: [4000, 10700, 'rewindSeconds cannot be greater than msgRetentionSeconds'],
  // CMQ's documents have no codes for these rules; this one has the sense, and the reason is ours.
  deadLetterQueueInUse: [4000, 10110, 'request parameters error: the queue is the dead letter queue of others'],
  deadLettersChained: [4000, 10110, 'request parameters error: a dead letter queue cannot have a dead letter queue'],
  tooManyDeadLetterSources: [4000, 10110, 'request parameters error: a dead letter queue serves 6 queues at most'],
  notRewindable: [6050, 10670, 'your queue cannot be rewinded'],
  rewindTimeWrong: [4000, 10680, 'invalid rewind time, you can get the vaild range of that via GetQueueAttributes'],
  bodyEmpty: [4000, 10120, "message body can't be empty"],
  bodyTooLarge: [4400, 10230, 'exceed maximum message size'],
  batchTooLarge: [4470, 10300, 'total message size exceed 1MB'],
  heapFull: [4410, 10240, 'reach maximum retention number of message'],
  delayOutOfRange: [4000, 10692, 'delay seconds is out of range'],
  transactionUnsupported: [4490, 10790, 'transaction message is not supported'],
  tooManyUnacked: [6070, 10690, 'too many unacked(inactive) messages or delayed messages'],
  rateExceeded: [4420, 10250, 'qps throttling'],
  noMessage: [7000, 10200, 'no message'],
  receiptHandleUnreadable: [4000, 10470, 'receiptHandle error'],
  receiptHandleInvalid: [4430, 10260, 'receipt handle is invalid'],
  partlyDeleted: [6010, 10150, 'delete message partially failed'],
  noneDeleted: [6020, 10290, 'batch delete message failed'],
  deleteFailed: [6000, 10140, 'delete message failed'],
  topicNameWrong: [4000, 10590, 'topic name format error'],
  topicNotFound: [4440, 10600, 'topic is not existed, or deleted'],
  topicExists: [4460, 10550, 'topic is already existed'],
  topicNameInRelease: [
    6040,
    10660,
    'It will take some time to release resources of previous topic before you can create a new topic with the same name. ' +
      'Please try later.',
  ],
  tooManyTopics: [4450, 10610, 'number of topics has reached the limit'],
  topicHasSubscriptions: [
    4000,
    10540,
    'there exists subscriptions under this topic, please unsubscribe all of them before DeleteTopic',
  ],
  tooManyMsgTags: [4000, 10720, 'too many msgTag'],
  routingKeyMissing: [4000, 10700, 'parameters lack of routingKey'],
  tooManyDots: [4000, 10691, 'too many delimeters'],
  noSubscription: [6030, 10650, 'topic has no subscription, please create a subscription before publishing message'],
  noMatch: [6030, 10730, 'no bindingKey or filterTag matches the routingKey or msgTag'],
  subscriptionNameWrong: [4000, 10580, 'subscription name format error'],
  // No page names a code for it; this one has the sense, and the place of topics.
  subscriptionNotFound: [4440, 10600, 'subscription is not existed, or deleted'],
  subscriptionExists: [4490, 10470, 'subscribtion is already existed'],
  tooManySubscriptions: [4500, 10480, 'number of subscription has reached the limit'],
  protocolUnknown: [4000, 10510, 'undefined protocol'],
  endpointWrong: [4000, 10500, 'endpoint format error'],
  endpointBlank: [4510, 10570, 'url connot contain any blank characters'],
  endpointIllegal: [4000, 10630, 'illegal endpoint'],
  strategyUnknown: [4000, 10520, 'undefined notify retry stragety'],
  formatUnknown: [4000, 10530, 'undefined notify content format'],
  formatNotSimplified: [4000, 10640, 'notifyContentFormat of protocol queue must be SIMPLIFIED'],
  tooManyFilterTags: [4000, 10670, 'too many filterTag'],
  tooManyBindingKeys: [4000, 10680, 'too many bindingKey'],
  bindingKeyMissing: [4000, 10710, 'parameters lack of bindingKey'],
  internal: [6000, 10050, 'server internal error'],
} as const satisfies Record<string, readonly [code: number, moduleCode: number, text: string]>

/** The name of a refusal. */
export type Failure = keyof typeof failures

/** No name is longer. What a client calls so may be megabytes long, which nobody wants to have back. */
const LONGEST_SUBJECT = 256

/** An answer that refuses. `fields` go into the answer beside its code, as the errorList of a batch does. */
export class CmqError extends Error {
  readonly failure: Failure
  readonly code: number
  readonly moduleCode: number
  /** What the text names, where it names something. */
  readonly subject: string
  readonly fields: Readonly<Record<string, unknown>>

  constructor(failure: Failure, subject = '', fields: Readonly<Record<string, unknown>> = {}) {
    const [code, moduleCode, text] = failures[failure]
    const named = subject.slice(0, LONGEST_SUBJECT)
    super(text.replace('%s', () => named))
    this.name = 'CmqError'
    this.failure = failure
    this.code = code
    this.moduleCode = moduleCode
    this.subject = text.includes('%s') ? named : ''
    this.fields = fields
  }
}
