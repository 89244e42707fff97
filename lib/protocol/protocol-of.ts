import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import { api2 } from './api2.ts'
import { api3 } from './api3.ts'
import { isApi3, type Headers } from './api3-request.ts'
import type { Protocol } from './protocol.ts'
import { parseRequest } from './request.ts'

/** Which protocol a request speaks: API 3.0 when a header names its action, or a parameter its version. */
export function protocolOf(event: APIGatewayProxyEventV2): Protocol {
  if (isApi3(event.headers)) return api3
  try {
    return parseRequest(event).values.has('version') ? api3 : api2
  } catch {
    return api2
  }
}

/** The same of a request of which nothing but its headers is known. */
export const protocolOfHeaders = (headers: Headers): Protocol => (isApi3(headers) ? api3 : api2)
