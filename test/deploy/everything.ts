import { deepEqual, rejects } from 'node:assert/strict'
import { fileURLToPath } from 'node:url'
import { runProgram, type QuickStart } from '../sdk/quick-starts.ts'
import { cmqClient, type Access } from '../support/cmq-client.ts'
import { run } from '../support/programs.ts'
import type { Tally } from '../support/tally.ts'
import { cdk, type Cdk, type Context } from './cdk.ts'
import { cmqSdkStory, sdkHosts } from './cmq-sdk-story.ts'
import type { EmulatedCloud } from './emulated-cloud.ts'
import { redeploymentStory } from './redeployment-story.ts'
import { longestPause, schedulerStory } from './scheduler-story.ts'
import { stagesStory } from './stages-story.ts'
import { functionsOf, loggedErrors } from './traces.ts'

interface Given {
  readonly cloud: EmulatedCloud
  /** A Python that has CMQ's SDK. */
  readonly sdkPython: string
  readonly directory: string
  readonly results: Tally
  readonly signal: AbortSignal
}

/** What the test needs of the stage that most stories are told of. All else is as a user gets it. */
const context: Context = {
  longestPause: String(longestPause),
  pushTargets: '127.0.0.0/8',
  publicHosts: sdkHosts.join(','),
}

/** Deploys two stages, tells of both at once what can be told at once, and destroys the second. */
export async function tellEverything(given: Given): Promise<void> {
  const { cloud, directory, results, signal } = given
  const { check } = results
  const commands = cdk(cloud, directory, signal)
  await check('the emulated cloud refuses whom it does not know', () => refusesStrangers(cloud))
  await check('cdk bootstrap', () => commands.bootstrap())
  const deployments = [deploy('one', context), deploy('two', {})] as const
  await Promise.allSettled(deployments)
  const [one, two] = await Promise.all(deployments)

  function deploy(stage: string, values: Context): Promise<Access> {
    return check(`cdk deploy -c stage=${stage}`, async () => {
      const access = await commands.deploy(stage, values)
      await cmqClient(access).call('ListQueue')
      return access
    })
  }

  await tellClients(given, commands, one, two)
  await results.story(() =>
    check('no function has logged an error', async () => deepEqual(await loggedErrors(cloud), [])),
  )
  signal.throwIfAborted()
  await results.story(() => destroyed(commands, cloud, one, results))
}

/** The first calls start a process of a function each. CMQ's own clients give up after ten seconds, so they come second. */
async function tellClients(given: Given, commands: Cdk, one: Access, two: Access): Promise<void> {
  const { cloud, results, signal } = given
  const tell = (about: string, body: (results: Tally) => Promise<void>) => {
    const narrower = results.about(about)
    return narrower.story(() => body(narrower))
  }
  const first = [
    tell('npm run smoke', (about) => runSmoke(one, given, about)),
    tell('two stages', (about) => stagesStory(one, two, about)),
  ]
  await results.together(first, signal)
  const second = [
    ...quickStarts(given, one).map((quickStart) =>
      tell(`${quickStart.program} ${quickStart.setting.join(' ')}`, (about) =>
        runProgram({ ...quickStart, results: about }),
      ),
    ),
    tell('cmq-sdk', (about) => cmqSdkStory(one, about)),
    tell('Scheduler', (about) => schedulerStory(one, cloud, about)),
  ]
  await results.together(second, signal)
  // By itself, since CDK keeps a whole core busy, and the service gives DynamoDB a second for each answer.
  const redeploy = (values: Context) => commands.deploy('two', values)
  await results.together([tell('redeployment', (about) => redeploymentStory(two, redeploy, about))], signal)
}

/** Otherwise nothing that a role may not do would be noticed. */
async function refusesStrangers(cloud: EmulatedCloud): Promise<void> {
  const authorization =
    'AWS4-HMAC-SHA256 Credential=AKIANOBODY/20200101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=0'
  await rejects(cloud.ask('lambda', { method: 'GET', path: '/2015-03-31/functions', headers: { authorization } }))
}

/** Each program of CMQ's own SDK, by another signature and method: npm run test:sdk has all of them by all. */
function quickStarts({ cloud, sdkPython, directory, results, signal }: Given, access: Access): QuickStart[] {
  const common = { python: sdkPython, access, cwd: directory, env: cloud.environment, results, signal }
  return [
    { program: 'queue_quick_start', setting: ['sha1', 'POST'], ...common },
    { program: 'topic_quick_start', setting: ['sha256', 'GET'], ...common },
    { program: 'dead_letters', setting: ['sha256', 'POST'], ...common },
  ]
}

/** As a user does who has just deployed. */
async function runSmoke({ endpoint, secretId, secretKey }: Access, given: Given, results: Tally): Promise<void> {
  const program = fileURLToPath(new URL('../smoke/run.ts', import.meta.url))
  const args = [program, '--endpoint', endpoint, '--secret-id', secretId, `--secret-key=${secretKey}`]
  const options = { env: given.cloud.environment, signal: given.signal, onLine: results.relay }
  const failedBefore = results.failures
  const code = await run(process.execPath, args, options)
  given.signal.throwIfAborted()
  if (code !== 0 && results.failures === failedBefore) throw new Error(`it ended with ${code}`)
}

async function destroyed(commands: Cdk, cloud: EmulatedCloud, one: Access, { check }: Tally): Promise<void> {
  await check('cdk destroy leaves nothing of a stage, and the other one as it was', async () => {
    await commands.destroy('two')
    deepEqual(await functionsOf(cloud, 'cmq-two'), [])
    await cmqClient(one).call('ListQueue')
  })
}
