import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Measured, Use } from './measure.ts'

/**
 * `npm run cost`: what the service costs, from units that are measured now and the prices of cdk/prices.ts, and the tables
 * of docs/cost.md that say it. `--write` puts them there.
 */

const usage = `npm run cost -- [options]

  --measure  measures anew, in a minute; otherwise what was measured last is priced
  --write    puts the tables into docs/cost.md
  --help     this text

Exits with 1 if the document says something else.`

const page = join(import.meta.dirname, '../../docs/cost.md')
const kept = join(import.meta.dirname, 'measured.json')

/** What was measured. */
interface Units {
  readonly measured: Measured
  readonly deadDay: Use
}

async function main(): Promise<number> {
  const flag = { type: 'boolean', default: false } as const
  const { measure, write, help } = parseArgs({ options: { measure: flag, write: flag, help: flag } }).values
  if (help) {
    console.log(usage)
    return 0
  }
  if (measure) writeFileSync(kept, `${JSON.stringify(await measureAll(), undefined, 2)}\n`)
  const { measured, deadDay } = JSON.parse(readFileSync(kept, 'utf8')) as Units
  const { tablesOf } = await import('./page.ts')
  const { filled } = await import('./filled.ts')
  const before = readFileSync(page, 'utf8')
  const after = filled(before, tablesOf(measured, deadDay))
  if (write) writeFileSync(page, after)
  console.log(after)
  return write || before === after ? 0 : 1
}

async function measureAll(): Promise<Units> {
  const { measure, measureDeadDay } = await import('./measure.ts')
  const { engine } = await import('../bench/processes.ts')
  await using database = await engine()
  return { measured: await measure(database.endpoint), deadDay: await measureDeadDay(database.endpoint) }
}

// Read by the logger when it is made.
process.env['POWERTOOLS_LOG_LEVEL'] = 'SILENT'
process.exitCode = await main()
