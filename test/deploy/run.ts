import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { endSignal } from '../support/programs.ts'
import { findPython, preparePython, sdk, type Holding, type Python } from '../support/python.ts'
import { tally } from '../support/tally.ts'
import { emulatedCloud } from './emulated-cloud.ts'
import { tellEverything } from './everything.ts'

/** `npm run test:deploy`: two stages are deployed into an emulated cloud, and used by the endpoints that were printed. */

const ministack: Holding = { name: 'deploy', module: 'ministack' }

/** Seconds after which it gives up: alone on a machine all of it takes one or two minutes. */
const LONGEST = 1_200

const results = tally()
const signal = endSignal(LONGEST)

async function main(): Promise<void> {
  const found = findPython()
  const problem = typeof found === 'string' ? found : tooOld(found)
  if (typeof found === 'string' || problem !== undefined)
    return results.skip('a deployment into an emulated cloud', `${problem}`)
  const python = await preparePython(found, ministack, signal)
  const sdkPython = await preparePython(found, sdk, signal)
  const directory = await mkdtemp(join(tmpdir(), 'cmq-deploy-'))
  try {
    await using cloud = await emulatedCloud(python, directory, signal)
    await results.story(() => tellEverything({ cloud, sdkPython, directory, results, signal }))
    if (results.failures > 0) console.log(`the emulator's last words: ${await cloud.lastWords()}`)
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 10 })
  }
}

function tooOld({ version }: Python): string | undefined {
  const [, minor = 0] = version.split('.').map(Number)
  return minor < 10 ? `python3 is ${version}, too old for the emulator: 3.10 would do` : undefined
}

const started = performance.now()
await results.story(main)
console.log(`in ${Math.round((performance.now() - started) / 1000)} s`)
results.close()
// Whoever still waits after a failure waits for nobody.
process.exit()
