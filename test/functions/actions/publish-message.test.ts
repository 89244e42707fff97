import { beforeEach, describe, expect, it } from 'vitest'
import { handler } from '../../../functions/actions/publish-message.ts'
import type { Work } from '../../../lib/store/work.ts'
import { untilAsleep, whilePassing } from '../../support/clock.ts'
import { injectFaults, type Fault, type SeenCall } from '../../support/faults.ts'
import { asker } from '../../support/service.ts'
import {
  accountForEachTest,
  aMessageId,
  describeNumber,
  describeRequest,
  describeTopic,
  missing,
  notRepeatable,
  numbered,
  outOfRange,
  refusal,
  success,
  topicIsMissing,
  type Sent,
} from '../support/cmq.ts'
import { newsOf } from '../support/news.ts'
import { countPuts } from '../support/puts.ts'

const cmq = accountForEachTest()
const news = newsOf(cmq)
const publish = cmq.caller(handler, 'PublishMessage', { topicName: 'news', msgBody: 'hello' })

const MB = 1_048_576
const done = success({ msgId: aMessageId })
const tooLarge = refusal(4400, '(10230)exceed maximum message size')
const delayIsWrong = refusal(4000, '(10692)delay seconds is out of range')
const nobody = refusal(6030, '(10650)topic has no subscription, please create a subscription before publishing message')
const noMatch = refusal(6030, '(10730)no bindingKey or filterTag matches the routingKey or msgTag')
const failed = refusal(6000, '(10050)server internal error')

describe('given a topic with one subscription', () => {
  beforeEach(async () => {
    await news.create({ maxMsgSize: MB })
    await news.subscribeWeb('mail')
  })

  describeRequest(publish)
  describeTopic(publish)
  describeNumber(publish, 'delaySeconds', { min: 0, max: 3_600, outOfRange: delayIsWrong })

  describe('given a body', () => {
    it('when it is absent, empty or a list, then that is refused', async () => {
      expect(await publish({ msgBody: '-' })).toEqual(missing('msgBody'))
      expect(await publish({ msgBody: '' })).toEqual(refusal(4000, "(10120)message body can't be empty"))
      expect(await publish({ msgBody: '-', 'msgBody.1': 'x' })).toEqual(notRepeatable('msgBody'))
    })

    it('when it has as many bytes as the maxMsgSize, then it is published, and not with one more', async () => {
      await cmq.ask('SetTopicAttributes', { topicName: 'news', maxMsgSize: 1_024 })
      expect(await publish({ msgBody: 'x'.repeat(1_024) })).toEqual(done)
      expect(await publish({ msgBody: 'x'.repeat(1_025) })).toEqual(tooLarge)
      expect(await publish({ msgBody: `x${'中'.repeat(341)}` })).toEqual(done)
      expect(await publish({ msgBody: '中'.repeat(342) })).toEqual(tooLarge)
    })

    it('when it is larger than 1 MB, or than 4.5 MB as escaped JSON, then no topic takes it', async () => {
      expect(await publish({ msgBody: 'x'.repeat(MB + 1) })).toEqual(tooLarge)
      expect(await publish({ msgBody: '\0'.repeat(750_000) })).toEqual(tooLarge)
      expect(await news.msgCount('mail')).toBe(0)
    })
  })

  describe('given its tags', () => {
    it.each([0, 1])(
      'when there are five of 16 characters from number %d on, then they are kept in order',
      async (base) => {
        const tags = ['abcdefghijklmnop', '中'.repeat(16), 'c', 'b', 'a']
        expect(await publish(numbered('msgTag', tags, base))).toEqual(done)
        expect(await news.deliveries('mail')).toMatchObject([{ labels: { tags, routingKey: '' } }])
      },
    )

    it('when there are six, or one of 17 characters, then they are refused', async () => {
      expect(await publish(numbered('msgTag', ['a', 'b', 'c', 'd', 'e', 'f']))).toEqual(
        refusal(4000, '(10720)too many msgTag'),
      )
      expect(await publish({ 'msgTag.1': 'abcdefghijklmnopq' })).toEqual(outOfRange('msgTag'))
    })

    it('when some are empty, then they say nothing', async () => {
      expect(await publish(numbered('msgTag', ['', 'a', '']))).toEqual(done)
      expect(await news.deliveries('mail')).toMatchObject([{ labels: { tags: ['a'] } }])
    })

    it('when their keys are wrong, then that is said', async () => {
      expect(await publish({ msgTag: 'a' })).toEqual(refusal(4000, '(10310)error: parameter msgTag key format error'))
      expect(await publish({ 'msgTag.2': 'a' })).toEqual(refusal(4000, '(10380)msgTag parameter is not consequent'))
    })
  })

  describe('given its routing key', () => {
    it('when it has 64 bytes or 15 dots, then it is accepted, and not with one more', async () => {
      const words = Array.from({ length: 16 }, () => 'abc').join('.')
      expect(await publish({ routingKey: 'x'.repeat(64) })).toEqual(done)
      expect(await publish({ routingKey: 'x'.repeat(65) })).toEqual(outOfRange('routingKey'))
      expect(await publish({ routingKey: '中'.repeat(22) })).toEqual(outOfRange('routingKey'))
      expect(await publish({ routingKey: words })).toEqual(done)
      expect(await publish({ routingKey: `${words}.` })).toEqual(refusal(4000, '(10691)too many delimeters'))
    })

    it('when it is empty, as SDKs send it to every topic, then it says nothing', async () => {
      expect(await publish({ routingKey: '' })).toEqual(done)
    })

    it('when it is sent as a list, then it is refused', async () => {
      expect(await publish({ 'routingKey.1': 'a' })).toEqual(notRepeatable('routingKey'))
    })
  })
})

describe('given a topic that filters by tags', () => {
  beforeEach(async () => {
    await news.create()
    await news.subscribeQueue('all')
    await news.subscribeQueue('red', { 'filterTag.1': 'red' })
    await news.subscribeQueue('redOrBlue', numbered('filterTag', ['red', 'blue']))
    // Binding keys choose nothing here.
    await news.subscribeQueue('green', { 'filterTag.1': 'green', 'bindingKey.1': '#' })
  })

  it("when a message is published as in CMQ's example, then it is in every matching queue under an id of its own", async () => {
    const answer = await publish({ 'msgTag.1': 'red', 'msgTag.2': 'blue' })
    expect(answer).toEqual(done)
    const received = await Promise.all(
      ['all', 'red', 'redOrBlue'].map((queueName) => cmq.ask('ReceiveMessage', { queueName })),
    )
    expect(received).toMatchObject(Array(3).fill({ code: 0, msgBody: 'hello', dequeueCount: 1 }))
    expect(new Set([answer['msgId'], ...received.map(({ msgId }) => msgId)]).size).toBe(4)
    expect(await news.received('green')).toEqual([])
  })

  it('when messages have tags, then each goes to whom one of them concerns, once, and to who has no filter', async () => {
    const labels: readonly (readonly string[])[] = [[], ['red'], ['blue'], ['blue', 'red'], ['RED'], ['re'], ['green']]
    for (const tags of labels) await publish({ msgBody: tags.join() || 'none', ...numbered('msgTag', tags) })
    expect(await news.received('all')).toEqual(['none', 'red', 'blue', 'blue,red', 'RED', 're', 'green'])
    expect(await news.received('red')).toEqual(['red', 'blue,red'])
    expect(await news.received('redOrBlue')).toEqual(['red', 'blue', 'blue,red'])
    expect(await news.received('green')).toEqual(['green'])
  })

  it('when it has a routing key, then that chooses nothing', async () => {
    await publish({ routingKey: 'red', 'msgTag.1': 'green' })
    expect(await news.received('red')).toEqual([])
    expect(await news.received('green')).toEqual(['hello'])
  })
})

describe('given a topic that filters by binding keys', () => {
  beforeEach(async () => {
    await news.create({ filterType: 2 })
    await news.subscribeQueue('everything', { 'bindingKey.1': '#' })
    await news.subscribeQueue('twoWords', { 'bindingKey.1': '*.*' })
    // Filter tags choose nothing here, and two keys that match make one copy.
    await news.subscribeQueue('logs', { ...numbered('bindingKey', ['log.#', '*.error']), 'filterTag.1': 'red' })
  })

  it('when messages have routing keys, then each goes to whom a binding key binds, once', async () => {
    for (const routingKey of ['log', 'log.error', 'web.error', 'web', 'LOG', '*', 'log.a.b'])
      expect(await publish({ msgBody: routingKey, routingKey, 'msgTag.1': 'blue' })).toEqual(done)
    expect(await news.received('everything')).toHaveLength(7)
    expect(await news.received('twoWords')).toEqual(['log.error', 'web.error'])
    expect(await news.received('logs')).toEqual(['log', 'log.error', 'web.error', 'log.a.b'])
  })

  it('when a message has none, or an empty one, then it lacks one', async () => {
    const lack = refusal(4000, '(10700)parameters lack of routingKey')
    expect(await publish()).toEqual(lack)
    expect(await publish({ routingKey: '', 'msgTag.1': 'red' })).toEqual(lack)
    expect(await publish({ routingKey: '', delaySeconds: 5 })).toEqual(lack)
    expect(await news.received('everything')).toEqual([])
  })
})

describe('given nobody who gets the message', () => {
  const settings = { publishToNobody: true }

  it('when the topic has no subscription, then that is said, until it has one', async () => {
    await news.create()
    expect(await publish()).toEqual(nobody)
    await news.subscribeQueue('orders')
    expect(await publish()).toEqual(done)
    await cmq.ask('Unsubscribe', { topicName: 'news', subscriptionName: 'orders' })
    expect(await publish()).toEqual(nobody)
  })

  it('when none of its subscriptions lets it through, then that is said', async () => {
    await news.create()
    await news.subscribeQueue('red', { 'filterTag.1': 'red' })
    expect(await publish()).toEqual(noMatch)
    expect(await publish({ 'msgTag.1': 'blue' })).toEqual(noMatch)
    await cmq.ask('CreateTopic', { topicName: 'routed', filterType: 2 })
    await news.subscribeWeb('mail', { topicName: 'routed', 'bindingKey.1': 'a' })
    expect(await publish({ topicName: 'routed', routingKey: 'b' })).toEqual(noMatch)
  })

  it('when that is no error by a setting, then it is accepted and dropped', async () => {
    await news.create()
    expect(await publish({}, { settings })).toEqual(done)
    await news.subscribeQueue('red', { 'filterTag.1': 'red' })
    expect(await publish({}, { settings })).toEqual(done)
    expect(await news.received('red')).toEqual([])
    expect(await publish({ topicName: 'other' }, { settings })).toEqual(topicIsMissing)
  })
})

describe('given a body of any kind', () => {
  it('when it is published, then it is received and kept for pushing byte for byte', async () => {
    await news.create({ maxMsgSize: MB })
    await news.subscribeQueue('a', {}, { maxMsgSize: MB })
    await news.subscribeQueue('b', {}, { maxMsgSize: MB, shards: 4 })
    await news.subscribeWeb('mail')
    const bodies = [
      ' ',
      '\n',
      '\0',
      String.fromCharCode(...Array(128).keys()),
      'a=b&c=%26+d',
      '@hello',
      '{"a":["\\u0000",null]}',
      '\uFEFFx',
      'aß中👩‍👩‍👧‍👦\u{10FFFF}',
      'e\u0301 \u2028\u2029\uFFFD\uFFFF',
      'x'.repeat(800),
      'x'.repeat(802),
      'x'.repeat(65_536),
      `x${'中'.repeat(349_525)}`,
    ]
    for (const msgBody of bodies) {
      expect(await publish({ msgBody })).toEqual(done)
      expect((await cmq.ask('ReceiveMessage', { queueName: 'a' }))['msgBody'] === msgBody).toBe(true)
      expect((await cmq.ask('ReceiveMessage', { queueName: 'b' }))['msgBody'] === msgBody).toBe(true)
    }
    const waiting = await news.deliveries('mail')
    const texts = await cmq.services.bodies.load(waiting.map(({ body }) => body))
    expect(texts.map((text, index) => text === bodies[index])).toEqual(bodies.map(() => true))
  })
})

describe('given a web server that is subscribed', () => {
  beforeEach(() => news.create())

  it('when a message is published, then it waits for it, under the id that was answered, for a day', async () => {
    await news.subscribeWeb('mail')
    const { msgId } = await publish({ 'msgTag.1': 'red', routingKey: 'a.b' })
    const now = cmq.clock.now()
    expect(await news.deliveries('mail')).toEqual([
      {
        id: msgId,
        publishedAt: now,
        endsAt: now + 86_400_000,
        attempt: 0,
        dueAt: now,
        labels: { tags: ['red'], routingKey: 'a.b' },
        body: { text: 'hello' },
      },
    ])
    expect(await news.msgCount('mail')).toBe(1)
    // Nobody was called, so it has to be found by whoever looks after what is left behind.
    const { id, topicId } = await news.subscription('mail')
    const mail = { duty: 'push', laneId: id, within: topicId, name: 'mail' }
    expect(await cmq.services.workList.left('push')).toContainEqual(mail)
  })

  it('when messages are published, then somebody is called for those who get them, once in two seconds', async () => {
    await news.subscribeWeb('mail')
    await news.subscribeWeb('pager', { 'filterTag.1': 'red' })
    await news.subscribeQueue('orders')
    const works: Work[] = []
    const start = (work: Work) => Promise.resolve(void works.push(work))
    const ask = asker(await cmq.anotherProcess({ start }))
    const { id, topicId } = await news.subscription('mail')
    const mail = { duty: 'push', laneId: id, within: topicId, name: 'mail' }
    expect(await ask('PublishMessage', { topicName: 'news', msgBody: 'x' })).toEqual(done)
    expect(works).toEqual([mail])
    await ask('PublishMessage', { topicName: 'news', msgBody: 'x' })
    expect(works).toHaveLength(1)
    await cmq.clock.advance(2_000)
    await ask('PublishMessage', { topicName: 'news', msgBody: 'x', 'msgTag.1': 'red' })
    expect(works.slice(1)).toEqual([mail, expect.objectContaining({ duty: 'push', name: 'pager' })])
  })

  it('when nobody can be called, then the message is published all the same, and that is reported', async () => {
    await news.subscribeWeb('mail')
    const reports: string[] = []
    const ask = asker(
      await cmq.anotherProcess({
        start: () => Promise.reject(new Error('no such function')),
        report: (message) => void reports.push(message),
      }),
    )
    expect(await ask('PublishMessage', { topicName: 'news', msgBody: 'x' })).toEqual(done)
    expect(reports).toEqual(['nobody could be called for deliveries'])
    expect(await news.msgCount('mail')).toBe(1)
  })
})

describe('given a queue that cannot take the message', () => {
  beforeEach(() => news.create({ maxMsgSize: MB }))

  it('when there is no such queue, then the message waits for it, and the other queues have theirs', async () => {
    await news.subscribeWeb('lost', { protocol: 'queue', endpoint: 'nobody' })
    await news.subscribeQueue('orders')
    const { msgId } = await publish({ 'msgTag.1': 'red' })
    expect(await news.msgCount('lost')).toBe(1)
    expect(await news.deliveries('lost')).toMatchObject([{ id: msgId, attempt: 0, body: { text: 'hello' } }])
    expect(await news.received('orders')).toEqual(['hello'])
    expect(await news.msgCount('orders')).toBe(0)
  })

  it('when it was deleted, then messages wait for it, and go into the next one of its name once that is there', async () => {
    await news.subscribeQueue('orders')
    await cmq.ask('DeleteQueue', { queueName: 'orders' })
    await publish({ msgBody: 'before' })
    expect(await news.msgCount('orders')).toBe(1)
    await cmq.ask('CreateQueue', { queueName: 'ORDERS' })
    await publish({ msgBody: 'after' })
    expect(await news.received('orders')).toEqual(['after'])
    expect(await news.msgCount('orders')).toBe(1)
  })

  it('when its maxMsgSize is smaller than the message, by a byte, then the message waits for it', async () => {
    await news.subscribeQueue('tiny', {}, { maxMsgSize: 1_024 })
    await news.subscribeQueue('large', {}, { maxMsgSize: MB })
    const fits = `x${'中'.repeat(341)}`
    await publish({ msgBody: fits })
    expect(await news.msgCount('tiny')).toBe(0)
    await publish({ msgBody: '中'.repeat(342) })
    expect(await news.msgCount('tiny')).toBe(1)
    expect(await news.received('tiny')).toEqual([fits])
    expect(await news.received('large')).toEqual([fits, '中'.repeat(342)])
  })
})

describe('given many who get the message', () => {
  it('when its body is large, then it is stored once for all of them, and each has it whole', async () => {
    await news.create()
    const queues = Array.from({ length: 27 }, (_, index) => `q${index}`)
    for (const name of queues) await news.subscribeQueue(name)
    await news.subscribeWeb('mail')
    await news.subscribeWeb('pager')
    let puts: Record<string, number> = {}
    const ask = asker(await cmq.anotherProcess({ prepare: (client) => void (puts = countPuts(client)) }))
    const msgBody = '中'.repeat(21_845)
    expect(await ask('PublishMessage', { topicName: 'news', msgBody })).toEqual(done)
    expect(puts).toEqual({ bodies: 1, messages: 27, deliveries: 2 })
    const received = await Promise.all(queues.map((name) => news.received(name)))
    expect(received.every(([body]) => body === msgBody)).toBe(true)

    expect(await ask('PublishMessage', { topicName: 'news', msgBody: 'small' })).toEqual(done)
    expect(puts).toEqual({ bodies: 1, messages: 54, deliveries: 4 })
  })
})

describe('given a delay', () => {
  beforeEach(() => news.create())

  it('when a message is published with one, then nobody has it yet, whoever subscribes, and it waits in its topic', async () => {
    const { topicId } = await cmq.ask('GetTopicAttributes', { topicName: 'news' })
    const works: Work[] = []
    const start = (work: Work) => Promise.resolve(void works.push(work))
    const ask = asker(await cmq.anotherProcess({ start }))
    // Who gets it is decided when it is due, so there need not be anybody yet.
    const answer = await ask('PublishMessage', {
      topicName: 'news',
      msgBody: 'later',
      delaySeconds: 60,
      'msgTag.1': 'red',
    })
    expect(answer).toEqual(done)
    await news.subscribeQueue('orders')
    expect(await news.received('orders')).toEqual([])
    const dueAt = cmq.clock.now() + 60_000
    const { deliveries } = await cmq.services.deliveries.first(topicId as string, 10)
    expect(deliveries).toEqual([
      {
        id: answer['msgId'],
        publishedAt: dueAt,
        endsAt: dueAt + 86_400_000,
        attempt: 0,
        dueAt,
        labels: { tags: ['red'], routingKey: '' },
        body: { text: 'later' },
      },
    ])
    const work = { duty: 'release', laneId: topicId, within: cmq.account, name: 'news' }
    expect(works).toEqual([work])
    expect(await cmq.services.workList.left('release')).toContainEqual(work)
  })

  it('when the deployment allows a longer one, or none, then that is the bound', async () => {
    await news.subscribeWeb('mail')
    expect(await publish({ delaySeconds: 86_400 }, { settings: { longestDelay: 86_400 } })).toEqual(done)
    expect(await publish({ delaySeconds: 86_401 }, { settings: { longestDelay: 86_400 } })).toEqual(delayIsWrong)
    expect(await publish({ delaySeconds: 0 }, { settings: { longestDelay: 0 } })).toEqual(done)
    expect(await publish({ delaySeconds: 1 }, { settings: { longestDelay: 0 } })).toEqual(delayIsWrong)
  })

  it('when the body is too large for the topic, then it is refused at once', async () => {
    expect(await publish({ delaySeconds: 60, msgBody: 'x'.repeat(65_537) })).toEqual(tooLarge)
  })
})

describe('given a publish that fails half-way', () => {
  const large = { msgBody: 'x'.repeat(5_000) }

  beforeEach(async () => {
    await news.create()
    await news.subscribeQueue('a')
    await news.subscribeQueue('b')
    await news.subscribeWeb('mail')
  })

  /** A process whose puts into a table fail so many times, or until it is told otherwise. */
  async function unlucky(table: string, fault: Fault, times = Infinity) {
    let left = times
    const concerns = ({ command, input }: SeenCall) => {
      const { TableName, RequestItems } = input as { TableName?: string; RequestItems?: object }
      const names = command === 'BatchWriteItemCommand' ? Object.keys(RequestItems ?? {}) : [TableName ?? '']
      return /^(Put|BatchWrite)/.test(command) && names.some((name) => name.startsWith(`${table}-`))
    }
    const ask = asker(
      await cmq.anotherProcess({
        prepare: (client) => injectFaults(client, (call) => (concerns(call) && left-- > 0 ? fault : undefined)),
      }),
    )
    const begin = (sent: Sent = {}) => ask('PublishMessage', { topicName: 'news', msgBody: 'x', ...sent })
    return {
      begin,
      publish: (sent?: Sent) => whilePassing(cmq.clock, begin(sent)),
      heal: () => void (left = 0),
      /** Whether as many puts have failed as were to. */
      isDone: () => left <= 0,
    }
  }

  it.each<[string, Fault]>([
    ['are throttled', 'throttled'],
    ['are lost on the way', 'lost before'],
    ['are stored but nobody is told', 'lost after'],
  ])('when the copies for queues %s, then they wait to be delivered to their queues', async (_, fault) => {
    const { publish } = await unlucky('messages', fault)
    expect(await publish()).toEqual(done)
    expect(await news.msgCount('mail')).toBe(1)
    for (const queueName of ['a', 'b']) {
      expect(await news.msgCount(queueName)).toBe(1)
      const bodies = await news.received(queueName)
      expect(bodies.every((body) => body === 'x')).toBe(true)
      if (fault !== 'lost after') expect(bodies).toHaveLength(0)
    }
  })

  it('when the deliveries are throttled, then it is an error, and repeated it is at worst there twice', async () => {
    const { publish, heal } = await unlucky('deliveries', 'throttled')
    expect(await publish()).toEqual(failed)
    expect(await news.msgCount('mail')).toBe(0)
    // Its lane was noted before anything was to be stored there: what is stored unseen would be found.
    const { id } = await news.subscription('mail')
    expect((await cmq.services.workList.left('push')).map(({ laneId }) => laneId)).toContain(id)
    heal()
    expect(await publish()).toEqual(done)
    expect(await news.msgCount('mail')).toBe(1)
    expect(await news.received('a')).toEqual(['x', 'x'])
    expect(await news.received('b')).toEqual(['x', 'x'])
  })

  it('when the body cannot be stored, then it is an error and nobody has anything', async () => {
    const { publish, heal } = await unlucky('bodies', 'lost before')
    expect(await publish(large)).toEqual(failed)
    expect(await news.received('a')).toEqual([])
    expect(await news.msgCount('mail')).toBe(0)
    heal()
    expect(await publish(large)).toEqual(done)
    expect(await news.received('a')).toEqual([large.msgBody])
  })

  it('when one put of a delivery took place and its answer is lost, then it succeeds, and there is one', async () => {
    const { publish, isDone } = await unlucky('deliveries', 'lost after', 1)
    expect(await publish()).toEqual(done)
    expect(isDone()).toBe(true)
    expect(await news.msgCount('mail')).toBe(1)
    expect(await news.received('a')).toEqual(['x'])
  })

  it('when a queue is deleted before its copy is in, then that waits for the next queue of its name', async () => {
    const { begin, heal } = await unlucky('messages', 'throttled')
    const publishing = begin()
    await untilAsleep(cmq.clock)
    await cmq.ask('DeleteQueue', { queueName: 'b' })
    await cmq.clock.advance(1_500)
    heal()
    expect(await whilePassing(cmq.clock, publishing)).toEqual(done)
    expect(await news.received('a')).toEqual(['x'])
    expect(await news.msgCount('b')).toBe(1)
  })
})
