import { lookup as systemLookup } from 'node:dns'
import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { isIP } from 'node:net'
import type { Targets } from './addresses.ts'
import { hostOf } from './endpoint.ts'
import { ADDRESS_REFUSED, guarded, shared, type Lookup } from './guard.ts'
import { CONNECTION_STALE, outcomeOf, type Content, send } from './send.ts'

/** How one attempt at a subscriber went. */
export interface Attempt {
  /** Whether a status of 2xx came in time (406/7420). */
  readonly isDelivered: boolean
  /** The status, or in at most 24 characters what happened instead: 'timeout', 'address refused', 'ECONNREFUSED' … */
  readonly outcome: string
  /** Until the status was there, or it was clear that none would come. */
  readonly milliseconds: number
}

export interface Poster {
  /** One attempt. Never rejects; `signal` ends it at once, as 'stopped'. Redirects are not followed. */
  post(endpoint: string, content: Content, signal?: AbortSignal): Promise<Attempt>
  /** Ends all connections; whatever is under way, or is posted later, is 'stopped'. */
  close(): void
}

export interface PosterOptions {
  readonly targets: Targets
  /** The milliseconds an attempt has from the name's resolution to the status. @default 15 s (406/7420) */
  readonly timeout?: number
  /** @default the operating system's */
  readonly lookup?: Lookup
  /** Connections to one server at once; more attempts wait, within their timeout. @default 100 */
  readonly maxSockets?: number
}

/** The rest of an answer gets as long as an attempt, and no longer than this. */
const LONGEST_DRAIN = 5_000

/** Servers of Node and Apache drop idle connections after 5 s, others later: so it is us who do, and none is found dead. */
const IDLE_TIME = 4_000

/** Node gives each address of a name 250 ms, which is too short from one continent to another. */
const ADDRESS_TIME = 2_000

/** Posts to web servers, over connections that it keeps for a while. None of them leads where `targets` does not allow. */
export function poster(options: PosterOptions): Poster {
  const { targets, timeout = 15_000, lookup = systemLookup, maxSockets = 100 } = options
  const agents = newAgents(guarded(shared(lookup), targets), maxSockets)
  const patience = Math.min(timeout, LONGEST_DRAIN)
  const underWay = new Set<AbortController>()
  let isClosed = false

  async function outcomeOfPost(endpoint: string, content: Content, ending: AbortSignal): Promise<string> {
    const url = URL.parse(endpoint)
    const agent = url && agents.get(url.protocol)
    if (!url || !agent) return 'endpoint wrong'
    // Sockets look names up, and no addresses: of those the guard would not hear.
    if (isIP(hostOf(url)) !== 0 && !targets.allows(hostOf(url))) return ADDRESS_REFUSED
    const outcome = await send(url, content, agent.keeping, patience, ending)
    // That tells nothing about the subscriber. A new connection, since others that wait may have ended as well.
    return outcome === CONNECTION_STALE ? send(url, content, agent.single, patience, ending) : outcome
  }

  return {
    async post(endpoint, content, signal) {
      const from = performance.now()
      const ending = new AbortController()
      const stop = () => ending.abort('stopped')
      const late = setTimeout(() => ending.abort('timeout'), timeout)
      signal?.addEventListener('abort', stop)
      underWay.add(ending)
      if (isClosed || signal?.aborted) stop()
      const outcome = await outcomeOfPost(endpoint, content, ending.signal).catch(outcomeOf)
      underWay.delete(ending)
      signal?.removeEventListener('abort', stop)
      clearTimeout(late)
      return { isDelivered: /^2\d\d$/.test(outcome), outcome, milliseconds: Math.round(performance.now() - from) }
    },

    close() {
      isClosed = true
      for (const ending of underWay) ending.abort('stopped')
      for (const { keeping, single } of agents.values()) for (const agent of [keeping, single]) end(agent)
    },
  }
}

/** By protocol, an agent that keeps its connections and one that makes a new one for each request. */
function newAgents(lookup: ReturnType<typeof guarded>, maxSockets: number) {
  const options = { lookup, maxSockets, timeout: IDLE_TIME, autoSelectFamilyAttemptTimeout: ADDRESS_TIME }
  const keeping = { ...options, keepAlive: true }
  return new Map([
    ['http:', { keeping: new HttpAgent(keeping), single: new HttpAgent(options) }],
    ['https:', { keeping: new HttpsAgent(keeping), single: new HttpsAgent(options) }],
  ])
}

function end(agent: HttpAgent) {
  // Else each connection that ends opens one for the next request in line, for which nobody waits any more.
  for (const line of Object.keys(agent.requests)) Reflect.deleteProperty(agent.requests, line)
  agent.destroy()
}
