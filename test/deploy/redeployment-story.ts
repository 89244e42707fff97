import { deepEqual, equal, ok } from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { receiveAll, type Received } from '../smoke/story.ts'
import { cmqClient, listed, type Access, type CmqClient, type Parameters } from '../support/cmq-client.ts'
import type { Answer } from '../support/service.ts'
import type { Tally } from '../support/tally.ts'

/** Milliseconds in which everything that was sent arrives. */
const LONGEST = 120_000

/** What is updated while messages are there, and while others come and go. */
export async function redeploymentStory(
  access: Access,
  redeploy: (context: Readonly<Record<string, string>>) => Promise<Access>,
  { check }: Tally,
): Promise<void> {
  const client = cmqClient(access)
  const queueName = 'kept'
  await client.call('CreateQueue', { queueName, visibilityTimeout: 600, maxMsgSize: 131_072 })
  await client.call('SendMessage', { queueName, msgBody: 'in flight' })
  const { receiptHandle } = await client.call('ReceiveMessage', { queueName, pollingWaitSeconds: 20 })
  const bodies = [...Array.from({ length: 15 }, (_, number) => `message ${number}`), 'large'.padEnd(100_000, 'x')]
  await client.call('BatchSendMessage', { queueName, ...listed('msgBody', bodies) })
  await client.call('SendMessage', { queueName, msgBody: 'delayed', delaySeconds: 5 })
  const tooLong = { queueName, msgBody: 'a', delaySeconds: 7_200 }
  equal((await client.ask('SendMessage', tooLong)).code, 4000)

  const traffic = await startTraffic(client)
  await check(
    'a stage is deployed again with other properties, under the endpoint and the key that it had',
    async () => {
      deepEqual(await redeploy({ longestDelay: '86400', longestWait: '20', maxQueues: '50' }), access)
      await client.call('SendMessage', tooLong)
    },
  )
  await check('every message that was acknowledged in the meantime has arrived', () => traffic.end())
  await check('every message that was there is there', async () => {
    const messages = await receiveAll(client, queueName, 17)
    deepEqual(messages.map(({ msgBody }) => msgBody).sort(), [...bodies, 'delayed'].sort())
  })
  await check('what was received before can be deleted', async () => {
    await client.call('DeleteMessage', { queueName, receiptHandle })
  })
}

interface Traffic {
  /** Ends the sending, and resolves when everything has come. */
  end(): Promise<void>
}

/** One that sends a message after the other, and one that receives and deletes them. */
async function startTraffic(client: CmqClient): Promise<Traffic> {
  const queueName = 'busy'
  await client.call('CreateQueue', { queueName, visibilityTimeout: 5 })
  const acknowledged = new Set<string>()
  const arrived = new Set<string>()
  let isEnding = false
  /** Until the last answer is there: what it acknowledges may come after the end was asked for. */
  let isSending = true

  async function send(): Promise<void> {
    try {
      for (let number = 0; !isEnding; number++) {
        const { code } = await patientAsk(client, 'SendMessage', { queueName, msgBody: `${number}` })
        if (code === 0) acknowledged.add(`${number}`)
        await sleep(50)
      }
    } finally {
      isSending = false
    }
  }

  async function receive(): Promise<void> {
    const missing = () => [...acknowledged].some((body) => !arrived.has(body))
    for (const deadline = performance.now() + LONGEST; (isSending || missing()) && performance.now() < deadline;) {
      const wanted = { queueName, numOfMsg: 16, pollingWaitSeconds: 1 }
      const { msgInfoList = [] } = await patientAsk(client, 'BatchReceiveMessage', wanted)
      for (const { msgBody } of msgInfoList) arrived.add(msgBody)
      const handles = (msgInfoList as Received[]).map(({ receiptHandle }) => receiptHandle)
      if (handles.length > 0)
        await patientAsk(client, 'BatchDeleteMessage', { queueName, ...listed('receiptHandle', handles) })
    }
  }

  const done = Promise.all([send(), receive()])
  done.catch(() => {})
  return {
    async end() {
      isEnding = true
      await done
      deepEqual(
        [...acknowledged].filter((body) => !arrived.has(body)),
        [],
      )
      ok(acknowledged.size > 10, `only ${acknowledged.size} messages were sent`)
    },
  }
}

/** The emulator ends a function amid its work when it is updated, and answers 502 for it. That acknowledges nothing. */
function patientAsk(client: CmqClient, action: string, parameters: Parameters): Promise<Partial<Answer>> {
  return client.ask(action, parameters).catch((error: Error) => {
    if (!error.message.includes('HTTP 502')) throw error
    return {}
  })
}
