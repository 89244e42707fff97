import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

/** What `npm start` runs, in memory and on a free port, as a process of its own. */
export interface LocalServer {
  readonly url: string
  readonly port: number
  /** Asks the process to end, ends it if it does not, and resolves when it is gone. */
  readonly stop: () => Promise<void>
}

/** The pair of every local server that was not given another. */
export const keyPair = { secretId: 'AKIDlocal', secretKey: 'local-secret' }

const MILLISECONDS_TO_START = 30_000
const MILLISECONDS_TO_STOP = 5_000

/** Resolves once the server listens; whatever else it says goes where this process's errors go. */
export async function startLocalServer(): Promise<LocalServer> {
  const child = spawn(process.execPath, ['functions/start.ts', '--memory', '--port', '0'], {
    cwd: new URL('../..', import.meta.url),
    env: withoutSettings(process.env),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const gone = once(child, 'exit')

  async function stop() {
    const kill = setTimeout(() => child.kill('SIGKILL'), MILLISECONDS_TO_STOP)
    child.kill('SIGTERM')
    await gone
    clearTimeout(kill)
  }

  const late = setTimeout(() => void stop(), MILLISECONDS_TO_START)
  for await (const line of createInterface(child.stdout)) {
    const [, url] = /^CMQ listening on (http:\S+)$/.exec(line) ?? []
    if (url === undefined) continue
    clearTimeout(late)
    child.stdout.resume()
    return { url, port: Number(new URL(url).port), stop }
  }
  clearTimeout(late)
  await gone
  throw new Error('functions/start.ts ended before it listened')
}

/** The tests want the service as it is by default, whatever is set where they run. */
function withoutSettings(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('CMQ_')))
}
