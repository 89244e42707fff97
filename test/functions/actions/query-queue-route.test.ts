import { beforeEach, describe, expect, it } from 'vitest'
import { handler } from '../../../functions/actions/query-queue-route.ts'
import { describeQueue, describeRequest, serviceForEachTest, success } from '../support/cmq.ts'

const cmq = serviceForEachTest()
const query = cmq.caller(handler, 'QueryQueueRoute', { queueName: 'orders' })

beforeEach(() => cmq.ask('CreateQueue', { queueName: 'orders' }))

describeRequest(query)
describeQueue(query)

describe('given a queue', () => {
  it('when its TCP address is asked for, then there is none', async () => {
    expect(await query()).toEqual(success({ addr: [] }))
  })
})
