import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import * as v from 'valibot'
import { CmqError } from '../lib/domain/errors.ts'
import { parseRequest } from '../lib/protocol/request.ts'
import { handler as batchDeleteMessage } from './actions/batch-delete-message.ts'
import { handler as batchReceiveMessage } from './actions/batch-receive-message.ts'
import { handler as batchSendMessage } from './actions/batch-send-message.ts'
import { handler as createQueue } from './actions/create-queue.ts'
import { handler as deleteMessage } from './actions/delete-message.ts'
import { handler as deleteQueue } from './actions/delete-queue.ts'
import { handler as getQueueAttributes } from './actions/get-queue-attributes.ts'
import { handler as listQueue } from './actions/list-queue.ts'
import { handler as queryQueueRoute } from './actions/query-queue-route.ts'
import { handler as receiveMessage } from './actions/receive-message.ts'
import { handler as sendMessage } from './actions/send-message.ts'
import { handler as setQueueAttributes } from './actions/set-queue-attributes.ts'
import { cmqHandler, type CmqHandler } from './cmq-handler.ts'

/** CMQ's actions. Their names are compared without regard to case: an SDK misspells one (406/8406). */
const actions = new Map(
  Object.entries({
    BatchDeleteMessage: batchDeleteMessage,
    BatchReceiveMessage: batchReceiveMessage,
    BatchSendMessage: batchSendMessage,
    CreateQueue: createQueue,
    DeleteMessage: deleteMessage,
    DeleteQueue: deleteQueue,
    GetQueueAttributes: getQueueAttributes,
    ListQueue: listQueue,
    QueryQueueRoute: queryQueueRoute,
    ReceiveMessage: receiveMessage,
    SendMessage: sendMessage,
    SetQueueAttributes: setQueueAttributes,
  }).map(([name, handler]) => [name.toLowerCase(), handler]),
)

/** Refuses what names no action, or cannot be read at all. A request that nobody signed does not learn which. */
const unknownAction = cmqHandler({
  params: v.object({}),

  run(_params, { action }) {
    throw action === undefined ? new CmqError('parameterMissing', 'Action') : new CmqError('actionUnknown', action)
  },
})

/** The one entry: GET and POST on any path. No gateway routes on a parameter, so the action's handler is picked here. */
export const handler: CmqHandler = (event, invocation) => {
  const action = actionOf(event)?.trim().toLowerCase()
  return (actions.get(action ?? '') ?? unknownAction)(event, invocation)
}

function actionOf(event: APIGatewayProxyEventV2): string | undefined {
  try {
    return parseRequest(event).action
  } catch {
    // The chain of whichever handler it becomes says what is wrong with it.
    return undefined
  }
}
