import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import type { CmqError } from '../domain/errors.ts'
import type { Instant, Seconds } from '../domain/time.ts'
import type { Fields, Form } from './envelope.ts'
import type { CmqRequest } from './request.ts'

/** One version of CMQ's API on the wire: how its requests are read and its answers written. What they mean is the same. */
export interface Protocol<Request extends CmqRequest = CmqRequest> {
  /** Parameters that every request may have. Where it is given, those that the action does not know either are refused. */
  readonly common?: ReadonlySet<string>
  /** The request, decoded. Refuses what cannot be read. Reads each event once, however often asked. */
  read(event: APIGatewayProxyEventV2): Request
  /** The SecretId that the request names. Refuses a request that nobody signed. */
  secretIdOf(request: Request): string
  /** When the request says that it was made: epoch seconds, as its client wrote them; empty where it does not say. */
  clientTimeOf(request: Request): string
  /** Whether the request says that it was made within the window around `now`. */
  isTimely(request: Request, now: Instant, window: Seconds): boolean
  /** Whether it was signed with this key. `publicHosts` are the names under which clients may know this service. */
  isSignedWith(request: Request, secretKey: string, publicHosts: readonly string[]): boolean
  /** Refuses a signed request for what the protocol, rather than its action, demands. */
  check(request: Request): void
  answer(request: Request, requestId: string, fields: Fields): APIGatewayProxyStructuredResultV2
  /** `request` is undefined when it could not be read. */
  refusal(
    request: Request | undefined,
    requestId: string,
    error: CmqError,
    form: Form,
  ): APIGatewayProxyStructuredResultV2
}
