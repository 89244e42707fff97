import { describe, expect, it } from 'vitest'
import { newDelivery } from '../../lib/domain/delivery.ts'
import type { Subscription } from '../../lib/domain/subscription.ts'
import { pushRequest } from '../../lib/protocol/push-request.ts'

const publishedAt = Date.UTC(2026, 0, 5, 12) + 987

const subscription: Subscription = {
  account: '1250000000',
  topicName: 'News',
  topicId: 'topic-12345678',
  name: 'Mail',
  id: 'subsc-12345678',
  changeId: 'c',
  protocol: 'http',
  endpoint: 'http://example.com/hook',
  notifyStrategy: 'BACKOFF_RETRY',
  notifyContentFormat: 'JSON',
  filterTags: [],
  bindingKeys: [],
  createdAt: 0,
  modifiedAt: 0,
}
const simplified: Subscription = { ...subscription, notifyContentFormat: 'SIMPLIFIED' }

const delivery = (tags: readonly string[] = [], routingKey = '') =>
  newDelivery({ id: 'f'.repeat(32), labels: { tags, routingKey }, body: { text: 'as it is stored' } }, publishedAt)

describe('given a subscription that wants JSON', () => {
  it('when a message is pushed, then it is one object with the names, the order and the types of CMQ', () => {
    expect(pushRequest(subscription, delivery(['urgent']), 'hello', '1234567890')).toEqual({
      headers: {
        'Content-Type': 'text/plain',
        'User-Agent': 'Qcloud Notification Service Agent',
        'x-cmq-request-id': '1234567890',
        'x-cmq-message-id': 'f'.repeat(32),
        'x-cmq-message-tag': 'urgent',
      },
      body:
        '{"TopicOwner":1250000000,"topicName":"News","subscriptionName":"Mail",' +
        `"msgId":"${'f'.repeat(32)}","msgBody":"hello","publishTime":1767614400}`,
    })
  })

  it.each(['', '"', '\\n', '\n\t\r\0', '</script>', '中文 🌍', '\u2028', '{"msgBody":1}', ' '])(
    'when the text is %j, then it comes out of the object as it went in',
    (text) => {
      const { body } = pushRequest(subscription, delivery(), text, '1')
      expect((JSON.parse(body) as { msgBody: string }).msgBody).toBe(text)
    },
  )
})

describe('given a subscription that wants the message alone', () => {
  it('when a message is pushed, then the body is the message, and the headers tell the rest', () => {
    const { headers, body } = pushRequest(simplified, delivery(), '{"any":"text"}\n中', '7')
    expect(body).toBe('{"any":"text"}\n中')
    expect(headers).toEqual(pushRequest(subscription, delivery(), 'x', '7').headers)
  })
})

describe('given the labels of a message', () => {
  it.each([
    [[], ''],
    [['a'], 'a'],
    [['a', 'b', 'c'], 'a, b, c'],
  ])('when its tags are %j, then the header is %j', (tags, header) => {
    expect(pushRequest(subscription, delivery(tags), '', '1').headers['x-cmq-message-tag']).toBe(header)
  })

  it('when it has a routing key, then that is told in neither form', () => {
    for (const format of [subscription, simplified]) {
      const request = pushRequest(format, delivery([], 'stock.nyse.ibm'), 'hello', '1')
      expect(JSON.stringify(request)).not.toContain('nyse')
    }
  })
})
