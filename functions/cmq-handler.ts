import middy, { type MiddlewareObj } from '@middy/core'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import type * as v from 'valibot'
import { CmqError } from '../lib/domain/errors.ts'
import { lasting, type Key } from '../lib/domain/key.ts'
import type { Instant } from '../lib/domain/time.ts'
import { answer, refusal, type Fields } from '../lib/protocol/envelope.ts'
import { readParams, type Params } from '../lib/protocol/params.ts'
import { parseRequest, type CmqRequest } from '../lib/protocol/request.ts'
import { every, resourcesNamed } from '../lib/protocol/resources.ts'
import { isSignedWith, isTimely } from '../lib/protocol/signature.ts'
import { metered, noUsage, type Usage } from '../lib/store/meter.ts'
import { authorize, isChange } from './authorize.ts'
import { logger } from './logger.ts'
import { deployedServices, type Services } from './services.ts'

type Event = APIGatewayProxyEventV2
type Result = APIGatewayProxyStructuredResultV2

/** What Lambda passes beside the event. Localhost and tests pass services of their own, and a signal when the client left. */
export interface Invocation {
  readonly awsRequestId: string
  readonly services?: Services
  readonly signal?: AbortSignal
}

/** Lambda calls it, and so do the router, the local gateway and tests. */
export type CmqHandler = (event: Event, invocation: Invocation) => Promise<Result>

/** What an action is given beside its parameters. */
export interface Call extends Services {
  /** appId of whoever signed the request. */
  readonly account: string
  /** The action as the request names it. */
  readonly action: string | undefined
  readonly startedAt: Instant
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal
  now(): Instant
}

/** What is particular to one action. */
export interface Action<Schema extends Params> {
  readonly params: Schema
  /** What it is about beside the queues and topics that its parameters name, as permissions have it. */
  readonly alsoAbout?: (values: ReadonlyMap<string, string>) => readonly string[]
  /** Returns the action's own fields of the answer, or throws a CmqError. */
  run(params: v.InferOutput<Schema>, call: Call): Promise<Fields>
}

/** What the middlewares find out, each for those after it. */
interface Found {
  readonly invocation: Invocation
  readonly services: Services
  readonly startedAt: Instant
  readonly usage: Usage
  request?: CmqRequest
  key?: Key
  resources?: readonly string[]
  code?: number
}

type Chain = MiddlewareObj<Event, Result, Error, Found>

/**
 * A complete handler of one action. The order of the chain is the order of CMQ's refusals: size and method, form, key and
 * signature, what the key may do, parameters, and then whatever the action itself refuses.
 */
export function cmqHandler<Schema extends Params>({ params, alsoAbout, run }: Action<Schema>): CmqHandler {
  const chain = middy<Event, Result, Error, Found>()
    .use(log)
    .use(envelope)
    .use(parse)
    .use(authenticate)
    .use(permit(params, alsoAbout))
    .handler(async (_event, found) => {
      const { request, key, services, startedAt, invocation } = found
      if (!request || !key) throw new Error('the chain ran out of order')
      const { action } = request
      const call = {
        ...services,
        account: key.account,
        action,
        startedAt,
        now: () => services.clock.now(),
        signal: invocation.signal ?? new AbortController().signal,
      }
      const fields = await run(readParams(params, request.values), call)
      return answer(invocation.awsRequestId, fields)
    })

  return async (event, invocation) => {
    const services = invocation.services ?? deployedServices()
    const usage = noUsage()
    const found: Found = { invocation, services, usage, startedAt: services.clock.now() }
    return metered(usage, () => chain(event, found)).finally(() => services.beside.done())
  }
}

/** One line a request, whatever became of it, and one more of who changes what. */
const log: Chain = {
  after: ({ context }) => writeLines(context),
  onError: ({ context }) => writeLines(context),
}

function writeLines(found: Found): void {
  writeLine(found)
  const { request, key, resources, code = 0, invocation } = found
  if (!request || !key) return
  const action = nameOf(request)
  if (!isChange(action)) return
  const subscription = request.values.get('subscriptionname')
  const { secretId, account } = key
  logger.info('audit', { requestId: invocation.awsRequestId, secretId, account, action, resources, subscription, code })
}

function writeLine({ request, key, code = 0, services, startedAt, usage, invocation }: Found): void {
  logger.info('request', {
    requestId: invocation.awsRequestId,
    action: request?.action,
    account: key?.account,
    queue: request?.values.get('queuename'),
    topic: request?.values.get('topicname'),
    code,
    milliseconds: services.clock.now() - startedAt,
    ...usage,
  })
}

/** Answers what was thrown: a CmqError is an answer, anything else is our bug, told in the log and not to the client. */
const envelope: Chain = {
  onError(state) {
    const { context, error } = state
    const refused = error instanceof CmqError ? error : new CmqError('internal')
    if (refused !== error)
      logger.error('unexpected failure', {
        error,
        requestId: context.invocation.awsRequestId,
        action: context.request?.action,
      })
    context.code = refused.code
    const layered = context.services.settings.layeredErrors
    state.response = refusal(context.invocation.awsRequestId, refused, { layered })
  },
}

const parse: Chain = {
  before({ event, context }) {
    context.request = parseRequest(event)
  },
}

/** Nothing but its key is read for a request whose signature does not hold (406/5906). */
const authenticate: Chain = {
  async before({ context }) {
    const { request, services } = context
    if (!request) return
    const { keys, settings, clock } = services
    for (const name of ['SecretId', 'Signature', 'Timestamp'])
      if (!request.values.has(name.toLowerCase())) throw new CmqError('parameterMissing', name)
    const secretId = request.values.get('secretid') ?? ''
    if (!settings.anySecretId && !secretId.startsWith('AKID')) throw new CmqError('secretIdPrefixWrong')
    const key = await keys.find(secretId)
    if (!key) throw new CmqError('secretIdUnknown')
    if (!isTimely(request, clock.now(), settings.timeWindow)) throw new CmqError('signatureWrong')
    // Each is tried, also after one was right, so that nobody can tell by the time which of them it was.
    const outcomes = lasting(key.secrets, clock.now()).map(({ secretKey }) =>
      isSignedWith(secretKey, request, settings.publicHosts),
    )
    if (!outcomes.includes(true)) throw new CmqError('signatureWrong')
    context.key = key
    // Only who has the key learns that it is disabled.
    if (key.status === 'disabled') throw new CmqError('secretIdDisabled')
  },
}

/** Refuses what the key is not for. An action that names nothing, and is about nothing else, needs a key for everything. */
const permit = (params: Params, alsoAbout: Action<Params>['alsoAbout']): Chain => ({
  before({ context }) {
    const { request, key } = context
    if (!request || !key) return
    const named = resourcesNamed(params, request.values)
    const unnamed = named.length > 0 ? [] : [every.thing]
    context.resources = [...named, ...(alsoAbout?.(request.values) ?? unnamed)]
    authorize(key, nameOf(request), context.resources)
  },
})

/** The action that a request names, without the blanks around it that the router puts up with. */
const nameOf = ({ action = '' }: CmqRequest): string => action.trim()
