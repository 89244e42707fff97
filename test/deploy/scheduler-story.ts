import { deepEqual, ok } from 'node:assert/strict'
import { cmqClient, type Access } from '../support/cmq-client.ts'
import { subscriberThat } from '../support/subscriber.ts'
import type { Tally } from '../support/tally.ts'
import type { EmulatedCloud } from './emulated-cloud.ts'
import { scheduled } from './traces.ts'

/** Seconds that a run waits out itself. Whatever is due later is nobody's who runs: Scheduler has to wake somebody. */
export const longestPause = 3

/** A retry and a delayed publication that lie further ahead than any run waits, on a stage that has the longestPause above. */
export async function schedulerStory(access: Access, cloud: EmulatedCloud, { check }: Tally): Promise<void> {
  const client = cmqClient(access)
  await using subscriber = await subscriberThat(500, 500, 500, 200)
  const [topicName, queueName] = ['scheduled', 'scheduled']
  await client.call('CreateTopic', { topicName })
  await client.call('CreateQueue', { queueName })

  await check(
    'a failed push is tried again after 1, 2 and 4 s, for the last of which a schedule wakes it',
    async () => {
      const web = {
        subscriptionName: 'web',
        protocol: 'http',
        endpoint: subscriber.url,
        notifyContentFormat: 'SIMPLIFIED',
      }
      const { subscriptionId } = await client.call('Subscribe', { topicName, ...web })
      await client.call('PublishMessage', { topicName, msgBody: 'again' })
      const pushes = [await subscriber.push(1), await subscriber.push(2), await subscriber.push(3)]
      await scheduled(cloud, `push-${subscriptionId}-`)
      pushes.push(await subscriber.push(4))
      deepEqual(
        pushes.map(({ body }) => body),
        Array(4).fill('again'),
      )
      const waits = pushes.slice(1).map(({ at }, index) => at - (pushes[index]?.at ?? 0))
      ok(
        waits.every((wait, index) => wait > 1_000 * 2 ** index - 100),
        `the waits were ${waits.join(', ')} ms`,
      )
      await client.call('Unsubscribe', { topicName, subscriptionName: 'web' })
    },
  )

  await check('a delayed publication comes by a schedule when its delay is over', async () => {
    const { topicId } = await topicCalled(topicName)
    await client.call('Subscribe', { topicName, subscriptionName: 'queue', protocol: 'queue', endpoint: queueName })
    const start = performance.now()
    await client.call('PublishMessage', { topicName, msgBody: 'later', delaySeconds: 2 * longestPause })
    await scheduled(cloud, `release-${topicId}-`)
    const { msgBody } = await client.call('ReceiveMessage', { queueName, pollingWaitSeconds: 25 })
    deepEqual(msgBody, 'later')
    ok(performance.now() - start > 2_000 * longestPause - 100, 'it came too early')
  })

  async function topicCalled(name: string) {
    const { topicList } = await client.call('ListTopic', { searchWord: name })
    return topicList[0]
  }
}
