import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { keyPair, startLocalServer } from '../clients/local-server.ts'
import { endSignal } from '../support/programs.ts'
import { findPython, preparePython, sdk } from '../support/python.ts'
import { tally } from '../support/tally.ts'
import { quickStarts, runProgram } from './quick-starts.ts'

/**
 * `npm run test:sdk`: the quick starts of CMQ's documents by CMQ's own Python SDK, and the same by API 3.0 with the
 * cloud's, against the server of `npm start`.
 */

/** Seconds after which it gives up. */
const LONGEST = 900

const results = tally()
const signal = endSignal(LONGEST)

await results.story(async () => {
  const found = findPython()
  if (typeof found === 'string') return results.skip('the Python SDK', found)
  const python = await preparePython(found, sdk, signal)
  const server = await startLocalServer()
  // The SDK writes a log file into its working directory.
  const cwd = await mkdtemp(join(tmpdir(), 'cmq-sdk-'))
  try {
    const access = { endpoint: server.url, ...keyPair }
    const runs = quickStarts.map(({ program, setting }) => {
      const about = results.about(`${program} ${setting.join(' ')}`)
      return about.story(() => runProgram({ program, setting, python, access, cwd, results: about, signal }))
    })
    await Promise.all(runs)
  } finally {
    await server.stop()
    await rm(cwd, { recursive: true, force: true })
  }
})
results.close()
