import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import type { CmqError } from '../domain/errors.ts'

/** CMQ's fields of an answer, beside those that every answer has. */
export type Fields = Readonly<Record<string, unknown>>

export interface Form {
  /** Whether a missing or an existing queue is refused as newer pages have it: code 4000 around the older code. */
  readonly layered: boolean
}

/** Success: code 0, an empty message, the request's id, then the action's own fields. */
export const answer = (requestId: string, fields: Fields): APIGatewayProxyStructuredResultV2 =>
  envelope(0, '', requestId, fields)

/** A refusal: CMQ's code and `(module code)text` (406/5903). The HTTP status is 200 all the same: SDKs give up on others. */
export function refusal(requestId: string, error: CmqError, { layered }: Form): APIGatewayProxyStructuredResultV2 {
  const { code, message } = errorFields(error)
  return layered && layeredCodes.has(code)
    ? envelope(4000, `(${code}) ${message}`, requestId, error.fields)
    : envelope(code, message, requestId, error.fields)
}

/** A refusal's code and text, as an answer has them and as the errorList of a batch has them (406/5841). */
export const errorFields = ({ code, moduleCode, message }: CmqError) => ({ code, message: `(${moduleCode})${message}` })

/** Missing and existing queues and topics. */
const layeredCodes: ReadonlySet<number> = new Set([4440, 4460])

/** SDKs compare code with a number and read requestId as text, so their types are promised (406/5903). */
const envelope = (code: number, message: string, requestId: string, fields: Fields) => ({
  statusCode: 200,
  headers: { 'content-type': 'application/json; charset=utf-8' },
  body: JSON.stringify({ code, message, requestId, ...fields }),
})
