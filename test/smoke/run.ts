import { endSignal } from '../support/programs.ts'
import { tally } from '../support/tally.ts'
import { readOptions, usage } from './options.ts'
import { smoke } from './smoke.ts'

/** `npm run smoke`: whether a deployed service does what it should, seen from outside. */

/** Seconds after which it gives up. */
const LONGEST = 120

try {
  const access = readOptions(process.argv.slice(2), process.env)
  if (access) {
    const results = tally()
    await smoke(access, results, endSignal(LONGEST))
    results.close()
  } else console.log(usage)
} catch (error) {
  console.error(`${(error as Error).message}\n\n${usage}`)
  process.exitCode = 1
}
// Whatever still waits for an answer waits for nobody.
process.exit()
