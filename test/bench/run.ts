import { parseArgs } from 'node:util'
import { lineOf, type Findings, type Requirement } from './report.ts'

/** `npm run bench`: what the service costs and how fast it is, against what is required of it. */

export interface Size {
  /** Fewer and shorter rounds: enough to see that everything runs, too few to judge times by. */
  readonly quick: boolean
}

type Section = (size: Size) => Promise<Findings>

/** Each section is loaded when it runs, so that none measures in the heap of another's modules. */
const sections: Readonly<Record<string, readonly [title: string, load: () => Promise<Section>]>> = {
  units: ['Capacity units and calls of each action', async () => (await import('./units.ts')).units],
  throughput: ['Messages a second on localhost', async () => (await import('./throughput.ts')).throughput],
  'wake-up': ['Wake-up of a waiting consumer', async () => (await import('./wake-up.ts')).wakeUp],
  'in-flight': ['Receiving past messages in flight', async () => (await import('./in-flight.ts')).inFlight],
  counts: ['Counting a million messages', async () => (await import('./counting.ts')).counting],
  rewinding: ['Rewinding many messages', async () => (await import('./rewinding.ts')).rewinding],
  matching: ['Matching one message by its routing key', async () => (await import('./matching.ts')).matching],
  'publish-units': [
    'Capacity units and calls of publishing and pushing',
    async () => (await import('./publish-units.ts')).publishUnits,
  ],
  publishing: ['Publishes a second on localhost', async () => (await import('./publishing.ts')).publishing],
  pushing: ['Pushes on localhost', async () => (await import('./pushing.ts')).pushing],
  contention: ['A hundred consumers of one queue', async () => (await import('./contention.ts')).contention],
}

const usage = `npm run bench -- [options]

  --quick      smaller numbers, in a minute
  --only NAME  one section: ${Object.keys(sections).join(', ')}
  --help       this text

Exits with 1 if a requirement is missed.`

async function main(): Promise<number> {
  const options = { quick: { type: 'boolean' }, only: { type: 'string' }, help: { type: 'boolean' } } as const
  const { quick = false, only, help } = parseArgs({ options }).values
  if (help) {
    console.log(usage)
    return 0
  }
  const chosen = Object.entries(sections).filter(([name]) => only === undefined || name === only)
  if (chosen.length === 0) {
    console.error(`no section is called ${only}: ${Object.keys(sections).join(', ')}`)
    return 1
  }

  const requirements: Requirement[] = []
  for (const [, [title, load]] of chosen) {
    const startedAt = performance.now()
    const measure = await load()
    const findings = await measure({ quick })
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
    console.log(`## ${title}\n\n${findings.text}\n\nTook ${seconds} s.\n`)
    requirements.push(...findings.requirements)
  }
  console.log(`## Requirements\n\n${requirements.map(lineOf).join('\n')}`)
  return requirements.every(({ isMet }) => isMet) ? 0 : 1
}

// Read by the logger when it is made, and every section is imported later than this.
process.env['POWERTOOLS_LOG_LEVEL'] = 'SILENT'
// An exit that runs handlers, which end the child processes.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130))

process.exitCode = await main().catch((error: unknown) => {
  console.error(error)
  return 1
})
