import { beforeEach, describe, expect, it } from 'vitest'
import { handler } from '../../../functions/actions/query-topic-route.ts'
import { accountForEachTest, describeRequest, describeTopic, success } from '../support/cmq.ts'

const cmq = accountForEachTest()
const query = cmq.caller(handler, 'QueryTopicRoute', { topicName: 'news' })

beforeEach(() => cmq.ask('CreateTopic', { topicName: 'news' }))

describeRequest(query)
describeTopic(query)

describe('given a topic', () => {
  it('when its TCP address is asked for, then there is none', async () => {
    expect(await query()).toEqual(success({ addr: [] }))
  })

  it('when only a queue has the name, then the topic is missing', async () => {
    await cmq.ask('CreateQueue', { queueName: 'orders' })
    expect(await query({ topicName: 'orders' })).toHaveProperty('code', 4440)
  })
})
