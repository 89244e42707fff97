import middy, { type MiddlewareObj } from '@middy/core'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import type * as v from 'valibot'
import { CmqError } from '../lib/domain/errors.ts'
import { lasting, type Key } from '../lib/domain/key.ts'
import type { Instant } from '../lib/domain/time.ts'
import type { Fields } from '../lib/protocol/envelope.ts'
import { readParams, type Params } from '../lib/protocol/params.ts'
import type { Protocol } from '../lib/protocol/protocol.ts'
import { protocolOf } from '../lib/protocol/protocol-of.ts'
import type { CmqRequest } from '../lib/protocol/request.ts'
import { every, resourcesNamed } from '../lib/protocol/resources.ts'
import { metered, noUsage, type Usage } from '../lib/store/meter.ts'
import { authorize, isChange } from './authorize.ts'
import { logger } from './logger.ts'
import { measured, messagesOf } from './metrics.ts'
import { deployedServices, type Services } from './services.ts'
import { whyUnsigned } from './why-unsigned.ts'

type Event = APIGatewayProxyEventV2
type Result = APIGatewayProxyStructuredResultV2

/** What Lambda passes beside the event. Localhost and tests pass services of their own, and a signal when the client left. */
export interface Invocation {
  readonly awsRequestId: string
  /** The action as CMQ spells it, when it is one. */
  readonly action?: string
  readonly services?: Services
  readonly signal?: AbortSignal
}

/** Lambda calls it, and so do the router, the local gateway and tests. */
export type CmqHandler = (event: Event, invocation: Invocation) => Promise<Result>

/** What an action is given beside its parameters. */
export interface Call extends Services {
  /** appId of whoever signed the request. */
  readonly account: string
  /** The action, by its name in API 2.0. */
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
  readonly protocol: Protocol
  request?: CmqRequest
  key?: Key
  resources?: readonly string[]
  refused?: CmqError
  /** What the action answers with. */
  fields?: Fields
}

type Chain = MiddlewareObj<Event, Result, Error, Found>

/**
 * A complete handler of one action, whichever protocol it is asked in. The order of the chain is the order of CMQ's
 * refusals: size and method, form, key and signature, what the key may do, parameters, and then whatever the action itself
 * refuses.
 */
export function cmqHandler<Schema extends Params>({ params, alsoAbout, run }: Action<Schema>): CmqHandler {
  const chain = middy<Event, Result, Error, Found>()
    .use(log)
    .use(envelope)
    .use(parse)
    .use(authenticate)
    .use(permit(params, alsoAbout))
    .handler(async (_event, found) => {
      const { protocol, request, key, services, startedAt, invocation } = found
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
      found.fields = await run(readParams(params, request.values, protocol.common), call)
      return protocol.answer(request, invocation.awsRequestId, found.fields)
    })

  return async (event, invocation) => {
    const services = invocation.services ?? deployedServices()
    const usage = noUsage()
    const found: Found = { invocation, services, usage, startedAt: services.clock.now(), protocol: protocolOf(event) }
    return metered(usage, () => chain(event, found))
  }
}

/** One line a request, whatever became of it, and one more of who changes what. */
const log: Chain = {
  after: ({ context }) => writeLines(context),
  onError: ({ context }) => writeLines(context),
}

async function writeLines(found: Found): Promise<void> {
  // What was begun beside the request is part of what it took and consumed.
  await found.services.beside.done()
  writeLine(found)
  const { request, key, resources, refused, invocation } = found
  if (!request || !key) return
  const action = nameOf(request)
  if (!isChange(action)) return
  const { secretId, account } = key
  logger.info('audit', {
    requestId: invocation.awsRequestId,
    secretId,
    account,
    action: brief(action),
    resources: resources?.map(brief),
    subscription: brief(request.values.get('subscriptionname')),
    code: refused?.code ?? 0,
  })
}

function writeLine(found: Found): void {
  const { request, key, refused, services, startedAt, usage, invocation, fields = {} } = found
  const now = services.clock.now()
  const milliseconds = now - startedAt
  const { action } = invocation
  const code = refused?.code ?? 0
  const unsigned = whyUnsigned(found)
  logger[unsigned ? 'warn' : 'info']('request', {
    requestId: invocation.awsRequestId,
    action: action ?? brief(request?.action),
    account: key?.account,
    queue: brief(request?.values.get('queuename')),
    topic: brief(request?.values.get('topicname')),
    code,
    ...unsigned,
    milliseconds,
    ...usage,
    ...measured(
      now,
      // What is no action is no metric either, or every client could make some.
      action === undefined ? { values: {} } : { values: { milliseconds }, by: { action } },
      messagesOf(fields),
      code === 0 ? { values: {} } : { values: { refused: 1 }, by: { refusal: String(code) } },
    ),
  })
}

/** No name is longer, with its kind in front; whoever sends megabytes for one, signed or not, is not to fill the log with them. */
const brief = (name: string | undefined): string | undefined => name?.slice(0, 72)

/** Answers what was thrown: a CmqError is an answer, anything else is our bug, told in the log and not to the client. */
const envelope: Chain = {
  onError(state) {
    const { context, error } = state
    const refused = error instanceof CmqError ? error : new CmqError('internal')
    if (refused !== error)
      logger.error('unexpected failure', {
        error,
        requestId: context.invocation.awsRequestId,
        action: brief(context.request?.action),
      })
    context.refused = refused
    const layered = context.services.settings.layeredErrors
    const { protocol, request, invocation } = context
    state.response = protocol.refusal(request, invocation.awsRequestId, refused, { layered })
  },
}

const parse: Chain = {
  before({ event, context }) {
    context.request = context.protocol.read(event)
  },
}

/** Nothing but its key is read for a request whose signature does not hold (406/5906). */
const authenticate: Chain = {
  async before({ context }) {
    const { protocol, request, services } = context
    if (!request) return
    const { keys, settings, clock } = services
    const secretId = protocol.secretIdOf(request)
    if (!settings.anySecretId && !secretId.startsWith('AKID')) throw new CmqError('secretIdPrefixWrong')
    const key = await keys.find(secretId)
    if (!key) throw new CmqError('secretIdUnknown')
    if (!protocol.isTimely(request, clock.now(), settings.timeWindow)) throw new CmqError('signatureExpired')
    // Each is tried, also after one was right, so that nobody can tell by the time which of them it was.
    const outcomes = lasting(key.secrets, clock.now()).map(({ secretKey }) =>
      protocol.isSignedWith(request, secretKey, settings.publicHosts),
    )
    if (!outcomes.includes(true)) throw new CmqError('signatureWrong')
    context.key = key
    // Only who has the key learns that it is disabled.
    if (key.status === 'disabled') throw new CmqError('secretIdDisabled')
    protocol.check(request)
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
