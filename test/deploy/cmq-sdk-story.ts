import { CMQ } from 'cmq-sdk'
import { deepEqual, equal } from 'node:assert/strict'
import http from 'node:http'
import { connect } from 'node:net'
import type { Access } from '../support/cmq-client.ts'
import type { Tally } from '../support/tally.ts'
import { proxyTo } from './proxy.ts'

/** The host names that `cmq-sdk` calls and signs, whatever it is told. */
export const sdkHosts = ['cmq-queue-gz.api.tencentyun.com', 'cmq-topic-gz.api.tencentyun.com']

/** The npm package `cmq-sdk` through a proxy that knows where CMQ has gone: the host that arrives is not the one signed. */
export async function cmqSdkStory(access: Access, { check, story }: Tally): Promise<void> {
  await using proxy = await proxyTo(access)
  // In place of a resolver that knows the proxy by the names of CMQ's regions.
  const ownAgent = http.globalAgent
  const agent = new http.Agent()
  agent.createConnection = () => connect(proxy.port, '127.0.0.1')
  http.globalAgent = agent
  try {
    const { secretId, secretKey } = access
    for (const signatureMethod of ['HmacSHA1', 'HmacSHA256'] as const)
      await story(async () => {
        const options = { path: '/v2/index.php', extranet: false, region: 'gz', signatureMethod, secretId, secretKey }
        await check(`the life of a queue, ${signatureMethod}`, () => queueLife(CMQ.NEW(options), signatureMethod))
        await check(`the life of a topic, ${signatureMethod}`, () => topicLife(CMQ.NEW(options), signatureMethod))
      })
  } finally {
    http.globalAgent = ownAgent
    agent.destroy()
  }
}

type Client = ReturnType<typeof CMQ.NEW>

async function queueLife(client: Client, name: string): Promise<void> {
  const queueName = `cmq-sdk-${name}`
  equal((await client.createQueue({ queueName, visibilityTimeout: 60 })).code, 0)
  const { msgId } = await client.sendMessage({ queueName, msgBody: 'hello 消息' })
  const received = await client.receiveMessage({ queueName, pollingWaitSeconds: 5 })
  deepEqual([received.msgBody, received.msgId, received.dequeueCount], ['hello 消息', msgId, 1])
  equal((await client.deleteMessage({ queueName, receiptHandle: received.receiptHandle })).code, 0)
  equal((await client.batchSendMessage({ queueName, msgBody: ['a', 'b'] })).msgList.length, 2)
  const { msgInfoList } = await client.batchReceiveMessage({ queueName, numOfMsg: 16, pollingWaitSeconds: 5 })
  const receiptHandle = (msgInfoList as { receiptHandle: string }[]).map((message) => message.receiptHandle)
  equal((await client.batchDeleteMessage({ queueName, receiptHandle })).code, 0)
  equal((await client.deleteQueue({ queueName })).code, 0)
  equal((await client.receiveMessage({ queueName })).code, 4440)
}

async function topicLife(client: Client, name: string): Promise<void> {
  const topicName = `cmq-sdk-${name}`
  const queueName = `cmq-sdk-of-topic-${name}`
  const subscriptionName = 'queue'
  await client.createQueue({ queueName })
  equal((await client.createTopic({ topicName })).code, 0)
  const wanted = { topicName, subscriptionName, protocol: 'queue', endpoint: queueName, filterTag: ['red'] }
  equal((await client.subscribe(wanted)).code, 0)
  equal((await client.publishMessage({ topicName, msgBody: 'hello', msgTag: ['red'] })).code, 0)
  equal((await client.publishMessage({ topicName, msgBody: 'hello', msgTag: ['blue'] })).code, 6030)
  equal((await client.receiveMessage({ queueName, pollingWaitSeconds: 5 })).msgBody, 'hello')
  equal((await client.unsubscribe({ topicName, subscriptionName })).code, 0)
  equal((await client.deleteTopic({ topicName })).code, 0)
  equal((await client.deleteQueue({ queueName })).code, 0)
}
