import { equal, ok } from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { receive } from '../smoke/story.ts'
import { cmqClient, type Access } from '../support/cmq-client.ts'
import { subscriberThat, type Push } from '../support/subscriber.ts'
import type { Tally } from '../support/tally.ts'
import type { EmulatedCloud } from './emulated-cloud.ts'
import { scheduled } from './traces.ts'

/** Seconds that a run waits out itself. Whatever is due later is nobody's who runs: Scheduler has to wake somebody. */
export const longestPause = 3

/** Milliseconds in which a push comes. */
const LONGEST = 60_000

/** A retry and a delayed publication that lie further ahead than any run waits, on a stage that has the longestPause above. */
export async function schedulerStory(access: Access, cloud: EmulatedCloud, { check }: Tally): Promise<void> {
  const client = cmqClient(access)
  await using subscriber = await subscriberThat(500)
  const [topicName, queueName] = ['scheduled', 'scheduled']
  await client.call('CreateTopic', { topicName })
  await client.call('CreateQueue', { queueName })

  await check(
    'a failed push is tried again after 1, 2, 4 … s, and a schedule wakes it for the longer waits',
    async () => {
      const web = { subscriptionName: 'web', protocol: 'http', endpoint: subscriber.url }
      const { subscriptionId } = await client.call('Subscribe', { topicName, ...web })
      await client.call('PublishMessage', { topicName, msgBody: 'again' })
      await scheduled(cloud, `push-${subscriptionId}-`)
      subscriber.answer(200)
      await push(subscriber.pushes.length + 1)
      const waits = subscriber.pushes.slice(1).map(({ at }, index) => at - (subscriber.pushes[index]?.at ?? 0))
      const isNeverEarly = waits.every((wait, index) => wait > 1_000 * 2 ** index - 100)
      ok(isNeverEarly && waits.length >= 2, `the waits were ${waits.join(', ')} ms`)
      await client.call('Unsubscribe', { topicName, subscriptionName: 'web' })
    },
  )

  await check('a delayed publication comes by a schedule when its delay is over', async () => {
    const { topicId } = await topicCalled(topicName)
    await client.call('Subscribe', { topicName, subscriptionName: 'queue', protocol: 'queue', endpoint: queueName })
    const start = performance.now()
    await client.call('PublishMessage', { topicName, msgBody: 'later', delaySeconds: 5 * longestPause })
    await scheduled(cloud, `release-${topicId}-`)
    const { msgBody } = await receive(client, queueName)
    equal(msgBody, 'later')
    ok(performance.now() - start > 5_000 * longestPause - 100, 'it came too early')
  })

  function push(number: number): Promise<Push> {
    const tooLate = sleep(LONGEST, undefined, { ref: false }).then(() => {
      throw new Error(`push ${number} did not come within ${LONGEST / 1000} s`)
    })
    return Promise.race([subscriber.push(number), tooLate])
  }

  async function topicCalled(name: string) {
    const { topicList } = await client.call('ListTopic', { searchWord: name })
    return topicList[0]
  }
}
