import { deepEqual, equal, ok } from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { listed } from '../support/cmq-client.ts'
import { bodiesIn, NO_MESSAGE, receive, receiveAll, refused, type Story } from './story.ts'

const queueMissing = '(10100)queue is not existed, or deleted'
const handleInvalid = '(10260)receipt handle is invalid'

const life: Story = async ({ client, own, check }) => {
  const queueName = await own.queue('life', { visibilityTimeout: 2, msgRetentionSeconds: 3600 })
  await check('a queue is created with its attributes, once', async () => {
    const attributes = await client.call('GetQueueAttributes', { queueName })
    deepEqual([attributes.visibilityTimeout, attributes.msgRetentionSeconds], [2, 3600])
    refused(await client.ask('CreateQueue', { queueName }), '(10210)queue is already existed')
    equal((await client.call('ListQueue', { searchWord: queueName })).totalCount, 1)
  })
  await check('a message that is not deleted comes again, under another handle', async () => {
    await client.call('SendMessage', { queueName, msgBody: 'hello 消息 😀' })
    const first = await receive(client, queueName)
    const again = await receive(client, queueName)
    deepEqual([first.msgBody, again.msgBody, again.msgId], ['hello 消息 😀', 'hello 消息 😀', first.msgId])
    refused(await client.ask('DeleteMessage', { queueName, receiptHandle: first.receiptHandle }), handleInvalid)
  })
  await check('what is set is what is read', async () => {
    await client.call('SetQueueAttributes', { queueName, visibilityTimeout: 600 })
    const attributes = await client.call('GetQueueAttributes', { queueName })
    deepEqual([attributes.visibilityTimeout, attributes.msgRetentionSeconds], [600, 3600])
  })
  await check('what is deleted is gone', async () => {
    // What was received above comes free again, two seconds later.
    const { receiptHandle } = await receive(client, queueName)
    await client.call('DeleteMessage', { queueName, receiptHandle })
    refused(await client.ask('DeleteMessage', { queueName, receiptHandle }), handleInvalid)
    equal((await client.ask('ReceiveMessage', { queueName, pollingWaitSeconds: 3 })).code, NO_MESSAGE)
  })
  await check('a queue that is deleted is gone', async () => {
    await client.call('DeleteQueue', { queueName })
    refused(await client.ask('SendMessage', { queueName, msgBody: 'a' }), queueMissing)
    refused(await client.ask('ReceiveMessage', { queueName, pollingWaitSeconds: 1 }), queueMissing)
  })
}

const waiting: Story = async ({ client, own, check }) => {
  const queueName = await own.queue('waiting')
  await check('a receive waits as long as it is told, and no longer than it has to', async () => {
    const start = performance.now()
    equal((await client.ask('ReceiveMessage', { queueName, pollingWaitSeconds: 2 })).code, NO_MESSAGE)
    ok(performance.now() - start > 1_900, 'the answer came too early')
    const received = receive(client, queueName)
    await sleep(1_000)
    await client.call('SendMessage', { queueName, msgBody: 'at last' })
    equal((await received).msgBody, 'at last')
  })
  await check('a delayed message comes when its delay is over, and not before', async () => {
    const start = performance.now()
    await client.call('SendMessage', { queueName, msgBody: 'later', delaySeconds: 3 })
    equal((await receive(client, queueName)).msgBody, 'later')
    ok(performance.now() - start > 2_900, 'the message came too early')
  })
}

const batches: Story = async ({ client, own, check }) => {
  const queueName = await own.queue('batches', { visibilityTimeout: 600 })
  const bodies = Array.from({ length: 16 }, (_, index) => `message ${String(index).padStart(2, '0')}`)
  await check('sixteen messages go through in batches, in their order', async () => {
    const { msgList } = await client.call('BatchSendMessage', { queueName, ...listed('msgBody', bodies) })
    equal(msgList.length, 16)
    const messages = await receiveAll(client, queueName, 16)
    deepEqual(messages.map(({ msgBody }) => msgBody).sort(), bodies)
    const handles = messages.map(({ receiptHandle }) => receiptHandle)
    await client.call('BatchDeleteMessage', { queueName, ...listed('receiptHandle', handles) })
    const again = await client.ask('BatchDeleteMessage', { queueName, ...listed('receiptHandle', handles.slice(0, 2)) })
    deepEqual([again.code, again.message], [6020, '(10290)batch delete message failed'])
  })
  await check('a batch of seventeen is refused', async () => {
    const answer = await client.ask('BatchSendMessage', { queueName, ...listed('msgBody', [...bodies, 'one more']) })
    deepEqual(answer.code, 4000)
  })
}

const KB = 1_024

const bodies: Story = async ({ client, own, check }) => {
  const queueName = await own.queue('bodies')
  const passes = async (name: string, msgBody: string) => {
    await client.call('SendMessage', { queueName: name, msgBody })
    const [received] = await bodiesIn(client, name, 1)
    ok(received === msgBody, `${received?.length} characters came back of ${msgBody.length}, or others`)
  }
  await check('a body of 64 KB comes back as it was sent', () => passes(queueName, 'x'.repeat(64 * KB)))
  await check('a body that is larger than its queue allows is refused', async () => {
    const answer = await client.ask('SendMessage', { queueName, msgBody: 'x'.repeat(64 * KB + 1) })
    deepEqual([answer.code, answer.message], [4400, '(10230)exceed maximum message size'])
  })
  await check('a body of 1 MB comes back as it was sent', async () => {
    const large = await own.queue('large-bodies', { maxMsgSize: KB * KB })
    await passes(large, '消息 "\\\n'.padEnd(KB * KB - 4, 'y'))
  })
}

export const queueStories: readonly Story[] = [life, waiting, batches, bodies]
