import { CmqError } from '../domain/errors.ts'
import { answer, refusal } from './envelope.ts'
import type { Protocol } from './protocol.ts'
import { parseRequest } from './request.ts'
import { clientTimeOf, isSignedWith, isTimely } from './signature.ts'

/** API 2.0: forms, and an HMAC over their parameters (406/5906). */
export const api2: Protocol = {
  read: parseRequest,
  secretIdOf({ values }) {
    for (const name of ['SecretId', 'Signature', 'Timestamp'])
      if (!values.has(name.toLowerCase())) throw new CmqError('parameterMissing', name)
    return values.get('secretid') ?? ''
  },
  clientTimeOf,
  isTimely,
  isSignedWith: (request, secretKey, publicHosts) => isSignedWith(secretKey, request, publicHosts),
  check() {},
  answer: (_request, requestId, fields) => answer(requestId, fields),
  refusal: (_request, requestId, error, form) => refusal(requestId, error, form),
}
