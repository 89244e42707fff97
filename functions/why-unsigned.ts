import type { CmqError, Failure } from '../lib/domain/errors.ts'
import type { CmqRequest } from '../lib/protocol/request.ts'

/** What is answered by the same words, whatever is wrong. */
const untold: readonly Failure[] = ['signatureWrong', 'signatureExpired', 'authorizationUnreadable']

/** Lengths in the log are the service's to say, not the client's. */
const LONGEST = 256

/**
 * Why a signature was refused, for the log: to the client CMQ says `authentication failed` and no more (406/5903). Method,
 * host and path are as they arrived, since the signature has to cover them. Undefined where the answer says it all.
 */
export function whyUnsigned(refused: CmqError | undefined, request: CmqRequest | undefined) {
  if (!refused || !request || !untold.includes(refused.failure)) return undefined
  const { method, host, path, values } = request
  const clientTime = values.get('timestamp')?.slice(0, LONGEST)
  return { failure: refused.failure, method, host: host.slice(0, LONGEST), path: path.slice(0, LONGEST), clientTime }
}
