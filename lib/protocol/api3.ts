import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { CmqError, failures } from '../domain/errors.ts'
import type { Seconds } from '../domain/time.ts'
import { api2 } from './api2.ts'
import { errorName, isVersion } from './api3-names.ts'
import { readApi3, type Api3Request } from './api3-request.ts'
import type { Fields } from './envelope.ts'
import type { Protocol } from './protocol.ts'
import { isSignedWith, isWithinWindow, plainForms } from './signature.ts'
import {
  isTc3SignedWith,
  readAuthorization,
  timestampOf,
  type Tc3Authorization,
  type Tc3Request,
} from './tc3-signature.ts'

/** How far a request's time may be off, however much more a deployment allows clients of API 2.0. */
const WINDOW: Seconds = 300

/** API 3.0: parameters as JSON or as a form, signed by TC3-HMAC-SHA256 or in the older way. */
export const api3: Protocol<Api3Request> = {
  common: new Set(
    'action version region timestamp nonce secretid signature signaturemethod token language requestclient'.split(' '),
  ),
  read: readApi3,

  secretIdOf(request) {
    const { tc3 } = request
    if (!tc3) return api2.secretIdOf(request)
    if (timestampOf(tc3) === '') throw new CmqError('parameterMissing', 'X-TC-Timestamp')
    return authorizationOf(tc3).secretId
  },

  clientTimeOf,
  isTimely: (request, now, window) => isWithinWindow(clientTimeOf(request), now, Math.min(window, WINDOW)),

  isSignedWith(request, secretKey, publicHosts) {
    const { tc3 } = request
    return tc3
      ? isTc3SignedWith(secretKey, tc3, authorizationOf(tc3), publicHosts)
      : isSignedWith(secretKey, request, publicHosts, plainForms)
  },

  check({ asked, known, values }) {
    if (!known) throw unknown(asked)
    const missing = known.required?.find((name) => !values.has(name.toLowerCase()))
    if (missing !== undefined) throw new CmqError('parameterMissing', missing)
  },

  answer: ({ known }, requestId, fields) => envelope({ ...known?.answer?.(fields), RequestId: requestId }),

  refusal: (request, requestId, error) =>
    envelope({ Error: { Code: errorName(error), Message: textOf(error, request) }, RequestId: requestId }),
}

function clientTimeOf(request: Api3Request): string {
  const { tc3 } = request
  return tc3 ? timestampOf(tc3) : api2.clientTimeOf(request)
}

function authorizationOf(tc3: Tc3Request): Tc3Authorization {
  const authorization = readAuthorization(tc3)
  if (!authorization) throw new CmqError('authorizationUnreadable')
  return authorization
}

function unknown({ action, version }: Api3Request['asked']): CmqError {
  if (!action) return new CmqError('parameterMissing', 'Action')
  if (version === '') return new CmqError('parameterMissing', 'Version')
  return isVersion(version) ? new CmqError('actionUnknown', action) : new CmqError('versionUnknown', version)
}

/** CMQ's text, with the names of parameters as the request spells them. */
function textOf({ failure, message, subject }: CmqError, request: Api3Request | undefined): string {
  const text = failures[failure][2]
  return text.includes('parameter') ? text.replace('%s', () => spelled(subject, request)) : message
}

/** What the request calls the parameter that its action knows as `name`, or would call it. */
function spelled(name: string, request: Api3Request | undefined): string {
  const key = name.toLowerCase()
  const given = request?.spellings.get(key)
  if (given !== undefined) return given
  const [renamed] = [...(request?.known?.parameters ?? [])].find(([, { as }]) => as?.toLowerCase() === key) ?? []
  return renamed ?? name.charAt(0).toUpperCase() + name.slice(1)
}

/** The type is that very text: the Python SDK looks for an error in no other. */
const envelope = (response: Fields): APIGatewayProxyStructuredResultV2 => ({
  statusCode: 200,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ Response: response }),
})
