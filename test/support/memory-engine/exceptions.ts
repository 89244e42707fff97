import {
  ConditionalCheckFailedException,
  DynamoDBServiceException,
  ResourceInUseException,
  ResourceNotFoundException,
  TransactionCanceledException,
  type CancellationReason,
} from '@aws-sdk/client-dynamodb'
import type { Item } from './expressions.ts'

const $metadata = { httpStatusCode: 400 }

/** What DynamoDB does not understand. */
export const invalid = (message: string): Error =>
  new DynamoDBServiceException({ name: 'ValidationException', $fault: 'client', message, $metadata })

export const refused = (found: Item | undefined): Error =>
  new ConditionalCheckFailedException({
    message: 'The conditional request failed',
    $metadata,
    ...(found ? { Item: { ...found } } : {}),
  })

export const cancelled = (CancellationReasons: CancellationReason[]): Error =>
  new TransactionCanceledException({
    message: `Transaction cancelled, please refer cancellation reasons for specific reasons [${CancellationReasons.map(({ Code }) => Code).join(', ')}]`,
    $metadata,
    CancellationReasons,
  })

export const noSuchTable = (): Error =>
  new ResourceNotFoundException({ message: 'Cannot do operations on a non-existent table', $metadata })

export const tableExists = (name: string): Error =>
  new ResourceInUseException({ message: `Table already exists: ${name}`, $metadata })
