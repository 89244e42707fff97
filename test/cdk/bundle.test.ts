import { Duration } from 'aws-cdk-lib'
import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { testEngine } from '../support/engine.ts'
import { type Answer, asker, newTables, testServices } from '../support/service.ts'
import { signedEvent } from '../support/signed-request.ts'
import { subscriberThat, type Subscriber } from '../support/subscriber.ts'
import { deployed, outdir } from './deployed.ts'
import { type DeployedFunction, startFunction } from './deployed-function.ts'
import { emulatedCloud, type EmulatedCloud } from './emulated-cloud.ts'

const names = ['Api', 'Push', 'ReleaseDelayed', 'RetryDeliveries'] as const
type Name = (typeof names)[number]

// The subscribers are on this machine, and nobody waits for a second attempt: it is scheduled.
const { propertiesOf, rightsOf } = deployed({ pushTargets: ['127.0.0.1'], longestPause: Duration.seconds(0) })

const fileOf = (name: Name): string =>
  join(outdir, `asset.${propertiesOf(name)['Code'].S3Key.replace('.zip', '')}`, 'index.mjs')

describe('a bundle', () => {
  it.each(names.map((name) => ({ name, bytes: readFileSync(fileOf(name)).byteLength })))(
    'of $bytes bytes is that of $name: at most 400,000, for the sake of cold starts',
    ({ bytes }) => {
      expect(bytes).toBeLessThanOrEqual(400_000)
    },
  )

  it.each(names)('loads by itself, without what it does not need, and is a handler: %s', (name) => {
    const script = `const { handler } = await import(${JSON.stringify(fileOf(name))}); process.stdout.write(typeof handler)
      if (process.moduleLoadList.some((name) => name.includes('undici'))) process.stdout.write(' and undici')`
    const options = { cwd: outdir, env: {}, encoding: 'utf8' } as const
    expect(execFileSync(process.execPath, ['--input-type=module', '--eval', script], options)).toBe('function')
  })

  it.each([
    ['the client of EventBridge Scheduler', 'ActionAfterCompletion'],
    ['what posts to web servers', 'connection stale'],
  ])('holds %s only where it is used', (_what, word) => {
    const holding = names.filter((name) => readFileSync(fileOf(name), 'utf8').includes(word))
    expect(holding).toEqual(['Push', 'ReleaseDelayed'])
  })
})

let engine: Awaited<ReturnType<typeof testEngine>>
let tables: Awaited<ReturnType<typeof newTables>>
let cloud: EmulatedCloud
let functions: Readonly<Record<Name, DeployedFunction>>
let web: Subscriber
let other: Subscriber

beforeAll(async () => {
  engine = await testEngine()
  cloud = await emulatedCloud(engine.endpoint, (name, event) => void functions[name as Name].invoke(event))
  tables = await newTables(engine.endpoint)
  const references = Object.fromEntries(Object.entries(tables).map(([table, name]) => [`<${table}>`, name]))
  const start = (name: Name) => {
    // As a deployment fills them in.
    const variables = Object.entries<string>(propertiesOf(name)['Environment'].Variables).map(([variable, value]) => [
      variable,
      references[value.toLowerCase()] ?? value.replace(/^<(.*)>$/, '$1'),
    ])
    const access = { AWS_ENDPOINT_URL: cloud.endpoint, AWS_ACCESS_KEY_ID: name, AWS_SECRET_ACCESS_KEY: 'local' }
    return startFunction(name, fileOf(name), {
      ...Object.fromEntries(variables),
      ...access,
      POWERTOOLS_LOG_LEVEL: 'SILENT',
    })
  }
  functions = {
    Api: start('Api'),
    Push: start('Push'),
    ReleaseDelayed: start('ReleaseDelayed'),
    RetryDeliveries: start('RetryDeliveries'),
  }
  ;[web, other] = await Promise.all([subscriberThat(200), subscriberThat(200)])
})

afterAll(async () => {
  for (const { end } of Object.values(functions)) end()
  cloud.close()
  await Promise.all([web[Symbol.asyncDispose](), other[Symbol.asyncDispose](), engine.stop()])
})

/** Milliseconds in which whatever is certain comes, however busy the machine is. */
const LONGEST = 120_000
const NO_MESSAGE = 7000

describe('the bundles, with what the template tells them', () => {
  const large = 'x'.repeat(5_000)
  // As EventBridge Scheduler makes it.
  const beat = { version: '0', 'detail-type': 'Scheduled Event', source: 'aws.scheduler', detail: '{}' }

  it('send and receive', async () => {
    await ask('CreateQueue', { queueName: 'orders' })
    await ask('SetQueueAttributes', { queueName: 'orders', pollingWaitSeconds: '0' })
    await ask('BatchSendMessage', { queueName: 'orders', 'msgBody.0': large, 'msgBody.1': 'small' })
    await ask('SendMessage', { queueName: 'orders', msgBody: large })
    const { msgInfoList } = await ask('BatchReceiveMessage', { queueName: 'orders', numOfMsg: '16' })
    expect(msgInfoList).toHaveLength(3)
    const receiptHandles = { 'receiptHandle.0': msgInfoList[0].receiptHandle }
    await ask('BatchDeleteMessage', { queueName: 'orders', ...receiptHandles })
    await ask('GetQueueAttributes', { queueName: 'orders' })
    await ask('ListQueue', {})
    await ask('DeleteQueue', { queueName: 'orders' })
  })

  it('publish to web servers and queues, and push', async () => {
    await Promise.all(['east', 'west'].map((queueName) => ask('CreateQueue', { queueName })))
    await ask('CreateTopic', { topicName: 'news' })
    await Promise.all([
      subscribe('web', 'http', web.url),
      subscribe('other', 'http', other.url, 'all'),
      subscribe('east', 'queue', 'east', 'all'),
      subscribe('west', 'queue', 'west', 'all', 'few'),
      subscribe('missing', 'queue', 'missing', 'all'),
    ])
    await publish(large, 'all')
    await publish('to a few', 'few')
    expect((await web.push(2)).body + (await web.push(1)).body).toContain('to a few')
    expect((await other.push(1)).body).toContain(large)
    expect(await received('east', 1)).toEqual([large])
    expect(await received('west', 2)).toEqual(expect.arrayContaining([large, 'to a few']))
    await ask('GetTopicAttributes', { topicName: 'news' })
  })

  it('are woken by schedules for what is due later', async () => {
    const { GroupName, Target } = await vi.waitFor(() => scheduledFor('Push'), LONGEST)
    expect({ GroupName, RoleArn: Target.RoleArn }).toEqual({
      GroupName: propertiesOf('Schedules')['Name'],
      RoleArn: 'WakeUpRole.Arn',
    })
    await ask('CreateQueue', { queueName: 'missing' })
    expect(await received('missing', 1)).toEqual([large])
  })

  it('publish what was delayed, after a failure too', async () => {
    cloud.refuse('ReleaseDelayed Bodies BatchWriteItem', 1)
    await publish(large, 'all', 1)
    await publish('later to a few', 'few', 1)
    expect((await web.push(4)).body + (await web.push(3)).body).toContain('later to a few')
    expect((await other.push(2)).body).toContain(large)
    expect(await received('west', 2)).toEqual(expect.arrayContaining([large, 'later to a few']))
    expect(scheduledFor('ReleaseDelayed').Target.RoleArn).toBe('WakeUpRole.Arn')
  })

  it('find every minute what nobody was called for', async () => {
    cloud.refuse('Api Push InvokeFunction', Infinity)
    await publish('left behind', 'few')
    expect(web.pushes).toHaveLength(4)
    await functions.RetryDeliveries.invoke(beat)
    expect((await web.push(5)).body).toContain('left behind')
    cloud.refuse('Api Push InvokeFunction', 0)

    cloud.refuse('Api ReleaseDelayed InvokeFunction', Infinity)
    await publish('left to wait', 'few', 1)
    cloud.refuse('Api ReleaseDelayed InvokeFunction', 0)
    await vi.waitFor(async () => {
      await functions.ReleaseDelayed.invoke(beat)
      expect(web.pushes).toHaveLength(6)
    }, LONGEST)
    expect(web.pushes.at(-1)?.body).toContain('left to wait')
  })

  it('move dead letters, those that were received too often and those that are too old', async () => {
    await ask('CreateQueue', { queueName: 'dead' })
    const bound = { deadLetterQueueName: 'dead', visibilityTimeout: '1' }
    await ask('CreateQueue', { queueName: 'poisoned', ...bound, policy: '0', maxReceiveCount: '1' })
    await ask('SendMessage', { queueName: 'poisoned', msgBody: 'poison' })
    await ask('ReceiveMessage', { queueName: 'poisoned' })
    // When its lease is over, and not while somebody waits: a machine that pauses then looks no more.
    await sleep(1_100)
    await expect(ask('ReceiveMessage', { queueName: 'poisoned' })).rejects.toThrow('(10200)no message')
    expect(await received('dead', 1)).toEqual(['poison'])

    // What was so ten minutes ago.
    const then = Date.now() - 600_000
    const clock = { now: () => then, sleep: () => Promise.resolve() }
    const past = asker(await testServices({ endpoint: engine.endpoint, tableNames: tables, clock }))
    await past('CreateQueue', { queueName: 'old', ...bound, policy: 1, maxTimeToLive: 300 })
    for (const msgBody of ['old', large]) await past('SendMessage', { queueName: 'old', msgBody })
    await functions.ReleaseDelayed.invoke(beat)
    expect((await received('dead', 2)).toSorted()).toEqual(['old', large])
  })

  it.each(['Push', 'ReleaseDelayed'] as const)('%s starts itself when its time is over', async (name) => {
    const { work } = JSON.parse(scheduledFor(name).Target.Input)
    await functions[name].invoke({ work }, 0)
    expect([...cloud.calls]).toContain(`${name} ${name} InvokeFunction`)
  })

  it('forget what belongs to nobody any more', async () => {
    const names = ['web', 'other', 'east', 'west', 'missing']
    await Promise.all(names.map((subscriptionName) => ask('Unsubscribe', { topicName: 'news', subscriptionName })))
    await ask('DeleteTopic', { topicName: 'news' })
    for (const [name, duty] of [
      ['Push', 'push'],
      ['ReleaseDelayed', 'release'],
    ] as const) {
      const { work } = JSON.parse(scheduledFor(name).Target.Input)
      await vi.waitFor(async () => {
        await functions[name].invoke({ work })
        expect(asked(name)).toContain(`${name} Registry DeleteItem pending#${duty}#*`)
      }, LONGEST)
    }
  })

  it.each<[Name, string[]]>([
    // Once a minute it looks at a whole shard, and at single messages when many leases have run out.
    ['Api', ['Api Messages GetItem', 'Api Messages BatchGetItem']],
    // Deliveries that happen to be made in one turn of the event loop are removed by one call. What fills a queue counts it
    // after a hundred messages.
    ['Push', ['Push Deliveries BatchWriteItem', 'Push Messages Query', ...limits('Push')]],
    // A mark of a queue whose messages die of age no more is removed by the beat that finds it.
    [
      'ReleaseDelayed',
      ['ReleaseDelayed Messages Query', 'ReleaseDelayed Registry DeleteItem aging', ...limits('ReleaseDelayed')],
    ],
    ['RetryDeliveries', []],
  ])('%s asked for all that it may but what a longer life would bring, and no more', (name, later) => {
    const rights = granted(name)
    // Who may ask for all items of a table need not say of which.
    const needed = asked(name).map((call) => (rights.includes(call) ? call : call.replace(/ [^ ]*#\*$/, '')))
    expect([...new Set([...needed, ...later])].toSorted()).toEqual(rights.toSorted())
  })
})

/** What many messages into one queue bring: tallies of them, and notes of who counts it and what was found. */
const limits = (name: Name) =>
  ['GetItem tally#*', 'UpdateItem tally#*', 'UpdateItem account#*'].map((call) => `${name} Registry ${call}`)

async function ask(Action: string, parameters: Record<string, string>): Promise<Answer> {
  const answer = await answerTo(Action, parameters)
  if (answer.code !== 0) throw new Error(`${Action}: ${JSON.stringify(answer)}`)
  return answer
}

async function answerTo(Action: string, parameters: Record<string, string>): Promise<Answer> {
  const { body } = (await functions.Api.invoke(
    signedEvent({ Action, ...parameters }),
  )) as APIGatewayProxyStructuredResultV2
  return JSON.parse(body ?? '') as Answer
}

const numbered = (name: string, values: readonly string[]) =>
  Object.fromEntries(values.map((value, index) => [`${name}.${index}`, value]))

const subscribe = (subscriptionName: string, protocol: string, endpoint: string, ...tags: string[]) =>
  ask('Subscribe', {
    topicName: 'news',
    subscriptionName,
    protocol,
    endpoint,
    ...numbered('filterTag', tags),
    ...(protocol === 'queue' ? { notifyContentFormat: 'SIMPLIFIED' } : {}),
  })

const publish = (msgBody: string, tag: string, delaySeconds = 0) =>
  ask('PublishMessage', {
    topicName: 'news',
    msgBody,
    ...numbered('msgTag', [tag]),
    ...(delaySeconds > 0 ? { delaySeconds: String(delaySeconds) } : {}),
  })

/** The bodies of so many messages, whenever they come: a delivery that has often been tried in vain rests for long. */
async function received(queueName: string, count: number): Promise<readonly string[]> {
  const bodies: string[] = []
  const deadline = performance.now() + LONGEST
  while (bodies.length < count) {
    const { code, msgBody, receiptHandle } = await answerTo('ReceiveMessage', { queueName, pollingWaitSeconds: '10' })
    if (code === NO_MESSAGE && performance.now() < deadline) continue
    expect(code).toBe(0)
    await ask('DeleteMessage', { queueName, receiptHandle })
    bodies.push(msgBody)
  }
  return bodies
}

/** The first wake-up that the function made. */
function scheduledFor(name: Name) {
  const found = cloud.schedules.find(({ Target }) => Target.Arn === functions[name].arn)
  if (!found) throw new Error(`${name} has scheduled nothing`)
  return found
}

const asked = (name: Name): string[] => [...cloud.calls].filter((call) => call.startsWith(`${name} `)).toSorted()

/** What the role may do with tables, functions, schedules and the secret, as `<who> <what> <operation>`. */
function granted(name: Name): string[] {
  return Object.entries(rightsOf(`${name}Role`)).flatMap(([resource, actions]) => {
    const thing = resource.includes(':schedule/') ? 'Schedules' : resource.replace(/^<([^.]*).*>$/, '$1')
    if (!Array.isArray(actions) || thing.endsWith('Logs')) return []
    return actions.map((action: string) => `${name} ${thing} ${action.replace(/^.*:/, '')}`)
  })
}
