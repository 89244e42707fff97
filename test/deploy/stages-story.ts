import { deepEqual, equal } from 'node:assert/strict'
import { bodiesIn, NO_MESSAGE } from '../smoke/story.ts'
import { cmqClient, type Access } from '../support/cmq-client.ts'
import type { Tally } from '../support/tally.ts'

/** Two stages in one account, in which everything is called the same. */
export async function stagesStory(one: Access, two: Access, { check }: Tally): Promise<void> {
  const clients = [cmqClient(one), cmqClient(two)] as const
  const [first, second] = clients
  const [queueName, topicName] = ['side-by-side', 'side-by-side']

  await check('a queue and a topic of one stage are not there in the other', async () => {
    await first.call('CreateQueue', { queueName })
    await first.call('CreateTopic', { topicName })
    equal((await second.ask('SendMessage', { queueName, msgBody: 'a' })).code, 4440)
    equal((await second.call('ListQueue', { searchWord: queueName })).totalCount, 0)
    equal((await second.call('ListTopic', { searchWord: topicName })).totalCount, 0)
  })
  await check('a message of one stage does not come to the other, whose names are the same', async () => {
    await second.call('CreateQueue', { queueName })
    await second.call('CreateTopic', { topicName })
    for (const client of clients) {
      const queue = { subscriptionName: 'queue', protocol: 'queue', endpoint: queueName }
      await client.call('Subscribe', { topicName, ...queue, notifyContentFormat: 'SIMPLIFIED' })
    }
    await first.call('SendMessage', { queueName, msgBody: 'sent' })
    await first.call('PublishMessage', { topicName, msgBody: 'published' })
    equal((await second.ask('ReceiveMessage', { queueName, pollingWaitSeconds: 2 })).code, NO_MESSAGE)
    deepEqual(await bodiesIn(first, queueName, 2), ['published', 'sent'])
  })
  await check('the key of one stage is nobody’s in the other', async () => {
    const stranger = cmqClient({ ...two, secretId: one.secretId, secretKey: one.secretKey })
    const { code, message } = await stranger.ask('ListQueue')
    deepEqual([code, message], [4100, '(10270)secret id is not existed'])
  })
}
