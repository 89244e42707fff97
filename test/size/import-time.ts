import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Says what the process has used of processors so far, in microseconds, those of its helping threads among them. */
const tell = 'const { user, system } = process.cpuUsage(); process.stdout.write(String(user + system))'

/**
 * Milliseconds of one core that a new Node takes to import a module, its own start among them. Time of the processor, not
 * of the clock, so that whatever else runs on the machine hardly counts.
 */
async function once(file: string | undefined): Promise<number> {
  const script = `${file === undefined ? '' : `await import(${JSON.stringify(file)});`} ${tell}`
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], { env: {} })
  return Number(stdout) / 1_000
}

/**
 * What importing each of the files takes above bare Node: the least of so many rounds, since noise only adds. Each round
 * imports all of them, so that a machine that becomes slower becomes so for all.
 */
export async function importTimes<Name extends string>(
  files: Readonly<Record<Name, string>>,
  rounds: number,
): Promise<Readonly<Record<Name, number>>> {
  const names = Object.keys(files) as Name[]
  const least = new Map<Name | undefined, number>()
  for (let round = 0; round < rounds; round++)
    for (const name of [undefined, ...names]) {
      const took = await once(name && files[name])
      least.set(name, Math.min(took, least.get(name) ?? Infinity))
    }
  const bare = least.get(undefined) ?? NaN
  return Object.fromEntries(names.map((name) => [name, (least.get(name) ?? NaN) - bare])) as Record<Name, number>
}
