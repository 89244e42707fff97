import { randomBytes } from 'node:crypto'
import { cmqClient, type Access } from '../support/cmq-client.ts'
import type { Tally } from '../support/tally.ts'
import { accessStories } from './access-stories.ts'
import { queueStories } from './queue-stories.ts'
import { topicStories } from './topic-stories.ts'
import { ownResources } from './own-resources.ts'

/**
 * Tells every story at once, since most of their time they wait, and deletes what they have created, whatever became of
 * them. The signal ends the stories, and is a failure.
 */
export async function smoke(access: Access, results: Tally, signal: AbortSignal): Promise<void> {
  const client = cmqClient(access)
  const own = ownResources(client, `smoke-${randomBytes(4).toString('hex')}`)
  const isLocal = /^(127\.|\[::1\]$|(.*\.)?localhost$)/.test(new URL(access.endpoint).hostname)
  const { check } = results
  const told = { access, client, own, check, skip: results.skip, isLocal }

  await results.story(() =>
    check(`${access.endpoint} answers, and knows the key pair`, async () => {
      await client.call('ListQueue', { limit: 1 })
      await client.call('ListTopic', { limit: 1 })
    }),
  )
  if (results.failures > 0) return
  const stories = [...accessStories, ...queueStories, ...topicStories]
  await results.together(
    stories.map((tell) => results.story(() => tell(told))),
    signal,
  )
  await results.story(() => check('everything is deleted again', () => own.clear()))
}
