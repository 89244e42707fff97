import { expect } from 'vitest'
import { handler as api } from '../../../functions/api.ts'
import type { CmqHandler } from '../../../functions/cmq-handler.ts'
import type { Services } from '../../../functions/services.ts'
import type { Settings } from '../../../functions/settings.ts'
import { api3Event, type Api3Options, type Parameters } from '../../support/api3-request.ts'
import type { Cmq } from './cmq.ts'

export interface Api3CallOptions extends Api3Options {
  readonly handler?: CmqHandler
  readonly settings?: Partial<Settings>
  readonly services?: Partial<Services>
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- what answers hold is checked by the assertions
export type Response = Record<string, any> & { RequestId: string }

/** Calls an action of API 3.0 and reads what is inside the envelope. */
export type Api3Ask = (action: string, parameters?: Parameters, options?: Api3CallOptions) => Promise<Response>

let requests = 0

/** Asks the service of a test by API 3.0, at its clock. */
export const api3Asker =
  (cmq: Cmq, version: string): Api3Ask =>
  async (action, parameters = {}, { handler = api, settings = {}, services: others, ...options } = {}) => {
    const services = { ...cmq.services, ...others, settings: { ...cmq.services.settings, ...settings } }
    const event = api3Event(action, parameters, { version, now: cmq.clock.now(), ...options })
    const awsRequestId = `request-${++requests}`
    const { statusCode, headers, body } = await handler(event, { awsRequestId, services })
    expect(statusCode).toBe(200)
    // The Python SDK looks for errors in answers of this very type.
    expect(headers).toEqual({ 'content-type': 'application/json' })
    const answer = JSON.parse(body ?? '') as { Response: Response }
    expect(Object.keys(answer)).toEqual(['Response'])
    expect(answer.Response.RequestId).toBe(awsRequestId)
    return answer.Response
  }

export const ofCmq = '2019-03-04'
export const ofTdmq = '2020-02-17'

const anyId: unknown = expect.stringMatching(/^request-\d+$/)

/** All that a successful answer holds. */
export const response = (fields: object = {}) => ({ ...fields, RequestId: anyId })

/** All that a refusal holds. */
export const refused = (Code: string, Message: unknown = expect.any(String)) => response({ Error: { Code, Message } })
