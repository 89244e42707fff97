import { beforeEach, describe, expect, it } from 'vitest'
import { handler } from '../../../functions/actions/subscribe.ts'
import { START, untilAsleep } from '../../support/clock.ts'
import { asker } from '../../support/service.ts'
import {
  accountForEachTest,
  aSubscriptionId,
  describeRequest,
  describeTopic,
  missing,
  notRepeatable,
  numbered,
  outOfRange,
  refusal,
  success,
  topicIsMissing,
} from '../support/cmq.ts'
import { newsOf } from '../support/news.ts'

const cmq = accountForEachTest()
const news = newsOf(cmq)
const web = { protocol: 'http', endpoint: 'http://example.com/hook' }
const orders = { protocol: 'queue', endpoint: 'orders' }
const subscribe = cmq.caller(handler, 'Subscribe', { topicName: 'news', subscriptionName: 'mail', ...web })
/** To a topic that filters by binding keys. */
const bind = cmq.caller(handler, 'Subscribe', { topicName: 'routed', subscriptionName: 'mail', ...web })
const unsubscribe = (subscriptionName: string) => cmq.ask('Unsubscribe', { topicName: 'news', subscriptionName })
const attributesOfBound = () => cmq.ask('GetSubscriptionAttributes', { topicName: 'routed', subscriptionName: 'mail' })

const exists = refusal(4490, '(10470)subscribtion is already existed')
const done = success({ subscriptionId: aSubscriptionId })
const tag16 = 'abcdefghijklmnop'
const key64 = `${'a'.repeat(31)}.${'b'.repeat(32)}`
const key65 = `${key64}b`
const sixteenWords = Array.from({ length: 16 }, () => 'abc').join('.')

beforeEach(async () => {
  await news.create()
  await cmq.ask('CreateTopic', { topicName: 'routed', filterType: 2 })
})

describeRequest(subscribe)
describeTopic(subscribe)

describe('given a topic', () => {
  it("when a web server is subscribed as in CMQ's example, then the subscription's id is answered", async () => {
    const sent = {
      protocol: 'http',
      endpoint: 'http://127.0.0.1:9000/hook',
      notifyStrategy: 'BACKOFF_RETRY',
      notifyContentFormat: 'JSON',
      'filterTag.1': 'red',
    }
    const answer = await subscribe(sent, { settings: { pushTargets: ['127.0.0.0/8'] } })
    expect(answer).toEqual(done)
    expect(await news.attributes('mail')).toEqual(
      success({
        topicOwner: cmq.account,
        msgCount: 0,
        protocol: 'http',
        protocal: 'http',
        endpoint: 'http://127.0.0.1:9000/hook',
        notifyStrategy: 'BACKOFF_RETRY',
        notifyContentFormat: 'JSON',
        createTime: Math.floor(START / 1000),
        lastModifyTime: Math.floor(START / 1000),
        bindingKey: [],
        bindindKey: [],
        filterTag: ['red'],
        filterTags: ['red'],
        subscriptionId: answer['subscriptionId'],
        subscriptionName: 'mail',
      }),
    )
  })

  it('when only what is required is sent for a web server, then the rest has its default', async () => {
    await subscribe()
    expect(await news.attributes('mail')).toMatchObject({
      notifyStrategy: 'EXPONENTIAL_DECAY_RETRY',
      notifyContentFormat: 'JSON',
      filterTag: [],
      bindingKey: [],
    })
  })

  it('when only what is required is sent for a queue, then its format is SIMPLIFIED', async () => {
    await subscribe(orders)
    expect(await news.attributes('mail')).toMatchObject({
      protocol: 'queue',
      endpoint: 'orders',
      notifyStrategy: 'EXPONENTIAL_DECAY_RETRY',
      notifyContentFormat: 'SIMPLIFIED',
    })
  })

  it('when two subscribe under one name at once, then one of them does', async () => {
    const answers = await Promise.all([subscribe(), subscribe()])
    expect(answers.map(({ code }) => code).sort()).toEqual([0, 4490])
  })

  it('when it has messages already, then a new subscription gets none of them', async () => {
    await news.subscribeWeb('pager')
    await news.publish()
    await subscribe()
    expect(await news.msgCount('mail')).toBe(0)
    await news.publish()
    expect(await news.msgCount('mail')).toBe(1)
  })

  it('when several subscriptions have the same endpoint, then each gets its copy', async () => {
    await news.subscribeQueue('orders')
    expect(await subscribe(orders)).toEqual(done)
    await news.publish()
    expect(await news.received('orders')).toEqual(['hello', 'hello'])
  })
})

describe('given a subscription name', () => {
  it('when it is a letter, then letters, digits, - and _, 64 in all, then it is kept as it is', async () => {
    for (const subscriptionName of ['a', 'Z', 'Mail-2_x', 'a'.repeat(64)]) {
      expect(await subscribe({ subscriptionName })).toEqual(done)
      expect(await news.attributes(subscriptionName)).toHaveProperty('subscriptionName', subscriptionName)
    }
  })

  it('when it can be no name, then it is refused', async () => {
    for (const subscriptionName of ['', '1mail', '-mail', '_mail', 'ma il', 'ma.il', 'größe', 'mail\n', 'a'.repeat(65)])
      expect(await subscribe({ subscriptionName }), subscriptionName).toEqual(
        refusal(4000, '(10580)subscription name format error'),
      )
  })

  it('when it is absent, then it is asked for', async () => {
    expect(await subscribe({ subscriptionName: '-' })).toEqual(missing('subscriptionName'))
  })

  it('when its key has a trailing blank and other capitals, then it is found', async () => {
    expect(await subscribe({ subscriptionName: '-', 'SubscriptionName ': 'Mail' })).toEqual(done)
    expect(await news.attributes('mail')).toHaveProperty('subscriptionName', 'Mail')
  })

  it('when it is sent as a list, then it is refused', async () => {
    expect(await subscribe({ subscriptionName: '-', 'subscriptionName.1': 'mail' })).toEqual(
      notRepeatable('subscriptionName'),
    )
  })

  it.each(['mail', 'MAIL'])('when it is %s and taken, then it is refused, and the first stays', async (name) => {
    const { subscriptionId } = await subscribe({ 'filterTag.1': 'red' })
    expect(await subscribe({ subscriptionName: name, ...orders })).toEqual(exists)
    expect(await news.attributes('mail')).toMatchObject({ subscriptionId, protocol: 'http', filterTag: ['red'] })
  })

  it('when it is taken and the newer form of refusals is set, then the refusal is the same', async () => {
    await subscribe()
    expect(await subscribe({}, { settings: { layeredErrors: true } })).toEqual(exists)
  })

  it('when it is taken in another topic alone, then it is free', async () => {
    expect(await bind({ 'bindingKey.1': '#' })).toEqual(done)
    expect(await subscribe()).toEqual(done)
  })

  it('when what had it has ended, then it is free, and nothing old shows up', async () => {
    const { subscriptionId } = await subscribe({ 'filterTag.1': 'red' })
    await news.publish({ 'msgTag.1': 'red' })
    await unsubscribe('mail')
    const again = await subscribe({ notifyStrategy: 'BACKOFF_RETRY' })
    expect(again).toEqual(done)
    expect(again['subscriptionId']).not.toBe(subscriptionId)
    expect(await news.attributes('mail')).toMatchObject({
      msgCount: 0,
      filterTag: [],
      notifyStrategy: 'BACKOFF_RETRY',
    })
  })
})

describe('given at most two subscriptions of a topic', () => {
  const settings = { maxSubscriptions: 2 }

  it('when a third is made, then there are too many, until one ends; those of other topics do not count', async () => {
    await bind({ 'bindingKey.1': '#' }, { settings })
    expect(await subscribe({ subscriptionName: 'a' }, { settings })).toEqual(done)
    expect(await subscribe({ subscriptionName: 'b' }, { settings })).toEqual(done)
    expect(await subscribe({ subscriptionName: 'c' }, { settings })).toEqual(
      refusal(4500, '(10480)number of subscription has reached the limit'),
    )
    expect(await subscribe({ subscriptionName: 'B' }, { settings })).toEqual(exists)
    await unsubscribe('a')
    expect(await subscribe({ subscriptionName: 'c' }, { settings })).toEqual(done)
  })
})

describe('given a protocol', () => {
  it('when it is http or queue in whatever case, then it is answered in small letters', async () => {
    expect(await subscribe({ subscriptionName: 'a', protocol: 'HTTP' })).toEqual(done)
    expect(await subscribe({ subscriptionName: 'b', ...orders, protocol: 'Queue' })).toEqual(done)
    expect(await news.attributes('a')).toMatchObject({ protocol: 'http', protocal: 'http' })
    expect(await news.attributes('b')).toMatchObject({ protocol: 'queue', protocal: 'queue' })
  })

  it('when it is anything else, then it is refused', async () => {
    for (const protocol of ['', 'https', 'email', 'http ', 'httpqueue'])
      expect(await subscribe({ protocol }), protocol).toEqual(refusal(4000, '(10510)undefined protocol'))
  })

  it('when it is absent or a list, then that is refused', async () => {
    expect(await subscribe({ protocol: '-' })).toEqual(missing('protocol'))
    expect(await subscribe({ protocol: '-', 'protocol.1': 'http' })).toEqual(notRepeatable('protocol'))
  })
})

describe('given the endpoint of a web server', () => {
  const formatError = refusal(4000, '(10500)endpoint format error')
  const illegal = refusal(4000, '(10630)illegal endpoint')

  it('when it is a URL of the internet, then it is accepted as it is', async () => {
    const endpoints = [
      'http://example.com',
      'http://example.com:8080/hook?a=b&c=%20#d',
      'https://example.com/hook',
      'HTTP://Example.com/Hook',
      'http://8.8.8.8/',
      'http://example.com/'.padEnd(500, 'x'),
    ]
    for (const [index, endpoint] of endpoints.entries()) {
      expect(await subscribe({ subscriptionName: `s${index}`, endpoint }), endpoint).toEqual(done)
      expect(await news.attributes(`s${index}`)).toHaveProperty('endpoint', endpoint)
    }
  })

  it('when it is no URL of a web server, then its format is wrong', async () => {
    const endpoints = ['', 'orders', 'example.com/hook', 'ftp://example.com/', 'http://', 'http://user@example.com/']
    for (const endpoint of [...endpoints, 'http://example.com/'.padEnd(501, 'x')])
      expect(await subscribe({ endpoint }), endpoint).toEqual(formatError)
  })

  it('when it has a blank, then that is what is wrong', async () => {
    for (const endpoint of [' http://example.com/', 'http://example.com/a b', 'http://example.com/\n', 'a b'])
      expect(await subscribe({ endpoint }), endpoint).toEqual(
        refusal(4510, '(10570)url connot contain any blank characters'),
      )
  })

  it('when it leads to what is not public, at sight, then it is illegal', async () => {
    const hosts = ['127.0.0.1:9000', '10.0.0.1', '172.16.0.1', '192.168.1.1', '169.254.169.254', '0.0.0.0', '0x7f.1']
    for (const host of [...hosts, '2130706433', '[::1]', '[fd00::1]', '[::ffff:10.0.0.1]', 'localhost', 'LOCALHOST.'])
      expect(await subscribe({ endpoint: `http://${host}/hook` }), host).toEqual(illegal)
  })

  it('when loopback may be pushed to, then that is accepted, and other private addresses are not', async () => {
    const settings = { pushTargets: ['127.0.0.0/8'] }
    expect(await subscribe({ subscriptionName: 'a', endpoint: 'http://127.0.0.1:9000/hook' }, { settings })).toEqual(
      done,
    )
    expect(await subscribe({ subscriptionName: 'b', endpoint: 'http://localhost:9000/' }, { settings })).toEqual(done)
    expect(await subscribe({ subscriptionName: 'c', endpoint: 'http://10.0.0.1/' }, { settings })).toEqual(illegal)
  })

  it('when it is absent or a list, then that is refused', async () => {
    expect(await subscribe({ endpoint: '-' })).toEqual(missing('endpoint'))
    expect(await subscribe({ endpoint: '-', 'endpoint.1': web.endpoint })).toEqual(notRepeatable('endpoint'))
  })

  it('when it is refused, then nothing is subscribed', async () => {
    await subscribe({ endpoint: 'http://10.0.0.1/' })
    expect(await cmq.ask('ListSubscriptionByTopic', { topicName: 'news' })).toHaveProperty('totalCount', 0)
  })
})

describe('given the endpoint of a queue', () => {
  it('when there is no such queue, then it is accepted: it may come', async () => {
    expect(await subscribe({ ...orders, endpoint: 'nobody' })).toEqual(done)
  })

  it('when it can be no name of a queue, then its format is wrong', async () => {
    for (const endpoint of ['', '1orders', 'or ders', 'or.ders', web.endpoint, 'a'.repeat(65)])
      expect(await subscribe({ ...orders, endpoint }), endpoint).toEqual(refusal(4000, '(10500)endpoint format error'))
  })
})

describe('given a strategy and a format', () => {
  it('when they are those that there are, then they are kept', async () => {
    const sent = { notifyStrategy: 'BACKOFF_RETRY', notifyContentFormat: 'SIMPLIFIED' }
    expect(await subscribe(sent)).toEqual(done)
    expect(await news.attributes('mail')).toMatchObject(sent)
    const others = { notifyStrategy: 'EXPONENTIAL_DECAY_RETRY', notifyContentFormat: 'JSON' }
    expect(await subscribe({ subscriptionName: 'b', ...others })).toEqual(done)
    expect(await news.attributes('b')).toMatchObject(others)
  })

  it('when they are others, then they are refused', async () => {
    for (const word of ['', 'NEVER', 'JSON_RETRY']) {
      expect(await subscribe({ notifyStrategy: word })).toEqual(refusal(4000, '(10520)undefined notify retry stragety'))
      expect(await subscribe({ notifyContentFormat: word })).toEqual(
        refusal(4000, '(10530)undefined notify content format'),
      )
    }
  })

  it('when they are lists, then they are refused', async () => {
    expect(await subscribe({ 'notifyStrategy.1': 'BACKOFF_RETRY' })).toEqual(notRepeatable('notifyStrategy'))
    expect(await subscribe({ 'notifyContentFormat.0': 'JSON' })).toEqual(notRepeatable('notifyContentFormat'))
  })

  it('when JSON is asked for a queue, then it is taken as SIMPLIFIED', async () => {
    expect(await subscribe({ ...orders, notifyContentFormat: 'JSON' })).toEqual(done)
    expect(await news.attributes('mail')).toHaveProperty('notifyContentFormat', 'SIMPLIFIED')
  })

  it('when it is asked for a queue and formats are strict, then it is refused, and only then', async () => {
    const settings = { strictContentFormat: true }
    expect(await subscribe({ ...orders, notifyContentFormat: 'JSON' }, { settings })).toEqual(
      refusal(4000, '(10640)notifyContentFormat of protocol queue must be SIMPLIFIED'),
    )
    expect(await subscribe({ subscriptionName: 'a', ...orders }, { settings })).toEqual(done)
    expect(
      await subscribe({ subscriptionName: 'b', ...orders, notifyContentFormat: 'SIMPLIFIED' }, { settings }),
    ).toEqual(done)
    expect(await subscribe({ subscriptionName: 'c', notifyContentFormat: 'JSON' }, { settings })).toEqual(done)
  })
})

describe('given filter tags', () => {
  it.each([0, 1])(
    'when there are five of 16 characters from number %d on, then they are kept in order',
    async (base) => {
      const tags = [tag16, '中'.repeat(16), 'c', 'b', 'a']
      expect(await subscribe(numbered('filterTag', tags, base))).toEqual(done)
      expect(await news.attributes('mail')).toMatchObject({ filterTag: tags, filterTags: tags, bindingKey: [] })
    },
  )

  it('when there are six, or one of 17 characters, then they are refused', async () => {
    expect(await subscribe(numbered('filterTag', ['a', 'b', 'c', 'd', 'e', 'f']))).toEqual(
      refusal(4000, '(10670)too many filterTag'),
    )
    expect(await subscribe(numbered('filterTag', ['a', `${tag16}q`]))).toEqual(outOfRange('filterTag'))
  })

  it('when some are empty, then they say nothing', async () => {
    expect(await subscribe(numbered('filterTag', ['', 'a', '']))).toEqual(done)
    expect(await news.attributes('mail')).toHaveProperty('filterTag', ['a'])
  })

  it('when their keys are wrong, then that is said', async () => {
    expect(await subscribe({ filterTag: 'a' })).toEqual(
      refusal(4000, '(10310)error: parameter filterTag key format error'),
    )
    expect(await subscribe({ 'filterTag.1': 'a', 'filterTag.3': 'b' })).toEqual(
      refusal(4000, '(10380)filterTag parameter is not consequent'),
    )
  })

  it('when the topic filters by binding keys, then they are kept and choose nothing', async () => {
    expect(await bind({ 'filterTag.1': 'red', 'bindingKey.1': 'a' })).toEqual(done)
    await news.publish({ topicName: 'routed', routingKey: 'a', 'msgTag.1': 'blue' })
    expect(await attributesOfBound()).toMatchObject({ filterTag: ['red'], bindingKey: ['a'], msgCount: 1 })
  })
})

describe('given binding keys', () => {
  it.each([
    ['bindingKey', 0],
    ['bindingKey', 1],
    ['bindindKey', 0],
    ['bindindKey', 1],
  ])(
    'when five of 64 bytes or 15 dots are sent as %s from number %d on, then they are kept in order',
    async (name, base) => {
      const keys = [key64, sixteenWords, '*.#', '中.文', 'a']
      expect(await bind(numbered(name, keys, base))).toEqual(done)
      expect(await attributesOfBound()).toMatchObject({ bindingKey: keys, bindindKey: keys, filterTag: [] })
    },
  )

  it('when there are six, then they are too many', async () => {
    const six = ['a', 'b', 'c', 'd', 'e', 'f']
    expect(await bind(numbered('bindingKey', six))).toEqual(refusal(4000, '(10680)too many bindingKey'))
    expect(await bind(numbered('bindindKey', six, 0))).toEqual(refusal(4000, '(10680)too many bindingKey'))
  })

  it('when one has more than 64 bytes or 15 dots, then it is refused', async () => {
    expect(await bind({ 'bindingKey.1': key65 })).toEqual(outOfRange('bindingKey'))
    expect(await bind({ 'bindingKey.1': '中'.repeat(22) })).toEqual(outOfRange('bindingKey'))
    expect(await bind({ 'bindingKey.1': `${sixteenWords}.` })).toEqual(refusal(4000, '(10691)too many delimeters'))
  })

  it('when their keys are wrong, then that is said', async () => {
    expect(await bind({ bindingKey: 'a' })).toEqual(
      refusal(4000, '(10310)error: parameter bindingKey key format error'),
    )
    expect(await bind({ 'bindindKey.2': 'a' })).toEqual(refusal(4000, '(10380)bindingKey parameter is not consequent'))
  })

  it('when there are none, or only empty ones, then a topic that filters by them lacks them', async () => {
    const lack = refusal(4000, '(10710)parameters lack of bindingKey')
    expect(await bind()).toEqual(lack)
    expect(await bind({ 'filterTag.1': 'red' })).toEqual(lack)
    expect(await bind({ 'bindingKey.1': '' })).toEqual(lack)
    expect(await bind({ 'bindingKey.1': '', 'bindingKey.2': 'a' })).toEqual(done)
    expect(await attributesOfBound()).toHaveProperty('bindingKey', ['a'])
  })

  it('when the topic filters by tags, then they are kept and choose nothing', async () => {
    expect(await subscribe({ 'bindingKey.1': 'a' })).toEqual(done)
    await news.publish({ routingKey: 'b' })
    expect(await news.attributes('mail')).toMatchObject({ bindingKey: ['a'], msgCount: 1 })
  })
})

describe('given a topic that is deleted while somebody subscribes to it', () => {
  it('when the deletion did not see the subscription, then the topic is missing and nothing is left', async () => {
    const { topics, subscriptions } = cmq.services
    const topic = await topics.read(cmq.account, 'news')
    const other = await cmq.anotherProcess({ isAlone: false })
    const subscribing = asker(other)('Subscribe', { topicName: 'news', subscriptionName: 'mail', ...web })
    await untilAsleep(cmq.clock)
    await topics.remove(topic, 0)
    // The new one of that name is another topic.
    await news.create()
    await cmq.clock.advance(10_000)
    expect(await subscribing).toEqual(topicIsMissing)
    expect(await subscriptions.list(topic.id)).toEqual([])
    expect(await cmq.ask('ListSubscriptionByTopic', { topicName: 'news' })).toHaveProperty('totalCount', 0)
  })
})
