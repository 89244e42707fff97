import { deepEqual, equal, ok } from 'node:assert/strict'
import { listed } from '../support/cmq-client.ts'
import { subscriberThat } from '../support/subscriber.ts'
import { bodiesIn, NO_MESSAGE, PATIENCE, type Story } from './story.ts'

const tags: Story = async ({ client, own, check }) => {
  const topicName = await own.topic('by-tags')
  await check('a message for nobody is refused, or dropped where that is set', async () => {
    const { code } = await client.ask('PublishMessage', { topicName, msgBody: 'a' })
    ok(code === 6030 || code === 0, `the answer is ${code}`)
  })
  const red = await own.subscribedQueue(topicName, 'red', listed('filterTag', ['red']))
  const all = await own.subscribedQueue(topicName, 'all')
  await check('filter tags choose who gets a message', async () => {
    await client.call('PublishMessage', { topicName, msgBody: '1', ...listed('msgTag', ['red', 'blue']) })
    await client.call('PublishMessage', { topicName, msgBody: '2', ...listed('msgTag', ['blue']) })
    await client.call('BatchPublishMessage', {
      topicName,
      ...listed('msgBody', ['3', '4']),
      ...listed('msgTag', ['red']),
    })
    deepEqual(await bodiesIn(client, red, 3), ['1', '3', '4'])
    deepEqual(await bodiesIn(client, all, 4), ['1', '2', '3', '4'])
  })
  await check('a topic that has subscriptions is not deleted', async () => {
    equal((await client.ask('DeleteTopic', { topicName })).code, 4000)
  })
}

const routingKeys: Story = async ({ client, own, check }) => {
  const topicName = await own.topic('by-keys', { filterType: 2 })
  const orders = await own.subscribedQueue(topicName, 'orders', listed('bindingKey', ['order.*']))
  await check('binding keys choose who gets a message', async () => {
    await client.call('PublishMessage', { topicName, msgBody: '1', routingKey: 'order.new' })
    await client.ask('PublishMessage', { topicName, msgBody: '2', routingKey: 'payment' })
    await client.call('PublishMessage', { topicName, msgBody: '3', routingKey: 'order.old' })
    deepEqual(await bodiesIn(client, orders, 2), ['1', '3'])
  })
}

const delayed: Story = async ({ client, own, check }) => {
  const topicName = await own.topic('delayed')
  const queueName = await own.subscribedQueue(topicName, 'later')
  await check('a delayed publication comes when its delay is over, and not before', async () => {
    const start = performance.now()
    await client.call('PublishMessage', { topicName, msgBody: 'later', delaySeconds: 3 })
    // Where the call that starts the release is lost, the release of every minute does it.
    for (;;) {
      const { code, msgBody } = await client.ask('ReceiveMessage', { queueName, pollingWaitSeconds: PATIENCE })
      if (code === NO_MESSAGE && performance.now() - start < 90_000) continue
      deepEqual([code, msgBody], [0, 'later'])
      break
    }
    ok(performance.now() - start > 2_900, 'the message came too early')
  })
}

const pushes: Story = async ({ client, own, check, skip, isLocal }) => {
  if (!isLocal) return skip('a push to a web server', 'the service cannot reach one of this machine')
  await using subscriber = await subscriberThat(500, 200)
  const topicName = await own.topic('pushes')
  await check('a message is pushed to a web server, and again after it has failed', async () => {
    await own.subscribe(topicName, 'web', { protocol: 'http', endpoint: subscriber.url, notifyContentFormat: 'JSON' })
    const { msgId } = await client.call('PublishMessage', { topicName, msgBody: 'hello' })
    const first = await subscriber.push(1)
    const second = await subscriber.push(2)
    const { msgBody, ...about } = JSON.parse(second.body)
    deepEqual([msgBody, about.msgId, first.body], ['hello', msgId, second.body])
    ok(second.at - first.at > 900, 'the second attempt came too early')
  })
}

export const topicStories: readonly Story[] = [tags, routingKeys, delayed, pushes]
