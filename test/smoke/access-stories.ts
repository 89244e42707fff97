import { deepEqual, equal } from 'node:assert/strict'
import { cmqClient } from '../support/cmq-client.ts'
import type { Story } from './story.ts'

const HOURS = 3_600_000

/** Who gets in, and who does not. */
export const accessStories: readonly Story[] = [
  async ({ client, check }) => {
    for (const signatureMethod of ['HmacSHA1', 'HmacSHA256'] as const)
      for (const method of ['POST', 'GET'] as const)
        await check(`a ${method} that is signed by ${signatureMethod} is accepted`, async () => {
          await client.call('ListQueue', { limit: 1, searchWord: 'a b+c&d=e/~消息' }, { method, signatureMethod })
        })
    for (const path of ['/', '/v2/index.php'])
      await check(`${path} is answered`, async () => {
        await client.call('ListQueue', { limit: 1 }, { path })
      })
  },

  async ({ client, access, check }) => {
    await check('another key is refused', async () => {
      const answer = await client.ask('ListQueue', {}, { secretKey: `${access.secretKey}?` })
      deepEqual([answer.code, answer.message], [4100, '(10030)authentication failed'])
    })
    await check('a SecretId that nobody has is refused', async () => {
      const answer = await cmqClient({ ...access, secretId: 'AKIDnobody' }).ask('ListQueue')
      deepEqual([answer.code, answer.message], [4100, '(10270)secret id is not existed'])
    })
    await check('a request of yesterday is refused', async () => {
      const answer = await client.ask('ListQueue', {}, { now: Date.now() - 24 * HOURS })
      equal(answer.code, 4100)
    })
    await check('an action that does not exist is refused', async () => {
      const answer = await client.ask('MakeCoffee')
      deepEqual([answer.code, answer.message], [4000, '(10430)action name MakeCoffee is not existed'])
    })
  },
]
