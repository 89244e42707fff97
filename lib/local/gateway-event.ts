import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import type { IncomingMessage } from 'node:http'

/** The request as an HTTP API hands it to a function (payload format 2.0): nothing decoded, so that it can be verified. */
export function eventOf(request: IncomingMessage, body: Buffer | undefined, requestId: string): APIGatewayProxyEventV2 {
  const { path, query } = target(request.url ?? '/')
  const headers = joined(request.rawHeaders)
  const timeEpoch = Date.now()
  const domainName = (headers.host ?? '').replace(/:\d+$/, '')
  return {
    version: '2.0',
    routeKey: '$default',
    rawPath: path,
    rawQueryString: query,
    headers,
    requestContext: {
      accountId: 'local',
      apiId: 'local',
      domainName,
      domainPrefix: domainName.split('.', 1).join(''),
      http: {
        method: request.method ?? 'GET',
        path,
        protocol: `HTTP/${request.httpVersion}`,
        sourceIp: request.socket.remoteAddress ?? '',
        userAgent: headers['user-agent'] ?? '',
      },
      requestId,
      routeKey: '$default',
      stage: '$default',
      time: logTime(timeEpoch),
      timeEpoch,
    },
    ...(body && { body: body.toString('base64') }),
    isBase64Encoded: body !== undefined,
  }
}

/** Proxies send the whole URL where others send a path; the host is in its header anyway. */
function target(url: string): { path: string; query: string } {
  const origin = url.startsWith('/') ? url : url.replace(/^https?:\/\/[^/?]*/i, '').replace(/^(?!\/)/, '/')
  const mark = origin.indexOf('?')
  return mark < 0 ? { path: origin, query: '' } : { path: origin.slice(0, mark), query: origin.slice(mark + 1) }
}

/** Node drops repeated headers of some names; an HTTP API joins them all. */
function joined(rawHeaders: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {}
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? '').toLowerCase()
    const value = rawHeaders[index + 1] ?? ''
    headers[name] = Object.hasOwn(headers, name) ? `${headers[name]},${value}` : value
  }
  return headers
}

let latest = { second: NaN, text: '' }

/** `12/Mar/2020:19:03:58 +0000`, put together once a second. */
function logTime(now: number): string {
  const second = Math.floor(now / 1000)
  if (second !== latest.second) {
    const [, day, month, year, time] = new Date(now).toUTCString().split(' ')
    latest = { second, text: `${day}/${month}/${year}:${time} +0000` }
  }
  return latest.text
}
