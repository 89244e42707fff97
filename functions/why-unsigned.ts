import type { CmqError, Failure } from '../lib/domain/errors.ts'
import type { Protocol } from '../lib/protocol/protocol.ts'
import type { CmqRequest } from '../lib/protocol/request.ts'

/** What is answered by the same words, whatever is wrong. */
const untold: readonly Failure[] = ['signatureWrong', 'signatureExpired', 'authorizationUnreadable']

/** Lengths in the log are the service's to say, not the client's. */
const LONGEST = 256

interface Unsigned {
  readonly refused?: CmqError
  readonly request?: CmqRequest
  readonly protocol: Protocol
}

/**
 * Why a signature was refused, for the log: to the client CMQ says `authentication failed` and no more (406/5903). Method,
 * host and path are as they arrived, since the signature has to cover them. Undefined where the answer says it all.
 */
export function whyUnsigned({ refused, request, protocol }: Unsigned) {
  if (!refused || !request || !untold.includes(refused.failure)) return undefined
  const { method } = request
  const [host, path, clientTime] = [request.host, request.path, protocol.clientTimeOf(request)].map(brief)
  return { failure: refused.failure, method, host, path, clientTime }
}

const brief = (text: string): string => text.slice(0, LONGEST)
