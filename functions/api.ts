import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import * as v from 'valibot'
import type { ActionName } from '../lib/domain/actions.ts'
import { CmqError } from '../lib/domain/errors.ts'
import { protocolOf } from '../lib/protocol/protocol-of.ts'
import { handler as batchDeleteMessage } from './actions/batch-delete-message.ts'
import { handler as batchPublishMessage } from './actions/batch-publish-message.ts'
import { handler as batchReceiveMessage } from './actions/batch-receive-message.ts'
import { handler as batchSendMessage } from './actions/batch-send-message.ts'
import { handler as clearQueue } from './actions/clear-queue.ts'
import { handler as clearSubscriptionFilterTags } from './actions/clear-subscription-filter-tags.ts'
import { handler as createQueue } from './actions/create-queue.ts'
import { handler as createTopic } from './actions/create-topic.ts'
import { handler as deleteMessage } from './actions/delete-message.ts'
import { handler as deleteQueue } from './actions/delete-queue.ts'
import { handler as deleteTopic } from './actions/delete-topic.ts'
import { handler as describeDeadLetterSourceQueues } from './actions/describe-dead-letter-source-queues.ts'
import { handler as describeQueueDetail } from './actions/describe-queue-detail.ts'
import { handler as describeSubscriptionDetail } from './actions/describe-subscription-detail.ts'
import { handler as describeTopicDetail } from './actions/describe-topic-detail.ts'
import { handler as getQueueAttributes } from './actions/get-queue-attributes.ts'
import { handler as getSubscriptionAttributes } from './actions/get-subscription-attributes.ts'
import { handler as getTopicAttributes } from './actions/get-topic-attributes.ts'
import { handler as listQueue } from './actions/list-queue.ts'
import { handler as listSubscriptionByTopic } from './actions/list-subscription-by-topic.ts'
import { handler as listTopic } from './actions/list-topic.ts'
import { handler as publishCmqMsg } from './actions/publish-cmq-msg.ts'
import { handler as publishMessage } from './actions/publish-message.ts'
import { handler as queryQueueRoute } from './actions/query-queue-route.ts'
import { handler as queryTopicRoute } from './actions/query-topic-route.ts'
import { handler as receiveMessage } from './actions/receive-message.ts'
import { handler as rewindQueue } from './actions/rewind-queue.ts'
import { handler as sendMessage } from './actions/send-message.ts'
import { handler as setQueueAttributes } from './actions/set-queue-attributes.ts'
import { handler as setSubscriptionAttributes } from './actions/set-subscription-attributes.ts'
import { handler as setTopicAttributes } from './actions/set-topic-attributes.ts'
import { handler as subscribe } from './actions/subscribe.ts'
import { handler as unbindDeadLetter } from './actions/unbind-dead-letter.ts'
import { handler as unsubscribe } from './actions/unsubscribe.ts'
import { cmqHandler, type CmqHandler } from './cmq-handler.ts'

/** By names in small letters. */
const byName = (handlers: Readonly<Record<string, CmqHandler>>): ReadonlyMap<string, CmqHandler> =>
  new Map(Object.entries(handlers).map(([name, handler]) => [name.toLowerCase(), named(name, handler)]))

/** CMQ's actions. Their names are compared without regard to case: an SDK misspells one (406/8406). */
const actions = byName({
  BatchDeleteMessage: batchDeleteMessage,
  BatchPublishMessage: batchPublishMessage,
  BatchReceiveMessage: batchReceiveMessage,
  BatchSendMessage: batchSendMessage,
  ClearQueue: clearQueue,
  ClearSubscriptionFilterTags: clearSubscriptionFilterTags,
  CreateQueue: createQueue,
  CreateTopic: createTopic,
  DeleteMessage: deleteMessage,
  DeleteQueue: deleteQueue,
  DeleteTopic: deleteTopic,
  GetQueueAttributes: getQueueAttributes,
  GetSubscriptionAttributes: getSubscriptionAttributes,
  GetTopicAttributes: getTopicAttributes,
  ListQueue: listQueue,
  ListSubscriptionByTopic: listSubscriptionByTopic,
  ListTopic: listTopic,
  PublishMessage: publishMessage,
  QueryQueueRoute: queryQueueRoute,
  QueryTopicRoute: queryTopicRoute,
  ReceiveMessage: receiveMessage,
  RewindQueue: rewindQueue,
  SendMessage: sendMessage,
  SetQueueAttributes: setQueueAttributes,
  SetSubscriptionAttributes: setSubscriptionAttributes,
  SetTopicAttributes: setTopicAttributes,
  Subscribe: subscribe,
  UnbindDeadLetter: unbindDeadLetter,
  Unsubscribe: unsubscribe,
} satisfies Readonly<Record<ActionName, CmqHandler>>)

/** What API 3.0 alone has. */
const onlyInApi3 = byName({
  DescribeDeadLetterSourceQueues: describeDeadLetterSourceQueues,
  DescribeQueueDetail: describeQueueDetail,
  DescribeSubscriptionDetail: describeSubscriptionDetail,
  DescribeTopicDetail: describeTopicDetail,
  PublishCmqMsg: publishCmqMsg,
})

/** The handler, told how CMQ spells its action, whatever the request does. */
function named(action: string, handler: CmqHandler): CmqHandler {
  return (event, invocation) => handler(event, { ...invocation, action })
}

/** Refuses what names no action, or cannot be read at all. A request that nobody signed does not learn which. */
const unknownAction = cmqHandler({
  params: v.object({}),
  // It does nothing that could be permitted.
  alsoAbout: () => [],

  run(_params, { action }) {
    throw action === undefined ? new CmqError('parameterMissing', 'Action') : new CmqError('actionUnknown', action)
  },
})

/** The one entry: GET and POST on any path. No gateway routes on a parameter, so the action's handler is picked here. */
export const handler: CmqHandler = (event, invocation) => (handlerOf(event) ?? unknownAction)(event, invocation)

function handlerOf(event: APIGatewayProxyEventV2): CmqHandler | undefined {
  try {
    const { action = '', by } = protocolOf(event).read(event)
    return by === undefined ? actions.get(action.trim().toLowerCase()) : onlyInApi3.get(by.toLowerCase())
  } catch {
    // The chain says what is wrong with it.
    return undefined
  }
}
